"""Delimited text by Apache Arrow, and in words what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from pushforward.data.categories import MOST_LEVELS, Categories, Coder, Level, is_named
from pushforward.data.dataset import Array
from pushforward.data.files import first_line, reading
from pushforward.data.selection import Selection
from pushforward.data.tables import Columns, Fault, parted, remedy, type_fault
from pushforward.errors import InputError

__all__ = ["read_delimited"]

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
MISSING = {"", "na", "n/a", "nan", "-nan", "null", "#n/a", "#na", "<na>", "1.#ind", "1.#qnan"}
TRUTHS = {"true", "false", "1", "0"}
DELIMITERS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'", " ": "' '"}


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out: ``header_line`` is 0 where its first row is data."""

    path: Path
    delimiter: str
    names: list[str]
    header_line: int
    block_size: int


def read_delimited(path: Path, delimiter: str | None, selection: Selection) -> Columns:
    """Read numbers and names from delimited text, gzipped or not; a first row of numbers means: no header."""
    default = "\t" if ".tsv" in path.suffixes else ","
    delimiter = {None: default, "tab": "\t", "\\t": "\t"}.get(delimiter, cast(str, delimiter))
    if len(delimiter) != 1 or not delimiter.isascii():
        raise InputError(f"--delimiter must be one character or 'tab', not {delimiter!r}")
    with reading(path.name, "delimited text"):
        layout = _layout(path, delimiter)
        modelled, context = selection.of(layout.names, path.name)
        columns, categories = _stream(layout, modelled + context, context)
    return parted(columns, modelled, context, categories)


def _stream(layout: Layout, wanted: list[str], context: list[str]) -> tuple[dict[str, Array], dict[str, Categories]]:
    """The columns, block by block, so that no more than the result and a block is in memory.

    Arrow infers types from the first block. Where whole numbers give way to fractions later on, all is read
    again as fractions, and the columns that are whole after all are made so.
    """
    from pyarrow import ArrowException, float64, types

    floats: dict[str, Any] = {}
    truths: set[str] = set()
    coders: dict[str, Coder] | None = None
    try:
        with _opened(layout, wanted, {}) as reader:
            floats = {field.name: float64() for field in reader.schema if types.is_integer(field.type)}
            truths = {field.name for field in reader.schema if types.is_boolean(field.type)}
            coders = {field.name: Coder(field.name) for field in reader.schema if is_named(field.type)}
            return _coded(_gathered(reader, wanted, coders), coders)
    except (ArrowException, _NotNumbersError) as error:
        try:
            if isinstance(error, _NotNumbersError) or not floats or coders is None:
                raise
            with _opened(layout, wanted, floats) as reader:
                columns, categories = _coded(_gathered(reader, wanted, coders), coders)
        except (ArrowException, _NotNumbersError) as error:
            raise InputError(_why_not(layout, wanted, context, coders, truths, error)) from error
        return {name: _whole_again(x) if name in floats else x for name, x in columns.items()}, categories


class _NotNumbersError(Exception):
    """A block holds something else than finite numbers, and no names either."""


def _opened(layout: Layout, wanted: list[str], column_types: dict[str, Any]) -> Any:
    from pyarrow import csv as arrow

    return arrow.open_csv(
        layout.path,
        read_options=arrow.ReadOptions(
            column_names=layout.names, skip_rows=layout.header_line, block_size=layout.block_size
        ),
        parse_options=arrow.ParseOptions(delimiter=layout.delimiter),
        convert_options=arrow.ConvertOptions(include_columns=wanted, column_types=column_types),
    )


def _gathered(reader: Any, wanted: list[str], coders: dict[str, Coder]) -> dict[str, Array]:
    columns: dict[str, Array] = {}
    n = 0
    for batch in reader:
        for name in wanted:
            if type_fault(name, batch.column(name)):
                raise _NotNumbersError(f"column {name!r} does not hold numbers")
            x = _block(batch.column(name), coders.get(name))
            if not np.isfinite(x).all():
                raise _NotNumbersError(f"column {name!r} is not finite")
            whole = columns.setdefault(name, np.empty(0, x.dtype))
            if len(whole) < n + len(x):
                whole.resize(max(n + len(x), len(whole) * 3 // 2), refcheck=False)  # in place, by moving pages
            whole[n : n + len(x)] = x
        n += len(batch)
    for x in columns.values():
        x.resize(n, refcheck=False)
    return columns


def _block(column: Any, coder: Coder | None) -> Array:
    if coder is None:
        x: Array = column.to_numpy(zero_copy_only=False)
        return x
    codes = coder.add(column)
    if "" in coder.numbers or coder.overflows:
        raise _NotNumbersError(f"column {coder.name!r} has empty cells or too many names")
    return codes


def _coded(columns: dict[str, Array], coders: dict[str, Coder]) -> tuple[dict[str, Array], dict[str, Categories]]:
    """The columns with their codes in the order of the names, and the names."""
    categories: dict[str, Categories] = {}
    for name, coder in coders.items():
        if _are_numbers(coder.numbers):
            raise _NotNumbersError(f"column {name!r} holds numbers and text")
        categories[name], columns[name] = coder.categories(columns[name], "str")
    return columns, categories


def _are_numbers(levels: Iterable[Level]) -> bool:
    """Whether as much of what stands in a column of text is meant as numbers as not: then the rest are mistakes."""
    present = [str(level) for level in levels if str(level).strip().lower() not in MISSING]
    return 2 * sum(bool(NUMBER.fullmatch(_bare(cell).replace(",", "."))) for cell in present) >= len(present)


def _bare(cell: str) -> str:
    """A cell without a sign of a currency or of per cent."""
    return cell.strip().strip("$€£¥%").strip()


def _whole_again(x: Array) -> Array:
    return x.astype(np.int64) if bool((x == np.rint(x)).all()) and np.abs(x).max() <= 2**53 else x


# What follows runs on the first two rows, or to explain a failure: Arrow is fast, this is articulate.


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    with reading(path.name, "gzip" if path.suffix == ".gz" else "text"):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield cast(IO[str], file)


def _rows(file: IO[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, with the line each ends on, counted from 1."""
    rows = csv.reader(file, delimiter=delimiter)
    return ((rows.line_num, row) for row in rows if row)


def _layout(path: Path, delimiter: str) -> Layout:
    with _text(path) as file:
        lines = list(itertools.islice(_rows(file, delimiter), 2))
    if not lines:
        raise InputError(f"{path.name} is empty; give a file with data")
    first = [row for _, row in lines]
    _refuse_wrong_delimiter(path, delimiter, first)
    block_size = max(1 << 20, 64 * sum(len(cell) + 1 for row in first for cell in row))
    if all(NUMBER.fullmatch(cell) for cell in first[0]):
        return Layout(path, delimiter, [f"x{j}" for j in range(len(first[0]))], 0, block_size)
    if len(first) == 1:
        raise InputError(f"{path.name} has a header and no rows; give a file with data")
    names = [cell.strip() or f"column{j + 1}" for j, cell in enumerate(first[0])]
    return Layout(path, delimiter, names, lines[0][0], block_size)


def _refuse_wrong_delimiter(path: Path, delimiter: str, first: list[list[str]]) -> None:
    if len(first[0]) > 1:
        return
    for other, shown in DELIMITERS.items():
        counts = {delimiter.join(row).count(other) for row in first}
        if other != delimiter and len(counts) == 1 and counts != {0}:
            raise InputError(
                f"{path.name} has one column when split by {_shown(delimiter)}, but looks separated by "
                f"{shown}; give --delimiter {'tab' if shown == 'tab' else shown}"
            )


def _why_not(
    layout: Layout,
    wanted: list[str],
    context: list[str],
    coders: dict[str, Coder] | None,
    truths: set[str],
    error: Exception,
) -> str:
    """Name row, line and column of the first cell that is not what its column holds, or the first ragged row."""
    for coder in (coders or {}).values():
        if coder.overflows and not _are_numbers(coder.numbers):
            return f"{layout.path.name}: {coder.too_many()}"
    named = _named(layout, wanted if coders is None else list(coders))
    tests = [_wrong_name if name in named else _wrong_truth if name in truths else _wrong_number for name in wanted]
    at = [(layout.names.index(name), name, test) for name, test in zip(wanted, tests, strict=True)]
    with _text(layout.path) as file:
        rows = itertools.islice(_rows(file, layout.delimiter), int(layout.header_line > 0), None)
        for row, (line, cells) in enumerate(rows):
            place = f"{layout.path.name}: row {row + 1} (line {line})"
            if len(cells) != len(layout.names):
                return f"{place} {_why_ragged(layout, cells)}"
            faults = [Fault(name, row, what) for j, name, test in at if (what := test(cells[j]))]
            if faults:
                what = faults[0].what
                return f"{place}, column {faults[0].column!r} {what}; {remedy(what, faults, context)}"
    return f"{layout.path.name} cannot be read as numbers: {first_line(error)}; mend it or --drop the column"


def _named(layout: Layout, among: list[str]) -> set[str]:
    """The columns of names, by what stands in all of the file: where Arrow stopped, it had not seen every column."""
    levels: dict[str, set[Level]] = {name: set() for name in among}
    at = [(layout.names.index(name), seen) for name, seen in levels.items()]
    with _text(layout.path) as file:
        for _, cells in itertools.islice(_rows(file, layout.delimiter), int(layout.header_line > 0), None):
            for j, seen in at:
                if j < len(cells) and len(seen) <= MOST_LEVELS:
                    seen.add(cells[j])
    return {name for name, seen in levels.items() if not _are_numbers(seen)}


def _why_ragged(layout: Layout, cells: list[str]) -> str:
    row, n = layout.delimiter.join(cells), len(layout.names)
    mixed = [shown for other, shown in DELIMITERS.items() if other != layout.delimiter and row.count(other) == n - 1]
    if mixed and n > 1:
        return f"is separated by {mixed[0]} and the first by {_shown(layout.delimiter)}; use one throughout"
    return f"has {len(cells)} cells where the first has {n}; mend or remove it"


def _shown(delimiter: str) -> str:
    return DELIMITERS.get(delimiter, repr(delimiter))


def _wrong_name(cell: str) -> str | None:
    return None if cell else "is empty"


def _wrong_truth(cell: str) -> str | None:
    bare = cell.strip()
    if bare.lower() in TRUTHS:
        return None
    return f"is neither true nor false ({bare[:40]})" if bare else "is empty"


def _wrong_number(cell: str) -> str | None:
    if NUMBER.fullmatch(cell):
        return "is infinite" if math.isinf(float(cell)) else None
    bare = cell.strip().lower()
    if bare in MISSING:
        return "is empty" if not bare else f"is not a number ({cell.strip()})"
    if bare.lstrip("+-") in ("inf", "infinity"):
        return f"is infinite ({cell.strip()})"
    if NUMBER.fullmatch(cell.replace(",", ".")):
        return f"holds the text {cell!r}: a decimal needs a point, not a comma"
    if NUMBER.fullmatch(_bare(cell).replace(",", ".")):
        return f"holds the text {cell.strip()!r}: a number stands without a sign of currency or per cent"
    return f"holds the text {cell.strip()[:40]!r} instead of a number"
