"""A forecast of held-out steps: what the model expected, how sure it was, and what came."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.report.plots import Mark, Plot, axis, line
from pushforward.report.records import Fan, ReportData

__all__ = ["view"]

MOST = 6
"""Variables shown."""
BEFORE = 3
"""Times the horizon that is shown of the past."""


def view(data: ReportData) -> dict[str, Any] | None:
    """A fan for each of the first variables of each family that forecasts."""
    fans = [(family.name, family.fan) for family in data.families if family.fan is not None]
    if not fans:
        return None
    figures = [
        {"name": name if len(fans) == 1 else f"{family}: {name}", "plot": _plot(fan, j)}
        for family, fan in fans
        for j, name in enumerate(fan.columns[:MOST])
    ]
    horizon = len(fans[0][1].truth)
    return {"figures": figures, "horizon": horizon, "left_out": max(0, len(fans[0][1].columns) - MOST)}


def _plot(fan: Fan, j: int) -> Plot:
    """The past, the quantiles' bands and median, and what came, over steps from the first forecast one."""
    ahead = len(fan.truth)
    before, truth, bands = fan.before[-BEFORE * ahead :, j], fan.truth[:, j], fan.quantiles[:, :, j]
    values = np.concatenate([before, truth, bands.ravel()])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.05 * (high - low)
    x, y = axis(-len(before), ahead, 4, whole=True), axis(low - pad, high + pad, 3)
    steps = np.arange(1, ahead + 1)
    areas = [line(x, y, *_around(steps, bands[i], bands[-1 - i]), "area data") for i in range(len(fan.levels) // 2)]
    lines = _pieces(x, y, np.arange(1 - len(before), ahead + 1), np.concatenate([before, truth]), "data")
    median = line(x, y, steps, bands[len(bands) // 2], "s0")
    inside = np.nanmean((truth >= bands[0]) & (truth <= bands[-1])) if not np.isnan(truth).all() else np.nan
    description = f"Forecast of {fan.columns[j]}, {ahead} steps: {inside:.0%} of what came lies in the outer band"
    return Plot(x, y, (*areas, *lines, median), description)


def _around(
    steps: Float[np.ndarray, " h"], low: Float[np.ndarray, " h"], high: Float[np.ndarray, " h"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """The outline of a band."""
    return np.concatenate([steps, steps[::-1]]), np.concatenate([low, high[::-1]])


def _pieces(x: Any, y: Any, steps: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], style: str) -> list[Mark]:
    """A line, broken where values are missing."""
    known = np.flatnonzero(~np.isnan(values))
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return [line(x, y, steps[run], values[run], style) for run in runs if len(run)]
