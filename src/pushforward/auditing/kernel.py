"""Kernel two-sample tests: how far apart the mean embeddings of two laws are, at several scales at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.embeddings import LINES, Discrepancy, Pooled, grams, u_statistic
from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.moments import moment_differences
from pushforward.auditing.patterns import check_features
from pushforward.auditing.resampling import is_smallest, permutation_p_value, relabellings
from pushforward.auditing.transport import directions, lines, sliced_wasserstein
from pushforward.evidence import Estimate

__all__ = ["KernelTests", "kernel_inception_distance", "kernel_test"]

LARGEST = 4_000
"""Pooled patterns of which all pairs are looked at; of more, random features of all patterns."""
BLOCKS = 1_000
"""Into which a larger pool is cut; a relabelling exchanges whole blocks, which keeps it exact."""
UNEQUAL = 20
"""So many times the smaller set, and the larger one adds hardly anything."""
WEIGHTS = {
    "the most different mean": 1.6,
    "moments of the most different column": 0.75,
    "the most different product": 0.75,
}
"""Of statistics where the largest is taken, others having 1: a heavier one spends more of the level."""
FEWEST = 5
SUBSET = 1_000
MOST_SUBSETS = 50

Ends = tuple[float, float, float]
"""A value, and its interval."""


@dataclass(frozen=True, eq=False)
class KernelTests:
    """Distances between two laws that need nothing learnt, each as a test, and one test of them all.

    Arguments:
        name: What the aggregated test looks at.
        p_value: Of equal laws, corrected for having tried several statistics.
        statistics: Each distance with its interval, its null law and its own p-value.
        kid: The kernel inception distance; it has no part in the aggregated test.
        strongest: The statistic that the aggregated p-value is of: the furthest beyond its null law, by weight.
        clear: Whether no relabelling went as far.
        notes: What else a reader should know, such as how a large pool was treated.
    """

    name: str
    p_value: float
    statistics: dict[str, Figure]
    kid: Figure
    strongest: str
    clear: bool
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name,
            "p_value": self.p_value,
            "statistics": {name: figure.to_json() for name, figure in self.statistics.items()},
            "kid": self.kid.to_json(),
            "strongest": self.strongest,
            "notes": list(self.notes),
        }


def kernel_test(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    features: str = "features",
    level: float = 0.05,
    draws: int = 399,
) -> KernelTests:
    r"""Test equal laws by MMD² at five scales and on second moments, energy distance and sliced Wasserstein distance.

    The maximum mean discrepancy of a kernel k is estimated without bias (Gretton et al. 2012) by

    .. math:: \mathrm{MMD}^2 = \frac{\sum_{i \ne j} k(x_i, x_j)}{n(n-1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{m(m-1)}
        - \frac{2 \sum_{i, j} k(x_i, y_j)}{nm},

    with Gaussian kernels, with :math:`-\lVert x - y \rVert`, which makes it the energy distance (Székely & Rizzo 2013),
    and with :math:`\langle x, y \rangle^2 / d^2` about the pooled mean, which sees second moments (scales and
    correlations; once more with equal spread in all directions where there are ten patterns to a feature). To them come
    :func:`~pushforward.auditing.moments.moment_differences` of single columns and pairs, which a distance over all
    columns dilutes. The aggregated p-value is that of the largest statistic, each standardised by the same relabellings
    (Westfall & Young 1993; compare Schrab et al. 2023) and given its weight, a difference of means the greatest, so it
    is exact at any size. To distances the features are as given: a column of large scale weighs more. Of more than
    4,000 pooled patterns the kernels are replaced by random features (Rahimi & Recht 2007; Zhao & Meng 2015) of all
    patterns, and blocks of patterns are relabelled; the intervals are then those of the random features drawn.

    Intervals of second moments may cover too seldom where tails are heavy; the tests are exact all the same.

    Arguments:
        real: Features of data.
        fake: Features of samples.
        rng: Of relabellings, lines and frequencies.
        features: What they are, for the figures' names.
        level: One minus the intervals' coverage.
        draws: How many relabellings.

    Raises:
        InputError: for other than two finite tables of one width with five rows or more.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = kernel_test(rng.normal(size=(100, 2)), rng.normal(0.8, 1.0, size=(100, 2)), rng)
        >>> result.p_value, result.statistics["energy distance"].p_value
        (0.0025, 0.0025)
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    check_features(real, fake, FEWEST)
    notes: list[str] = []
    pool = _pooled(real, fake, draws, rng, notes)
    found = {name: _quadratic(gram, pool, level) for name, gram in grams(pool, rng)}
    found["sliced Wasserstein distance"] = _transport(pool, level, rng)
    for moments in moment_differences(pool.patterns, pool.labels, pool.size):
        found[moments.name] = (float(moments.values[0]), *moments.interval(level)), moments.values
    largest = np.max([WEIGHTS.get(name, 1.0) * _standardised(values) for name, (_, values) in found.items()], axis=0)
    suffix = f"{', random features' if pool.size > 1 else ''}, {features}"
    n = len(pool.patterns)
    figures = {name: _figure(name + suffix, ends, values, n, level) for name, (ends, values) in found.items()}
    kid = kernel_inception_distance(real, fake, rng, features, level)
    name = f"largest of MMD², energy distance, sliced Wasserstein distance and differences of moments{suffix}"
    strongest = max(found, key=lambda name: WEIGHTS.get(name, 1.0) * _beyond(found[name][1]))
    p_value = permutation_p_value(float(largest[0]), largest[1:])
    clear = is_smallest(p_value, len(largest) - 1)
    return KernelTests(name, p_value, figures, kid, strongest, clear, tuple(notes))


def kernel_inception_distance(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    features: str = "features",
    level: float = 0.05,
    draws: int = 199,
) -> Figure:
    r"""The unbiased MMD² of :math:`k(x, y) = (\langle x, y \rangle / d + 1)^3`, whose mean is 0 for equal laws.

    Of more than 4,000 pooled patterns it is the mean over disjoint random subsets of about 1,000 of each kind. The
    interval is :meth:`Discrepancy.interval`; third powers of heavy-tailed features may make it cover less than it says.
    Source: Bińkowski, Sutherland, Arbel & Gretton (2018).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> figure = kernel_inception_distance(rng.normal(size=(200, 8)), rng.normal(size=(200, 8)), rng)
        >>> figure.estimate.low < 0 < figure.estimate.high
        True
    """
    parts, n = [], 0
    for x, y in _subsets(real, fake, rng):
        pool = Pooled(np.concatenate([x, y]), _labels(len(x), len(y), draws, rng), 1)
        inner = pool.patterns @ pool.patterns.T / pool.patterns.shape[1] + 1
        parts.append(u_statistic(inner * inner * inner, pool))
        n += len(pool.patterns)
    mean = Discrepancy(
        float(np.mean([part.value for part in parts])),
        np.mean([part.values for part in parts], axis=0),
        np.mean([part.error for part in parts], axis=0) / len(parts),
    )
    subsets = f"{len(parts)} subsets, " if len(parts) > 1 else ""
    name = f"kernel inception distance, {subsets}{features}"
    return _figure(name, (mean.value, *mean.interval(level)), mean.values, n, level)


def _labels(n: int, m: int, draws: int, rng: np.random.Generator) -> Bool[np.ndarray, "draws_plus_1 n_plus_m"]:
    return np.concatenate([(np.arange(n + m) < n)[None], relabellings(n, m, draws, rng)])


def _pooled(real: np.ndarray, fake: np.ndarray, draws: int, rng: np.random.Generator, notes: list[str]) -> Pooled:
    """All patterns about a common origin; a large pool in blocks, each of one kind."""
    size = 1
    if len(real) + len(fake) > LARGEST:
        most = UNEQUAL * min(len(real), len(fake))
        real, fake = (x[rng.permutation(len(x))[:most]] for x in (real, fake))
        size = (len(real) + len(fake)) // BLOCKS if len(real) + len(fake) > LARGEST else 1
        n, m = len(real) // size, len(fake) // size
        way = f" by random features, relabelled in blocks of {size}" if size > 1 else ""
        notes.append(f"the kernel tests looked at {n * size:,} real and {m * size:,} fake patterns{way}")
    n, m = len(real) // size, len(fake) // size
    pool = np.concatenate([real[: n * size], fake[: m * size]])
    pool -= pool[0].copy()  # so a constant column becomes 0 exactly
    return Pooled(pool - pool.mean(0), _labels(n, m, draws, rng), size)


def _quadratic(gram: np.ndarray, pool: Pooled, level: float) -> tuple[Ends, np.ndarray]:
    found = u_statistic(gram, pool)
    return (found.value, *found.interval(level)), found.values


def _transport(pool: Pooled, level: float, rng: np.random.Generator) -> tuple[Ends, np.ndarray]:
    axes = directions(pool.patterns.shape[1], LINES, rng)
    found = sliced_wasserstein(lines(pool.patterns, pool.labels, axes, pool.size), pool.real)
    return (float(found.values[0]), *found.interval(level)), found.values


def _standardised(values: Float[np.ndarray, " draws"]) -> Float[np.ndarray, " draws"]:
    """In units of all labellings, the true one too; rounded, so that equal figures stay equal in any order of sums."""
    spread = float(values.std())
    return np.round((values - values.mean()) / spread, 4) if spread > 0 else np.zeros_like(values)


def _beyond(values: Float[np.ndarray, " draws"]) -> float:
    """The first in units of the others: in clear cases still further for a greater difference, as its rank is not."""
    spread = float(values[1:].std())
    return float(values[0] - values[1:].mean()) / spread if spread > 0 else 0.0


def _figure(name: str, ends: Ends, values: Float[np.ndarray, " draws"], n: int, level: float) -> Figure:
    value, low, high = ends
    standard = _standardised(values)
    p_value = permutation_p_value(float(standard[0]), standard[1:])
    return Figure(Estimate(name, value, low, high, n, level=1 - level, p_value=p_value), Null(values[1:]))


def _subsets(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All patterns at once, or disjoint random subsets; of a set that is far larger, some."""
    if len(real) + len(fake) <= LARGEST:
        return iter([(real, fake)])
    few = min(len(real), len(fake))
    count = min(MOST_SUBSETS, max(1, few // SUBSET))
    most = max(SUBSET, min(LARGEST - few, LARGEST // 2)) if count == 1 else SUBSET
    places = [np.array_split(rng.permutation(len(x)), count) for x in (real, fake)]
    return ((real[i[:most]], fake[j[:most]]) for i, j in zip(*places, strict=True))
