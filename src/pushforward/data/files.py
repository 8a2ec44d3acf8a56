"""Files in: what hostile bytes raise becomes one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pushforward.errors import InputError

__all__ = ["existing", "first_line", "reading"]


def existing(source: str | os.PathLike[str]) -> Path:
    """The path of a file that has content, or of a folder; an ``InputError`` otherwise."""
    if not str(source).strip():
        raise InputError("the path of the data is empty; give a file, a folder, or 'digits'")
    if "\0" in str(source):
        raise InputError(f"{str(source)[:80]!r} cannot be opened: it holds a NUL character; check the path")
    path = Path(source).expanduser()
    try:
        if path.is_dir():
            return path.resolve()
        if not path.exists():
            raise InputError(f"there is no file or folder {path}; give an existing path, or 'digits'")
        if not path.is_file():
            raise InputError(f"{path} is neither a file nor a folder; save its content to a file first")
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty; give a file with data")
    except InputError:
        raise
    except (OSError, ValueError) as error:  # a name that is too long, or holds a NUL
        raise InputError(f"{str(source)[:80]!r} cannot be opened: {first_line(error)}; check the path") from error
    return path.resolve()


@contextmanager
def reading(name: str, what: str) -> Iterator[None]:
    """Turn whatever a parser raises on foreign bytes into one sentence that names the file.

    Parsers of damaged files raise nearly anything, so this boundary, and no other, catches every exception.
    """
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{name} cannot be read: permission denied; change its permissions") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text; save it as UTF-8") from error
    except Exception as error:
        raise InputError(
            f"{name} cannot be read as {what}: {first_line(error)}; it may be damaged or of another kind"
        ) from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type if it says nothing."""
    several = len(error.args) > 1 and all(isinstance(part, str) for part in error.args)  # else a tuple is printed
    text = ": ".join(error.args) if several else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
