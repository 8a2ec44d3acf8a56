"""What each kind of source is read by, and the options that have a meaning for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pushforward.data.arrays import (
    are_pictures,
    numbers,
    read_npy,
    read_npz,
    refuse_unfinite,
    rows_of,
    tensor_to_numpy,
)
from pushforward.data.dataset import Array, Dataset
from pushforward.data.delimited import read_delimited
from pushforward.data.picture_files import LABEL, labels_of
from pushforward.data.pictures import Framing, Progress, frame_pictures, read_pictures
from pushforward.data.selection import Selection, dropping, listed
from pushforward.data.series import Steps, default_window, read_steps
from pushforward.data.tables import Columns, read_frame, read_parquet
from pushforward.data.views import windows_of
from pushforward.errors import InputError, OptionError

__all__ = ["Reader", "Request", "options_given", "reader_of", "refuse_unused"]


@dataclass(frozen=True)
class Request:
    """What was asked for, in one piece; the options a source has no use for are refused before."""

    source: Any
    name: str
    selection: Selection
    framing: Framing
    key: str | None
    delimiter: str | None
    cache: str | os.PathLike[str] | None
    progress: Progress | None
    time: str | None = None
    window: int | None = None

    def called(self, what: str) -> str:
        """What to call a source from memory in an error: its name, if it has one of its own."""
        return what if self.name == Dataset.name else self.name


Reader = Callable[[Request], dict[str, Any]]
"""Reads what was asked for as the arguments of a :class:`Dataset`."""


def reader_of(kind: str, series: bool) -> tuple[Reader, frozenset[str], str]:
    """The reader of a kind of source, the options it has a use for, and what it is; rows may be a series."""
    read, used, what = READERS[kind]
    if series and kind in _SERIES:
        return _series, _OF_SERIES | (used & {"key", "delimiter"}), "a series"
    return read, used, what


def options_given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that ask for something."""
    return {option: value for option, value in options.items() if value not in (None, (), False)}


def refuse_unused(given: dict[str, Any], used: frozenset[str], name: str, what: str) -> None:
    """An ``InputError`` for options that a source has no use for."""
    unused = [f"--{option.replace('_', '-')}" for option in given if option not in used]
    if unused:
        raise InputError(f"{', '.join(unused)} has no meaning for {name}: it is {what}; leave it out")


def _digits(request: Request) -> dict[str, Any]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    _refuse_other_labels("digits", request.selection.context)
    context = dict.fromkeys(request.selection.context, digits.target)
    return {"kind": "pictures", "values": digits.images.astype(np.uint8), "levels": 17, "context": context}


def _refuse_other_labels(where: str, asked: tuple[str, ...]) -> None:
    unknown = [name for name in asked if name != LABEL]
    if unknown:
        raise InputError(f"{where} has no context {listed(unknown)}; it has {LABEL!r}")


def _table(columns: Columns, request: Request) -> dict[str, Any]:
    modelled, context, categories = columns
    if not len(next(iter(modelled.values()))):
        raise InputError(f"{request.name} has columns and no rows; give a file with data")
    patterns = {"kind": "table", "values": modelled, "columns": tuple(modelled)}
    return patterns | {"context": context, "categories": categories}


def _delimited(request: Request) -> dict[str, Any]:
    return _table(read_delimited(request.source, request.delimiter, request.selection), request)


def _parquet(request: Request) -> dict[str, Any]:
    return _table(read_parquet(request.source, request.selection), request)


def _frame(request: Request) -> dict[str, Any]:
    return _table(read_frame(request.source, request.selection, request.called("the frame")), request)


def _npz(request: Request) -> dict[str, Any]:
    x, columns, beside, levels = read_npz(request.source, request.key, request.selection.context)
    data = _from_array(x, request, columns, beside)
    return data | {"levels": levels} if data["kind"] == "pictures" else data


def _npy(request: Request) -> dict[str, Any]:
    return _from_array(read_npy(request.source), request)


def _array(request: Request) -> dict[str, Any]:
    return _from_array(numbers(request.source, request.called("the array")), request)


def _tensor(request: Request) -> dict[str, Any]:
    return _from_array(numbers(tensor_to_numpy(request.source), request.called("the tensor")), request)


def _from_array(
    x: Array, request: Request, columns: list[str] | None = None, beside: dict[str, Array] | None = None
) -> dict[str, Any]:
    """Pictures if it is an array of them, rows of numbers otherwise; ``beside`` is context from elsewhere."""
    beside = beside or {}
    chosen = request.selection
    if are_pictures(x):
        refuse_unused(options_given(vars(chosen)), frozenset({"context"}), request.name, "pictures")
        absent = [name for name in chosen.context if name not in beside]
        if absent:
            raise InputError(f"{request.name} has no array {listed(absent)} to serve as context beside the pictures")
        pictures = frame_pictures(x, request.framing, request.name)
        return {"kind": "pictures", "values": pictures, "levels": 256, "context": beside}
    refuse_unused(options_given(vars(request.framing)), frozenset(), request.name, "an array of numbers")
    x = rows_of(x, request.name)
    names = columns if columns and len(columns) == x.shape[1] else [f"x{j}" for j in range(x.shape[1])]
    within = Selection(chosen.columns, chosen.drop, tuple(name for name in chosen.context if name not in beside))
    modelled, context = within.of(names, request.name)
    refuse_unfinite(x, names, request.name)
    columns_of = {name: x[:, names.index(name)] for name in context}
    if modelled != names:
        x = x[:, [names.index(name) for name in modelled]]
    return {"kind": "array", "values": x, "columns": tuple(modelled), "context": beside | columns_of}


def _pictures(request: Request) -> dict[str, Any]:
    found = read_pictures(request.source, request.framing, request.cache, request.progress)
    data = {"kind": "pictures", "values": found.values, "levels": 256, "skipped": found.skipped}
    asked = request.selection.context
    if not asked:
        return data
    _refuse_other_labels(request.name, asked)
    codes, labels = labels_of(found.names, request.name)
    return data | {"context": {LABEL: codes}, "categories": {LABEL: labels}}


def _series(request: Request) -> dict[str, Any]:
    """Every window of a series."""
    steps = read_steps(
        request.source, request.name, request.time, request.selection, request.delimiter, key=request.key
    )
    for j, column in enumerate(steps.columns):
        if np.isnan(steps.values[:, j]).all():
            raise InputError(f"{request.name}: column {column!r} has no values; leave it out with {dropping(column)}")
    if steps.window is not None:
        return _separate_windows(steps, steps.window, request)
    window = default_window(steps.interval, len(steps.values)) if request.window is None else request.window
    if window < 2:
        raise InputError(f"--window is a number of steps from 2 on, not {window}")
    if len(steps.values) < window:
        raise OptionError(
            f"{request.name} has {len(steps.values)} steps, fewer than a window of {window}",
            remedy="give a longer series, or a smaller --window",
            fixed="give a longer series",
        )
    stamps = {} if steps.stamps is None else {str(request.time): windows_of(steps.stamps, window)}
    return {
        "kind": "series",
        "values": windows_of(steps.values, window),
        "columns": steps.columns,
        "context": stamps,
        "interval": steps.interval,
    }


def _separate_windows(steps: Steps, window: int, request: Request) -> dict[str, Any]:
    """Windows that follow from no common series, as samples do not; without times."""
    if request.window not in (None, window):
        raise InputError(f"{request.name} holds windows of {window} steps; give --window {window}")
    windows = steps.values.reshape(-1, window, len(steps.columns))
    return {"kind": "series", "values": windows, "columns": steps.columns}


_SELECTED = frozenset({"columns", "drop", "context"})
_EITHER = _SELECTED | {"size", "mode"}  # an array may be rows or pictures
_FRAMED = frozenset({"context", "size", "mode", "skip_bad"})

_SERIES = frozenset({"csv", "tsv", "parquet", "frame", "npy", "npz", "array", "tensor"})
_OF_SERIES = frozenset({"time", "series", "window", "columns", "drop"})

READERS: dict[str, tuple[Reader, frozenset[str], str]] = {
    "digits": (_digits, frozenset({"context"}), "the embedded pictures"),
    "csv": (_delimited, _SELECTED | {"delimiter"}, "a table"),
    "tsv": (_delimited, _SELECTED | {"delimiter"}, "a table"),
    "parquet": (_parquet, _SELECTED, "a table"),
    "frame": (_frame, _SELECTED, "a table"),
    "npy": (_npy, _EITHER, "an array"),
    "npz": (_npz, _EITHER | {"key"}, "an array"),
    "array": (_array, _EITHER, "an array"),
    "tensor": (_tensor, _EITHER, "an array"),
    "folder": (_pictures, _FRAMED, "pictures"),
    "zip": (_pictures, _FRAMED, "pictures"),
}
"""For each kind of source: its reader, the options it has a use for, and what it is."""
