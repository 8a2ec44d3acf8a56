"""The human eye: a page on which a person says which pictures are real."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from pushforward.errors import InputError
from pushforward.report.answers import FORMAT
from pushforward.report.page import environment, script_json
from pushforward.report.pictures import Grey, png
from pushforward.storage import write_bytes

__all__ = ["EACH", "game_page", "write_game"]

EACH = 50  # of each kind, as HYPE has it
FEWEST = 4  # with fewer of each not even a flawless person is told from a guesser at 5 %
MOST_BYTES = 4_400_000  # of pictures in base64, so that the page stays under 5 MB


def write_game(
    real: np.ndarray,
    fake: np.ndarray,
    path: str | Path,
    rng: np.random.Generator,
    *,
    each: int = EACH,
    names: tuple[str, str] = ("real", "generated"),
) -> Path:
    """Write the game's page.

    Raises:
        InputError: If :func:`game_page` refuses the pictures, or the place cannot be written.
    """
    write_bytes(Path(path), game_page(real, fake, rng, each=each, names=names).encode())
    return Path(path)


def game_page(
    real: np.ndarray,
    fake: np.ndarray,
    rng: np.random.Generator,
    *,
    each: int = EACH,
    names: tuple[str, str] = ("real", "generated"),
) -> str:
    """The page of HYPE∞ (Zhou et al. 2019): real or generated, one picture at a time, without a time limit.

    It holds as many real pictures as generated ones, drawn and shuffled by ``rng``: ``each`` of both, or as many as
    the smaller set has. Values run from black to white over 0–255 where the real pictures are bytes, else over the
    real pictures' own range. Pictures too heavy for a page of 5 MB are averaged over blocks, and the page says so.

    Arguments:
        real: Pictures of shape (n, height, width) or (n, height, width, channels), with 1 or 3 channels.
        fake: Pictures of the same height, width and channels.
        rng: Draws the pictures and their order.
        each: How many of both at most.
        names: What the two sets are called on the page.

    Raises:
        InputError: If either holds no pictures, their sizes differ, or there are fewer than four of either.
    """
    sets = [_pictures(real, "the real data"), _pictures(fake, "the fake samples")]
    if sets[0].shape[1:] != sets[1].shape[1:]:
        raise InputError(
            f"the real pictures are {_size(sets[0])} and the generated ones {_size(sets[1])} (height × width × "
            "channels), so they differ at a glance; bring them to one size, with --size and --mode"
        )
    m = min(each, *map(len, sets))
    if m < FEWEST:
        raise InputError(
            f"the game got {m} pictures of a kind, with which not even a flawless player differs from a guesser; "
            f"give at least {FEWEST} real and {FEWEST} generated ones"
        )
    grey = Grey(0, 255) if real.dtype == np.uint8 else Grey.of(real)
    series = np.concatenate([_bytes(x[rng.choice(len(x), m, replace=False)], grey) for x in sets])
    order = rng.permutation(2 * m)
    sources, factor = _sources(series[order])
    content = _content(sources, order < m, factor, series.shape[1:3], names, rng)
    return environment().get_template("game.html.j2").render(count=2 * m, names=names, content=script_json(content))


def _pictures(x: np.ndarray, which: str) -> np.ndarray:
    if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[-1] not in (1, 3)) or 0 in x.shape[1:]:
        raise InputError(
            f"the game shows pictures, and {which} came in shape {x.shape}; give a folder or zip of pictures, or an "
            "array of shape (n, height, width) or (n, height, width, channels) with 1 or 3 channels"
        )
    if not np.isfinite(x).all():
        raise InputError(f"{which} holds pixels that are not finite; leave those pictures out")
    return x if x.ndim == 4 else x[..., None]


def _size(x: np.ndarray) -> str:
    return "×".join(map(str, x.shape[1:]))


def _bytes(x: np.ndarray, grey: Grey) -> UInt8[np.ndarray, "n h w c"]:
    scaled = (x.astype(np.float64) - grey.low) / (grey.high - grey.low)
    return np.asarray((255 * scaled.clip(0, 1)).round().astype(np.uint8))


def _sources(pictures: UInt8[np.ndarray, "n h w c"]) -> tuple[list[str], int]:
    """Every picture as an address, and the side of the blocks averaged so that all of them fit on the page."""
    factor = 1
    while sum(map(len, sources := [png(_reduced(x, factor)) for x in pictures])) > MOST_BYTES:
        factor += 1
    return sources, factor


def _reduced(picture: UInt8[np.ndarray, "h w c"], factor: int) -> UInt8[np.ndarray, "h w c"]:
    from PIL import Image

    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    return np.asarray(image.reduce(factor)).reshape(-(-image.height // factor), -1, picture.shape[-1])


def _content(
    sources: list[str],
    truth: Bool[np.ndarray, " n"],
    factor: int,
    size: tuple[int, ...],
    names: tuple[str, str],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """What the page's script reads; the key's bytes are chance but for their parity: veiled, which is not secret."""
    key = rng.integers(0, 256, len(truth), dtype=np.uint8)
    key ^= (np.unpackbits(key[:, None], axis=1).sum(1) % 2 != truth).astype(np.uint8)
    digest = hashlib.sha256("".join([*sources, _letters(truth)]).encode())
    return {
        "game": digest.hexdigest()[:16],
        "names": names,
        "size": f"{size[0]} × {size[1]}",
        "factor": factor,
        "key": base64.b64encode(key.tobytes()).decode(),
        "pictures": sources,
        "format": FORMAT,
    }


def _letters(real: Bool[np.ndarray, " n"]) -> str:
    return "".join(np.where(real, "R", "G"))
