"""Calibration: where held-out patterns stand in the laws they were given, and how much was learnt by heart."""

from __future__ import annotations

from typing import Any

import numpy as np

from pushforward.auditing.pit import PitCheck
from pushforward.auditing.wording import p_text, percent
from pushforward.evidence import Estimate, minus
from pushforward.report.plots import Axis, Plot, area, axis, line
from pushforward.report.records import FamilyRecord, ReportData

__all__ = ["view"]

NO_CONDITIONALS = "Its conditionals have no closed form, so their calibration is not known."


def view(data: ReportData) -> dict[str, Any] | None:
    """A histogram for each family that has conditionals, and the gap of each that has a likelihood."""
    families = [f for f in data.families if f.pit is not None or f.gap is not None]
    if not families:
        return None
    tallest = max((float(f.pit.heights.max()) for f in families if f.pit is not None), default=1.0)
    return {
        "families": [_figure(f, axis(0.0, 1.08 * max(tallest, 1.5), count=3)) for f in families],
        "plotted": any(f.pit is not None for f in families),
        "bounds": any("bounds" in f.gap.name for f in families if f.gap is not None),
    }


def _figure(family: FamilyRecord, y: Axis) -> dict[str, Any]:
    pit = family.pit
    reading = (family.unchecked or NO_CONDITIONALS) if pit is None else _reading(pit)
    return {
        "name": family.name,
        "plot": None if pit is None else _plot(pit, y, f"Calibration of {family.name}: {reading}"),
        "reading": reading,
        "calibrated": pit is None or pit.calibrated,
        "gap": None if family.gap is None else _gap(family.gap),
    }


def _plot(pit: PitCheck, y: Axis, description: str) -> Plot:
    """The histogram over the band that the right model would stay in."""
    x, (low, high) = axis(0.0, 1.0, count=2), pit.band
    band = line(x, y, np.array([0, 1, 1, 0, 0]), np.array([low, low, high, high, low]), "area data")
    edges = np.linspace(0.0, 1.0, len(pit.counts) + 1)
    return Plot(x, y, (band, area(x, y, edges, pit.heights, "line s0")), description)


def _reading(pit: PitCheck) -> str:
    """What to see, in a sentence or two."""
    ninety, p = pit.coverage[-1], p_text(pit.p_value).replace(" ", "\u00a0")
    held = f"the central 90% of its laws hold {percent(ninety)} of held-out values".replace("%", " %")
    if pit.calibrated:
        return f"Flat, as far as {pit.n:,} patterns show ({p}): {held}."
    if ninety.high < 0.9:
        shape = f"High at the ends, so its laws are too narrow: {held}"
    elif ninety.low > 0.9:
        shape = f"Low at the ends, so its laws are too wide: {held}"
    elif pit.p_components <= pit.p_patterns:
        shape = f"Uneven, though {held}"
    else:
        shape = "Component by component nothing is amiss, but whole patterns lie too far out or too far in"
    return f"{shape} ({p}). {_components(pit)}".rstrip()


def _components(pit: PitCheck) -> str:
    """How many components are off by themselves, where any is."""
    found, of = int(pit.differs.sum()), len(pit.differs)
    if found == 0 or of == 1:
        return ""
    return f"By themselves {found:,} of {of:,} components are off." if found > 1 else f"One component of {of:,} is off."


def _gap(gap: Estimate) -> str:
    """How much likelier training patterns are, and whether that is known."""
    figure = minus(f"{gap.value:.2f} [{gap.low:.2f}, {gap.high:.2f}] nats")
    if gap.low > 0:
        return f"Training patterns are likelier than held-out ones by {figure}: so much was learnt by heart."
    if gap.high < 0:
        return f"Held-out patterns are likelier than training ones: the gap is {figure}."
    return f"Training patterns are not known to be likelier than held-out ones: the gap is {figure}."
