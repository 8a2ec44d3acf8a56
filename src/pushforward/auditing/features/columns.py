"""Columns of a table on one comparable scale, outliers kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from pushforward.auditing.features.scaling import unit_variance

__all__ = ["comparable_columns"]

NORMAL_IQR = 1.349  # of a standard normal law, so that the scale is a deviation


def comparable_columns(
    sets: Sequence[Float[np.ndarray, "n d"]], categories: Sequence[int] = ()
) -> tuple[Float[np.ndarray, "N k"], str]:
    r"""Each column through the inverse hyperbolic sine of its robustly standardised value.

    .. math:: x \mapsto \operatorname{asinh}\frac{x - \mathrm{median}}{\mathrm{IQR} / 1.349},

    linear near the median and logarithmic far out: a heavy tail neither decides every distance nor is tied,
    as ranks would be. Median and range are those of all sets together, the standard deviation stands in for
    a range of zero, every column ends with unit variance, and a constant one with zeros. A column of categories
    becomes one of indicators for each, whose variances add up to one: any two categories are equally far apart.

    Arguments:
        sets: Tables of the same columns.
        categories: For each column how many codes it has, 0 where it holds numbers; all do by default.

    Example:
        >>> rows, name = comparable_columns([np.array([[1e9, 3.0], [2e9, 3.0]]), np.array([[3e9, 3.0]])])
        >>> rows.round(2).tolist(), name
        ([[-1.22, 0.0], [0.0, 0.0], [1.22, 0.0]], '2 columns')
    """
    x = np.concatenate([np.asarray(s, np.float64) for s in sets])
    name = f"{x.shape[1]:,} column{'s' if x.shape[1] != 1 else ''}"
    if not any(categories):
        return _robust(x), name
    columns = (_indicators(x[:, j], k) if k else _robust(x[:, [j]]) for j, k in enumerate(categories))
    return np.concatenate(list(columns), 1), name


def _indicators(codes: Float[np.ndarray, " N"], count: int) -> Float[np.ndarray, "N k"]:
    rows = np.eye(count)[codes.astype(np.int64)]
    rows -= rows.mean(0)
    total = np.square(rows).mean(0).sum()
    return rows / np.sqrt(total) if total > 0 else rows


def _robust(x: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d"]:
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    magnitude = np.maximum(np.abs(x).max(0), np.finfo(np.float64).tiny)  # else a square could overflow
    deviation = magnitude * (x / magnitude).std(0)
    scale = np.where(high > low, (high - low) / NORMAL_IQR, deviation)
    varies = x.max(0) > x.min(0)
    rows = np.arcsinh((x - median) / np.where(varies & (scale > 0), scale, 1.0))
    return unit_variance(np.where(varies, rows, 0.0))
