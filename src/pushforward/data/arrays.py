"""Arrays of numbers or of pictures, from memory, ``.npy`` and ``.npz``; never a pickle."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pushforward.data.dataset import Array, blocks
from pushforward.data.files import reading
from pushforward.data.selection import listed
from pushforward.errors import InputError

__all__ = ["are_pictures", "numbers", "read_npy", "read_npz", "refuse_unfinite", "rows_of", "tensor_to_numpy"]

REFUSED = {
    "O": "Python objects, which are never unpickled; save numbers",
    "U": "text; encode it as numbers",
    "S": "text; encode it as numbers",
    "T": "text; encode it as numbers",
    "c": "complex numbers; give real and imaginary parts as two columns",
    "M": "dates; encode them as numbers",
    "m": "time spans; encode them as numbers",
    "V": "records; give one array of numbers",
}


def numbers(x: Any, where: str) -> Array:
    """An array of real numbers in native byte order, or an ``InputError`` that says what it holds."""
    if np.ma.is_masked(x):
        raise InputError(f"{where} has masked values; fill them or remove their rows")
    x = np.asanyarray(x) if isinstance(x, np.memmap) else np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise InputError(f"{where} holds {REFUSED.get(x.dtype.kind, x.dtype)}")
    if x.dtype.kind == "f" and x.dtype.itemsize > 8:
        x = x.astype(np.float64)
    native: Array = x.astype(x.dtype.newbyteorder("="), copy=False)
    return native


def are_pictures(x: Array) -> bool:
    """Whether an array is uint8 of shape ``(N, H, W)`` or ``(N, H, W, C)`` with C in 1, 3, 4."""
    return x.dtype == np.uint8 and (x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3, 4)))


def rows_of(x: Array, where: str) -> Array:
    """An array as rows of numbers, ``(N, D)``."""
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2:
        raise InputError(
            f"{where} has shape {_shape(x.shape)} and type {x.dtype}; give rows of numbers (N, D), or "
            "pictures (N, H, W) or (N, H, W, 3) of uint8"
        )
    if 0 in x.shape:
        raise InputError(f"{where} has shape {_shape(x.shape)} and so no values; give a file with data")
    return x


def refuse_unfinite(x: Array, names: Iterable[str], where: str) -> None:
    """Name the first NaN or infinity of ``(N, D)``, if there is one."""
    if x.dtype.kind != "f":
        return
    start = 0
    for block in blocks(x):
        finite = np.isfinite(block)
        if not finite.all():
            i, j = (int(k) for k in np.unravel_index(finite.argmin(), finite.shape))
            what = "is not a number (NaN)" if np.isnan(block[i, j]) else "is infinite"
            raise InputError(
                f"{where}: row {start + i + 1}, column {list(names)[j]!r} {what}; fill or remove such rows"
            )
        start += len(block)


def tensor_to_numpy(x: Tensor) -> Array:
    """A tensor of any device and type as an array; bfloat16 becomes float32, which holds it exactly."""
    with reading("the tensor", "an array"):
        x = x.detach().cpu().resolve_conj().resolve_neg()
        return np.asarray((x.float() if x.dtype == torch.bfloat16 else x).numpy())


def read_npy(path: Path) -> Array:
    """An array, mapped from its file."""
    with reading(path.name, "a .npy array of numbers"):
        return numbers(np.lib.format.open_memmap(path, mode="r"), path.name)


def read_npz(path: Path, key: str | None, context: tuple[str, ...]) -> tuple[Array, list[str], dict[str, Array], int]:
    """An archive's array (the one named by ``key``), its columns' names if given, its context and its levels."""
    with reading(path.name, "a .npz archive of arrays"):
        headers = _headers(path)
        key = _only_key(path.name, headers) if key is None else key
        if key not in headers:
            raise InputError(f"{path.name} has no array {key!r}; give --key with one of {listed(headers)}")
        with np.load(path, allow_pickle=False) as archive:
            _refuse_objects(headers, [key, *(c for c in context if c in headers)], path.name)
            x = numbers(archive[key], f"{path.name}[{key!r}]")
            names = [n for n in ("cols", "columns") if n in headers and n != key and headers[n][1].kind in "US"]
            columns = [_decoded(name) for name in archive[names[0]].ravel()] if names else []
            beside = {c: _of_length(archive[c], len(x), c, path.name) for c in context if c in headers}
            told = headers.get("levels", ((1,), None))[0] == () and headers["levels"][1].kind in "iu"
            levels = int(archive["levels"]) if told else 256
    return x, columns, beside, levels


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of every array of an archive, without reading the arrays."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                with archive.open(name) as file:
                    first = np.lib.format.read_magic(file) == (1, 0)
                    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
                    shape, _, dtype = read(file)
                    found[name.removesuffix(".npy")] = (shape, dtype)
    return found


def _only_key(where: str, headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> str:
    numeric = {name: (shape, dtype) for name, (shape, dtype) in headers.items() if dtype.kind in "biuf"}
    candidates = {name: value for name, value in numeric.items() if len(value[0]) >= 2} or numeric
    if len(candidates) == 1:
        return next(iter(candidates))
    if not candidates:
        _refuse_objects(headers, list(headers), where)
        raise InputError(f"{where} holds no array of numbers; give a file with one")
    several = ", ".join(f"{name} ({_shape(shape)} {dtype})" for name, (shape, dtype) in candidates.items())
    raise InputError(f"{where} holds several arrays: {several}; choose one with --key")


def _refuse_objects(headers: dict[str, tuple[tuple[int, ...], np.dtype[Any]]], keys: list[str], where: str) -> None:
    for key in keys:
        if headers[key][1].hasobject:
            raise InputError(f"{where}[{key!r}] holds {REFUSED['O']}")


def _of_length(x: Array, n: int, name: str, where: str) -> Array:
    x = numbers(x, f"{where}[{name!r}]")
    if x.shape not in ((n,), (n, 1)):
        raise InputError(f"{where}: context {name!r} has shape {_shape(x.shape)}; it needs one value for each of {n}")
    refuse_unfinite(x.reshape(n, 1), [name], where)
    return x.reshape(n)


def _decoded(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "none"
