"""Raw pixels, and their principal axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from pushforward.auditing.features.pictures import Pictures, blocks, unit_scale
from pushforward.auditing.features.scaling import principal_axes

__all__ = ["pixels", "principal_pixels"]

AXES = 64
SPARE_AXES = 16  # of which a few iterations take the error out of the first 64 (Halko et al. 2011)
ITERATIONS = 4


def pixels(sets: Sequence[Pictures]) -> tuple[Float[np.ndarray, "N D"], str]:
    """The pixels themselves, 0…1.

    Arguments:
        sets: Pictures of one size.

    Example:
        >>> rows, name = pixels([np.full((1, 2, 2, 1), 255, np.uint8), np.zeros((2, 2, 2, 1), np.uint8)])
        >>> rows.shape, float(rows.max()), name
        ((3, 4), 1.0, '4 pixel values')
    """
    rows = np.concatenate([x.reshape(len(x), -1) for x in sets]).astype(np.float64)
    rows *= unit_scale(sets)
    return rows, f"{rows.shape[1]:,} pixel values"


def principal_pixels(sets: Sequence[Pictures]) -> tuple[Float[np.ndarray, "N k"], str]:
    r"""The pixels along the axes of their greatest variance, at most 64.

    .. math:: x \mapsto V^\top (x - \bar x), \qquad V \text{ the first eigenvectors of the pooled covariance},

    found by subspace iteration over blocks, so that the pictures are never in memory as floats all at once
    (Halko, Martinsson & Tropp 2011).

    Arguments:
        sets: Pictures of one size.

    Example:
        >>> rows, name = principal_pixels([np.eye(9).reshape(9, 3, 3, 1), np.zeros((9, 3, 3, 1))])
        >>> rows.shape, name
        ((18, 9), '9 principal axes of the pixels')
    """
    scale, size = np.float32(unit_scale(sets)), int(np.prod(sets[0].shape[1:]))
    mean = sum(b.sum(0, dtype=np.float64) for b in blocks(sets)).ravel() / sum(map(len, sets))

    def centred() -> Iterator[Float[np.ndarray, "b D"]]:
        return (scale * (b.reshape(len(b), -1) - mean.astype(np.float32)) for b in blocks(sets))

    axes = np.random.default_rng(0).normal(size=(size, min(size, AXES + SPARE_AXES))).astype(np.float32)
    axes = np.linalg.qr(axes)[0]
    for _ in range(ITERATIONS):
        axes = np.linalg.qr(sum(b.T @ (b @ axes) for b in centred()))[0]
    rows = principal_axes(np.concatenate([b @ axes for b in centred()]).astype(np.float64), AXES)
    return rows, f"{rows.shape[1]} principal axes of the pixels"
