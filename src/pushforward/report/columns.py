"""Columns of a table: which differ most, which pairs of them, and small multiples of their laws."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.auditing.pairs import PairDifference
from pushforward.report.plots import Axis, Plot, area, axis, histogram
from pushforward.report.records import ReportData

__all__ = ["BINS", "is_whole", "marginals", "outer_range", "pairs_by_distance", "worst_columns"]

BINS = 30
BARS = 8
COLUMNS = 24


def worst_columns(data: ReportData) -> list[int]:
    """Columns by the greatest distance any family has there; as they stand where no audit compared them."""
    distance = np.zeros(len(data.columns))
    for family in data.families:
        for column in family.audit.columns if family.audit else ():
            distance[column.index] = max(distance[column.index], column.distance)
    return [int(j) for j in np.argsort(-distance, kind="stable")]


def pairs_by_distance(data: ReportData) -> dict[tuple[int, int], list[PairDifference]]:
    """Pairs of columns that all audits compared, discoveries first, then the most distant; each with its findings."""
    tables = [family.audit.table for family in data.families if family.audit and family.audit.table]
    found: dict[tuple[int, int], list[PairDifference]] = {}
    for table in tables:
        index = {column.column: column.index for column in table.columns}
        for pair in table.pairs:
            found.setdefault((index[pair.first], index[pair.second]), []).append(pair)
    common = {places: pairs for places, pairs in found.items() if len(pairs) == len(tables)}

    def rank(places: tuple[int, int]) -> tuple[bool, float]:
        return not any(p.differs for p in common[places]), -max(p.distance for p in common[places])

    return {places: common[places] for places in sorted(common, key=rank)}


def marginals(data: ReportData) -> dict[str, Any]:
    """A plot for each column, the first two dozen by distance; what the template of this name takes."""
    order = worst_columns(data)
    sets = [np.asarray(x, np.float64) for x in (data.real, *(family.samples for family in data.families))]
    return {
        "plots": [
            _bars(data.columns[j], sets, j, names)
            if (names := data.levels_of(j))
            else _marginal(data.columns[j], sets, j)
            for j in order[:COLUMNS]
        ],
        "legend": [family.name for family in data.families],
        "columns": len(order),
    }


def _marginal(name: str, sets: list[np.ndarray], j: int) -> dict[str, Any]:
    values = [x[:, j] for x in sets]
    edges = _edges(values)
    heights = [histogram(v, edges) for v in values]
    x = axis(float(edges[0]), float(edges[-1]), 3, is_whole(values[0]))
    y = Axis(0.0, 1.05 * max(float(h.max()) for h in heights) or 1.0)
    styles = ["area data", *(f"line s{k}" for k in range(len(sets) - 1))]
    marks = tuple(area(x, y, edges, h, style) for h, style in zip(heights, styles, strict=True))
    return {"name": name, "bars": [], "plot": Plot(x, None, marks, f"Histograms of {name} in data and samples")}


def _bars(name: str, sets: list[np.ndarray], j: int, levels: tuple[str, ...]) -> dict[str, Any]:
    """The shares of categories, the data's most frequent first, and of the others together."""
    shares = np.stack([np.bincount(x[:, j].astype(np.int64), minlength=len(levels)) / len(x) for x in sets])
    order = np.argsort(-shares[0], kind="stable")
    kept = order[: BARS if len(order) <= BARS else BARS - 1]
    rows = [(levels[k], shares[:, k]) for k in kept]
    if len(kept) < len(order):
        rows.append((f"{len(order) - len(kept)} others", shares[:, order[len(kept) :]].sum(1)))
    longest = max(float(each.max()) for _, each in rows)
    bars = [{"name": name, "widths": [round(100 * float(s) / longest, 1) for s in each]} for name, each in rows]
    return {"name": name, "bars": bars}


def _edges(values: list[Float[np.ndarray, " n"]]) -> Float[np.ndarray, " bins"]:
    """Bins: one per value where the data have few, else without the outermost tails."""
    pooled = np.concatenate(values)
    distinct = np.unique(values[0])
    if 1 < len(distinct) <= BINS and (gap := float(np.diff(distinct).min())) > 0:
        count = round((distinct[-1] - distinct[0]) / gap)
        if count <= BINS:
            return np.linspace(distinct[0] - gap / 2, distinct[-1] + gap / 2, count + 2)
    low, high = outer_range(pooled)
    return np.linspace(low, high, BINS + 1)


def outer_range(values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The range that holds all but half a per cent at either end."""
    low, high = (float(q) for q in np.quantile(values, [0.005, 0.995]))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def is_whole(values: Float[np.ndarray, " n"]) -> bool:
    """Whether all values are whole numbers."""
    return bool((values == np.round(values)).all())
