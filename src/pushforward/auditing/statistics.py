"""What a held-out discriminator's answers say about two laws: pure functions of its answers."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from pushforward.evidence import Estimate, Kind

__all__ = ["js_lower_bound", "noticeable_accuracy", "two_sample_accuracy"]


def two_sample_accuracy(correct: int, n: int, level: float = 0.05) -> Estimate:
    r"""The classifier two-sample test: accuracy on held-out patterns, its exact interval and p-value.

    If real and fake follow one law, a discriminator that has not seen the ``n`` patterns (half of them real)
    is right :math:`C` times with

    .. math:: \Pr[C \ge c] \le \Pr[\mathrm{Bin}(n, \tfrac12) \ge c], \qquad c > \tfrac n2,

    with equality where it calls half of all patterns real; a preference for one answer only makes the count
    less variable (Hoeffding 1956), so the level holds whatever was learnt. The interval is Clopper and
    Pearson's (1934) of coverage ``1 − level``. Source: Lopez-Paz & Oquab (2017), Revisiting classifier
    two-sample tests.

    Arguments:
        correct: How many answers were right.
        n: How many answers were given.
        level: One minus the interval's coverage.

    Example:
        >>> print(two_sample_accuracy(210, 360))
        accuracy 0.583 [0.531, 0.635] share (estimate, n = 360, p = 0.00092)
    """
    from scipy.stats import beta, binom

    if not 0 <= correct <= n or n < 1:
        raise ValueError(f"expected 0 ≤ correct ≤ n and n ≥ 1, received correct = {correct}, n = {n}")
    low = 0.0 if correct == 0 else float(beta.ppf(level / 2, correct, n - correct + 1))
    high = 1.0 if correct == n else float(beta.ppf(1 - level / 2, correct + 1, n - correct))
    p_value = float(binom.sf(correct - 1, n, 0.5))
    return Estimate("accuracy", correct / n, low, high, n, "share", 1 - level, p_value=p_value)


def noticeable_accuracy(n: int, level: float = 0.05, power: float = 0.8) -> float:
    r"""The smallest accuracy that the test on ``n`` answers reveals with probability ``power``.

    With the critical count :math:`c = \min\{c : \Pr[\mathrm{Bin}(n, \frac12) \ge c] \le \text{level}\}` it
    solves :math:`\Pr[\mathrm{Bin}(n, a) \ge c] = \text{power}` for :math:`a`, a quantile of the beta law.
    ``nan`` where n is so small that even n right answers would not reach the level.

    Example:
        >>> round(noticeable_accuracy(360), 3)
        0.568
    """
    from scipy.stats import beta

    critical = critical_count(n, level)
    return float(beta.ppf(power, critical, n - critical + 1)) if critical <= n else math.nan


def critical_count(n: int, level: float = 0.05) -> int:
    """The smallest count of right answers that guessing reaches with probability at most ``level``."""
    from scipy.stats import binom

    return int(binom.isf(level, n, 0.5)) + 1


def js_lower_bound(
    log_odds_real: Float[np.ndarray, " n"], log_odds_fake: Float[np.ndarray, " m"], level: float = 0.05
) -> Estimate:
    r"""A lower bound on the Jensen–Shannon divergence of two laws, in nats, from held-out log-odds.

    For any discriminator :math:`\pi = \sigma(\text{log-odds})` learnt elsewhere, by (9)–(16) of the notes

    .. math:: \log 2 + \tfrac12 \mathbb E_p \log \pi(x) + \tfrac12 \mathbb E_{p_\theta} \log(1 - \pi(x)) \le
        \mathrm{JS}(p, p_\theta) \le \log 2,

    with equality for the optimal one, :math:`\log\pi/(1-\pi) = \log p/p_\theta`. The value is the unbiased
    mean of the left side; below 0 it says nothing, for the divergence is never negative. The interval speaks
    of the left side too, so only its lower end limits the divergence. It is normal, stratified by class, and
    its lower end counts one imagined answer more per class, wrong with the greatest confidence that was seen:
    a discriminator without a mistake among n would still make some (in the manner of Agresti & Coull 1998).

    Arguments:
        log_odds_real: Log-odds of being real, for each held-out real pattern.
        log_odds_fake: The same for each held-out fake pattern.
        level: One minus the interval's coverage.

    Example:
        >>> print(js_lower_bound(np.array([1.0, 2.0, 0.5]), np.array([-1.5, 0.2, -1.0])))
        Jensen–Shannon divergence ≥ 0.322 [−0.743, 0.527] nats (lower bound, n = 6)
    """
    from scipy.stats import norm

    if min(len(log_odds_real), len(log_odds_fake)) < 2:
        raise ValueError("expected at least two log-odds of each class")
    right = [np.asarray(log_odds_real, np.float64), -np.asarray(log_odds_fake, np.float64)]
    surest = max(float(np.abs(r).max()) for r in right)
    gains = [_gain(r) for r in right]
    value, se = _stratified(gains)
    value_low, se_low = _stratified([np.append(g, _gain(np.array([-surest]))) for g in gains])
    z = float(norm.isf(level / 2))
    low, high = value_low - z * se_low, min(value + z * se, math.log(2.0))
    n = sum(map(len, right))
    return Estimate("Jensen–Shannon divergence", value, low, max(high, value), n, "nats", 1 - level, Kind.LOWER_BOUND)


def _gain(right: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """log 2 + log σ(right): what an answer with these log-odds of the true class is worth."""
    return np.asarray(math.log(2.0) - np.logaddexp(0.0, -right))


def _stratified(gains: list[Float[np.ndarray, " n"]]) -> tuple[float, float]:
    """The mean of the two classes' means, and its standard error."""
    value = 0.5 * sum(float(g.mean()) for g in gains)
    variance = 0.25 * sum(float(g.var(ddof=1)) / len(g) for g in gains)
    return value, math.sqrt(variance)
