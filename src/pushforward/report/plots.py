"""Plots as paths in a square of 1000 × 1000 and labels in per cent: the page stretches the one and sets the
other as text.

So a plot is sharp at any size, its words keep the reader's size on a phone, and its colours follow the page's
theme.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pushforward.evidence import minus

__all__ = ["Axis", "Mark", "Plot", "Tick", "area", "axis", "dots", "histogram", "line", "number"]

SIDE = 1000


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in per cent of its length."""

    at: float
    label: str
    below: str = ""


@dataclass(frozen=True)
class Axis:
    """A range of values with ticks at round numbers."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()

    def percent(self, value: float) -> float:
        """Where a value lies, in per cent, held inside the axis."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)

    def place(self, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Where values lie on the square's side, inside it or out."""
        return np.asarray((np.asarray(values, float) - self.low) / (self.high - self.low) * SIDE)


@dataclass(frozen=True)
class Mark:
    """One path, drawn as its CSS classes say."""

    path: str
    style: str


@dataclass(frozen=True)
class Plot:
    """Marks on two axes, with a description for those who do not see it."""

    x: Axis
    y: Axis | None
    marks: tuple[Mark, ...]
    description: str
    x_title: str = ""
    pins: tuple[Tick, ...] = ()


def axis(
    low: float,
    high: float,
    count: float = 4,
    whole: bool = False,
    below: Callable[[float], str] | None = None,
) -> Axis:
    """An axis over ``[low, high]`` with about ``count`` round ticks, if ``whole`` at whole numbers only.

    Example:
        >>> [tick.label for tick in axis(-1.2, 3.9).ticks]
        ['−1', '0', '1', '2', '3']
    """
    if not high > low:
        pad = abs(low) * 0.05 or 1.0
        low, high = low - pad, high + pad
    step = _round_step((high - low) / count)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [i * step for i in range(first, last + 1)]
    bare = Axis(low, high)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = (Tick(bare.percent(v), number(v, decimals), below(v) if below else "") for v in values)
    return Axis(low, high, tuple(ticks))


def number(value: float, decimals: int) -> str:
    """A tick's label, short enough for a small plot: ``k`` and ``M`` from ten thousand on, a proper minus.

    Example:
        >>> number(-1234.0, 0), number(50000.0, 0), number(2500000.0, 0)
        ('−1,234', '50k', '2.5M')
    """
    if decimals > 4 or abs(value) >= 1e9:
        return minus(f"{value:.1e}")
    if abs(value) >= 1e4:
        unit, name = (1e6, "M") if abs(value) >= 1e6 else (1e3, "k")
        return minus(f"{value / unit:.6g}{name}")
    return minus(f"{value if value else 0.0:,.{decimals}f}")


def line(x: Axis, y: Axis, xs: Float[np.ndarray, " n"], ys: Float[np.ndarray, " n"], style: str) -> Mark:
    """A polyline."""
    return Mark(_polyline(x.place(xs), SIDE - y.place(ys)), f"line {style}")


def dots(x: Axis, y: Axis, points: Float[np.ndarray, "n 2"], style: str) -> Mark:
    """A cloud of points: strokes of no length with round ends stay round however the square is stretched."""
    across, up = x.place(points[:, 0]), SIDE - y.place(points[:, 1])
    path = "".join(f"M{a:.0f} {b:.0f}h0" for a, b in zip(across, up, strict=True))
    return Mark(path, f"dots {style}")


def histogram(values: Float[np.ndarray, " n"], edges: Float[np.ndarray, " bins"]) -> Float[np.ndarray, " heights"]:
    """The density of values over bins, with those outside counted in the total."""
    counts, _ = np.histogram(values, edges)
    return np.asarray(counts / (max(1, len(values)) * np.diff(edges)))


def area(
    x: Axis, y: Axis, edges: Float[np.ndarray, " bins"], heights: Float[np.ndarray, " heights"], style: str
) -> Mark:
    """A histogram's outline in steps; a style with ``area`` in it fills it."""
    xs = np.repeat(edges, 2)
    ys = np.concatenate([[0.0], np.repeat(heights, 2), [0.0]])
    return Mark(_polyline(x.place(xs), SIDE - y.place(ys)), style)


def _polyline(across: Float[np.ndarray, " n"], down: Float[np.ndarray, " n"]) -> str:
    points = np.clip(np.stack([across, down], 1), -9999, 9999)
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)


def _round_step(rough: float) -> float:
    """The nearest of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(f for f, most in ((1, 1.5), (2, 3.5), (5, 7.5), (10, math.inf)) if rough / power < most)
