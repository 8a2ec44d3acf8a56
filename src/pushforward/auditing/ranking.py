"""Whose samples are nearer to the data: several audits against the same real patterns, compared in pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from pushforward.auditing.statistics import gains
from pushforward.auditing.verdict import Audit
from pushforward.evidence import Estimate

__all__ = ["Before", "ranking"]


@dataclass(frozen=True)
class Before:
    """One generator and the next: by how much the first is nearer to the data, and whether that may be chance.

    Arguments:
        first: The generator whose samples were harder to tell from the data.
        second: The next one.
        difference: The second's Jensen–Shannon bound minus the first's, with the p-value of no difference.
    """

    first: str
    second: str
    difference: Estimate

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"first": self.first, "second": self.second, "difference": self.difference.to_json()}


def ranking(audits: Mapping[str, Audit]) -> tuple[Before, ...]:
    r"""Order generators by the Jensen–Shannon bound, the nearest to the data first, each against the next.

    .. math:: \Delta = \tfrac12 \overline{g_2(x) - g_1(x)} + \tfrac12 (\overline{g_2(y_2)} - \overline{g_1(y_1)}),

    where :math:`g_i` is what generator i's discriminator gained (:func:`~pushforward.auditing.statistics.gains`)
    on a held-out pattern. The real patterns x are the same for both, so their difference is paired; the
    samples :math:`y_i`, and real patterns that only one of them judged, are independent. Interval and two-sided
    p-value are normal. What is compared are bounds by discriminators of one kind on data of one size, not the
    divergences themselves.

    Arguments:
        audits: By generator, audits against the same real patterns.

    Example:
        >>> from pushforward.auditing import audit
        >>> rng = np.random.default_rng(0)
        >>> real, train = rng.normal(size=(2, 300, 1))
        >>> audits = {
        ...     name: audit(real, shift + rng.normal(size=(300, 1)), train_real=train,
        ...                 train_fake=shift + rng.normal(size=(300, 1)))
        ...     for name, shift in (("far", 2.0), ("near", 0.5))
        ... }
        >>> [(b.first, b.second) for b in ranking(audits)]
        [('near', 'far')]
    """
    order = sorted(audits, key=lambda name: audits[name].js.value)
    return tuple(Before(first, second, _difference(audits[first], audits[second])) for first, second in pairwise(order))


def _difference(first: Audit, second: Audit) -> Estimate:
    """Δ with its interval."""
    from scipy.stats import norm

    value = second.js.value - first.js.value
    gained = [gains(x) for audit in (first, second) for x in (audit.log_odds_real, -audit.log_odds_fake)]
    covariance, shared = _covariance(first, second)
    variance = sum(float(g.var(ddof=1)) / len(g) for g in gained) - 2 * covariance
    se = 0.5 * math.sqrt(max(variance, 0.0))
    p_value = 1.0 if se == 0 else float(2 * norm.sf(abs(value) / se))
    half = float(norm.isf(first.level / 2)) * se
    name = "difference of Jensen–Shannon bounds"
    return Estimate(name, value, value - half, value + half, shared, "nats", 1 - first.level, p_value=p_value)


def _covariance(first: Audit, second: Audit) -> tuple[float, int]:
    """Of the two mean gains on real patterns, and how many of these both judged: block by block not all need be."""
    places = [audit.kept["real"][audit.index_real] for audit in (first, second)]
    _, i, j = np.intersect1d(places[0], places[1], assume_unique=True, return_indices=True)
    one, two = (gains(audit.log_odds_real) for audit in (first, second))
    if len(i) < 2:
        return 0.0, len(i)
    return len(i) * float(np.cov(one[i], two[j])[0, 1]) / (len(one) * len(two)), len(i)
