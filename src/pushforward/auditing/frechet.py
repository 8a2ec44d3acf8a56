"""The Fréchet distance of two sets of features: at this n, where it is biased, and extrapolated to infinite n."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.gaussian_distance import Moments, distances, principal
from pushforward.auditing.patterns import check_features
from pushforward.auditing.resampling import permutation_p_value, relabellings
from pushforward.auditing.shares import score_interval
from pushforward.evidence import Estimate

__all__ = ["Frechet", "frechet"]

FEWEST = 5
PER_FEATURE = 3
"""Patterns of either kind to a feature: with fewer, halves of them have hardly as many as there are features."""
HALVINGS = 2
"""Behind an extrapolation; the relabelled ones have as many, or the test would not be exact."""
SPREAD_HALVINGS, WIDE_HALVINGS = 50, 20
"""Behind a standard error; of many features each costs seconds."""
NARROW, WIDE = 256, 512
"""Features up to which all and 39 relabellings take seconds to a minute or two; of more there are none."""

PLAIN, CONSISTENT, EXTRAPOLATED = range(3)
"""The columns of what is computed from each labelling."""


@dataclass(frozen=True, eq=False)
class Frechet:
    """The Fréchet distance at infinite n, and the plain one at this n.

    Arguments:
        extrapolated: FD∞ with its interval. It may be negative, as what estimates a distance of 0 without bias
            must be half the time; it is NaN, with an upper limit alone, where n is too small for it.
        plain: FDₙ. It lies above the distance by a bias that grows with the features and falls with n, so its
            interval is of its own expectation, and it compares only with others at the same n and reference.
        features: What the distance was computed from.
        reference: What the real patterns are.
        notes: What else a reader should know.
    """

    extrapolated: Figure
    plain: Figure
    features: str
    reference: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values: those of FD∞, with FDₙ as ``plain``."""
        return {
            **self.extrapolated.to_json(),
            "plain": self.plain.to_json(),
            "features": self.features,
            "reference": self.reference,
            "notes": list(self.notes),
        }


def frechet(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    features: str = "features",
    reference: str = "real",
    level: float = 0.05,
    draws: int = 199,
) -> Frechet:
    r"""Estimate the Fréchet distance at infinite n from ``n`` real and ``m`` fake patterns, and give the plain one.

    The plain figure :math:`\mathrm{FD}_n` is too large, even for equal laws, because sampled covariances differ. What
    it adds to the means' and traces' part is subtracted exactly, and to the root's part as if the features were
    Gaussian (:func:`~pushforward.auditing.gaussian_distance.distances`), which leaves :math:`F_n`, consistent at any
    fixed ratio of d to n. As others are not Gaussian, the rest is extrapolated along 1/n from halves of both sets, and
    what relabelled sets, whose distance is 0, have left on average is subtracted:

    .. math:: \mathrm{FD}_\infty = 2 F_n - \overline{F_{n/2}} - \overline{\mathrm{FD}_\infty^{\text{relabelled}}}.

    The variance over half-samples counts the part linear in the patterns once and the quadratic part, the only one for
    equal laws, three times. So the quadratic part Q is that of relabelling, and the linear part, which is proportional
    to the distance as to any squared length, is :math:`\rho \theta` with ρ from the rest. Both figures' intervals hold
    the :math:`\theta` with :math:`(T - \theta)^2 \le z^2 (Q + \rho \theta)`, the plain figure's once its mean over
    relabellings is taken off; in the extrapolated figure's, z standard errors of Q are corrected for its skewness
    (Cornish & Fisher 1938). The p-value is of equal laws, by relabelling. Of more than 256 features at most 39
    relabellings are made, and of more than 512 none: then there is no p-value, the variance is that over half-samples,
    and near equal laws the intervals are conservative.

    Arguments:
        real: Features of data.
        fake: Features of samples.
        rng: Of halves and relabellings.
        features: What they are and how many, for the figures' names.
        reference: What the data are, such as a test part.
        level: One minus the interval's coverage.
        draws: How many relabellings, at most.

    Raises:
        InputError: for other than two finite tables of one width with five rows or more.

    Source: Chong & Forsyth (2020); Tiomoko & Couillet (2019); Politis, Romano & Wolf (1999).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = frechet(rng.normal(size=(400, 4)), 1.0 + rng.normal(size=(400, 4)), rng)
        >>> result.extrapolated.estimate.low < 4.0 < result.extrapolated.estimate.high
        True
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    check_features(real, fake, FEWEST)
    n, m = len(real), len(fake)
    pool = principal(np.concatenate([real, fake]))
    width = pool.shape[1]
    enough = min(n, m) >= PER_FEATURE * width
    observed, halves = _values(pool[:n], pool[n:], SPREAD_HALVINGS if width <= NARROW else WIDE_HALVINGS, rng)
    labels = relabellings(n, m, draws if width <= NARROW else min(draws, 39) if width <= WIDE else 0, rng)
    relabelled = [_values(pool[r], pool[~r], HALVINGS if enough else 0, rng)[0] for r in labels]
    null = np.reshape(relabelled, (-1, 3))
    protocol = f"({features}, n = {n:,} against {m:,}, reference: {reference})"
    plain = _plain(f"Fréchet distance at this n {protocol}", observed, halves, null, n + m, level)
    name = f"Fréchet distance, extrapolated to infinite n {protocol}"
    if enough:
        figure = _extrapolated(name, observed, halves, null, n + m, level)
    else:
        figure = _limit(name, plain, observed, halves, null, level)
    return Frechet(figure, plain, features, reference, tuple(_notes(figure, width, enough)))


def _values(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], halvings: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, 3], Float[np.ndarray, "halves 2"]]:
    """The plain, the consistent and the extrapolated figure, and the first two of halves."""
    r, f = Moments.of(real), Moments.of(fake)
    halves = []
    for _ in range(halvings):
        a, b = (Moments.of(x[rng.permutation(len(x))[: len(x) // 2]]) for x in (real, fake))
        halves += [distances(a, b), distances(r.less(a), f.less(b))]
    plain, consistent = distances(r, f)
    seen = [consistent for _, consistent in halves[: 2 * HALVINGS]]
    extrapolated = 2 * consistent - sum(seen) / len(seen) if seen else math.nan
    return np.array([plain, consistent, extrapolated]), np.reshape(halves, (-1, 2))


def _plain(name: str, observed: np.ndarray, halves: np.ndarray, null: np.ndarray, n: int, level: float) -> Figure:
    value, ends = float(observed[PLAIN]), _plain_ends(observed, halves, null, _quantile(1 - level / 2))
    return _figure(name, (value, *ends), n, level, value, null[:, PLAIN])


def _plain_ends(observed: np.ndarray, halves: np.ndarray, null: np.ndarray, z: float) -> tuple[float, float]:
    """The relabelled mean is the bias of these patterns, and others would have another, most so of heavy tails.

    Halves have twice the bias and tell how far it wanders, by what they vary more than relabelled sets would; one more
    quadratic part of that may be their own chance. The interval is no narrower than this alone asks.
    """
    value = float(observed[PLAIN])
    if not len(null):
        return _ends(value, PLAIN, halves, null, null[:, PLAIN], z)
    bias, quadratic = float(null[:, PLAIN].mean()), float(null[:, PLAIN].var())
    low, high = _ends(value - bias, PLAIN, halves, null, null[:, PLAIN], z)
    reach = z * math.sqrt(max(0.0, float(halves[:, PLAIN].var(ddof=1)) - 4 * quadratic) / 4)
    return min(bias + low, value - reach), max(bias + high, value + reach)


def _extrapolated(
    name: str, observed: np.ndarray, halves: np.ndarray, null: np.ndarray, n: int, level: float
) -> Figure:
    own = null[:, EXTRAPOLATED]
    left = float(own.mean()) if len(null) else 0.0
    value = float(observed[EXTRAPOLATED]) - left
    z = _quantile(1 - level / 2)
    more = (z**2 - 1) / 6 * _skewness(own)
    low, _ = _ends(value, CONSISTENT, halves, null, own, z, more)
    _, high = _ends(value, CONSISTENT, halves, null, own, z, -more)
    return _figure(name, (value, low, high), n, level, value, own - left)


def _skewness(x: Float[np.ndarray, " n"]) -> float:
    """0 for no values."""
    spread = float(x.std()) if len(x) else 0.0
    return float(((x - x.mean()) ** 3).mean()) / spread**3 if spread else 0.0


def _ends(
    value: float, column: int, halves: np.ndarray, null: np.ndarray, own: np.ndarray, z: float, more: float = 0.0
) -> tuple[float, float]:
    r"""An interval for a distance, from the column of half-samples and its own values when relabelled.

    The linear part's ratio to the distance is :math:`\rho = (L + \rho_0 c) / (T + c)`, where L is what half-samples
    have beyond the quadratic part. Their ratio alone would not do: where T is small by chance, L is too, and often 0.
    So it is joined, with the weight of a distance c of z standard errors under equal laws, by the ratio :math:`\rho_0`
    in the directions of noise: the squared length of normal noise has a mean b and the variance
    :math:`\rho_0 b / 2`, and relabelled figures show both. The quadratic part is skewed and may count ``more`` than z
    standard errors, or less.
    """
    spread = float(halves[:, column].var(ddof=1))
    if not len(null):
        return score_interval(value, spread, 0.0, z)
    linear, quadratic = max(0.0, spread - 3 * float(null[:, column].var())), float(own.var())
    noise, noticed = null[:, PLAIN], z * math.sqrt(quadratic)
    of_noise = 2 * float(noise.var() / noise.mean()) if noise.mean() > 0 else 0.0
    together = max(0.0, value) + noticed
    ratio = (linear + of_noise * noticed) / together if together else 0.0
    return score_interval(value, quadratic * max(0.0, 1 + more / z) ** 2, ratio, z)


def _limit(
    name: str, plain: Figure, observed: np.ndarray, halves: np.ndarray, null: np.ndarray, level: float
) -> Figure:
    """No value, but an upper limit: the plain figure's mean is no smaller, as the root's trace is jointly concave."""
    _, high = _plain_ends(observed, halves, null, _quantile(1 - level))
    ends = (math.nan, 0.0, high)
    return Figure(Estimate(name, *ends, plain.estimate.n, level=1 - level, p_value=plain.p_value))


def _figure(
    name: str, ends: tuple[float, float, float], n: int, level: float, statistic: float, null: np.ndarray
) -> Figure:
    p_value = permutation_p_value(statistic, null) if len(null) else None
    return Figure(Estimate(name, *ends, n, level=1 - level, p_value=p_value), Null(null) if len(null) else None)


def _notes(figure: Figure, width: int, enough: bool) -> list[str]:
    notes = []
    if not enough:
        notes.append(
            f"fewer than {PER_FEATURE} patterns of a kind to each of {width:,} features: the Fréchet distance cannot "
            "be extrapolated and has only an upper limit; use more patterns or fewer features"
        )
    if figure.estimate.high < 0:
        notes.append("the Fréchet distance lies below 0, as it does when both sets hold the same patterns")
    if width > WIDE:
        notes.append(f"{width:,} features are too many to relabel: the Fréchet distance has an interval but no p-value")
    return notes


def _quantile(p: float) -> float:
    return NormalDist().inv_cdf(p)
