"""One door for data of every kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

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
from pushforward.data.files import existing
from pushforward.data.picture_files import LABEL, labels_of
from pushforward.data.pictures import Framing, Progress, frame_pictures, read_pictures
from pushforward.data.selection import Selection, as_names, listed
from pushforward.data.series import Steps, default_window, read_steps
from pushforward.data.tables import Columns, read_frame, read_parquet
from pushforward.data.views import windows_of
from pushforward.errors import InputError, OptionError

__all__ = ["load"]


@dataclass(frozen=True)
class _Request:
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


def load(
    source: Any,
    *,
    key: str | None = None,
    columns: str | Iterable[str] | None = None,
    drop: str | Iterable[str] | None = None,
    context: str | Iterable[str] | None = None,
    delimiter: str | None = None,
    time: str | None = None,
    series: bool = False,
    window: int | None = None,
    size: int | Iterable[int] | None = None,
    mode: str | None = None,
    skip_bad: bool = False,
    name: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Take data from where they are: a file, a folder, memory, or the embedded ``"digits"``.

    Nothing that is read is executed or unpickled, and a zip is never extracted. Pictures from files are kept,
    once decoded, as one memory-mapped array in a cache folder.

    Arguments:
        source: ``"digits"``; a path to CSV or TSV (also gzipped), Parquet, ``.npy``, ``.npz``, a folder or
            zip of pictures; a pandas frame, a NumPy array, a tensor; a :class:`Dataset`, returned as it is.
        key: Which array of an ``.npz``.
        columns: The columns to model, in this order; all by default. A string may name several, with commas.
        drop: Columns to leave out.
        context: Columns that condition the model and are not modelled; another array of an ``.npz``; ``"label"`` of
            the digits or of pictures in subfolders, whose names are the labels.
        delimiter: What separates cells: by default a comma, in ``.tsv`` a tab.
        time: The column of time stamps that makes rows a series. Rows may be missing, and so may values.
        series: Whether rows are the equal steps of a series without a calendar.
        window: How many steps a window of the series has; by default a week or a day, what the calendar offers up to
            168 steps, and 24 steps more.
        size: Height and width of pictures, or one number for both: resized to cover it and cropped.
        mode: ``"L"`` or ``"RGB"`` for pictures; by default grey if all are.
        skip_bad: Leave corrupt pictures out, and count them, instead of refusing them.
        name: What to call the data; by default the file's name.
        cache: The cache folder; by default ``$PUSHFORWARD_CACHE`` or the user's cache.
        progress: Called with the number of pictures done and their total.

    Raises:
        InputError: If the data cannot be used, with the place and the remedy.

    Example:
        >>> load("digits", context="label")
        Dataset('digits', 1,797 pictures of 8×8)
        >>> load(np.array([[1.0, 2.0], [3.0, 5.0]]), columns="x1").values.tolist()
        [[2.0], [5.0]]
    """
    selection = Selection(as_names(columns), as_names(drop) or (), as_names(context) or ())
    framing = Framing(_as_size(size), mode, skip_bad)
    if mode not in (None, "L", "RGB"):
        raise InputError(f"--mode is L (grey) or RGB, not {mode!r}")
    of_series = {"time": time, "series": series and time is None, "window": window}
    given = _given({"key": key, "delimiter": delimiter} | of_series | vars(selection) | vars(framing))
    if isinstance(source, Dataset):
        _refuse_unused(given, frozenset(), source.name, "a Dataset, which is taken as it is")
        return source
    path = _path_of(source)
    file_kind = _kind_of(source, path)
    read, used, what = READERS[file_kind]
    if (time is not None or series) and file_kind in _SERIES:
        read, used, what = _series, _OF_SERIES | (used & {"key", "delimiter"}), "a series"
    name = name or (path.name if path else "digits" if file_kind == "digits" else "data")
    _refuse_unused(given, used, name, what)
    data = read(_Request(path or source, name, selection, framing, key, delimiter, cache, progress, time, window))
    where = "digits" if file_kind == "digits" else str(path) if path else None
    plain = {option: list(value) if isinstance(value, tuple) else value for option, value in given.items()}
    origin = None if where is None else {"source": where, **plain}
    return Dataset(**{"name": name, "file_kind": file_kind, "origin": origin, **data})


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that ask for something."""
    return {option: value for option, value in options.items() if value not in (None, (), False)}


def _path_of(source: Any) -> Path | None:
    is_path = isinstance(source, str | os.PathLike) and source != "digits"
    return existing(source) if is_path else None


SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "tsv",
    ".txt.gz": "csv",
    ".parquet": "parquet",
    ".npy": "npy",
    ".npz": "npz",
    ".zip": "zip",
}


def _kind_of(source: Any, path: Path | None) -> str:
    if path is not None:
        kinds = ["folder"] if path.is_dir() else [k for s, k in SUFFIXES.items() if path.name.lower().endswith(s)]
        if not kinds:
            raise InputError(f"{path.name} is of no known kind; give {', '.join(SUFFIXES)} or a folder of pictures")
        return kinds[0]
    if isinstance(source, str):
        return "digits"
    if isinstance(source, Tensor):
        return "tensor"
    if isinstance(source, np.ndarray):
        return "array"
    if type(source).__module__.split(".")[0] == "pandas" and hasattr(source, "columns"):
        return "frame"
    raise InputError(
        f"data cannot be loaded from a {type(source).__name__}; give a path, 'digits', a pandas frame, a "
        "NumPy array or a tensor"
    )


def _as_size(size: int | Iterable[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(side, int) and 1 <= side <= 4096 for side in pair):
        raise InputError(f"--size is one or two whole numbers of pixels from 1 to 4096, not {size}")
    return pair


def _refuse_unused(given: dict[str, Any], used: frozenset[str], name: str, what: str) -> None:
    unused = [f"--{option.replace('_', '-')}" for option in given if option not in used]
    if unused:
        raise InputError(f"{', '.join(unused)} has no meaning for {name}: it is {what}; leave it out")


def _digits(request: _Request) -> dict[str, Any]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    _refuse_other_labels("digits", request.selection.context)
    context = dict.fromkeys(request.selection.context, digits.target)
    return {"kind": "pictures", "values": digits.images.astype(np.uint8), "levels": 17, "context": context}


def _refuse_other_labels(where: str, asked: tuple[str, ...]) -> None:
    unknown = [name for name in asked if name != LABEL]
    if unknown:
        raise InputError(f"{where} has no context {listed(unknown)}; it has {LABEL!r}")


def _table(columns: Columns, request: _Request) -> dict[str, Any]:
    modelled, context, categories = columns
    if not len(next(iter(modelled.values()))):
        raise InputError(f"{request.name} has columns and no rows; give a file with data")
    patterns = {"kind": "table", "values": modelled, "columns": tuple(modelled)}
    return patterns | {"context": context, "categories": categories}


def _delimited(request: _Request) -> dict[str, Any]:
    return _table(read_delimited(request.source, request.delimiter, request.selection), request)


def _parquet(request: _Request) -> dict[str, Any]:
    return _table(read_parquet(request.source, request.selection), request)


def _frame(request: _Request) -> dict[str, Any]:
    return _table(read_frame(request.source, request.selection, request.called("the frame")), request)


def _npz(request: _Request) -> dict[str, Any]:
    x, columns, beside, levels = read_npz(request.source, request.key, request.selection.context)
    data = _from_array(x, request, columns, beside)
    return data | {"levels": levels} if data["kind"] == "pictures" else data


def _npy(request: _Request) -> dict[str, Any]:
    return _from_array(read_npy(request.source), request)


def _array(request: _Request) -> dict[str, Any]:
    return _from_array(numbers(request.source, request.called("the array")), request)


def _tensor(request: _Request) -> dict[str, Any]:
    return _from_array(numbers(tensor_to_numpy(request.source), request.called("the tensor")), request)


def _from_array(
    x: Array, request: _Request, columns: list[str] | None = None, beside: dict[str, Array] | None = None
) -> dict[str, Any]:
    """Pictures if it is an array of them, rows of numbers otherwise; ``beside`` is context from elsewhere."""
    beside = beside or {}
    chosen = request.selection
    if are_pictures(x):
        _refuse_unused(_given(vars(chosen)), frozenset({"context"}), request.name, "pictures")
        absent = [name for name in chosen.context if name not in beside]
        if absent:
            raise InputError(f"{request.name} has no array {listed(absent)} to serve as context beside the pictures")
        pictures = frame_pictures(x, request.framing, request.name)
        return {"kind": "pictures", "values": pictures, "levels": 256, "context": beside}
    _refuse_unused(_given(vars(request.framing)), frozenset(), request.name, "an array of numbers")
    x = rows_of(x, request.name)
    names = columns if columns and len(columns) == x.shape[1] else [f"x{j}" for j in range(x.shape[1])]
    within = Selection(chosen.columns, chosen.drop, tuple(name for name in chosen.context if name not in beside))
    modelled, context = within.of(names, request.name)
    refuse_unfinite(x, names, request.name)
    columns_of = {name: x[:, names.index(name)] for name in context}
    if modelled != names:
        x = x[:, [names.index(name) for name in modelled]]
    return {"kind": "array", "values": x, "columns": tuple(modelled), "context": beside | columns_of}


def _pictures(request: _Request) -> dict[str, Any]:
    found = read_pictures(request.source, request.framing, request.cache, request.progress)
    data = {"kind": "pictures", "values": found.values, "levels": 256, "skipped": found.skipped}
    asked = request.selection.context
    if not asked:
        return data
    _refuse_other_labels(request.name, asked)
    codes, labels = labels_of(found.names, request.name)
    return data | {"context": {LABEL: codes}, "categories": {LABEL: labels}}


def _series(request: _Request) -> dict[str, Any]:
    """Every window of a series."""
    steps = read_steps(
        request.source, request.name, request.time, request.selection, request.delimiter, key=request.key
    )
    for j, column in enumerate(steps.columns):
        if np.isnan(steps.values[:, j]).all():
            raise InputError(f"{request.name}: column {column!r} has no values; leave it out with --drop {column}")
    if steps.window is not None:
        return _separate_windows(steps, steps.window, request)
    window = default_window(steps.interval) if request.window is None else request.window
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


def _separate_windows(steps: Steps, window: int, request: _Request) -> dict[str, Any]:
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

READERS: dict[str, tuple[Callable[[_Request], dict[str, Any]], frozenset[str], str]] = {
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
