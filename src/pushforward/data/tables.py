"""Tables by Apache Arrow: Parquet and data frames."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.data.arrays import REFUSED
from pushforward.data.categories import Categories, Coder, is_named
from pushforward.data.dataset import Array
from pushforward.data.files import reading
from pushforward.data.selection import Selection, dropping
from pushforward.errors import InputError

__all__ = ["Columns", "Fault", "parted", "read_frame", "read_parquet", "remedy", "type_fault"]

Columns = tuple[dict[str, Array], dict[str, Array], dict[str, Categories]]
"""The modelled and the conditioning columns, and what the codes of either stand for where they are categories."""


@dataclass(frozen=True)
class Fault:
    """What keeps a column from being one of finite numbers or of names, at a row counted from 0."""

    column: str
    row: int
    what: str


def read_parquet(path: Path, selection: Selection) -> Columns:
    """Read columns of numbers and of names from a Parquet file."""
    from pyarrow import parquet

    with reading(path.name, "Parquet"):
        with parquet.ParquetFile(path) as file:
            modelled, context = selection.of(file.schema_arrow.names, path.name)
            table = _as_declared(file.read(modelled + context))
        return _clean(table, path.name, modelled, context)


def _as_declared(table: Any) -> Any:
    """The table with the columns as dictionaries that pandas says are categories: Parquet keeps but those of text."""
    from pyarrow import types

    declared = (table.schema.pandas_metadata or {"columns": ()})["columns"]
    for name in (column["name"] for column in declared if column["pandas_type"] == "categorical"):
        i = table.schema.get_field_index(name)
        if i >= 0 and not types.is_dictionary(table.schema.types[i]):
            table = table.set_column(i, name, table.column(i).dictionary_encode())
    return table


def read_frame(frame: Any, selection: Selection, where: str) -> Columns:
    """Take columns of numbers and of names from a pandas frame, called ``where``; its index is left out."""
    import pyarrow as pa

    frame = frame.set_axis([str(name) for name in frame.columns], axis="columns")
    modelled, context = selection.of(list(frame.columns), where)
    _refuse_complex(frame[modelled + context], where)
    with reading(where, "numbers and text"):
        table = pa.Table.from_pandas(frame[modelled + context], preserve_index=False)
        return _clean(table, where, modelled, context)


def _refuse_complex(frame: Any, where: str) -> None:
    """Name the first column of complex numbers, which Arrow does not know."""
    for name, dtype in frame.dtypes.items():
        if dtype.kind == "c":
            raise InputError(f"{where}: column {name!r} holds {REFUSED['c']}, or drop it with {dropping(name)}")


def _clean(table: Any, where: str, modelled: list[str], context: list[str]) -> Columns:
    columns, categories, faults = _to_numpy(table, where)
    if faults:
        fault = faults[0]
        place = f"{where}: row {fault.row + 1}, column {fault.column!r}"
        raise InputError(f"{place} {fault.what}; {remedy(fault.what, faults, context)}")
    return parted(columns, modelled, context, categories)


def parted(
    columns: dict[str, Array], modelled: list[str], context: list[str], categories: dict[str, Categories]
) -> Columns:
    """The columns by what they are for."""
    return {name: columns[name] for name in modelled}, {name: columns[name] for name in context}, categories


def _to_numpy(table: Any, where: str) -> tuple[dict[str, Array], dict[str, Categories], list[Fault]]:
    import pyarrow as pa

    columns: dict[str, Array] = {}
    categories: dict[str, Categories] = {}
    faults: list[Fault] = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        fault = type_fault(name, column)
        if fault is None and is_named(column.type):
            categories[name], columns[name] = _coded(name, column, where)
        elif fault is None:
            x = columns[name] = column.to_numpy()
            finite = np.isfinite(x)
            if not finite.all():
                row = int(finite.argmin())
                fault = Fault(name, row, "is not a number" if np.isnan(x[row]) else "is infinite")
        if fault is not None:
            faults.append(fault)
    return columns, categories, faults


def _coded(name: str, column: Any, where: str) -> tuple[Categories, Array]:
    from pyarrow import types

    coder = Coder(name)
    codes = coder.add(column)
    if coder.overflows:
        raise InputError(f"{where}: {coder.too_many()}")
    return coder.categories(codes, "category" if types.is_dictionary(column.type) else "str")


def type_fault(name: str, column: Any) -> Fault | None:
    """The first value of a column that is neither a number nor a name, if its type allows such."""
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    if not (numeric or is_named(kind)) and column.null_count < len(column):
        row = compute.index(compute.is_valid(column), True).as_py()
        return Fault(name, row, f"holds {str(column[row].as_py())[:40]!r}, neither a number nor text")
    if column.null_count:
        return Fault(name, compute.index(compute.is_null(column), True).as_py(), "is empty")
    return None


def remedy(what: str, faults: list[Fault], context: Collection[str] = ()) -> str:
    """What to do about the first fault and those like it; a column of the ``context`` cannot be dropped."""
    if faults[0].column in context:
        how = "mend" if "text" in what else "fill"
        return f"{how} it, or remove the row: {faults[0].column!r} conditions the model, so it cannot be dropped"
    faults = [fault for fault in faults if fault.column not in context]
    if "text" in what:
        names = [fault.column for fault in faults if "text" in fault.what]
        return f"drop it with {dropping(*names)}, or encode it as numbers"
    return f"fill or remove such rows, or drop the column with {dropping(*(fault.column for fault in faults))}"
