"""Six ways in which samples differ from data, each in four sizes of effect."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["ALTERNATIVES", "EQUAL", "POINTS", "Point", "draw"]

Rows = np.ndarray
Law = Callable[[np.random.Generator, int, int, float], tuple[Rows, Rows]]
"""From a generator, both sizes together, d and the size of the effect to as many rows of the two laws."""


class Point(NamedTuple):
    """Where power is measured."""

    alternative: str
    effect: float
    d: int = 5
    n: int = 200
    m: int = 200


def shift(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """The mean of the first column moves."""
    x, y = rng.normal(size=(2, n, d))
    return x, y + effect * (np.arange(d) == 0)


def scale(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """The first column's deviation grows."""
    x, y = rng.normal(size=(2, n, d))
    return x, y * np.where(np.arange(d) == 0, effect, 1.0)


def missing_mode(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """Of eight modes one, of this share, is never sampled."""
    centres, (x, y) = 3 * rng.normal(size=(8, d)), rng.normal(size=(2, n, d))
    modes = rng.integers(7, size=(2, n))
    return x + centres[np.where(rng.random(n) < effect, 7, modes[0])], y + centres[modes[1]]


def correlation(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """The first two columns are correlated."""
    x, y = rng.normal(size=(2, n, d))
    y[:, 1] = effect * y[:, 0] + np.sqrt(1 - effect**2) * y[:, 1]
    return x, y


def tail(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """Student's t of these degrees of freedom in every column, at unit variance."""
    return rng.normal(size=(n, d)), rng.standard_t(effect, size=(n, d)) * np.sqrt((effect - 2) / effect)


def dependence(rng: np.random.Generator, n: int, d: int, effect: float) -> tuple[Rows, Rows]:
    """All columns follow one hidden variable, linearly or not; each column of the samples is shuffled by itself."""
    curves: list[Callable[[Rows], Rows]] = [
        lambda z: z,
        lambda z: (z**2 - 1) / 2**0.5,
        lambda z: 2**0.5 * np.sin(3 * z),
    ]
    z, noise = rng.normal(size=(2, n)), rng.normal(size=(2, n, d))
    hidden = np.stack([curves[j % 3](z) for j in range(d)], -1)
    x, y = effect * hidden + np.sqrt(1 - effect**2) * noise
    return x, rng.permuted(y, axis=0)


ALTERNATIVES: dict[str, tuple[Law, tuple[float, ...]]] = {
    "mean shift": (shift, (0.15, 0.25, 0.35, 0.45)),
    "scale": (scale, (1.15, 1.25, 1.35, 1.5)),
    "missing mode": (missing_mode, (0.03, 0.05, 0.08, 0.12)),
    "correlation": (correlation, (0.2, 0.3, 0.4, 0.5)),
    "tail": (tail, (10.0, 6.0, 4.0, 3.0)),
    "dependence destroyed": (dependence, (0.4, 0.5, 0.6, 0.7)),
}
EQUAL = "equal laws"
NULLS = [Point(EQUAL, 0.0), Point(EQUAL, 0.0, 20), Point(EQUAL, 0.0, 5, 500, 50)]
POINTS = [
    *NULLS,
    *(Point(name, effect) for name, (_, effects) in ALTERNATIVES.items() for effect in effects),
    *(Point(name, effects[2], 20) for name, (_, effects) in ALTERNATIVES.items()),
]


def draw(point: Point, simulation: int) -> tuple[Rows, Rows]:
    """The same data for every test."""
    rng = np.random.default_rng([zlib.crc32(repr(point).encode()), simulation])
    law = shift if point.alternative == EQUAL else ALTERNATIVES[point.alternative][0]
    x, y = law(rng, max(point.n, point.m), point.d, point.effect)
    return x[: point.n], y[: point.m]
