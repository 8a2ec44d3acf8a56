"""Files that are written whole or not at all, and that know when they have been altered.

A file is written under a temporary name beside its place, flushed to the disk and renamed: whoever looks finds the old
one or the new one. Tensors go to safetensors, everything else to JSON; both carry a SHA-256 digest of what they mean,
so that a flipped bit is an error with the file's name and not a subtly different model. Nothing is pickled or executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pushforward.errors import InputError, RunError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "new_directory",
    "read_json",
    "read_tensors",
    "refuse_existing",
    "whole",
    "write_bytes",
    "write_json",
    "write_tensors",
]

DIGEST = "sha256"


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write a file or a folder whole or not at all: fill the temporary path this yields."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        if temporary.is_file():
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        _put(temporary, path)
        _sync(path.parent)
    finally:
        _remove(temporary)


def write_bytes(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path``, whole or not at all.

    Raises:
        InputError: If the place cannot be written or the disk is full; what stood there stays.
    """
    try:
        with whole(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextlib.contextmanager
def new_directory(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A directory to fill, which appears at ``path`` only if the block ends well.

    Raises:
        InputError: If ``path`` exists (unless ``force``) or cannot be written.
    """
    refuse_existing(path, force)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary:
            temporary.mkdir()
            yield temporary
    except OSError as error:
        raise _unwritable(path, error) from error


def refuse_existing(path: Path, force: bool) -> None:
    """Raise an ``InputError`` if something stands at ``path`` that may not be replaced."""
    if (path.exists() or path.is_symlink()) and not force:
        raise InputError(f"{path} exists already; choose another --out, or replace it with --force")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a sealed JSON object."""
    sealed = {**value, DIGEST: _digest_json(value)}
    write_bytes(path, (json.dumps(sealed, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a sealed JSON object.

    Raises:
        RunError: If it is missing, truncated or altered.
    """
    try:
        value = json.loads(_read(path))
        digest = value.pop(DIGEST)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise RunError(
            f"{path} is truncated or altered: it is not the JSON that was written; {_remedy(path)}"
        ) from None
    if digest != _digest_json(value):
        raise RunError(f"{path} was altered after it was written: its checksum does not match; {_remedy(path)}")
    return dict(value)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write named tensors with a record of plain values, sealed, in one safetensors file."""
    from safetensors.torch import save

    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    text = json.dumps(record, sort_keys=True)
    metadata = {"record": text, DIGEST: _digest_tensors(plain, text)}
    write_bytes(path, save(plain, metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote.

    Raises:
        RunError: If it is missing, truncated or altered.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = _read(path)
    try:
        tensors = load(content)
        size = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        text, digest = metadata["record"], metadata[DIGEST]
        altered = digest != _digest_tensors(tensors, text)
    except (SafetensorError, ValueError, KeyError, TypeError):
        altered = True
    if altered:
        raise RunError(f"{path} is truncated or altered: its checksum does not match; {_remedy(path)}")
    return tensors, json.loads(text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}; {_remedy(path)}") from None


def _remedy(path: Path) -> str:
    if path.suffix == ".json":
        return "restore it from a copy, or fit again"
    return "`pushforward resume` on its run makes good what it can from the checkpoint before"


def _digest_json(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _digest_tensors(tensors: Mapping[str, Tensor], record: str) -> str:
    import torch

    digest = hashlib.sha256(record.encode())
    for name in sorted(tensors):
        t = tensors[name]
        digest.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        if t.numel():
            digest.update(t.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}; choose another place or free some room")


def _put(new: Path, path: Path) -> None:
    """Rename ``new`` to ``path``; a folder already there is moved aside, for renaming needs the place."""
    if not path.is_dir():
        new.replace(path)
        return
    old = new.with_suffix(".old")
    path.replace(old)
    try:
        new.replace(path)
    except OSError:
        old.replace(path)
        raise
    shutil.rmtree(old)


def _sync(directory: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system lets a directory be flushed
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
