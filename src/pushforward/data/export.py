"""Data out again, in the kinds they come in: written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.data.dataset import Array, Dataset
from pushforward.data.picture_files import LABEL
from pushforward.data.selection import listed
from pushforward.data.series import PLACE
from pushforward.errors import InputError
from pushforward.storage import whole

__all__ = ["export"]


def export(data: Dataset, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write data by the path's extension: .csv, .tsv (or .gz), .parquet, .npy, .npz; none: a folder of PNGs.

    Context goes along as columns, as arrays of an ``.npz``, or as subfolders of pictures where labels are names.
    Pictures of fewer than 256 levels are spread over 0 to 255 as PNGs, so that a person sees them.

    Raises:
        InputError: If the path exists (unless ``force``), cannot be written, or does not suit the data. A
            folder is replaced only if it holds numbered PNGs, perhaps by label, and nothing else.
    """
    path = Path(path).expanduser()
    write = _writer(data, path)
    if path.exists():
        _refuse_replacing(path, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            write(data, temporary)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}; choose another place") from error
    return path


def _writer(data: Dataset, path: Path) -> Callable[[Dataset, Path], None]:
    pictures: dict[str, Callable[[Dataset, Path], None]] = {"": _folder}
    table: dict[str, Callable[[Dataset, Path], None]] = {".parquet": _parquet}
    for suffix, delimiter in ((".csv", ","), (".tsv", "\t")):
        table |= {suffix: _delimited(delimiter, False), f"{suffix}.gz": _delimited(delimiter, True)}
    arrays = {} if data.categories else {".npy": _npy, ".npz": _npz}  # an array has no names
    writers = arrays | (pictures if data.kind == "pictures" else table)
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in writers:
        ways = ", ".join(suffix or "no extension (a folder)" for suffix in sorted(writers))
        what = "pictures" if data.kind == "pictures" else "rows"
        what += " with text" if data.categories else ""
        form = repr(suffix) if suffix else "a folder"
        raise InputError(f"{path.name}: {what} cannot be written as {form}; use {ways}")
    return writers[suffix.lower()]


def _refuse_replacing(path: Path, force: bool) -> None:
    if not force:
        raise InputError(f"{path} exists; choose another name, or replace it with --force")
    if path.is_dir() and not _holds_samples(path):
        raise InputError(f"{path} is a folder that holds other things than samples; choose another name")


def _holds_samples(path: Path) -> bool:
    """Whether a folder holds what :func:`export` writes and no more: PNGs numbered throughout, perhaps by label."""
    entries = list(path.rglob("*"))
    files = [entry for entry in entries if not entry.is_dir()]
    if any(entry.is_symlink() for entry in entries) or any(p.parent.parent != path for p in files if p.parent != path):
        return False
    labels = {entry for entry in entries if entry.is_dir()}
    numbered = all(re.fullmatch(r"\d{5,}\.png", p.name) for p in files) and labels <= {p.parent for p in files}
    return numbered and sorted(int(p.stem) for p in files) == list(range(len(files)))


def _columns(data: Dataset) -> dict[str, Array]:
    if data.kind == "series":  # a row for each step of each window
        windows, steps = len(data), data.windows.shape[1]
        at = np.repeat(np.arange(windows), steps), np.tile(np.arange(steps), windows)
        return dict(zip(PLACE, at, strict=True)) | {name: data.column(name).ravel() for name in data.columns}
    return {name: data.entries(name) for name in (*data.columns, *data.context)}


def _delimited(delimiter: str, gzipped: bool) -> Callable[[Dataset, Path], None]:
    def write(data: Dataset, path: Path) -> None:
        import pyarrow as pa
        from pyarrow import csv

        columns = {n: x.astype(np.float32) if x.dtype == np.float16 else x for n, x in _columns(data).items()}
        options = csv.WriteOptions(delimiter=delimiter, quoting_style="needed")
        with pa.output_stream(str(path), compression="gzip" if gzipped else None) as file:
            csv.write_csv(pa.table(columns), file, options)

    return write


def _parquet(data: Dataset, path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(_columns(data))
    categories = [name for name, c in data.categories.items() if c.dtype == "category"]
    frame.astype(dict.fromkeys(categories, "category")).to_parquet(path, index=False)


def _npy(data: Dataset, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, _as_array(data), allow_pickle=False)


def _npz(data: Dataset, path: Path) -> None:
    arrays: dict[str, Any] = {"x": _as_array(data)}
    if data.columns:
        arrays["cols"] = np.array(data.columns)
    if data.levels not in (None, 256):
        arrays["levels"] = np.array(data.levels)
    taken = {*arrays, "file", "allow_pickle"} & set(data.context)  # the last two are NumPy's own arguments
    if taken:
        raise InputError(f"{path.name}: in an .npz the context cannot be named {listed(taken)}; rename it")
    arrays |= data.context
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _folder(data: Dataset, path: Path) -> None:
    from PIL import Image

    digits = max(5, len(str(len(data))))
    factor = 255 / ((data.levels or 256) - 1)
    folders = _labelled(data, path)
    path.mkdir()
    for folder in set(folders) - {path}:
        folder.mkdir()
    for i, (picture, folder) in enumerate(zip(data.pictures, folders, strict=True)):
        Image.fromarray(np.rint(picture * factor).astype(np.uint8)).save(folder / f"{i:0{digits}d}.png", format="PNG")


def _labelled(data: Dataset, path: Path) -> list[Path]:
    """Each picture's folder: of its label where labels are names, as such pictures are read."""
    if LABEL not in data.categories:
        return [path] * len(data)
    names = [str(label) for label in data.entries(LABEL)]
    for name in set(names):
        if name in ("", ".", "..") or {"/", "\\", ":"} & set(name):  # it would lead elsewhere
            raise InputError(f"{path.name}: no folder can be named {name!r} as the label is; rename the label")
    return [path / name for name in names]


def _as_array(data: Dataset) -> Array:
    """One array of one type: the columns' own where they agree, float64 otherwise."""
    if data.kind != "table":
        return np.asarray(data.values)
    columns = [data.column(name) for name in data.columns]
    same = len({x.dtype for x in columns}) == 1
    return np.stack(columns, axis=1) if same else data.numeric()
