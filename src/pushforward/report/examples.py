"""Patterns shown by way of example: pictures as strips, rows of a table by the columns that matter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int

from pushforward.evidence import minus
from pushforward.report.pictures import MOST_SIDE, SMOOTH_SIDE, Grey, mosaic
from pushforward.report.records import ReportData

__all__ = ["Examples", "Pictures", "Rows", "examples_of"]

STRIP = 12
PER_FAMILY = 160  # pictures at most
BUDGET = 1_400_000  # bytes of all of them, which even noise keeps to: the page stays under 5 MB
PAIRS = 6  # of rows in a table, two lines each
COLUMNS = 6


class Examples(Protocol):
    """How patterns of a kind are shown; each way is what the template ``examples.html.j2`` takes."""

    def group(self, members: np.ndarray) -> dict[str, Any]:
        """What patterns of one group look like."""

    def matched(self, names: Sequence[str], sets: Sequence[np.ndarray]) -> dict[str, Any]:
        """Sets of equal length, what belongs together close together; the first set is the samples."""


@dataclass(frozen=True)
class Pictures:
    """Strips of pictures, all in one range of grey and of no more than ``most`` pixels a side."""

    grey: Grey
    most: int = MOST_SIDE

    def group(self, members: np.ndarray) -> dict[str, Any]:
        """The first dozen in a strip."""
        return {"strips": [self._strip("", members)]}

    def matched(self, names: Sequence[str], sets: Sequence[np.ndarray]) -> dict[str, Any]:
        """A strip for each set, one below the other."""
        return {"strips": [self._strip(name, x) for name, x in zip(names, sets, strict=True)]}

    def _strip(self, name: str, x: np.ndarray) -> dict[str, Any]:
        few = x[:STRIP]
        style = "smooth" if max(x.shape[1:3]) > SMOOTH_SIDE else "pixels"
        source = mosaic(self.grey.bytes(few, self.most), STRIP)
        return {"name": name, "source": source, "number": len(few), "style": style}


@dataclass(frozen=True, eq=False)
class Rows:
    """Lines of a table, in the columns where they are most remarkable among the data."""

    columns: tuple[str, ...]
    real: Float[np.ndarray, "n d"] = field(repr=False)
    levels: tuple[tuple[str, ...], ...] = ()

    def group(self, members: np.ndarray) -> dict[str, Any]:
        """The group's middle half, or its commonest category, beside the data's where they are furthest apart."""
        inside, everywhere = (np.median(x, axis=0) for x in (members, self.real))
        far = np.abs(inside - everywhere) / self._scale
        for j, levels in enumerate(self.levels):
            if levels:
                far[j] = np.abs(_shares(members[:, j], levels) - _shares(self.real[:, j], levels)).sum()
        chosen = self._furthest(far)
        lines = [[self._middle(x[:, j], j) for j in chosen] for x in (members, self.real)]
        return self._table(chosen, [(f"its {len(members)} most central", lines[0]), ("all data", lines[1])])

    def matched(self, names: Sequence[str], sets: Sequence[np.ndarray]) -> dict[str, Any]:
        """A line for each pattern, what belongs together under one another."""
        few = [np.asarray(x[:PAIRS], np.float64) for x in sets]
        far = np.abs(few[0] - np.median(self.real, axis=0)) / self._scale
        for j, levels in enumerate(self.levels):
            if levels:
                far[:, j] = 1 - _shares(self.real[:, j], levels)[few[0][:, j].astype(np.int64)]
        chosen = self._furthest(far.mean(0))
        places = range(len(few[0]))
        named = list(zip(names, few, strict=True))
        lines = [(name, [self._entry(x[i, j], j) for j in chosen]) for i in places for name, x in named]
        return self._table(chosen, lines, every=len(sets))

    def _entry(self, value: float, j: int) -> str:
        names = self.levels[j] if self.levels else ()
        return names[int(value)] if names else _number(value)

    def _middle(self, values: Float[np.ndarray, " n"], j: int) -> str:
        names = self.levels[j] if self.levels else ()
        if names:
            shares = _shares(values, names)
            return f"{names[int(shares.argmax())]} {100 * shares.max():.0f} %"
        low, high = np.quantile(values, [0.25, 0.75])
        return f"{_number(low)} – {_number(high)}"

    @property
    def _scale(self) -> Float[np.ndarray, " d"]:
        """Half of the data's central four fifths; the standard deviation where that is nothing."""
        low, high = np.quantile(self.real, [0.1, 0.9], axis=0)
        spread = np.where(high > low, (high - low) / 2, self.real.std(0))
        return np.where(spread > 0, spread, 1.0)

    def _furthest(self, how_far: Float[np.ndarray, " d"]) -> Int[np.ndarray, " k"]:
        return np.argsort(-how_far, kind="stable")[:COLUMNS]

    def _table(self, chosen: np.ndarray, lines: list[tuple[str, list[str]]], every: int = 2) -> dict[str, Any]:
        return {"head": [self.columns[j] for j in chosen], "lines": lines, "every": every}


def examples_of(data: ReportData) -> Examples:
    """The way that suits the report's patterns."""
    if not data.pictures:
        return Rows(data.columns, np.asarray(data.real, np.float64), data.levels)
    channels = 3 if data.real.shape[3:] == (3,) else 1
    side = math.isqrt(BUDGET // (PER_FAMILY * channels * len(data.families)))
    return Pictures(Grey.of(data.real), min(MOST_SIDE, max(8, side)))


def _shares(codes: Float[np.ndarray, " n"], names: tuple[str, ...]) -> Float[np.ndarray, " k"]:
    return np.bincount(codes.astype(np.int64), minlength=len(names)) / len(codes)


def _number(value: float) -> str:
    """At most four digits that matter."""
    return minus(f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.3g}")
