"""Samples that repeat training patterns: copies of one pattern are each other's nearest, and join it in few pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.near_duplicates import nearest

__all__ = ["RepeatedCopies", "repeated_copies"]

NEAR = 0.01
"""Of the samples' spacing: two independent patterns in several dimensions are hardly ever so close."""
BLURRED = 0.1
"""Of the same: where copies are repeated, those that are blurred may still be so close."""
FEWEST = 6
"""Places; training patterns in fewer hold no evidence, for five in five of them are as likely as 5!/5⁵ = 3.8 %."""


class RepeatedCopies(NamedTuple):
    """How many samples repeat training patterns, and the p-value of independence."""

    samples: int
    p_value: float
    alone: Bool[np.ndarray, " m"]
    """Which samples are in no place."""
    blurred: int
    """How many others are so near both to a sample and to a training pattern that they may be copies too."""


def repeated_copies(
    known: Float[np.ndarray, "t d"], fake: Float[np.ndarray, "m d"], spacing: int
) -> RepeatedCopies | None:
    r"""Test whether the places that hold two samples or more hold training patterns too evenly.

    A place is a ball around a sample that holds another. It reaches a hundredth of the way to the tenth nearest sample
    (itself the first; so for ``spacing`` 10), or where that is as close as a hundredth of the samples' spread, so far;
    but where ten are equal, it is their value alone. Let there be s places, K training patterns in them, and d places
    with one. If the samples know nothing of the training patterns, these are K independent draws from some law on s
    places. Draws of a law with atoms repeat; copied patterns are each there once. Of all laws the uniform one leads to
    the most different places, so that

    .. math:: p = P(D \ge d), \qquad P(D = d) = \binom sd \, d! \, S(K, d) \, / \, s^K,

    the number of occupied cells when K balls fall into s (S are Stirling's numbers of the second kind), is never too
    small, whatever the laws and the places, as long as these follow from the samples alone. ``None`` if there is no
    such place, or fewer than six. Source: the occupancy problem (Feller 1968, II.11); that unequal cells are fewer
    (Marshall & Olkin 1979, 12.F).

    Arguments:
        known: The training patterns' features.
        fake: The samples' features.
        spacing: Which of the nearest samples tells the spacing.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, noise = rng.normal(size=(100, 2)), 1e-3 * rng.normal(size=(200, 2))
        >>> found = repeated_copies(x, np.repeat(x[:20], 10, axis=0) + noise, spacing=10)
        >>> found.samples, found.p_value < 1e-6
        (200, True)
    """
    to_samples, index = nearest(fake, fake, spacing)
    far = _spacing(fake, to_samples[:, -1])
    centres = _centres(fake, to_samples, index, NEAR * far)
    if len(centres) < FEWEST:
        return None
    reach = NEAR * far[centres]
    place, place_known = (_within(x, fake[centres], reach) for x in (fake, known))
    balls = np.bincount(place_known[place_known >= 0], minlength=len(centres))
    hit = balls > 0
    p_value = _occupied_at_least(int(hit.sum()), int(balls.sum()), len(centres))
    copied = (place >= 0) & hit[place]
    blurred = ~copied & (np.maximum(to_samples[:, 1], nearest(fake, known, 1)[0][:, 0]) <= BLURRED * far)
    return RepeatedCopies(int(copied.sum()), p_value, place < 0, int(blurred.sum()))


def _spacing(fake: Float[np.ndarray, "m d"], last: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """How far apart the samples are around each: to the last of its nearest, or in crowds as all samples are."""
    spread = float(np.median(np.linalg.norm(fake - np.median(fake, axis=0), axis=1)))
    return np.where((last > 0) & (last <= NEAR * spread), spread, last)


def _centres(
    fake: Float[np.ndarray, "m d"],
    distance: Float[np.ndarray, "m k"],
    index: Int[np.ndarray, "m k"],
    reach: Float[np.ndarray, " m"],
) -> Int[np.ndarray, " s"]:
    """Samples with another within reach, the closest crowds first, and none within another's reach."""
    left = distance[:, 1] <= reach
    centres = []
    for i in np.argsort(distance[:, -1], kind="stable").tolist():
        if left[i]:
            centres.append(i)
            crowd = distance[i, -1] <= reach[i]  # there may be more within reach than the nearest
            beside = np.linalg.norm(fake - fake[i], axis=1) <= reach[i] if crowd else index[i, distance[i] <= reach[i]]
            left[beside] = False
    return np.array(centres, int)


def _within(
    x: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "s d"], reach: Float[np.ndarray, " s"]
) -> Int[np.ndarray, " n"]:
    """The nearest centre of each pattern; −1 where that does not reach so far."""
    distance, index = (y[:, 0] for y in nearest(x, centres, 1))
    return np.where(distance <= reach[index], index, -1)


def _occupied_at_least(d: int, balls: int, cells: int) -> float:
    """The chance that so many balls, each in any cell alike, occupy ``d`` cells or more."""
    law = np.zeros(min(balls, cells) + 1)  # of the number of occupied cells, ball after ball
    law[0] = 1.0
    occupied = np.arange(len(law)) / cells
    for _ in range(balls):
        law[1:] = law[1:] * occupied[1:] + law[:-1] * (1 - occupied[:-1])
        law[0] = 0.0
    return min(1.0, float(law[d:].sum()))
