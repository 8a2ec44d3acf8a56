"""Intervals of shares, their differences and their ratios, and of what spreads the more the greater it is."""

from __future__ import annotations

import math

from pushforward.evidence import Estimate

__all__ = ["clopper_pearson", "excess", "score_interval", "share_ratio", "wilson"]


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
    r"""Miettinen and Nurminen's (1985) score interval of a difference of shares :math:`b/m - a/n`.

    All :math:`\delta` with

    .. math:: \left(\frac bm - \frac an - \delta\right)^2 \le z^2 \, \frac{n + m}{n + m - 1}
        \left(\frac{q (1 - q)}m + \frac{p (1 - p)}n\right),

    where :math:`p` and :math:`q = p + \delta` are the likeliest shares that differ by δ. For few counts it is nearer to
    its level than what joins an interval of each share (Newcombe 1998), whose ends are then reached too seldom.

    Example:
        >>> [round(end, 3) for end in excess(10, 100, 1, 100)]
        [0.033, 0.166]
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z2, difference = float(norm.isf(level / 2)) ** 2 * (n + m) / (n + m - 1), b / m - a / n

    def beyond(delta: float) -> float:
        p = _likeliest(a, n, b, m, delta)
        q = p + delta
        return (difference - delta) ** 2 - z2 * (q * (1 - q) / m + p * (1 - p) / n)

    # next to the difference seen, for there the likeliest shares may not vary at all
    low, high = difference - 1e-9, difference + 1e-9
    return (
        float(brentq(beyond, -1.0, low)) if low > -1 else -1.0,
        float(brentq(beyond, high, 1.0)) if high < 1 else 1.0,
    )


def _likeliest(a: int, n: int, b: int, m: int, delta: float) -> float:
    """The share p for which a of n, and b of m with the share p + δ, are likeliest: the middle root of a cubic."""
    total = n + m
    square = ((m + 2 * n) * delta - total - a - b) / (3 * total)
    linear = ((n * delta - total - 2 * a) * delta + a + b) / total
    constant = a * delta * (1 - delta) / total
    half = square**3 - square * linear / 2 + constant / 2
    root = math.copysign(math.sqrt(max(0.0, square**2 - linear / 3)), half)
    cosine = min(1.0, max(-1.0, half / root**3)) if root else 0.0
    p = 2 * root * math.cos((math.pi + math.acos(cosine)) / 3) - square
    return min(max(p, 0.0, -delta), 1.0, 1 - delta)


def score_interval(value: float, fixed: float, ratio: float, z: float) -> tuple[float, float]:
    r"""All :math:`\theta` with :math:`(T - \theta)^2 \le z^2 (Q + \rho \theta)`, and the value T.

    For what has no fixed variance, but one that grows with the truth, as counts do. The variance at the value found
    would be too large if the value is, and the interval would lie too low where the value does. Source: Wilson (1927)
    for shares; Rao (1948).

    Arguments:
        value: T.
        fixed: The part Q of its variance.
        ratio: By how much ρ its variance grows with the truth.
        z: How many standard errors.

    Example:
        >>> [round(end, 2) for end in score_interval(4.0, 0.0, 1.0, 1.96)]  # a count
        [1.56, 10.29]
    """
    tilt = z**2 * ratio / 2
    reach = math.sqrt(max(0.0, tilt**2 + 2 * value * tilt + z**2 * fixed))
    return min(value, value + tilt - reach), max(value, value + tilt + reach)


def share_ratio(b: int, m: int, a: int, n: int, level: float = 0.05) -> Estimate:
    r"""How many times the share :math:`a/n` the share :math:`b/m` is, for :math:`a \ge 1`.

    The interval is Miettinen and Nurminen's (1985) score interval of a ratio of shares, after Koopman (1984): all
    :math:`\rho` with

    .. math:: \left(\frac bm - \rho \frac an\right)^2 \le z^2 \, \frac{n + m}{n + m - 1}
        \left(\frac{q (1 - q)}m + \rho^2 \frac{p (1 - p)}n\right),

    where :math:`p` and :math:`q = \rho p` are the likeliest shares of that ratio. It is near its level for shares of
    any size.

    Example:
        >>> print(share_ratio(2, 100, 20, 200))
        samples for each real pattern 0.200 [0.052, 0.744] (estimate, n = 22)
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    value, z2 = (b / m) / (a / n), float(norm.isf(level / 2)) ** 2 * (n + m) / (n + m - 1)

    def beyond(ratio: float) -> float:
        one, other = n + b, ratio * (m + a)
        p = 2 * (a + b) / (one + other + math.sqrt((one - other) ** 2 + 4 * ratio * (n - a) * (m - b)))
        q = ratio * p
        return (b / m - ratio * a / n) ** 2 - z2 * (q * (1 - q) / m + ratio**2 * p * (1 - p) / n)

    # next to the ratio seen, for there the likeliest shares may not vary at all
    low = float(brentq(beyond, 0.0, value * (1 - 1e-9))) if b else 0.0
    near = value * (1 + 1e-9) + 1e-9
    far = 2 * near
    while beyond(far) <= 0:
        far *= 2
    return Estimate(
        "samples for each real pattern", value, low, float(brentq(beyond, near, far)), a + b, level=1 - level
    )
