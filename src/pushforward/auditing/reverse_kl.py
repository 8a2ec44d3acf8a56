"""The divergence of two laws on a few modes, from counts."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

from pushforward.evidence import Estimate

__all__ = ["reverse_kl", "reverse_kl_from"]


def reverse_kl(b: Int[np.ndarray, " k"], a: Int[np.ndarray, " k"], level: float = 0.05) -> Estimate:
    r"""The divergence of two laws on K modes from counts of both, without its first-order bias.

    .. math:: \mathrm{KL}(q \| p) \approx \frac1m \sum_j b_j \psi(b_j) - \log m + \frac1{2m}
        - \sum_j \frac{b_j}m \log\hat p_j - \sum_j \hat p_j E_1(m \hat p_j), \qquad
        \hat p_j = \frac{a_j + \frac12}{n + \frac12},

    for :math:`\mathbb E\, b\,\psi(b) = \lambda \log \lambda + \lambda E_1(\lambda)` where :math:`b \log b` exceeds
    :math:`\lambda \log \lambda` by a half (Grassberger 1988; a fixed total gives the 1/2m), and
    :math:`\log(a + \frac12)` is unbiased to first order and finite (Haldane 1956). For :math:`\lambda` stands what
    equal laws expect, so modes that would hold few samples do not seem to differ. Where most modes are rarer than 1/n
    and the laws are far apart, it is too low.

    Arguments:
        b: The samples' counts, shape ``(K,)``.
        a: The data's counts, shape ``(K,)``.
        level: One minus the interval's coverage.
    """
    n = int(a.sum())
    return _reverse_kl(b, (a + 0.5) / (n + 0.5), 1 / n, n, level)


def reverse_kl_from(b: Int[np.ndarray, " k"], p: Float[np.ndarray, " k"], level: float = 0.05) -> Estimate:
    """The same where the data's law p is known, shape ``(K,)``."""
    return _reverse_kl(b, p, 0.0, 0, level)


def _reverse_kl(
    b: Int[np.ndarray, " k"], p: Float[np.ndarray, " k"], per_real: float, n: int, level: float
) -> Estimate:
    r"""Value v and score interval: the :math:`\kappa` with :math:`|v - \kappa| \le z \sqrt{V(\kappa)}`.

    Near q = p the estimate is :math:`\frac s2 (\chi^2_{K-1}(2\kappa/s) - K + 1)` with s = 1/m + 1/n, so
    :math:`V(\kappa) = \frac12 (K-1) s^2 + c \kappa` with c = 2s. Further away c follows from the delta method: the
    variance of :math:`\log(q/p)` under q over m plus that of q/p under p over n, less its own bias
    :math:`(K-1) s^2`, for each unit of v.
    """
    from scipy.special import digamma, exp1
    from scipy.stats import norm

    m, seen = int(b.sum()), b > 0
    q, log_p = b[seen] / m, np.log(p[seen])
    value = float(q @ (digamma(b[seen]) - log_p)) - math.log(m) + 0.5 / m - float(p @ exp1(m * p))
    log_ratio = np.log(q) - log_p
    s, freedom = 1 / m + per_real, len(b) - 1
    of_fake = float(q @ log_ratio**2) - float(q @ log_ratio) ** 2
    of_real = float(q @ np.exp(log_ratio)) - 1
    delta = max(of_fake / m + of_real * per_real - freedom * s**2, 0.0)
    near = 0.5 * max(freedom, 1) * s
    c = (delta + 2 * s * near) / (max(value, 0.0) + near)
    z2 = float(norm.isf(level / 2)) ** 2
    half = math.sqrt(max(z2 * (0.5 * freedom * s**2 + c * value) + (z2 * c / 2) ** 2, 0.0))
    centre, value = value + z2 * c / 2, max(value, 0.0)
    low, high = min(value, max(0.0, centre - half)), max(value, centre + half)
    return Estimate("reverse KL", value, low, high, n + m, "nats", 1 - level)
