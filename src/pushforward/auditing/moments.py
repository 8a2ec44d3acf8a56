"""Differences that single columns, or single pairs of them, make plain and a distance over all columns dilutes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["MomentDifference", "moment_differences"]

MOST_PRODUCTS = 4_000
"""Of more pairs of columns only the columns themselves are looked at."""
FREQUENCY = 1.2
"""In standard deviations, of the cosine that tells a tail from a spread; Epps & Singleton (1986) take it so."""


@dataclass(frozen=True, eq=False)
class MomentDifference:
    r"""The squared norm of the difference of two laws' moments, in units of the pool.

    Arguments:
        name: Which moments, and which norm.
        values: Its estimate under every labelling, the true one first.
        errors: Of the largest moment's difference, where the norm is of the largest one: its variance by that of the
            pool; by each law's own, the unit having its error too; and the variance of the latter. 0 for norms of
            several moments.
    """

    name: str
    values: Float[np.ndarray, " labellings"] = field(repr=False)
    errors: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def interval(self, level: float) -> tuple[float, float]:
        r"""Where the squared norm lies.

        By the triangle inequality the norm is off by no more than that of the estimate's error, whose law is taken
        from relabelling; so the interval is conservative. Relabelled patterns all have the pool's variance, though, and
        where the rarer kind has the greater one, they vary too little. What several moments' norm has to spare makes
        up for it; a single moment's has nothing. So where its own variance exceeds the pool's by e, its squared reach
        is moved towards what that asks by the share :math:`e^2 / (e^2 + \operatorname{Var} e)`: few patterns of long
        tails say little of their variance. Source: James & Stein (1961) for the shrinkage.

        Example:
            >>> MomentDifference("the most different mean", np.array([9.0, 1.0, 1.0, 1.0])).interval(0.05)
            (4.0, 16.0)
        """
        from scipy.stats import norm

        value, reach = math.sqrt(self.values[0]), math.sqrt(np.quantile(self.values[1:], 1 - level))
        pooled, own, noise = self.errors
        excess = max(0.0, own - pooled) ** 2
        weight = excess / (excess + noise) if excess > 0 else 0.0
        squared = max(reach**2, (1 - weight) * reach**2 + weight * float(norm.isf(level / 2)) ** 2 * own)
        reach = math.sqrt(squared)
        return max(0.0, value - reach) ** 2, (value + reach) ** 2


def moment_differences(
    patterns: Float[np.ndarray, "n d"], labels: Bool[np.ndarray, "labellings blocks"], size: int = 1
) -> Iterator[MomentDifference]:
    r"""Squared norms of the difference of two laws' moments, under every labelling of blocks of ``size`` patterns.

    With columns standardised together, each column's moments are :math:`\phi_j = (x_j, x_j^2, \cos 1.2 x_j)`,
    uncorrelated and of unit variance over the pool, and each pair's is :math:`x_i x_j`, so scaled too. With
    :math:`\Delta` for a difference of their means these are

    .. math:: \max_j \lVert \Delta(\phi_j) \rVert^2, \qquad \textstyle\sum_j \lVert \Delta(\phi_j) \rVert^2,
        \qquad \max_j \Delta(x_j)^2, \qquad \max_j \Delta(x_j^2)^2, \qquad \max_{i < j} \Delta(x_i x_j)^2:

    the first for one column that differs, the second for many that differ a little, the third for a shift, the fourth
    for a spread and the fifth for a correlation, which need not share their weight with other moments.

    Example:
        >>> x, labels = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([[True, True, False, False]])
        >>> for found in moment_differences(x, labels):
        ...     print(found.name, found.values.round(3))
        moments of the most different column [3.6]
        moments of all columns [3.6]
        the most different mean [3.6]
        the most different spread [0.]
    """
    z = _standardised(patterns)
    d = z.shape[1]
    of_each = np.stack([_squares(_column(x), labels, size).sum(1) for x in z.T])
    yield MomentDifference("moments of the most different column", of_each.max(0))
    yield MomentDifference("moments of all columns", of_each.sum(0))
    yield _largest("the most different mean", [z], labels, size)
    yield _largest("the most different spread", [_standardised(z**2)], labels, size)
    if d > 1 and d * (d - 1) // 2 <= MOST_PRODUCTS:
        products = (_standardised(z[:, j + 1 :] * z[:, j : j + 1]) for j in range(d - 1))
        yield _largest("the most different product", products, labels, size)


def _largest(
    name: str, parts: Iterable[Float[np.ndarray, "n k"]], labels: Bool[np.ndarray, "labellings blocks"], size: int
) -> MomentDifference:
    """Of single moments, which come some at a time, the one that differs most."""
    values, errors = np.zeros(len(labels)), (0.0, 0.0, 0.0)
    for moments in parts:
        squares = _squares(moments, labels, size)
        first = int(squares[0].argmax())
        if squares[0, first] >= values[0]:
            errors = _errors(moments[:, first], labels[0], size)
        values = np.maximum(values, squares.max(1))
    return MomentDifference(name, values, errors)


def _errors(
    moment: Float[np.ndarray, " n"], real: Bool[np.ndarray, " blocks"], size: int
) -> tuple[float, float, float]:
    r"""The variance of a moment's difference :math:`\Delta / s`, with :math:`s = 1` the pool's deviation.

    By the pool's variance; from what each pattern adds to it, :math:`\pm u_i / n - \Delta u_i^2 / 2N`, the second term
    by way of s; and the variance of that estimate. n are the patterns of its kind, and N all of them. The pool's mean,
    about which squares and products are, is taken as known.
    """
    sums, squares = (u.reshape(len(real), size).sum(1) for u in (moment, moment**2))
    kinds = (real, size * int(real.sum())), (~real, -size * int((~real).sum()))
    difference = sum(float(sums[kind].sum()) / n for kind, n in kinds)
    pooled = own = noise = 0.0
    for kind, n in kinds:
        blocks, added = int(kind.sum()), sums[kind] / n - difference * squares[kind] / (2 * len(moment))
        pooled += blocks * float(sums.var()) / n**2
        own += blocks * float(added.var(ddof=1))
        noise += blocks * float(np.square(added - added.mean()).var())
    return pooled, own, noise


def _column(z: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n k"]:
    """A column's moments, uncorrelated over the pool; fewer where it has few values."""
    moments = _standardised(np.stack([z, z**2, np.cos(FREQUENCY * z)], 1))
    spread, axes = np.linalg.eigh(moments.T @ moments / len(z))
    known = spread > 1e-9
    return np.asarray(moments @ (axes[:, known] / np.sqrt(spread[known])))


def _standardised(x: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """With mean 0 and variance 1 over the pool; zeros where nothing varies."""
    centred = x - x.mean(0)
    spread = centred.std(0)
    varies = spread > 1e-12 * np.abs(x).max(0)
    return np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)


def _squares(
    moments: Float[np.ndarray, "n k"], labels: Bool[np.ndarray, "labellings blocks"], size: int
) -> Float[np.ndarray, "labellings k"]:
    """Squared differences of the mean over real and over fake patterns; over the pool each moment's mean is 0."""
    n, m = size * int(labels[0].sum()), size * int((~labels[0]).sum())
    of_block = moments.reshape(labels.shape[1], size, -1).sum(1)
    return np.asarray(np.square(labels.astype(np.float64) @ of_block * (1 / n + 1 / m)))
