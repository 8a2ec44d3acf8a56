"""A look: samples beside data, the same number in the same order of drawing."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.report.columns import BINS, is_whole, marginals, outer_range, pairs_by_distance
from pushforward.report.pictures import MOST_SIDE, SMOOTH_SIDE, Grey, mosaic
from pushforward.report.plots import Axis, Plot, Tick, axis, dots
from pushforward.report.records import ReportData

__all__ = ["view"]

ACROSS = (6, 4)  # pictures in a row of a panel, and where there are many panels
MANY_PANELS = 5
PAIRED_COLUMNS = 12
PAIRS = 3
POINTS = 400
NAMES = 3  # of categories along an axis, at most
LETTERS = 9


def view(data: ReportData) -> dict[str, Any] | None:
    """Panels of pictures; or of the pairs of columns that differ most, and each column if no audit shows it below."""
    sets = [("data", data.real), *((family.name, family.samples) for family in data.families)]
    if data.pictures:
        return {"pictures": _panels(sets), "pairs": [], "marginals": None, **_counts(sets)}
    sets = [(name, np.asarray(x, np.float64)) for name, x in sets]
    compared = any(family.audit and family.audit.table for family in data.families)
    pairs = [_pair(data, sets, i, j) for i, j in _pairs(data, sets)]
    if compared and not pairs:
        return None
    return {
        "pictures": [],
        "pairs": pairs,
        "marginals": None if compared else marginals(data),
        **_counts(sets),
    }


def _counts(sets: list[tuple[str, np.ndarray]]) -> dict[str, Any]:
    count = min(len(x) for _, x in sets)
    number = min(count, _across(sets) ** 2 if sets[0][1].ndim > 2 else POINTS)
    side = max(sets[0][1].shape[1:3]) if sets[0][1].ndim > 2 else 0
    reduced = side > MOST_SIDE
    return {"number": number, "smooth": side > SMOOTH_SIDE, "reduced": reduced}


def _panels(sets: list[tuple[str, np.ndarray]]) -> list[dict[str, str]]:
    across = _across(sets)
    number = min(across**2, *(len(x) for _, x in sets))
    grey = Grey.of(sets[0][1])
    return [{"name": name, "source": mosaic(grey.bytes(x[:number]), across)} for name, x in sets]


def _across(sets: list[tuple[str, np.ndarray]]) -> int:
    return ACROSS[len(sets) > MANY_PANELS]


def _padded(values: list[Float[np.ndarray, " n"]], names: tuple[str, ...]) -> Axis:
    if names:
        bare = Axis(-0.5, len(names) - 0.5)
        every = range(0, len(names), -(-len(names) // NAMES))
        return replace(bare, ticks=tuple(Tick(bare.percent(k), _short(names[k])) for k in every))
    low, high = outer_range(np.concatenate(values))
    pad = 0.05 * (high - low)
    return axis(low - pad, high + pad, 2, is_whole(values[0]))


def _pairs(data: ReportData, sets: list[tuple[str, np.ndarray]]) -> list[tuple[int, int]]:
    """The pairs of columns that audits found furthest apart; without one those whose correlation differs most."""
    found = list(pairs_by_distance(data))[:PAIRS]
    if found:
        return found
    candidates = range(min(len(data.columns), PAIRED_COLUMNS))
    if len(candidates) < 2:
        return []
    correlations = [_correlation(x[:, candidates]) for _, x in sets]
    gap = np.max([np.abs(c - correlations[0]) for c in correlations[1:]], axis=0)
    return sorted(combinations(candidates, 2), key=lambda pair: -gap[pair])[:PAIRS]


def _correlation(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Correlations, 0 where a column is constant."""
    centred = x - x.mean(0)
    norms = np.linalg.norm(centred, axis=0)
    z = centred / np.where(norms > 0, norms, 1.0)
    return np.asarray(z.T @ z)


def _spread(
    points: Float[np.ndarray, "n 2"], data: Float[np.ndarray, "m 2"], named: list[bool]
) -> Float[np.ndarray, "n 2"]:
    """The points, in columns of categories or few whole numbers moved a little, since they would cover one another."""
    few = [has_names or (is_whole(x) and len(np.unique(x)) <= BINS) for x, has_names in zip(data.T, named, strict=True)]
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, points.shape)
    return points + noise * few


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _pair(data: ReportData, sets: list[tuple[str, np.ndarray]], i: int, j: int) -> dict[str, Any]:
    number = min(POINTS, *(len(x) for _, x in sets))
    named = [bool(data.levels_of(c)) for c in (i, j)]
    clouds = [(name, _spread(s[:number, [i, j]], sets[0][1][:, [i, j]], named)) for name, s in sets]
    x, y = (_padded([points[:, k] for _, points in clouds], data.levels_of(c)) for k, c in enumerate((i, j)))
    columns = data.columns
    panels = []
    for name, points in clouds:
        inside = (points >= [x.low, y.low]).all(1) & (points <= [x.high, y.high]).all(1)
        title = f"{columns[j]} against {columns[i]}"
        panels.append({"name": name, "plot": Plot(x, y, (dots(x, y, points[inside], "cloud"),), title)})
    return {"across": columns[i], "up": columns[j], "panels": panels}
