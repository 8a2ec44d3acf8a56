"""What is fitted to features: scales and axes, of all sets together, so that no label enters."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

__all__ = ["principal_axes", "unit_variance"]

ROUNDING = 1e-9


def unit_variance(rows: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d"]:
    """Features less their mean, over their deviation; constant ones become zero.

    Example:
        >>> unit_variance(np.array([[0.0, 5.0], [2.0, 5.0]])).tolist()
        [[-1.0, 0.0], [1.0, 0.0]]
    """
    centred = rows - rows.mean(0)
    deviation = centred.std(0)
    constant = deviation <= ROUNDING * np.abs(rows).max(0)  # what rounding leaves of a constant
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation))


def principal_axes(rows: Float[np.ndarray, "N d"], most: int) -> Float[np.ndarray, "N k"]:
    r"""Coordinates along the eigenvectors of the covariance, greatest variance first.

    Axes without variance are left out, unless none has any.

    Example:
        >>> rows = np.array([[1.0, 1.0], [-1.0, -1.0]])
        >>> np.abs(principal_axes(rows, most=2)).round(3).tolist()
        [[1.414], [1.414]]
    """
    centred = rows - rows.mean(0)
    variance, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    kept = max(1, min(most, int((variance > ROUNDING * variance[-1]).sum())))
    return np.asarray(centred @ axes[:, : -kept - 1 : -1])
