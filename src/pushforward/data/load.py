"""One door for data of every kind."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from pushforward.data.dataset import Dataset
from pushforward.data.files import existing
from pushforward.data.pictures import Framing, Progress
from pushforward.data.readers import Request, options_given, reader_of, refuse_unused
from pushforward.data.selection import Selection, as_names
from pushforward.errors import InputError

__all__ = ["load"]


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
            168 steps, and 24 steps more, but no more than a tenth of the series.
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
    given = options_given({"key": key, "delimiter": delimiter} | of_series | vars(selection) | vars(framing))
    if isinstance(source, Dataset):
        refuse_unused(given, frozenset(), source.name, "a Dataset, which is taken as it is")
        return source
    path = _path_of(source)
    file_kind = _kind_of(source, path)
    read, used, what = reader_of(file_kind, time is not None or series)
    name = name or (path.name if path else "digits" if file_kind == "digits" else "data")
    refuse_unused(given, used, name, what)
    data = read(Request(path or source, name, selection, framing, key, delimiter, cache, progress, time, window))
    where = "digits" if file_kind == "digits" else str(path) if path else None
    plain = {option: list(value) if isinstance(value, tuple) else value for option, value in given.items()}
    origin = None if where is None else {"source": where, **plain}
    return Dataset(**{"name": name, "file_kind": file_kind, "origin": origin, **data})


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
