"""Samples that repeat a few training patterns over and over: copies too many of each to stand out as close pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from pushforward.auditing.near_duplicates import nearest

__all__ = ["RepeatedCopies", "repeated_copies"]

NEAR = 0.01
"""Of the samples' spread: two independent patterns in several dimensions are hardly ever so close."""


class RepeatedCopies(NamedTuple):
    """How many samples repeat training patterns, and the p-value of independence."""

    samples: int
    p_value: float


def repeated_copies(
    known: Float[np.ndarray, "t d"], fake: Float[np.ndarray, "m d"], often: int
) -> RepeatedCopies | None:
    r"""Test whether the places that hold ``often`` or more samples hold training patterns too evenly.

    A place is a value that so many samples share, or a ball of a hundredth of the samples' spread around one of them.
    Let there be s places, K training patterns in them, and d places with one. If the samples know nothing of the
    training patterns, these are K independent draws from some law on s places. Draws of a law with atoms repeat;
    copied patterns are each there once. Of all laws the uniform one leads to the most different places, so that

    .. math:: p = P(D \ge d), \qquad P(D = d) = \binom sd \, d! \, S(K, d) \, / \, s^K,

    the number of occupied cells when K balls fall into s (S are Stirling's numbers of the second kind), is never too
    small, whatever the laws and the places, as long as these follow from the samples alone. ``None`` if there is no
    such place. Source: the occupancy problem (Feller 1968, II.11); that unequal cells are fewer (Marshall & Olkin
    1979, 12.F).

    Arguments:
        known: The training patterns' features.
        fake: The samples' features.
        often: From how many samples on a place counts.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, noise = rng.normal(size=(100, 2)), 1e-3 * rng.normal(size=(200, 2))
        >>> found = repeated_copies(x, np.repeat(x[:20], 10, axis=0) + noise, often=10)
        >>> found.samples, found.p_value < 1e-6
        (200, True)
    """
    centres, reach = _places(fake, often)
    if not len(centres):
        return None
    balls, samples = (_counts(x, centres, reach) for x in (known, fake))
    hit = balls > 0
    return RepeatedCopies(int(samples[hit].sum()), _occupied_at_least(int(hit.sum()), int(balls.sum()), len(centres)))


def _places(fake: Float[np.ndarray, "m d"], often: int) -> tuple[Float[np.ndarray, "s d"], Float[np.ndarray, " s"]]:
    """Centres with ``often`` samples within reach, the closest crowds first, and none within another's reach."""
    if len(fake) < often:
        return fake[:0], np.zeros(0)
    spread = float(np.median(np.linalg.norm(fake - np.median(fake, axis=0), axis=1)))
    radius = nearest(fake, fake, often)[0][:, -1]
    left = np.argsort(radius, kind="stable")[: int((radius <= NEAR * spread).sum())]
    centres, reach = [], []
    while len(left):
        centres.append(fake[left[0]])
        reach.append(NEAR * spread if radius[left[0]] > 0 else 0.0)
        left = left[np.linalg.norm(fake[left] - centres[-1], axis=1) > reach[-1]]
    return np.array(centres).reshape(-1, fake.shape[1]), np.array(reach)


def _counts(
    x: Float[np.ndarray, "n d"], centres: Float[np.ndarray, "s d"], reach: Float[np.ndarray, " s"]
) -> Int[np.ndarray, " s"]:
    """How many patterns are within reach of each centre that is their nearest."""
    distance, index = (y[:, 0] for y in nearest(x, centres, 1))
    return np.bincount(index[distance <= reach[index]], minlength=len(centres))


def _occupied_at_least(d: int, balls: int, cells: int) -> float:
    """The chance that so many balls, each in any cell alike, occupy ``d`` cells or more."""
    law = np.zeros(min(balls, cells) + 1)  # of the number of occupied cells, ball after ball
    law[0] = 1.0
    occupied = np.arange(len(law)) / cells
    for _ in range(balls):
        law[1:] = law[1:] * occupied[1:] + law[:-1] * (1 - occupied[:-1])
        law[0] = 0.0
    return min(1.0, float(law[d:].sum()))
