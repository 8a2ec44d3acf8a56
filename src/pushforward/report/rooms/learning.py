"""How it learned: every player's loss and the held-out figure, against steps and time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.evidence import minus
from pushforward.report.plots import Axis, Plot, Tick, axis, line
from pushforward.report.records import FamilyRecord, ReportData

__all__ = ["duration", "view"]

POINTS = 240

Curve = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]


def view(data: ReportData) -> dict[str, Any] | None:
    """The curves of every family that has some."""
    families = [_curves(family) for family in data.families if family.metrics]
    return {"families": families} if families else None


def duration(seconds: float) -> str:
    """A time as a person says it.

    Example:
        >>> duration(0.4), duration(75), duration(7500)
        ('0.4 s', '1 min 15 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s".replace(" 0 s", "")
    return f"{whole // 3600} h {whole % 3600 // 60} min".replace(" 0 min", "")


def _curves(family: FamilyRecord) -> dict[str, Any]:
    players = list(dict.fromkeys(p for row in family.metrics for p in row.get("losses") or {}))
    losses = {p: _series(family.metrics, lambda row, p=p: (row.get("losses") or {}).get(p)) for p in players}
    losses = {p: curve for p, curve in losses.items() if len(curve[0])}
    held_out = _series(family.metrics, lambda row: row.get("held_out"))
    alarms = [(row["step"], str(row["event"])) for row in family.metrics if row.get("event")]
    x = _steps(family.metrics)
    return {
        "name": family.name,
        "players": list(losses),
        "losses": _plot(x, losses, alarms, f"Losses of {family.name}") if losses else None,
        "held_out": _plot(x, {"held-out": held_out}, alarms, f"Held-out figure of {family.name}")
        if len(held_out[0]) > 1
        else None,
        "ended": {p: _figure(curve) for p, curve in losses.items()},
        "held_out_ended": _figure(held_out) if len(held_out[0]) else "",
        "alarms": alarms,
        "cut": bool(losses) and max(v.max() for _, v in losses.values()) > _settled(x, losses)[1],
        "seconds": duration(family.seconds),
    }


def _series(metrics: list[dict[str, Any]], read: Any) -> Curve:
    """Steps and readings, without those that are missing or not finite."""
    pairs = [(row["step"], value) for row in metrics if (value := read(row)) is not None and math.isfinite(value)]
    array = np.array(pairs, float).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def _steps(metrics: list[dict[str, Any]]) -> Axis:
    """The axis of steps, with the time each tick was reached beneath it."""
    steps = np.array([row["step"] for row in metrics], float)
    times = np.array([row.get("time") or 0.0 for row in metrics], float)
    return axis(
        float(min(0.0, steps.min())),
        float(steps.max()) or 1.0,
        count=4,
        below=lambda step: duration(float(np.interp(step, steps, times))) if step else "",
    )


def _plot(x: Axis, curves: dict[str, Curve], alarms: list[tuple[int, str]], description: str) -> Plot:
    """Curves on one axis; a first fall that would flatten the rest may leave the frame."""
    low, high = _settled(x, curves)
    pad = 0.06 * (high - low)
    y = axis(low - pad, high + pad, count=4)
    marks = (line(x, y, *_thinned(curve), f"s{k}") for k, curve in enumerate(curves.values()))
    pins = tuple(Tick(x.percent(step), text) for step, text in alarms)
    return Plot(x, y, tuple(marks), description, "step, and time", pins)


def _settled(x: Axis, curves: dict[str, Curve]) -> tuple[float, float]:
    """The range of all readings but those of the first twentieth of the steps."""
    settled = np.concatenate([v[s >= x.low + 0.05 * (x.high - x.low)] for s, v in curves.values()])
    settled = settled if len(settled) else np.concatenate([v for _, v in curves.values()])
    return float(settled.min()), float(settled.max())


def _thinned(curve: Curve) -> Curve:
    """Means of consecutive readings, so that a long run stays a small page."""
    block = math.ceil(len(curve[0]) / POINTS)
    starts = np.arange(0, len(curve[0]), block)
    sizes = np.diff(np.append(starts, len(curve[0])))
    steps, values = (np.add.reduceat(v, starts) / sizes for v in curve)
    return steps, values


def _figure(curve: Curve) -> str:
    return minus(f"{curve[1][-1]:,.4g}")
