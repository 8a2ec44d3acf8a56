"""What held-out answers say about two laws: pure functions of a discriminator's answers."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from pushforward.auditing.shares import score_interval, wilson
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
    of Veach & Guibas 1995), serve alike. The interval is of the log-odds of its share of log 2, as the value is skewed
    near 0 and near log 2 and stays between them. It is Student's, with the degrees of freedom of a χ² law whose
    variance is that of the variance seen (Satterthwaite 1946): between laws far apart few patterns decide it.

    Example:
        >>> print(js_divergence(np.zeros(9), np.zeros(9)))
        Jensen–Shannon divergence 0.000 [0.000, 0.000] nats (estimate, n = 18)
    """
    from scipy.special import entr, expit, logit
    from scipy.stats import t

    ratios = [np.asarray(x, np.float64) for x in (log_ratio_real, log_ratio_fake)]
    n, m = map(len, ratios)
    known = [math.log(2.0) - entr(expit(x)) - entr(expit(-x)) for x in ratios]
    weights = [(n + m) / 2 / (n * expit(x) + m * expit(-x)) for x in ratios]
    total = sum(float(w.sum()) for w in weights)
    value = sum(float(w @ k) for w, k in zip(weights, known, strict=True)) / total
    errors = [w * (k - value) for w, k in zip(weights, known, strict=True)]
    variance, freedom = _variance_of_sum(errors)
    share = value / math.log(2.0)
    inside = variance > 0 and 0 < share < 1
    half = float(t.isf(level / 2, freedom)) * math.sqrt(variance) / (total * value * (1 - share)) if inside else 0.0
    low, high = (math.log(2.0) * float(expit(logit(share) + end)) if inside else value for end in (-half, half))
    ends = min(low, value), max(high, value)  # which rounding may have swapped
    return Estimate("Jensen–Shannon divergence", value, *ends, n + m, "nats", 1 - level)


def _variance_of_sum(groups: list[Float[np.ndarray, " n"]]) -> tuple[float, float]:
    """The variance of the sum of independent values of several laws, and its degrees of freedom."""
    squares = [(x - x.mean()) ** 2 for x in groups]
    variance = sum(len(s) / (len(s) - 1) * float(s.sum()) for s in squares)
    of_variance = sum(len(s) * float(s.var()) for s in squares)
    return variance, 2 * variance**2 / of_variance if of_variance > 0 else math.inf


def js_lower_bound(
    log_odds_real: Float[np.ndarray, " n"], log_odds_fake: Float[np.ndarray, " m"], level: float = 0.05
) -> Estimate:
    r"""A lower bound on the Jensen–Shannon divergence of two laws, in nats, from held-out log-odds.

    For any discriminator :math:`\pi = \sigma(\text{log-odds})` learnt elsewhere, by (9)–(16) of the notes

    .. math:: \log 2 + \tfrac12 \mathbb E_p \log \pi(x) + \tfrac12 \mathbb E_{p_\theta} \log(1 - \pi(x)) \le
        \mathrm{JS}(p, p_\theta) \le \log 2,

    with equality for the optimal one, :math:`\log\pi/(1-\pi) = \log p/p_\theta`. The value is the unbiased
    mean of the left side; below 0 it says nothing, for the divergence is never negative. The interval speaks
    of the left side too, so only its lower end limits the divergence.

    Between laws far apart the expected loss :math:`\ell`, log 2 less the left side, is made of rare mistakes, and as a
    count's the variance of their mean :math:`\bar\ell` grows with it. So the interval holds the losses with
    :math:`(\bar\ell - \ell)^2 \le z^2 \rho \ell`, as Wilson's (1927) does of shares; :math:`\rho \bar\ell` would be
    the variance seen, stratified by class. But a discriminator without a mistake among n would still make some:
    :math:`z^2` mistakes are imagined (in the manner of Agresti & Coull 1998), each of which adds to the mean what the
    discriminator's own probabilities lead to expect of one, s:

    .. math:: \rho = (\operatorname{var} \bar\ell + z^2 s^2) / (\bar\ell + z^2 s).

    Arguments:
        log_odds_real: Log-odds of being real, for each held-out real pattern.
        log_odds_fake: The same for each held-out fake pattern.
        level: One minus the interval's coverage.

    Example:
        >>> print(js_lower_bound(np.array([1.0, 2.0, 0.5]), np.array([-1.5, 0.2, -1.0])))
        Jensen–Shannon divergence ≥ 0.322 [−0.020, 0.500] nats (lower bound, n = 6)
    """
    from scipy.stats import norm

    if min(len(log_odds_real), len(log_odds_fake)) < 2:
        raise ValueError("expected at least two log-odds of each class")
    real, fake = (np.asarray(x, np.float64) for x in (log_odds_real, log_odds_fake))
    losses = np.logaddexp(0.0, -real), np.logaddexp(0.0, fake)
    lost = 0.5 * sum(float(x.mean()) for x in losses)
    variance = 0.25 * sum(float(x.var(ddof=1)) / len(x) for x in losses)
    z, mistake = float(norm.isf(level / 2)), _mistake(real, fake)
    ratio = (variance + (z * mistake) ** 2) / (lost + z**2 * mistake) if lost + mistake else 0.0
    least, most = score_interval(lost, 0.0, ratio, z)
    value, low, high = (math.log(2.0) - x for x in (lost, most, least))
    n = len(real) + len(fake)
    return Estimate("Jensen–Shannon divergence", value, low, high, n, "nats", 1 - level, Kind.LOWER_BOUND)


def gains(right: Float[np.ndarray, " *n"]) -> Float[np.ndarray, " *n"]:
    r""":math:`\log 2 + \log \sigma(\cdot)`: what answers with these log-odds of the true class are worth, in nats."""
    return np.asarray(math.log(2.0) - np.logaddexp(0.0, -right))


def _mistake(real: Float[np.ndarray, " n"], fake: Float[np.ndarray, " m"]) -> float:
    r"""How much one mistake adds to the mean loss: its variance over its mean, as the discriminator expects them.

    If its probabilities were right, patterns of one class would be those of both, weighted by its probability of that
    class. It is held to expect one mistake at least: whoever is surer than n answers can show is not believed.
    """
    from scipy.special import expit

    odds = np.concatenate([real, fake])
    even = np.repeat([1 / len(real), 1 / len(fake)], [len(real), len(fake)])
    doubt = max(0.0, 1 - float(expit(-np.abs(odds)).sum())) / len(odds)
    mean = variance = 0.0
    for sign, n in ((1, len(real)), (-1, len(fake))):
        weights, losses = even * (expit(sign * odds) + doubt), np.logaddexp(0.0, -sign * odds)
        of_class = float(np.average(losses, weights=weights))
        mean += 0.5 * of_class
        variance += 0.25 * float(np.average((losses - of_class) ** 2, weights=weights)) / n
    return variance / mean if mean else 0.0
