"""Copies among samples: pairs of a sample and a training pattern that are closer than chance would have them."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.resampling import permutation_p_value, relabellings

__all__ = ["SPACING", "Scan", "nearest", "relative_distance", "scan"]

SPACING = 10
"""A distance is relative to that of the tenth nearest pattern: up to nine copies of one pattern stand out."""
CLOSEST = 8
"""The fewest pairs that the scan looks at; fewer could never be beyond chance."""
STEP = 2**0.25
DRAWS = 999
DENSER = 0.01
"""The level at which samples count as closer to one another than data are."""


class Scan(NamedTuple):
    """How many of the closest pairs of pooled patterns are copies, and what relabelling makes of it."""

    copies: float
    """As many as would leave a typical rest: under random labels at most 0 half the time."""
    low: float
    """As many as would leave the most striking rest; above 0 where the test rejects."""
    high: float
    """Infinite where samples are ``denser``: copies that repeat one another pair among themselves."""
    p_value: float
    null: Float[np.ndarray, " draws"]
    """``copies`` under random labels."""
    noticeable: float
    """How many copies are found four times in five; infinite where no number is."""
    denser: bool
    """Whether too many of the closest pairs are two samples, against those that are two training patterns."""


def nearest(
    x: Float[np.ndarray, "n d"], among: Float[np.ndarray, "t d"], k: int
) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    """Distances to the nearest ``k`` patterns and their places, blockwise; exact where the patterns are equal."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(k, len(among))).fit(among).kneighbors(x, return_distance=False)
    distances = np.stack([np.linalg.norm(x - among[column], axis=1) for column in index.T], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(distances, order, 1), np.take_along_axis(index, order, 1)


def relative_distance(distance: Float[np.ndarray, " n"], spacing: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Distances in units of the local spacing; 1 where that is 0, among rows often repeated."""
    return np.asarray(np.divide(distance, spacing, out=np.ones_like(distance), where=spacing > 0))


def scan(
    known: Float[np.ndarray, "t d"], fake: Float[np.ndarray, "m d"], rng: np.random.Generator, level: float
) -> Scan:
    """Look for pairs that join both kinds among the 8, 10, 11, 13 … closest."""
    n, m = len(known), len(fake)
    shuffled = rng.permutation(n + m)  # equal distances must not be settled by the labels
    pairs, distances = _closest_pairs(np.concatenate([known, fake])[shuffled])
    steps = CLOSEST * STEP ** np.arange(math.log(max(len(pairs) / CLOSEST, 1), STEP) + 1)
    # as many pairs as are equally close are looked at together
    last = np.minimum(steps.round().astype(int), len(pairs)) - 1
    ends = np.unique(np.searchsorted(distances, distances[last], "right"))
    labels = np.concatenate([(shuffled < n)[None], relabellings(n, m, DRAWS, rng)])
    both, neither = _of_one_kind(labels, pairs, ends)
    joined = ends - both - neither - both * m / n - neither * n / m  # beyond what those of one kind lead to expect
    largest, densest = ((x / np.sqrt(ends)).max(1) for x in (joined, neither * n / m - both * m / n))
    denser = permutation_p_value(float(densest[0]), densest[1:]) <= DENSER
    typical, critical = (float(np.quantile(largest[1:], q, method="higher")) for q in (0.5, 1 - level))
    copies = _without_the_rest(joined, ends, typical)
    best = int(copies[0].argmax())
    low = min(float(_without_the_rest(joined[0], ends, critical).max()), float(copies[0, best]))
    p_value = permutation_p_value(float(largest[0]), largest[1:])
    high = joined[0, best] + critical * math.sqrt(ends[best])
    if p_value <= level:  # each pair of two copies of one pattern hides one, and counts against n / m
        high += (1 + n / m) * max(0.0, neither[0, best] - both[0, best] * (m / n) ** 2)
    high = math.inf if denser else max(high, copies[0, best])
    # fewer relabellings than one in a level can never reach it
    noticeable = min(_needed(int(end), critical) for end in ends) if level * (1 + DRAWS) >= 1 else math.inf
    return Scan(float(copies[0, best]), low, float(high), p_value, copies[1:].max(1), noticeable, denser)


def _closest_pairs(x: Float[np.ndarray, "n d"]) -> tuple[Int[np.ndarray, "pairs 2"], Float[np.ndarray, " pairs"]]:
    """Pairs of a pattern and its nearest, each pair once, in the order of their relative distance."""
    distance, index = _nearest_others(x)
    pairs = np.sort(np.stack([np.arange(len(x)), index[:, 0]], axis=1), axis=1)
    pairs, kept = np.unique(pairs, axis=0, return_index=True)
    spacing = np.minimum(distance[pairs[:, 0], -1], distance[pairs[:, 1], -1])
    shares = relative_distance(distance[kept, 0], spacing)
    order = np.argsort(shares, kind="stable")
    return pairs[order], shares[order]


def _nearest_others(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    """The same within one set, where no pattern is its own neighbour."""
    distance, index = nearest(x, x, SPACING + 1)
    itself = index == np.arange(len(x))[:, None]
    itself[~itself.any(1), -1] = True  # it is among many equal ones and was not found: forget any
    distance, index = (y[~itself].reshape(len(x), -1) for y in (distance, index))
    return distance, index


def _of_one_kind(
    real: Bool[np.ndarray, "draws n"], pairs: Int[np.ndarray, "pairs 2"], ends: Int[np.ndarray, " ends"]
) -> tuple[Int[np.ndarray, "draws ends"], Int[np.ndarray, "draws ends"]]:
    """Pairs of two training patterns and of two samples, among the first so many."""
    first, second = real[:, pairs[: ends[-1], 0]], real[:, pairs[: ends[-1], 1]]
    starts = np.concatenate([[0], ends[:-1]])
    both, neither = (
        np.cumsum(np.add.reduceat(x, starts, axis=1, dtype=np.int64), axis=1)
        for x in (first & second, ~(first | second))
    )
    return both, neither


def _without_the_rest(
    joined: Float[np.ndarray, "... ends"], ends: Int[np.ndarray, " ends"], z: float
) -> Float[np.ndarray, "... ends"]:
    r"""The copies c among so many pairs, if the others join at random and seem z standard deviations too many.

    It solves :math:`c + z \sqrt{e - c} = J` for e pairs of which J join beyond what is expected. Were J itself taken
    where it stands out most, chance alone would seem to be copies, the more the more pairs there are.
    """
    rest = 0.5 * (z + np.sqrt(z**2 + 4 * (ends - joined)))
    return np.asarray(ends - rest**2)


def _needed(end: int, critical: float) -> float:
    """How many copies among ``end`` pairs are found four times in five, the others joining at random."""
    copies = np.arange(1, end + 1)
    found = copies - NormalDist().inv_cdf(0.8) * np.sqrt(end - copies) >= critical * math.sqrt(end)
    return float(copies[found][0]) if found.any() else math.inf
