"""Numbers that know what they are.

A figure without its kind misleads: an ELBO of −90 nats and an exact log-likelihood of −91 nats do not say which model
is better. So a figure here is a frozen value with its uncertainty, its sample size, its units and its *kind*, and two
figures are ranked only where their kinds allow it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["Estimate", "Kind", "LogLikelihood", "UnrankableError"]


class Kind(StrEnum):
    """What a figure is in relation to the quantity it speaks of."""

    EXACT = "exact"
    """The quantity itself, averaged over the sample."""
    LOWER_BOUND = "lower bound"
    """In expectation no greater than the quantity."""
    ESTIMATE = "estimate"
    """Neither: it may fall on either side, within its interval."""


class UnrankableError(TypeError):
    """Two figures were compared whose kinds do not allow a ranking; the message says why."""


@dataclass(frozen=True)
class LogLikelihood:
    r"""The mean of :math:`\log p_\theta(x)` over ``n`` held-out events, in nats per event.

    Arguments:
        nats: The mean :math:`\frac1n \sum_i \log p_\theta(x_i)`, in the data's own units.
        se: Its standard error, :math:`s/\sqrt n`.
        n: The number of events.
        kind: ``exact`` or ``lower bound``.
        dims: The number of discrete dimensions of an event, where bits per dimension make sense.
        k: How many importance samples the bound used, if it is one.

    Example:
        >>> LogLikelihood(-112.34, 0.87, 180, Kind.EXACT)
        LogLikelihood(−112.3 ± 0.9 nats, exact, n = 180)
        >>> print(LogLikelihood(-118.04, 1.02, 180, Kind.LOWER_BOUND, k=100))
        ≥ −118.0 ± 1.0 nats (lower bound, k = 100, n = 180)
        >>> LogLikelihood(-1.0, 0.1, 50, Kind.LOWER_BOUND) > LogLikelihood(-2.0, 0.1, 50, Kind.EXACT)
        True
    """

    nats: float
    se: float
    n: int
    kind: Kind
    dims: int | None = None
    k: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.kind))
        if self.n < 1:
            raise ValueError(f"a log-likelihood needs at least one event, not n = {self.n}")
        if self.se < 0:
            raise ValueError(f"a standard error cannot be negative, as se = {self.se} is")

    @classmethod
    def of(cls, values: Iterable[float], kind: Kind, dims: int | None = None, k: int | None = None) -> LogLikelihood:
        """Summarise one log-likelihood per event.

        Example:
            >>> LogLikelihood.of([-1.0, -2.0, -3.0], Kind.EXACT).nats
            -2.0
        """
        v = [float(x) for x in values]
        n = len(v)
        if n == 0:
            raise ValueError("a log-likelihood needs at least one event")
        mean = math.fsum(v) / n if all(map(math.isfinite, v)) else sum(v) / n
        if n == 1 or not math.isfinite(mean):
            return cls(mean, math.nan, n, kind, dims, k)
        variance = math.fsum((x - mean) ** 2 for x in v) / (n - 1)
        return cls(mean, math.sqrt(variance / n), n, kind, dims, k)

    @property
    def bits_per_dim(self) -> float | None:
        r"""The negative mean in bits per dimension, :math:`-\mathrm{nats} / (D \log 2)`, for discrete data."""
        return None if self.dims is None else -self.nats / (self.dims * math.log(2.0))

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite becomes ``None``."""
        bits = self.bits_per_dim
        return {
            "kind": str(self.kind),
            "nats": _finite(self.nats),
            "se": _finite(self.se),
            "n": self.n,
            "bits_per_dim": None if bits is None else _finite(bits),
            "dims": self.dims,
            "k": self.k,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> LogLikelihood:
        """The inverse of :meth:`to_json`."""
        nats = -math.inf if value["nats"] is None else value["nats"]
        se = math.nan if value["se"] is None else value["se"]
        return cls(nats, se, value["n"], Kind(value["kind"]), value.get("dims"), value.get("k"))

    @property
    def figure(self) -> str:
        """The figure alone, as a person would write it: ``−112.3 ± 0.9`` or ``≥ −118.0 ± 1.0``."""
        sign = "≥ " if self.kind is Kind.LOWER_BOUND else ""
        return sign + plus_minus(self.nats, self.se)

    def __str__(self) -> str:
        details = [str(self.kind), *([f"k = {self.k}"] if self.k else []), f"n = {self.n:,}"]
        bits = "" if self.bits_per_dim is None else f", {written(self.bits_per_dim)} bits/dim"
        return f"{self.figure} nats{bits} ({', '.join(details)})"

    def __repr__(self) -> str:
        return f"LogLikelihood({self.figure} nats, {self.kind}, n = {self.n:,})"

    def __lt__(self, other: LogLikelihood) -> bool:
        return other.__gt__(self)

    def __gt__(self, other: LogLikelihood) -> bool:
        """Whether this model's likelihood is known to be greater; refused where that cannot be known."""
        if not isinstance(other, LogLikelihood):
            return NotImplemented
        if self.kind is Kind.EXACT and other.kind is Kind.EXACT:
            return self.nats > other.nats
        low, high = (self, other) if self.nats < other.nats else (other, self)
        if low.kind is Kind.EXACT and high.kind is Kind.LOWER_BOUND and low.nats < high.nats:
            return high is self  # the bounded one is at least that much, hence ahead
        raise UnrankableError(
            f"cannot rank {self.figure} ({self.kind}) and {other.figure} ({other.kind}): a lower bound says 'at "
            "least', so the truth behind it may lie on either side; tighten the bound with a larger k, or compare "
            "their samples with pushforward.audit"
        )


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Arguments:
        name: What is estimated, with its protocol if it has one.
        value: The estimate.
        low: The interval's lower end.
        high: The interval's upper end.
        n: How many observations it rests on.
        units: ``nats``, ``share``, … ; empty for a bare number.
        level: The interval's coverage.
        kind: ``estimate``, or ``lower bound`` where the figure is one in expectation.
        p_value: Of the null hypothesis the name implies, where there is one.

    Example:
        >>> print(Estimate("accuracy", 0.583, 0.54, 0.62, 360, "share"))
        accuracy 0.583 [0.540, 0.620] share (estimate, n = 360)
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    units: str = ""
    level: float = 0.95
    kind: Kind = Kind.ESTIMATE
    p_value: float | None = field(default=None)

    def __post_init__(self) -> None:
        if not (math.isnan(self.value) or self.low <= self.value <= self.high):
            raise ValueError(f"{self.name}: the value {self.value} is outside its interval [{self.low}, {self.high}]")

    def to_json(self) -> dict[str, Any]:
        """Plain values; what is not finite becomes ``None``."""
        return {
            "name": self.name,
            "value": _finite(self.value),
            "low": _finite(self.low),
            "high": _finite(self.high),
            "n": self.n,
            "units": self.units,
            "level": self.level,
            "kind": str(self.kind),
            "p_value": self.p_value,
        }

    def __str__(self) -> str:
        sign = "≥ " if self.kind is Kind.LOWER_BOUND else ""
        units = f" {self.units}" if self.units else ""
        p = "" if self.p_value is None else f", p = {self.p_value:.2g}"
        interval = f"[{minus(f'{self.low:.3f}')}, {minus(f'{self.high:.3f}')}]"
        return f"{self.name} {sign}{minus(f'{self.value:.3f}')} {interval}{units} ({self.kind}, n = {self.n:,}{p})"


def plus_minus(value: float, se: float) -> str:
    """``value ± se`` with as many decimals as the standard error warrants: one digit of it, two after a leading 1.

    Example:
        >>> plus_minus(-112.341, 0.872), plus_minus(0.66123, 0.0101), plus_minus(-12345.6, 3100.0)
        ('−112.3 ± 0.9', '0.661 ± 0.010', '−12,346 ± 3,100')
    """
    if not math.isfinite(value) or not math.isfinite(se) or se == 0:
        return written(value)
    exponent = math.floor(math.log10(se))
    digits = 2 if se < 2 * 10.0**exponent else 1  # a leading 1 would round by up to a half
    decimals = max(0, digits - 1 - exponent)
    return minus(f"{value:,.{decimals}f} ± {se:,.{decimals}f}")


def written(value: float) -> str:
    """A figure of unknown precision.

    Example:
        >>> written(-1234.5), written(-math.inf), written(math.inf)
        ('−1,234.500', '−∞', '∞')
    """
    return minus(f"{value:,.3f}").replace("inf", "∞")


def minus(text: str) -> str:
    """Write a minus sign as one."""
    return text.replace("-", "−")


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
