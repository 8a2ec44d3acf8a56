"""Features of patterns for the audit: several sets in, one array each out, all on scales fitted without labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from pushforward.auditing.features.columns import comparable_columns
from pushforward.auditing.features.convolutions import random_convolutions
from pushforward.auditing.features.efficientnet import efficientnet_lite0
from pushforward.auditing.features.given import given
from pushforward.auditing.features.onnx import onnx
from pushforward.auditing.features.pixels import pixels, principal_pixels
from pushforward.errors import InputError

__all__ = ["EXTRACTORS", "Extractor", "Features", "extract"]

LARGEST = 1e15
"""A feature may reach this, for the kernel inception distance takes sixth powers and kernels single precision."""


@dataclass(frozen=True)
class Extractor:
    """A kind of features.

    Arguments:
        rows: From sets of patterns, and a file's path if it takes one, to the features of all of them in order
            and the phrase that names them.
        pictures: Whether it is for pictures, and not for rows.
        takes_path: Whether the name is followed by a colon and a file's path.
    """

    rows: Callable[..., tuple[Float[np.ndarray, "N d"], str]]
    pictures: bool
    takes_path: bool = False


EXTRACTORS = {
    "columns": Extractor(comparable_columns, pictures=False),
    "given": Extractor(given, pictures=False),
    "pixels": Extractor(pixels, pictures=True),
    "pca": Extractor(principal_pixels, pictures=True),
    "convolutions": Extractor(random_convolutions, pictures=True),
    "efficientnet-lite0": Extractor(efficientnet_lite0, pictures=True),
    "onnx": Extractor(onnx, pictures=True, takes_path=True),
}


@dataclass(frozen=True, eq=False)
class Features:
    """Sets of patterns as features.

    Arguments:
        name: A phrase for the names of figures: *random convolutions, 64 features*.
        sets: One float64 array ``(n, d)`` for each set given, in the same order.
        notes: What a reader should know of them.
    """

    name: str
    sets: tuple[Float[np.ndarray, "n d"], ...] = field(repr=False)
    notes: tuple[str, ...] = ()


def extract(name: str, *sets: np.ndarray, categories: Sequence[int] = ()) -> Features:
    """Features of several sets of patterns, such as real and fake ones.

    Whatever is fitted, a scale or an axis, is fitted to all sets together and the order of patterns does not
    matter to it: so relabelling the features keeps the level of a permutation test.

    Arguments:
        name: One of :data:`EXTRACTORS`; ``columns`` suits rows and ``convolutions`` pictures, ``onnx:PATH``
            runs a network of the user's own.
        sets: Rows ``(n, D)``, or pictures ``(n, H, W)`` or ``(n, H, W, C)``, each of its own n.
        categories: For each column of rows how many codes it has, 0 where it holds numbers; all do by default.

    Raises:
        InputError: for an unknown name, categories for features that know none, rows where pictures are needed or
        the reverse, sets of unequal width or size, or values that are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features = extract("columns", rng.normal(size=(80, 3)), rng.normal(size=(50, 3)))
        >>> features.name, [x.shape for x in features.sets]
        ('3 columns', [(80, 3), (50, 3)])
    """
    extractor, argument = _extractor(name)
    options = {"categories": categories} if any(categories) else {}
    if options and extractor.rows is not comparable_columns:
        raise InputError(f"{name} features know no categories: choose columns for rows with text")
    patterns = [_patterns(name, np.asarray(x), extractor.pictures) for x in sets]
    _check_alike(patterns)
    rows, phrase = extractor.rows(patterns, *argument, **options)
    _check_size(name, rows)
    cuts = np.cumsum([len(x) for x in patterns])[:-1]
    return Features(phrase, tuple(np.split(rows, cuts)), _notes(rows))


def _extractor(name: str) -> tuple[Extractor, tuple[str, ...]]:
    kind, colon, path = name.partition(":")
    extractor = EXTRACTORS.get(kind)
    if extractor is None or bool(path) != extractor.takes_path or bool(colon) != extractor.takes_path:
        known = ", ".join(k + ":PATH" * e.takes_path for k, e in EXTRACTORS.items())
        raise InputError(f"there are no features called {name!r}: choose among {known}")
    return extractor, (path,) * extractor.takes_path


def _patterns(name: str, x: np.ndarray, pictures: bool) -> np.ndarray:
    if pictures and x.ndim == 3:
        x = x[..., None]
    if x.ndim != (4 if pictures else 2):
        needed = "pictures (N, H, W, C)" if pictures else "rows (N, D)"
        others = ", ".join(k + ":PATH" * e.takes_path for k, e in EXTRACTORS.items() if e.pictures != pictures)
        raise InputError(f"{name} features are of {needed}, not of shape {x.shape}: choose among {others} for those")
    if x.dtype.kind not in "biuf" or 0 in x.shape:
        raise InputError(f"{name} features need numbers, not an array {x.dtype} of shape {x.shape}: encode text first")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise InputError(f"{name} features need finite values: drop or fill those that are not first")
    return x


def _check_alike(sets: Sequence[np.ndarray]) -> None:
    for k, x in enumerate(sets[1:], 2):
        if x.shape[1:] != sets[0].shape[1:]:
            first, other = (" × ".join(map(str, s.shape[1:])) for s in (sets[0], x))
            raise InputError(
                f"patterns of the first set are {first}, of set {k} {other}: give all sets the same columns or size"
            )


def _check_size(name: str, rows: Float[np.ndarray, "N d"]) -> None:
    """Refuse features whose powers single or double precision cannot hold."""
    most, spread = float(np.abs(rows).max()), float(np.ptp(rows, axis=0).max())
    if most > LARGEST or 0 < spread < 1 / LARGEST:
        size = f"reach {most:.0e}" if most > LARGEST else f"differ by no more than {spread:.0e}"
        raise InputError(
            f"{name} features {size}, too {'large' if most > LARGEST else 'little'} to compute with: "
            "rescale them to about 1"
        )


def _notes(rows: Float[np.ndarray, "N d"]) -> tuple[str, ...]:
    constant = int((rows.max(0) == rows.min(0)).sum())
    if not constant:
        return ()
    verbs = "is constant and tells" if constant == 1 else "are constant and tell"
    return (f"{constant:,} of {rows.shape[1]:,} features {verbs} nothing",)
