"""Samples that repeat a few training patterns over and over: copies too many of each to stand out as close pairs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

__all__ = ["RepeatedCopies", "repeated_copies"]


class RepeatedCopies(NamedTuple):
    """How many samples repeat training patterns, and the p-value of independence."""

    samples: int
    p_value: float


def repeated_copies(
    known: Float[np.ndarray, "t d"], fake: Float[np.ndarray, "m d"], often: int
) -> RepeatedCopies | None:
    r"""Test whether the values that samples hold ``often`` or more times are training patterns too often.

    Let s values be so frequent among the samples, K training patterns be one of them, and these be d different ones.
    If the samples know nothing of the training patterns, these are K independent draws from some law on s values.
    Draws of a law with atoms repeat; copied patterns are each there once. Of all laws the uniform one leads to the
    most different values, so that

    .. math:: p = P(D \ge d), \qquad P(D = d) = \binom sd \, d! \, S(K, d) \, / \, s^K,

    the number of occupied cells when K balls fall into s (S are Stirling's numbers of the second kind), is never too
    small, whatever the laws. ``None`` if no value is so frequent. Source: the occupancy problem (Feller 1968, II.11);
    that unequal cells are fewer (Marshall & Olkin 1979, 12.F).

    Arguments:
        known: The training patterns' features.
        fake: The samples' features.
        often: From how many samples on a value is frequent.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> found = repeated_copies(x, np.repeat(x[:20], 10, axis=0), often=10)
        >>> found.samples, found.p_value < 1e-6
        (200, True)
    """
    values, counts = np.unique(fake, axis=0, return_counts=True)
    frequent, counts = values[counts >= often], counts[counts >= often]
    if not len(frequent):
        return None
    _, cell = np.unique(np.concatenate([frequent, known]), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    hit = np.isin(cell[: len(frequent)], cell[len(frequent) :])
    balls = int(np.isin(cell[len(frequent) :], cell[: len(frequent)]).sum())
    return RepeatedCopies(int(counts[hit].sum()), _occupied_at_least(int(hit.sum()), balls, len(frequent)))


def _occupied_at_least(d: int, balls: int, cells: int) -> float:
    """The chance that so many balls, each in any cell alike, occupy ``d`` cells or more."""
    law = np.zeros(min(balls, cells) + 1)  # of the number of occupied cells, ball after ball
    law[0] = 1.0
    occupied = np.arange(len(law)) / cells
    for _ in range(balls):
        law[1:] = law[1:] * occupied[1:] + law[:-1] * (1 - occupied[:-1])
        law[0] = 0.0
    return min(1.0, float(law[d:].sum()))
