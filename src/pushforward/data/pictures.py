"""Pictures from folders, zips and arrays: of mixed sizes and modes, read in parallel, cached in one file."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pushforward.data.dataset import Array
from pushforward.data.files import first_line, reading
from pushforward.data.picture_files import SUFFIXES, BadPictureError, Folder, Zip
from pushforward.errors import InputError
from pushforward.storage import whole

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["Framing", "Progress", "frame_pictures", "read_pictures"]

Progress = Callable[[int, int], None]
Probe = tuple[int, int, bool]
"""Height, width, and whether it is grey."""

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # none that PIL hands to another program
GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
BLOCK = 256


@dataclass(frozen=True)
class Framing:
    """How pictures are brought to one shape.

    Arguments:
        size: Height and width; resized to cover it and cropped at the centre. ``None``: as it is.
        mode: ``L`` or ``RGB``. ``None``: grey if all are grey.
        skip_bad: Whether corrupt pictures are left out instead of being an error.
    """

    size: tuple[int, int] | None = None
    mode: str | None = None
    skip_bad: bool = False


class Pictures(NamedTuple):
    """Pictures of one shape.

    Arguments:
        values: ``(N, H, W)`` or ``(N, H, W, 3)``.
        names: Their files, in this order.
        skipped: How many corrupt ones were left out.
    """

    values: Array
    names: list[str]
    skipped: int


def read_pictures(
    path: Path, framing: Framing, cache: str | os.PathLike[str] | None, progress: Progress | None
) -> Pictures:
    """The pictures under a folder or in a zip, in order of their names."""
    with reading(path.name, "a zip of pictures"):
        source = Folder(path) if path.is_dir() else Zip(path)
    try:
        if not source.files:
            raise InputError(f"{path.name} holds no pictures; give one with files such as {' '.join(sorted(SUFFIXES))}")
        key = json.dumps([2, str(path), source.signature(), framing.size, framing.mode, framing.skip_bad])
        cached = _cache_folder(cache) / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
        found = _from_cache(cached)
        if found is None:
            with _pil_warnings():
                found = _decode_all(source, path.name, framing, cached, progress)
        pictures, bad = found
        return Pictures(pictures, [name for name in source.files if name not in bad], len(bad))
    finally:
        source.close()


def frame_pictures(x: Array, framing: Framing, where: str) -> Array:
    """Bring an array of pictures to the size and mode asked for; grey ones become ``(N, H, W)``."""
    from PIL import Image

    if 0 in x.shape:
        raise InputError(f"{where} has shape {x.shape} and so no pictures; give a file with data")
    x = x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x
    mode = framing.mode or ("L" if x.ndim == 3 else "RGB")
    as_asked = framing.size in (None, x.shape[1:3]) and mode == ("L" if x.ndim == 3 else "RGB") and x.shape[3:] != (4,)
    if as_asked:
        return x
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda p: _framed(Image.fromarray(p), framing.size, mode), x)))


def _decode_all(
    source: Folder | Zip, where: str, framing: Framing, cached: Path, progress: Progress | None
) -> tuple[Array, set[str]]:
    """The pictures, and the names of those left out."""
    with ThreadPoolExecutor() as pool:
        probes = dict(zip(source.files, pool.map(partial(_attempt, _probe, source), source.files), strict=True))
        good = {name: probe for name, probe in probes.items() if not isinstance(probe, BadPictureError)}
        left_out = {name: probe for name, probe in probes.items() if name not in good}
        _refuse_bad(left_out, framing, where)
        nothing = f"{where} holds no picture that can be read; give others"
        if not good:
            raise InputError(nothing)
        size = framing.size or _common_size(good, where)
        mode = framing.mode or ("L" if all(grey for _, _, grey in good.values()) else "RGB")
        decode = partial(_attempt, partial(_decode, size=size, mode=mode), source)
        shape = (*size, 3) if mode == "RGB" else size

        def decoded() -> Iterator[Array]:
            names, n = list(good), 0
            for i in range(0, len(names), BLOCK):
                some = names[i : i + BLOCK]
                results = dict(zip(some, pool.map(decode, some), strict=True))
                bad = {name: x for name, x in results.items() if isinstance(x, BadPictureError)}
                _refuse_bad(bad, framing, where)
                left_out.update(bad)
                yield np.array([x for name, x in results.items() if name not in bad], np.uint8).reshape(-1, *shape)
                n += len(some) - len(bad)
                if progress is not None:
                    progress(i + len(some), len(names))
            if n == 0:
                raise InputError(nothing)

        return _kept(decoded, (len(good), *shape), cached, left_out), set(left_out)


def _kept(
    decoded: Callable[[], Iterator[Array]], shape: tuple[int, ...], cached: Path, left_out: dict[str, Any]
) -> Array:
    """Write the blocks to the cache, and what they left out beside it; where it cannot be, keep them in memory."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with whole(cached) as temporary, temporary.open("wb") as file:
            _write_header(file, shape)
            n = 0
            for block in decoded():
                file.write(block.data)
                n += len(block)
            file.seek(0)
            _write_header(file, (n, *shape[1:]))  # NumPy pads headers so that the first axis can change in place
            with whole(cached.with_suffix(".json")) as beside:
                beside.write_text(json.dumps(sorted(left_out)))
        return np.asanyarray(np.load(cached, mmap_mode="r", allow_pickle=False))
    except OSError:
        return np.concatenate(list(decoded()))


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _from_cache(cached: Path) -> tuple[Array, set[str]] | None:
    try:
        pictures: Array = np.load(cached, mmap_mode="r", allow_pickle=False)
        return pictures, set(json.loads(cached.with_suffix(".json").read_text()))
    except (OSError, ValueError, EOFError):  # absent, or cut short: it is made anew
        return None


def _cache_folder(cache: str | os.PathLike[str] | None) -> Path:
    chosen = cache or os.environ.get("PUSHFORWARD_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = {
        "darwin": Path.home() / "Library/Caches",
        "win32": Path(os.environ.get("LOCALAPPDATA", Path.home())),
    }
    return Path(os.environ.get("XDG_CACHE_HOME") or home.get(sys.platform, Path.home() / ".cache")) / "pushforward"


@contextmanager
def _pil_warnings() -> Iterator[None]:
    """Hold PIL's warnings back, but raise where it suspects a bomb; set for all threads."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _attempt(read: Callable[[Image], Any], source: Folder | Zip, name: str) -> Any:
    """Read a picture; foreign bytes make PIL raise nearly anything, which becomes a value that says why."""
    from PIL import Image, UnidentifiedImageError

    try:
        with source.open(name) as file, Image.open(file, formats=FORMATS) as image:
            return read(image)
    except BadPictureError as bad:
        return bad
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return BadPictureError("has too many pixels (a decompression bomb?)")
    except UnidentifiedImageError:
        return BadPictureError("is not a picture PIL knows")
    except Exception as error:
        return BadPictureError(f"cannot be read ({first_line(error)})")


def _refuse_bad(bad: dict[str, Any], framing: Framing, where: str) -> None:
    if bad and not framing.skip_bad:
        name, why = next(iter(bad.items()))
        more = f" (bad pictures: {len(bad)})" if len(bad) > 1 else ""
        raise InputError(f"{where}: {name} {why}{more}; mend or remove it, or leave it out with --skip-bad")


def _common_size(probes: dict[str, Probe], where: str) -> tuple[int, int]:
    first, (height, width, _) = next(iter(probes.items()))
    for name, (h, w, _) in probes.items():
        if (h, w) != (height, width):
            raise InputError(
                f"{where} has pictures of unequal size: {first} is {height}×{width} and {name} is {h}×{w}; "
                "give one with --size"
            )
    return height, width


def _probe(image: Image) -> Probe:
    turned = _is_photograph(image) and image.getexif().get(0x0112, 1) >= 5  # 5 to 8 swap the sides
    width, height = reversed(image.size) if turned else image.size
    return height, width, image.mode in GREY


def _decode(image: Image, size: tuple[int, int], mode: str) -> Array:
    from PIL import ImageOps

    return _framed(ImageOps.exif_transpose(image) if _is_photograph(image) else image, size, mode)


def _is_photograph(image: Image) -> bool:
    """Whether it may say how it is turned; TIFF is turned by PIL, and PNG would have to be decoded for it."""
    return image.format in ("JPEG", "MPO", "WEBP")  # several JPEGs in one file, as cameras write them, are an MPO


def _framed(image: Image, size: tuple[int, int] | None, mode: str) -> Array:
    """One picture in a mode, on white where it is transparent, resized and cropped around its centre."""
    from PIL import Image as Pillow
    from PIL import ImageOps

    if image.mode.startswith("I"):  # 16 bits; PIL would clip them
        image = Pillow.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == "F":
        raise BadPictureError("has floating-point pixels; save it with 8 bits")
    elif image.has_transparency_data:
        image = Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert(mode)
    if size is not None and image.size != size[::-1]:
        image = ImageOps.fit(image, size[::-1], Pillow.Resampling.LANCZOS)
    return np.asarray(image)
