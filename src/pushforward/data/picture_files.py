"""Files of pictures under a folder or in a zip, and the labels that their subfolders give them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from pushforward.data.categories import MOST_LEVELS, Categories
from pushforward.data.dataset import Array
from pushforward.errors import InputError

__all__ = ["LABEL", "SUFFIXES", "BadPictureError", "Folder", "Zip", "labels_of"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
LABEL = "label"
"""The one condition that pictures of files, and the embedded digits, can have."""
MOST_BYTES = 1 << 29  # of one file; with PIL's own limit on pixels this bounds what a hostile picture can take


class BadPictureError(Exception):
    """Why a picture cannot be used."""


class Folder:
    """The pictures under a folder and the folders that it links to, in order of their names."""

    def __init__(self, path: Path) -> None:
        self.files = {str(p.relative_to(path)): p for p in sorted(_pictures(path))}

    def open(self, name: str) -> IO[bytes]:
        """The file of that name, to read."""
        if self.files[name].stat().st_size > MOST_BYTES:
            raise BadPictureError("is larger than half a gigabyte")
        return self.files[name].open("rb")

    def signature(self) -> list[Any]:
        """What changes when the pictures do."""
        return [[name, p.stat().st_size, p.stat().st_mtime_ns] for name, p in self.files.items()]

    def close(self) -> None:
        """Nothing is open between reads."""


class Zip:
    """The pictures in a zip, read where they lie: nothing is extracted."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(path)
        self.path = path
        for name in self.archive.namelist():
            pure = PurePosixPath(name.replace("\\", "/"))
            if ".." in pure.parts or pure.is_absolute() or ":" in "".join(pure.parts[:1]):
                raise InputError(f"{path.name} holds the name {name!r}, which leads out of it; repack it without")
        pictures = (i for i in self.archive.infolist() if PurePosixPath(i.filename).suffix.lower() in SUFFIXES)
        self.files = {
            info.filename: info
            for info in sorted(pictures, key=lambda info: info.filename)
            if not info.is_dir() and not _hidden(PurePosixPath(info.filename.replace("\\", "/")).parts)
        }

    def open(self, name: str) -> IO[bytes]:
        """The file of that name, to read."""
        if self.files[name].file_size > MOST_BYTES:
            raise BadPictureError("is larger than half a gigabyte")
        return self.archive.open(self.files[name])

    def signature(self) -> list[Any]:
        """What changes when the pictures do."""
        stat = self.path.stat()
        return [str(self.path), stat.st_size, stat.st_mtime_ns]

    def close(self) -> None:
        """Close the zip."""
        self.archive.close()


def _pictures(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """The pictures under a folder; a link back to a folder above it is not followed."""
    real = folder.resolve()
    if real in above:
        return
    try:
        within = [p for p in folder.iterdir() if not _hidden([p.name])]
    except PermissionError:
        raise InputError(f"the folder {folder} may not be read; change its permissions or take it away") from None
    for p in within:
        if p.is_dir():
            yield from _pictures(p, (*above, real))
        elif p.suffix.lower() in SUFFIXES and p.is_file():
            yield p


def _hidden(parts: Iterable[str]) -> bool:
    """Whether a file or a folder on the way to it is one that systems keep for themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def labels_of(names: Iterable[str], where: str) -> tuple[Array, Categories]:
    """The label of each picture, the first folder that its name leads through, as codes; and what they stand for.

    Raises:
        InputError: If a picture lies in no subfolder, or there are too many subfolders to be labels.

    Example:
        >>> labels_of(["dog/1.png", "cat/a.png", "cat/old/b.png"], "pets")
        (array([1, 0, 0], dtype=int16), Categories(levels=('cat', 'dog'), dtype='str'))
    """
    parts = [PurePosixPath(name.replace("\\", "/")).parts for name in names]
    while len({each[0] for each in parts}) == 1 and all(len(each) > 2 for each in parts):
        parts = [each[1:] for each in parts]  # a folder that holds all of them says nothing
    bare = next((each[0] for each in parts if len(each) == 1), None)
    if bare is not None:
        raise InputError(
            f"{where}: {bare} lies in no subfolder, whose name would be its label; put the pictures of each label "
            "into a subfolder of its own"
        )
    levels = tuple(sorted({each[0] for each in parts}))
    strange = next((level for level in levels if not _is_text(level)), None)
    if strange is not None:
        raise InputError(f"{where}: the name of the subfolder {strange!a} is no text in UTF-8; rename it")
    if len(levels) > MOST_LEVELS:
        raise InputError(f"{where} has {len(levels):,} subfolders, too many to be labels; leave --context label out")
    labels = Categories(levels)
    return labels.codes(np.array([each[0] for each in parts])), labels


def _is_text(name: str) -> bool:
    """Whether a file system's name is made of characters, rather than of bytes that are none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
