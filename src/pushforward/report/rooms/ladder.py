"""The ladder: families on one axis of held-out log-likelihood, each figure drawn as what it is."""

from __future__ import annotations

import math
from typing import Any

from pushforward.evidence import Kind, LogLikelihood, written
from pushforward.report.plots import Axis, Tick, axis
from pushforward.report.records import FamilyRecord, ReportData

__all__ = ["view"]

Z = 1.96


def view(data: ReportData) -> dict[str, Any] | None:
    """One row per family, the greatest figure first; nothing where no likelihood was asked of any."""
    figures = [f.likelihood for f in data.families if f.likelihood is not None and math.isfinite(f.likelihood.nats)]
    if not any(f.likelihood is not None or not f.density for f in data.families):
        return None
    scale = _scale(figures) if figures else None
    families = sorted(data.families, key=lambda f: -f.likelihood.nats if f.likelihood else math.inf)
    return {
        "scale": scale,
        "bits": _bits(scale, figures) if scale else (),
        "rows": [_row(family, scale) for family in families],
        "n": max((f.n for f in figures), default=0),
        "kinds": {str(f.kind) for f in figures},
    }


def _scale(figures: list[LogLikelihood]) -> Axis:
    """From the least to the greatest figure, with room for error bars and for a bound's arrow."""
    spread = [Z * f.se if math.isfinite(f.se) else 0.0 for f in figures]
    low = min(f.nats - s for f, s in zip(figures, spread, strict=True))
    high = max(f.nats + s for f, s in zip(figures, spread, strict=True))
    pad = 0.08 * (high - low) or 1.0
    return axis(low - pad, high + 2 * pad, count=5)


def _bits(scale: Axis, figures: list[LogLikelihood]) -> tuple[Tick, ...]:
    """The same axis in bits per dimension, where every figure has them in equal dimensions."""
    dims = {f.dims for f in figures}
    (d,) = dims if len(dims) == 1 else (None,)
    if d is None:
        return ()
    factor = -d * math.log(2.0)  # nats = factor · bits per dimension
    bits = axis(scale.high / factor, scale.low / factor, count=5)
    return tuple(Tick(round(100 - tick.at, 2), tick.label) for tick in bits.ticks)


def _row(family: FamilyRecord, scale: Axis | None) -> dict[str, Any]:
    figure = family.likelihood
    row: dict[str, Any] = {"name": family.name, "mark": "none", "text": _absence(family)}
    if figure is None:
        return row
    row["text"] = f"{figure.figure} nats"
    row["detail"] = _detail(figure)
    if scale is None or not math.isfinite(figure.nats):
        row["detail"] += "; a held-out pattern is impossible under it" if figure.nats == -math.inf else ""
        return row
    half = Z * figure.se if math.isfinite(figure.se) else 0.0
    return row | {
        "mark": "bound" if figure.kind is Kind.LOWER_BOUND else "exact",
        "at": scale.percent(figure.nats),
        "low": scale.percent(figure.nats - half),
        "high": scale.percent(figure.nats + half),
    }


def _absence(family: FamilyRecord) -> str:
    return "not asked" if family.density else "has no density; only the audit speaks of it"


def _detail(figure: LogLikelihood) -> str:
    k = f", k = {figure.k}" if figure.k else ""
    bits = "" if figure.bits_per_dim is None else f", {written(figure.bits_per_dim)} bits per dimension"
    kind = f"at least this, a lower bound{k}" if figure.kind is Kind.LOWER_BOUND else str(figure.kind)
    return kind + bits.replace("-", "−")
