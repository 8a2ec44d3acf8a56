"""Exact and nearly exact intervals of shares, their differences and their ratios."""

from __future__ import annotations

import math

from pushforward.evidence import Estimate

__all__ = ["clopper_pearson", "excess", "share_ratio", "wilson"]


def wilson(count: float, n: int, level: float = 0.05) -> tuple[float, float]:
    r"""Wilson's (1927) interval of a share: the p with :math:`|\hat p - p| \le z \sqrt{p(1-p)/n}`.

    Example:
        >>> [round(end, 3) for end in wilson(8, 10)]
        [0.49, 0.943]
    """
    from scipy.stats import norm

    z2 = float(norm.isf(level / 2)) ** 2
    centre = (count + z2 / 2) / (n + z2)
    half = math.sqrt(z2 * (count * (n - count) / n + z2 / 4)) / (n + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(count: float, n: float, level: float = 0.05) -> tuple[float, float]:
    """Clopper and Pearson's (1934) exact interval of a share; counts need not be whole (Korn & Graubard 1998).

    Example:
        >>> [round(end, 3) for end in clopper_pearson(0, 10)]
        [0.0, 0.308]
    """
    from scipy.stats import beta

    low = float(beta.ppf(level / 2, count, n - count + 1)) if count > 0 else 0.0
    return low, float(beta.isf(level / 2, count + 1, n - count)) if count < n else 1.0


def excess(b: int, m: int, a: int, n: int, level: float = 0.05) -> tuple[float, float]:
    r"""Newcombe's (1998) interval of a difference of shares :math:`b/m - a/n`, from Wilson's intervals of both.

    Example:
        >>> [round(end, 3) for end in excess(10, 100, 1, 100)]
        [0.027, 0.165]
    """
    (low_b, high_b), (low_a, high_a) = wilson(b, m, level), wilson(a, n, level)
    difference = b / m - a / n
    return (
        difference - math.hypot(b / m - low_b, high_a - a / n),
        difference + math.hypot(high_b - b / m, a / n - low_a),
    )


def share_ratio(b: int, m: int, a: int, n: int, level: float = 0.05) -> Estimate:
    r"""How many times the share :math:`a/n` the share :math:`b/m` is, for :math:`a \ge 1`.

    Given :math:`a + b`, the count b is binomial with odds :math:`\rho m/n` where shares are small, so Clopper
    and Pearson's ends become those of ρ; for large shares the interval is conservative.

    Example:
        >>> print(share_ratio(2, 100, 20, 200))
        samples for each real pattern 0.200 [0.023, 0.823] (estimate, n = 22)
    """
    low, high = clopper_pearson(b, a + b, level)
    odds = [end / (1 - end) if end < 1 else math.inf for end in (low, high)]
    value = (b / m) / (a / n)
    return Estimate("samples for each real pattern", value, odds[0] * n / m, odds[1] * n / m, a + b, level=1 - level)
