"""A figure of the audit as the page shows it: value, interval, p, and a small plot of the law under equal laws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.wording import p_text, percent
from pushforward.evidence import Estimate, Kind, minus
from pushforward.report.plots import Axis, Mark, Tick, axis, line

__all__ = ["Law", "Shown", "frame", "shown", "value_text"]

UP = Axis(0.0, 1.06)
POINTS = 56
TAIL = 0.002  # beyond it on either side a null law's draws may leave the frame
EDGE = 5.0  # per cent: a label nearer to the end would stick out
NARROWEST = 0.004  # of the frame: a law of next to no spread is still seen


@dataclass(frozen=True)
class Law:
    """Where a figure lies, and the law that equal laws give it, on one axis; places in per cent of its length.

    Arguments:
        marks: The law's outline, and its central 95 %; none where it has no law.
        at: The value; ``None`` where it is not known.
        low: The interval's lower end.
        high: Its upper end.
        ticks: Of the axis.
        description: For those who do not see it.
    """

    marks: tuple[Mark, ...]
    at: float | None
    low: float
    high: float
    ticks: tuple[Tick, ...]
    description: str


@dataclass(frozen=True)
class Shown:
    """One figure, ready for a row or a card.

    Arguments:
        name: With its protocol.
        value: As text; a bound is written as one.
        interval: As text.
        null: Where equal laws put it, mean and central 95 %, as text; empty where that is not known.
        p: The p-value as text; empty where there is none.
        found: Whether chance does not explain it.
        law: The plot.
    """

    name: str
    value: str
    interval: str
    null: tuple[str, ...]
    p: str
    found: bool
    law: Law


def shown(figure: Figure, level: float, name: str = "", on: Axis | None = None) -> Shown:
    """A figure under its own name or another, on its own axis or one that it shares."""
    estimate, null = figure.estimate, figure.null
    name = name or estimate.name
    value, interval = value_text(estimate)
    equal = () if null is None else _null_text(estimate, null)
    return Shown(
        name,
        f"≥ {value}" if estimate.kind is Kind.LOWER_BOUND and estimate.low > 0 else value,
        interval,
        equal,
        "" if figure.p_value is None else p_text(figure.p_value),
        _found(figure, level),
        _law(figure, on or frame([figure]), f"{name}: {value} {interval}; equal laws {' '.join(equal) or 'not known'}"),
    )


def value_text(estimate: Estimate) -> tuple[str, str]:
    """The value and its interval as a person writes them, with as many decimals as the interval's width warrants.

    Example:
        >>> value_text(Estimate("distance", 0.0102, -0.0031, 0.0214, 90))
        ('0.010', '[−0.003, 0.021]')
        >>> value_text(Estimate("coverage", 0.91, 0.88, 0.93, 1000, "share"))
        ('91 %', '[88, 93]')
    """
    if not math.isfinite(estimate.value):
        return "not known", f"at most {_number(estimate.high, estimate.high)}" if math.isfinite(estimate.high) else ""
    if estimate.units == "share":
        value, _, interval = percent(estimate).partition(" [")
        return value, f"[{interval}"
    width = estimate.high - estimate.low
    low, value, high = (_number(x, width) for x in (estimate.low, estimate.value, estimate.high))
    return f"{value} {estimate.units}".rstrip(), f"[{low}, {high}]"


def frame(figures: Sequence[Figure]) -> Axis:
    """An axis that holds figures of one kind, their intervals and their null laws; two ticks or more."""
    factor, unit = _units(figures[0].estimate)
    ends = [end for figure in figures for end in _ends(figure) if math.isfinite(end)] or [0.0]
    low, high = factor * min(ends), factor * max(ends)
    pad = 0.08 * (high - low)
    bare = axis(low - pad, high + pad, 2.5)
    ticks = _inside(bare) if len(_inside(bare)) > 1 else _inside(axis(bare.low, bare.high, 5))
    ticks = ticks[:: math.ceil(len(ticks) / 4)]
    return replace(bare, ticks=tuple(Tick(tick.at, tick.label + unit) for tick in ticks))


def _inside(on: Axis) -> list[Tick]:
    return [tick for tick in on.ticks if EDGE <= tick.at <= 100 - EDGE]


def _ends(figure: Figure) -> list[float]:
    estimate, null = figure.estimate, figure.null
    tails = [] if null is None else np.quantile(null.values, [TAIL, 1 - TAIL]).tolist()
    return [estimate.low, estimate.value, estimate.high, *tails]


def _units(estimate: Estimate) -> tuple[float, str]:
    return (100.0, " %") if estimate.units == "share" else (1.0, "")


def _number(value: float, width: float) -> str:
    if not math.isfinite(value):
        return minus(str(value)).replace("inf", "∞")
    decimals = max(0, 1 - math.floor(math.log10(2 * abs(width)))) if width and math.isfinite(width) else 3
    if decimals > 5:
        return minus(f"{value:.1e}")
    return minus(f"{round(value, decimals) + 0.0:,.{decimals}f}")


def _null_text(estimate: Estimate, null: Null) -> tuple[str, str]:
    """The null law's mean and central 95 %, written as the figure itself."""
    low, high = min(null.low, null.mean), max(null.high, null.mean)
    return value_text(replace(estimate, value=null.mean, low=low, high=high))


def _found(figure: Figure, level: float) -> bool:
    if figure.p_value is not None:
        return figure.p_value <= level
    return figure.null is not None and not figure.null.low <= figure.value <= figure.null.high


def _law(figure: Figure, on: Axis, description: str) -> Law:
    factor, _ = _units(figure.estimate)
    value, low, high = (factor * x for x in (figure.value, figure.estimate.low, figure.estimate.high))
    known = math.isfinite(value)
    low, high = (low if math.isfinite(low) else on.low, high if math.isfinite(high) else on.high)
    return Law(
        () if figure.null is None else _outlines(factor * figure.null.values, on),
        on.percent(value) if known else None,
        on.percent(low),
        on.percent(high),
        on.ticks,
        description,
    )


def _outlines(values: Float[np.ndarray, " draws"], on: Axis) -> tuple[Mark, Mark]:
    """The draws' density, smoothed by a normal kernel of Silverman's width, and its central 95 %."""
    width = max(1.06 * float(values.std()) * len(values) ** -0.2, NARROWEST * (on.high - on.low))
    low, high = float(values.min()) - 3 * width, float(values.max()) + 3 * width
    tails = np.quantile(values, [0.025, 0.975])
    spans = ((low, high), (min(tails[0], high), max(tails[1], low + width)))
    whole, core = (_density(values, np.linspace(*span, POINTS), width) for span in spans)
    tallest = float(whole[1].max())
    return _filled(on, *whole, tallest, "null"), _filled(on, *core, tallest, "null core")


def _density(
    values: Float[np.ndarray, " draws"], at: Float[np.ndarray, " k"], width: float
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    return at, np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(1)


def _filled(
    on: Axis, xs: Float[np.ndarray, " k"], heights: Float[np.ndarray, " k"], tallest: float, style: str
) -> Mark:
    xs, ys = np.concatenate([xs[:1], xs, xs[-1:]]), np.concatenate([[0.0], heights / tallest, [0.0]])
    return line(on, UP, xs, ys, style)
