"""A look: samples beside data, the same number in the same order of drawing."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.report.pictures import MOST_SIDE, Grey, mosaic
from pushforward.report.plots import Axis, Plot, area, axis, dots, histogram
from pushforward.report.records import ReportData

__all__ = ["view"]

ACROSS = (6, 4)  # pictures in a row of a panel, and where there are many panels
MANY_PANELS = 5
SMOOTH_SIDE = 32  # larger pictures are scaled down on the page, where square pixels would hurt
COLUMNS = 24
PAIRED_COLUMNS = 12
PAIRS = 3
POINTS = 400
BINS = 30


def view(data: ReportData) -> dict[str, Any] | None:
    """Panels of pictures; or of the pairs of columns that differ most, and every column's marginal laws."""
    sets = [("data", data.real), *((family.name, family.samples) for family in data.families)]
    if data.pictures:
        return {"pictures": _panels(sets), "pairs": [], "marginals": [], "legend": [], **_counts(sets, 0, 0)}
    sets = [(name, np.asarray(x, np.float64)) for name, x in sets]
    order = _order(data)
    shown = order[:COLUMNS]
    return {
        "pictures": [],
        "pairs": [_pair(data.columns, sets, i, j) for i, j in _pairs(sets, order)],
        "marginals": [_marginal(data.columns[j], sets, j) for j in shown],
        "legend": [name for name, _ in sets[1:]],
        **_counts(sets, len(shown), len(order)),
    }


def _counts(sets: list[tuple[str, np.ndarray]], shown: int, columns: int) -> dict[str, Any]:
    count = min(len(x) for _, x in sets)
    number = min(count, _across(sets) ** 2 if sets[0][1].ndim > 2 else POINTS)
    side = max(sets[0][1].shape[1:3]) if sets[0][1].ndim > 2 else 0
    reduced = side > MOST_SIDE
    return {
        "number": number,
        "shown": shown,
        "columns": columns,
        "smooth": side > SMOOTH_SIDE,
        "reduced": reduced,
    }


def _panels(sets: list[tuple[str, np.ndarray]]) -> list[dict[str, str]]:
    across = _across(sets)
    number = min(across**2, *(len(x) for _, x in sets))
    grey = Grey.of(sets[0][1])
    return [{"name": name, "source": mosaic(grey.bytes(x[:number]), across)} for name, x in sets]


def _across(sets: list[tuple[str, np.ndarray]]) -> int:
    return ACROSS[len(sets) > MANY_PANELS]


def _order(data: ReportData) -> list[int]:
    """Columns by the greatest distance any family has there; as they stand where no audit compared them."""
    distance = np.zeros(len(data.columns))
    for family in data.families:
        for column in family.audit.columns if family.audit else ():
            distance[column.index] = max(distance[column.index], column.distance)
    return [int(j) for j in np.argsort(-distance, kind="stable")]


def _marginal(name: str, sets: list[tuple[str, np.ndarray]], j: int) -> dict[str, Any]:
    values = [x[:, j] for _, x in sets]
    edges = _edges(values)
    heights = [histogram(v, edges) for v in values]
    x = axis(float(edges[0]), float(edges[-1]), 3, _whole(values[0]))
    y = Axis(0.0, 1.05 * max(float(h.max()) for h in heights) or 1.0)
    styles = ["area data", *(f"line s{k}" for k in range(len(sets) - 1))]
    marks = tuple(area(x, y, edges, h, style) for h, style in zip(heights, styles, strict=True))
    return {"name": name, "plot": Plot(x, None, marks, f"Histograms of {name} in data and samples")}


def _edges(values: list[Float[np.ndarray, " n"]]) -> Float[np.ndarray, " bins"]:
    """Bins: one per value where the data have few, else without the outermost tails."""
    pooled = np.concatenate(values)
    distinct = np.unique(values[0])
    if 1 < len(distinct) <= BINS and (gap := float(np.diff(distinct).min())) > 0:
        count = round((distinct[-1] - distinct[0]) / gap)
        if count <= BINS:
            return np.linspace(distinct[0] - gap / 2, distinct[-1] + gap / 2, count + 2)
    low, high = _frame(pooled)
    return np.linspace(low, high, BINS + 1)


def _frame(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The range that holds all but half a per cent at either end."""
    low, high = (float(q) for q in np.quantile(values, [0.005, 0.995]))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(values: list[Float[np.ndarray, " n"]]) -> Axis:
    low, high = _frame(np.concatenate(values))
    pad = 0.05 * (high - low)
    return axis(low - pad, high + pad, 2, _whole(values[0]))


def _whole(values: Float[np.ndarray, " n"]) -> bool:
    return bool((values == np.round(values)).all())


def _pairs(sets: list[tuple[str, np.ndarray]], order: list[int]) -> list[tuple[int, int]]:
    """The pairs of columns whose correlation differs most from the data's for any family."""
    candidates = sorted(order[:PAIRED_COLUMNS])
    if len(candidates) < 2:
        return []
    correlations = [_correlation(x[:, candidates]) for _, x in sets]
    gap = np.max([np.abs(c - correlations[0]) for c in correlations[1:]], axis=0)
    ranked = sorted(combinations(range(len(candidates)), 2), key=lambda pair: -gap[pair])
    return [(candidates[i], candidates[j]) for i, j in ranked[:PAIRS]]


def _correlation(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Correlations, 0 where a column is constant."""
    centred = x - x.mean(0)
    norms = np.linalg.norm(centred, axis=0)
    z = centred / np.where(norms > 0, norms, 1.0)
    return np.asarray(z.T @ z)


def _spread(points: Float[np.ndarray, "n 2"], data: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "n 2"]:
    """The points, in columns of few whole numbers moved a little, since they would cover one another."""
    few = [_whole(x) and len(np.unique(x)) <= BINS for x in data.T]
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, points.shape)
    return points + noise * few


def _pair(columns: tuple[str, ...], sets: list[tuple[str, np.ndarray]], i: int, j: int) -> dict[str, Any]:
    number = min(POINTS, *(len(x) for _, x in sets))
    clouds = [(name, _spread(s[:number, [i, j]], sets[0][1][:, [i, j]])) for name, s in sets]
    x, y = (_padded([points[:, k] for _, points in clouds]) for k in (0, 1))
    panels = []
    for name, points in clouds:
        inside = (points >= [x.low, y.low]).all(1) & (points <= [x.high, y.high]).all(1)
        title = f"{columns[j]} against {columns[i]}"
        panels.append({"name": name, "plot": Plot(x, y, (dots(x, y, points[inside], "cloud"),), title)})
    return {"across": columns[i], "up": columns[j], "panels": panels}
