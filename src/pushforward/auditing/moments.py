"""Differences that single columns, or single pairs of them, make plain and a distance over all columns dilutes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["moment_differences", "norm_interval"]

MOST_PRODUCTS = 4_000
"""Of more pairs of columns only the columns themselves are looked at."""
FREQUENCY = 1.2
"""In standard deviations, of the cosine that tells a tail from a spread; Epps & Singleton (1986) take it so."""


def moment_differences(
    patterns: Float[np.ndarray, "n d"], labels: Bool[np.ndarray, "labellings blocks"], size: int = 1
) -> Iterator[tuple[str, Float[np.ndarray, " labellings"]]]:
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
        >>> for name, values in moment_differences(x, labels):
        ...     print(name, values.round(3))
        moments of the most different column [3.6]
        moments of all columns [3.6]
        the most different mean [3.6]
        the most different spread [0.]
    """
    z = _standardised(patterns)
    d = z.shape[1]
    of_each = np.stack([_squares(_column(x), labels, size).sum(1) for x in z.T])
    yield "moments of the most different column", of_each.max(0)
    yield "moments of all columns", of_each.sum(0)
    yield "the most different mean", _squares(z, labels, size).max(1)
    yield "the most different spread", _squares(_standardised(z**2), labels, size).max(1)
    if d > 1 and d * (d - 1) // 2 <= MOST_PRODUCTS:
        products = (_standardised(z[:, j + 1 :] * z[:, j : j + 1]) for j in range(d - 1))
        yield "the most different product", np.max([_squares(x, labels, size).max(1) for x in products], axis=0)


def norm_interval(values: Float[np.ndarray, " labellings"], level: float) -> tuple[float, float]:
    r"""Where a difference's squared norm lies, given its estimate under every labelling, the true one first.

    By the triangle inequality the norm is off by no more than that of the estimate's error, whose law is taken
    from relabelling; so the interval is conservative.

    Example:
        >>> norm_interval(np.array([9.0, 1.0, 1.0, 1.0]), 0.05)
        (4.0, 16.0)
    """
    value, reach = float(np.sqrt(values[0])), float(np.sqrt(np.quantile(values[1:], 1 - level)))
    return max(0.0, value - reach) ** 2, (value + reach) ** 2


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
