"""Which samples lie where the data are, and which data where the samples are: precision, recall, density, coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.neighbours import in_balls, nearest
from pushforward.auditing.patterns import check_features
from pushforward.auditing.resampling import relabellings
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["Support", "support"]

FIGURES = {"precision": "fake", "recall": "real", "density": "fake", "coverage": "real"}
"""The figures in their order, and over which patterns each is a mean."""
DRAWS = 499
DEGREES = 40
"""Of freedom of the variances, or a few more."""
MOST = 1000
"""Patterns of either kind in a part."""
UNEQUAL = 20
"""So many times the smaller set, and the larger one adds hardly anything but work."""
TIE = 1e-6
"""Differences below this share of a column's spread count as none."""


@dataclass(frozen=True, eq=False)
class Support:
    """How far samples and data lie within each other's support.

    Arguments:
        precision: The share of samples that lie in the ball of a real pattern.
        recall: The share of real patterns that lie in the ball of a sample.
        density: In how many real balls a sample lies, as a share of k.
        coverage: The share of real balls that hold a sample.
        p_value: Of equal laws, from all four at once.
        k: A pattern's ball ends at its k-th nearest neighbour of its own kind.
        features: What the features are.
        covered: Of each real pattern that was looked at, whether its ball holds a sample.
        balls: Of each such sample, in how many real balls it lies; 0 is outside the data's estimated support.
    """

    precision: Figure
    recall: Figure
    density: Figure
    coverage: Figure
    p_value: float
    k: int
    features: str
    covered: Bool[np.ndarray, " n"] = field(repr=False)
    balls: Int[np.ndarray, " m"] = field(repr=False)

    @property
    def note(self) -> str:
        """How to read the figures."""
        return (
            "Equal laws do not give 1: compare each figure with its null at these sizes. The intervals are for the "
            "figures' expectations at these sizes; precision and recall fall with the dimension and rise with n."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, without those of single patterns."""
        figures = {name: getattr(self, name).to_json() for name in FIGURES}
        return {**figures, "p_value": self.p_value, "k": self.k, "features": self.features, "note": self.note}


def support(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    k: int = 5,
    features: str = "features",
    level: float = 0.05,
) -> Support:
    r"""Compare two supports, each estimated by balls that reach from a pattern to its k-th nearest neighbour.

    With :math:`B_i` the closed ball about the real :math:`x_i` and :math:`B'_j` that about the sample :math:`y_j`,

    .. math::
        \text{precision} = \tfrac1m \sum_j 1[y_j \in \textstyle\bigcup_i B_i], \quad
        \text{recall} = \tfrac1n \sum_i 1[x_i \in \textstyle\bigcup_j B'_j], \\
        \text{density} = \tfrac1{km} \sum_{i,j} 1[y_j \in B_i], \quad
        \text{coverage} = \tfrac1n \sum_i 1[\exists j: y_j \in B_i]

    (Kynkäänniemi et al. 2019; Naeem et al. 2020). Equal laws put density at 1 and coverage at
    :math:`1 - \prod_{l=1}^{k} \frac{n-l}{n+m-l}` on average; precision and recall they put anywhere, by dimension and
    n. So each figure has its null law from relabellings of all patterns, which is exact at these sizes, and a p-value:
    one-sided, of too low a share; two-sided of density. Where shares are near 1 the tests are conservative, for few
    values are possible. Ties, as between rows of whole numbers, are broken by noise of a millionth of each column's
    spread. Of a set more than twenty times the other so many are drawn at random, and the figures' names count them.

    The interval is for the figure's expectation at these n and m. Its variance is that between disjoint random parts
    of the data, each of which is an independent small audit, in relation to the variance of independent trials; that
    relation holds at any size, and makes the interval Wilson's. Parts of a few dozen patterns show it too small where a
    few patterns are near to many others, as in high dimension; it is no smaller than that of relabelled patterns. Where
    samples copy the data that is more than need be: the null law parts pairs of equal rows, so it varies more than that
    of single rows, and nothing else says which rows are pairs.

    Arguments:
        real: Features of data, shape ``(n, d)``.
        fake: Features of samples, shape ``(m, d)``.
        rng: Of the parts, the relabellings and the breaking of ties.
        k: Neighbours that a ball reaches to.
        features: What the features are, for the figures' names.
        level: One minus the intervals' coverage.

    Raises:
        InputError: The features cannot be compared, or are too few for this k.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = support(rng.normal(size=(300, 2)), 0.5 * rng.normal(size=(200, 2)), rng)
        >>> result.precision.value > result.recall.value, result.p_value
        (True, 0.002)
    """
    _check(real, fake, k)
    most = UNEQUAL * min(len(real), len(fake))
    real, fake = (x if len(x) <= most else x[np.sort(rng.choice(len(x), most, replace=False))] for x in (real, fake))
    n, m = len(real), len(fake)
    pooled = _without_ties(np.concatenate([real, fake]), rng)
    real, fake = pooled[:n], pooled[n:]
    covered, reached, balls = _membership(real, fake, k)
    values, naive = _summary(covered, reached, balls, k)
    effect, degrees = _design_effect(real, fake, k, rng)
    lengths = _enough(n, n + m, k), _enough(m, n + m, k)
    places = nearest(pooled, max(lengths))[1]
    null = np.stack([_relabelled(places, labels, k, lengths) for labels in relabellings(n, m, DRAWS, rng)])
    p_values, p_value = _p_values(np.vstack([values, null]))
    found = {}
    for j, (name, of) in enumerate(FIGURES.items()):
        count, ratio = {"real": n, "fake": m}[of], naive[j] / values[j] if naive[j] > 0 else 1.0
        is_share = name != "density"
        times = max(effect[j], _relabelled_effect(null[:, j], count, None if is_share else ratio))
        variance = times / count * (1.0 if is_share else ratio)
        low, high = _interval(float(values[j]), float(variance), is_share, degrees, level)
        title = f"{name} (k = {k}, {features}, n = {n:,} against {m:,})"
        units = "share" if is_share else ""
        estimate = Estimate(title, float(values[j]), low, high, count, units, 1 - level, p_value=float(p_values[j]))
        found[name] = Figure(estimate, Null(null[:, j]))
    return Support(**found, p_value=p_value, k=k, features=features, covered=covered, balls=balls)


def _check(real: np.ndarray, fake: np.ndarray, k: int) -> None:
    if k < 1:
        raise InputError(f"a ball reaches to at least 1 neighbour, not k = {k}: 5 is usual")
    least = 2 * k + 2
    if min(len(real), len(fake)) < least:
        raise InputError(
            f"support with k = {k} neighbours needs {least} patterns of either kind, not {len(real):,} against "
            f"{len(fake):,}: give more, or a smaller k"
        )
    check_features(real, fake, least)


def _without_ties(x: Float[np.ndarray, "n d"], rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """Whether equal rows count as near must not depend on rounding, nor on which of them are real."""
    spread = np.abs(x - x.mean(0)).mean(0)
    if not spread.any():
        spread = np.ones_like(spread)
    return np.asarray(x + TIE * spread * rng.normal(size=x.shape))


def _membership(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], k: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    return in_balls(real, fake, nearest(real, k)[0][:, -1], nearest(fake, k)[0][:, -1])


def _summary(
    covered: Bool[np.ndarray, " n"], reached: Bool[np.ndarray, " n"], balls: Int[np.ndarray, " m"], k: int
) -> tuple[Float[np.ndarray, " 4"], Float[np.ndarray, " 4"]]:
    """The figures, each a mean over patterns, and the variance of what it is the mean of."""
    terms = balls > 0, reached, balls / k, covered
    return np.array([x.mean() for x in terms]), np.array([x.var() for x in terms])


def _design_effect(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], k: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " 4"], int]:
    """How much more the figures vary than means of independent terms would, with its degrees of freedom.

    Measured between disjoint random parts, which are independent of one another as subsamples are not.
    """
    n, m = len(real), len(fake)
    parts = max(2, min(math.ceil(max(n, m) / MOST), min(n, m) // (4 * k)))
    rounds = math.ceil(DEGREES / (parts - 1))
    seen = []
    for _ in range(rounds):
        splits = (np.array_split(rng.permutation(size), parts) for size in (n, m))
        within = [_summary(*_membership(real[i], fake[j], k), k) for i, j in zip(*splits, strict=True)]
        means, variances = np.stack(within, axis=1)
        seen.append([means.var(axis=0, ddof=1), variances.mean(axis=0)])
    between, naive = np.mean(seen, axis=0)
    sizes = np.array([{"real": n, "fake": m}[of] / parts for of in FIGURES.values()])
    return np.divide(between * sizes, naive, out=np.ones(4), where=naive > 0), rounds * (parts - 1)


def _relabelled_effect(null: Float[np.ndarray, " draws"], count: int, ratio: float | None) -> float:
    """The design effect among relabelled patterns: of a share, or of a mean whose variance is ``ratio`` times it."""
    mean = float(null.mean())
    of_one = mean * (1 - mean if ratio is None else ratio)
    return float(null.var()) * count / of_one if of_one > 0 else 0.0


def _interval(value: float, variance: float, is_share: bool, degrees: int, level: float) -> tuple[float, float]:
    r"""Those :math:`\mu` with :math:`(v - \mu)^2 \le t^2 c\, \mu (1 - \mu)`, without :math:`1 - \mu` if not a share."""
    from scipy.stats import t

    a = float(t.isf(level / 2, degrees)) ** 2 * variance
    b = 1 + a if is_share else 1.0
    middle = 2 * value + a
    root = math.sqrt(max(0.0, middle**2 - 4 * b * value**2))
    most = 1.0 if is_share else math.inf  # rounding may pass it
    return min(value, (middle - root) / (2 * b)), min(most, max(value, (middle + root) / (2 * b)))


def _relabelled(
    places: Int[np.ndarray, "nm near"], real: Bool[np.ndarray, " nm"], k: int, lengths: tuple[int, int]
) -> Float[np.ndarray, " 4"]:
    """The figures if these were the labels: a ball is the list of its neighbours up to the k-th of its own kind."""
    inside, held = np.zeros(len(real), bool), []
    for kind, length in zip((True, False), lengths, strict=True):  # long lists are looked through for the rarer alone
        near = places[real == kind, :length]
        same = real[near] == kind
        held.append(~same & (np.cumsum(same, axis=1, dtype=np.int32) < k))
        inside[near[held[-1]]] = True
    density = held[0].sum() / (~real).sum() / k
    return np.array([inside[~real].mean(), inside[real].mean(), density, held[0].any(1).mean()])


def _enough(n: int, total: int, k: int) -> int:
    """So many neighbours hold k of n among all but once in 100,000 relabellings."""
    from scipy.stats import nbinom

    return min(total - 1, k + int(nbinom.isf(1e-5, k, n / total)))


def _p_values(figures: Float[np.ndarray, "draws 4"]) -> tuple[Float[np.ndarray, " 4"], float]:
    """Of the first row among all, which equal laws make exchangeable: of each figure, and of the four at once."""
    from scipy.stats import rankdata

    low, high = (rankdata(x, "max", axis=0) / len(figures) for x in (figures, -figures))
    two_sided = np.arange(4) == list(FIGURES).index("density")
    p_values = np.where(two_sided, np.minimum(1.0, 2 * np.minimum(low, high)), low)
    smallest = p_values.min(axis=1)
    return p_values[0], float((smallest <= smallest[0]).mean())
