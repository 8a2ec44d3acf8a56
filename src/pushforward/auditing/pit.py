"""Calibration: what a model makes uniform, held-out patterns should find uniform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.shares import clopper_pearson
from pushforward.evidence import Estimate

__all__ = ["PitCheck", "central_coverage", "pit_check"]

BINS = 20
CENTRES = (0.5, 0.9)


@dataclass(frozen=True, eq=False)
class PitCheck:
    """Whether transformed patterns are uniform and independent, as they are under the right model.

    Arguments:
        n: How many patterns.
        counts: Of all components' values together, in bins of equal width.
        coverage: The share of values within the central 50 % and 90 %.
        distances: Each component's Kolmogorov–Smirnov distance from uniform.
        differs: Which components are discoveries at the level.
        p_components: Of all components being uniform, joined from their own p-values.
        p_patterns: Of whole patterns lying as far out as they should.
        level: The false discovery rate, and one minus the intervals' coverage.
    """

    n: int
    counts: Int[np.ndarray, " bins"]
    coverage: tuple[Estimate, ...]
    distances: Float[np.ndarray, " d"] = field(repr=False)
    differs: Bool[np.ndarray, " d"] = field(repr=False)
    p_components: float
    p_patterns: float
    level: float = 0.05

    @property
    def p_value(self) -> float:
        r"""Of the whole: the smaller of the two p-values, corrected for having two, :math:`1 - (1 - p)^2` (Šidák)."""
        p = min(self.p_components, self.p_patterns)
        return p * (2 - p)

    @property
    def calibrated(self) -> bool:
        """Whether nothing speaks against the model at the level."""
        return self.p_value > self.level

    @property
    def heights(self) -> Float[np.ndarray, " bins"]:
        """The histogram as a density: 1 everywhere under the right model."""
        return np.asarray(self.counts * len(self.counts) / self.counts.sum())

    @property
    def band(self) -> tuple[float, float]:
        """Where a bin's height lies with probability 95 %, bin by bin, under the right model."""
        from scipy.stats import binom

        bins, total = len(self.counts), int(self.counts.sum())
        low, high = (float(binom.ppf(q, total, 1 / bins)) * bins / total for q in (0.025, 0.975))
        return low, high

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n": self.n,
            "components": len(self.distances),
            "differ": np.flatnonzero(self.differs).tolist(),
            "greatest_distance": float(self.distances.max()),
            "coverage": [share.to_json() for share in self.coverage],
            "histogram": self.heights.tolist(),
            "band": list(self.band),
            "p_components": self.p_components,
            "p_patterns": self.p_patterns,
            "p_value": self.p_value,
            "level": self.level,
            "calibrated": self.calibrated,
        }


def pit_check(u: Float[np.ndarray, "n d"], level: float = 0.05) -> PitCheck:
    r"""Check the probability integral transforms of held-out patterns.

    Under the right model :math:`u_{ij}` are independent and uniform on (0, 1), so every p-value is exact:

    - *components*: Kolmogorov–Smirnov for each, joined by Fisher's :math:`-2 \sum_j \log p_j \sim \chi^2_{2D}`;
    - *patterns*: with :math:`z = \Phi^{-1}(u)`, :math:`\lVert z_i \rVert^2 \sim \chi^2_D`, again by Kolmogorov–Smirnov;
      it sees a pattern whose components are all too far out together, as no component alone shows.

    Of the components named as different, in expectation at most a share ``level`` is not (Benjamini & Hochberg 1995).

    Sources: Rosenblatt (1952); Dawid (1984); for discrete values Czado, Gneiting & Held (2009); for whole patterns
    Box (1980).

    Arguments:
        u: One row for each pattern.
        level: The false discovery rate, and one minus the intervals' coverage.

    Raises:
        ValueError: If values are not in [0, 1], or there are fewer than two patterns.

    Example:
        >>> u = np.random.default_rng(0).uniform(size=(500, 3))
        >>> pit_check(u).calibrated, pit_check(u**1.3).calibrated
        (True, False)
    """
    from scipy.stats import chi2, false_discovery_control, norm

    if len(u) < 2 or not bool(((u >= 0) & (u <= 1)).all()):
        raise ValueError("expected two or more rows of values from 0 to 1")
    inside = u.clip(1e-300, 1 - 2**-53)  # single precision may round a quantile to the very end
    distances, p_each = _from_uniform(u)
    z2 = np.square(norm.ppf(inside)).sum(1, keepdims=True)
    return PitCheck(
        n=len(u),
        counts=np.histogram(u, BINS, (0.0, 1.0))[0],
        coverage=tuple(central_coverage(u, share, level) for share in CENTRES),
        distances=distances,
        differs=np.asarray(false_discovery_control(p_each) <= level),
        p_components=float(chi2.sf(-2 * np.log(p_each.clip(min=1e-300)).sum(), 2 * u.shape[1])),
        p_patterns=float(_from_uniform(chi2.cdf(z2, u.shape[1]))[1][0]),
        level=level,
    )


def central_coverage(u: Float[np.ndarray, "n d"], share: float, level: float = 0.05) -> Estimate:
    r"""How often values fall within the central ``share`` of their conditional laws.

    Components of one pattern may go astray together, so patterns and not values count as independent: the interval is
    Clopper and Pearson's (1934) at the effective number of values :math:`n^* = \hat p (1 - \hat p) / s^2`, where
    :math:`s` is the standard error over patterns (Korn & Graubard 1998). Of one component it is exact and
    conservative.

    Example:
        >>> u = np.random.default_rng(0).uniform(size=(400, 2))
        >>> print(central_coverage(u, 0.9))
        central 90 % 0.902 [0.879, 0.923] share (estimate, n = 400)
    """
    from scipy.stats import t

    n, d = u.shape
    of_each = (np.abs(u - 0.5) <= share / 2).mean(1)
    p, variance = float(of_each.mean()), float(of_each.var()) / n
    effective = min(n * d, p * (1 - p) / variance) if variance > 0 else n
    if d > 1:  # s is itself an estimate
        effective *= (t.ppf(level / 2, n * d - 1) / t.ppf(level / 2, n - 1)) ** 2
    low, high = clopper_pearson(p * effective, effective, level)
    return Estimate(f"central {share:.0%}".replace("%", " %"), p, low, high, n, "share", 1 - level)


def _from_uniform(u: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, " d"]]:
    """Each column's Kolmogorov–Smirnov distance from uniform and its exact p-value."""
    from scipy.stats import kstwo

    n, ordered = len(u), np.sort(u, axis=0)
    above = (np.arange(1, n + 1)[:, None] / n - ordered).max(0)
    below = (ordered - np.arange(n)[:, None] / n).max(0)
    distances = np.maximum(above, below)
    return distances, np.asarray(kstwo.sf(distances, n), float).clip(0.0, 1.0)
