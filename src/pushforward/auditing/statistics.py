"""What held-out answers say about two laws: pure functions of a discriminator's answers."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from pushforward.auditing.shares import wilson
from pushforward.evidence import Estimate, Kind

__all__ = ["balanced_accuracy", "gains", "js_divergence", "js_lower_bound", "noticeable_accuracy"]


def balanced_accuracy(
    right_real: int, n_real: int, right_fake: int, n_fake: int, level: float = 0.05, p_value: float | None = None
) -> Estimate:
    r"""The share of right answers if real and fake were equally many, :math:`\frac12 (a_p + a_\theta)`.

    Its interval joins Wilson's intervals of the two shares (Newcombe 1998): with :math:`l` and :math:`u`
    their ends, :math:`a - \frac12 \sqrt{(a_p - l_p)^2 + (a_\theta - l_\theta)^2}`, and upwards alike.

    Arguments:
        right_real: How many answers on real patterns were right.
        n_real: How many there were.
        right_fake: The same for fake ones.
        n_fake: How many there were.
        level: One minus the interval's coverage.
        p_value: Of the test that these answers belong to.

    Example:
        >>> print(balanced_accuracy(100, 180, 110, 180))
        accuracy 0.583 [0.532, 0.632] share (estimate, n = 360)
    """
    shares = right_real / n_real, right_fake / n_fake
    ends = wilson(right_real, n_real, level), wilson(right_fake, n_fake, level)
    value = 0.5 * sum(shares)
    down = 0.5 * math.hypot(*(share - low for share, (low, _) in zip(shares, ends, strict=True)))
    up = 0.5 * math.hypot(*(high - share for share, (_, high) in zip(shares, ends, strict=True)))
    return Estimate("accuracy", value, value - down, value + up, n_real + n_fake, "share", 1 - level, p_value=p_value)


def noticeable_accuracy(n_real: int, n_fake: int, level: float = 0.05, power: float = 0.8) -> float:
    r"""The smallest balanced accuracy that a test on this many answers reveals with probability ``power``.

    It solves :math:`a - \frac12 = z_{1-\alpha} s(\frac12) + z_{\text{power}}\, s(a)` with
    :math:`s(a) = \frac12 \sqrt{a(1-a)(1/n_p + 1/n_\theta)}`; ``nan`` where even 1 is not enough.

    Example:
        >>> round(noticeable_accuracy(180, 180), 3)
        0.565
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    half = 0.5 * math.sqrt(1 / n_real + 1 / n_fake)
    critical = 0.5 + float(norm.isf(level)) * 0.5 * half

    def short(a: float) -> float:
        return a - critical - float(norm.ppf(power)) * math.sqrt(a * (1 - a)) * half

    return float(brentq(short, 0.5, 1.0)) if critical < 1 else math.nan


def js_divergence(
    log_ratio_real: Float[np.ndarray, " n"], log_ratio_fake: Float[np.ndarray, " m"], level: float = 0.05
) -> Estimate:
    r"""The Jensen–Shannon divergence of two known laws, in nats, from samples of both.

    Arguments:
        log_ratio_real: :math:`\log p(x)/p_\theta(x)` at samples of p: the log-odds of the Bayes-optimal
            discriminator (12).
        log_ratio_fake: The same at samples of p_θ.
        level: One minus the interval's coverage.

    By (13)–(15) of the notes it is :math:`\log 2 - \mathbb E\, H(\pi(x))` over the even mixture of both, with H the
    entropy of the optimal answer :math:`\pi = p / (p + p_\theta)`. That varies far less than whether the answer is
    right, and patterns of both laws, weighted by how much rarer they are in the even mixture (the balance heuristic
    of Veach & Guibas 1995), serve alike. The interval is normal.

    Example:
        >>> print(js_divergence(np.zeros(9), np.zeros(9)))
        Jensen–Shannon divergence 0.000 [0.000, 0.000] nats (estimate, n = 18)
    """
    from scipy.special import entr, expit
    from scipy.stats import norm

    ratios = [np.asarray(x, np.float64) for x in (log_ratio_real, log_ratio_fake)]
    n, m = map(len, ratios)
    known = [math.log(2.0) - entr(expit(x)) - entr(expit(-x)) for x in ratios]
    weights = [(n + m) / 2 / (n * expit(x) + m * expit(-x)) for x in ratios]
    total = sum(float(w.sum()) for w in weights)
    value = sum(float(w @ k) for w, k in zip(weights, known, strict=True)) / total
    errors = [w * (k - value) for w, k in zip(weights, known, strict=True)]
    se = math.sqrt(sum(len(e) * float(e.var(ddof=1)) for e in errors)) / total
    half = float(norm.isf(level / 2)) * se
    return Estimate("Jensen–Shannon divergence", value, value - half, value + half, n + m, "nats", 1 - level)


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
    if min(len(log_odds_real), len(log_odds_fake)) < 2:
        raise ValueError("expected at least two log-odds of each class")
    surest = float(max(np.abs(log_odds_real).max(), np.abs(log_odds_fake).max()))
    value, _, high = _mean_gain(log_odds_real, log_odds_fake, level)
    _, low, _ = _mean_gain(np.append(log_odds_real, -surest), np.append(log_odds_fake, surest), level)
    n = len(log_odds_real) + len(log_odds_fake)
    high = max(value, min(high, math.log(2.0)))
    return Estimate("Jensen–Shannon divergence", value, low, high, n, "nats", 1 - level, Kind.LOWER_BOUND)


def gains(right: Float[np.ndarray, " *n"]) -> Float[np.ndarray, " *n"]:
    r""":math:`\log 2 + \log \sigma(\cdot)`: what answers with these log-odds of the true class are worth, in nats."""
    return np.asarray(math.log(2.0) - np.logaddexp(0.0, -right))


def _mean_gain(
    real: Float[np.ndarray, " n"], fake: Float[np.ndarray, " m"], level: float
) -> tuple[float, float, float]:
    """The mean of the two classes' mean gains, and its normal interval."""
    from scipy.stats import norm

    of_each = gains(np.asarray(real, np.float64)), gains(-np.asarray(fake, np.float64))
    value = 0.5 * sum(float(g.mean()) for g in of_each)
    half = float(norm.isf(level / 2)) * math.sqrt(0.25 * sum(float(g.var(ddof=1)) / len(g) for g in of_each))
    return value, value - half, value + half
