"""Responses to random filters at several scales: features of any picture, without a download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pushforward.auditing.features.pictures import Pictures, blocks, feature_rows
from pushforward.auditing.features.scaling import principal_axes, unit_variance

__all__ = ["random_convolutions"]

FILTERS = 16
CELLS = 2  # a side: where in the picture there is structure
PLACES = 4  # a side: where in the picture which colour lies
FEWEST_PIXELS = 8  # a side, of the coarsest scale
FLOOR = 1e-4  # of the energy, in units of the pixels' variance: about what rounding to bytes leaves of a flat patch
AXES = 64


def random_convolutions(sets: Sequence[Pictures]) -> tuple[Float[np.ndarray, "N k"], str]:
    r"""The energy of random edge filters by scale and place, and the colours by place, on 64 principal axes.

    .. math:: \tfrac12 \log\Bigl(\varepsilon + \frac{1}{|C|} \sum_{u \in C} (w_j * x_s)(u)^2\Bigr),

    where :math:`x_s` is the picture halved s times, :math:`w_j` one of 16 fixed random 3×3 filters of mean zero
    and C a quarter of the picture or all of it. A blur lowers the fine scales against the coarse ones, and the
    logarithm makes that the same step in every picture. Each feature is brought to unit variance before the axes
    are found. Random filters as features: Jarrett et al. (2009); Saxe et al. (2011).

    Arguments:
        sets: Pictures of one size, 8×8 or larger to have any scale but their colours.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 8, 8, 1))
        >>> rows, name = random_convolutions([x[:40], x[40:]])
        >>> rows.shape, name
        ((60, 59), 'random convolutions, 59 features')
    """
    mean, deviation = _brightness(sets)
    filters = torch.from_numpy(_filters(sets[0].shape[-1]))
    rows = feature_rows(lambda x: _responses((x - mean) / deviation, filters), sets)
    rows = principal_axes(unit_variance(rows), AXES)
    return rows, f"random convolutions, {rows.shape[1]} features"


def _brightness(sets: Sequence[Pictures]) -> tuple[float, float]:
    """Mean and deviation of all pixel values of all sets, the deviation 1 where they are all one value."""
    count = sum(x.size for x in sets)
    mean = sum(float(b.sum(dtype=np.float64)) for b in blocks(sets)) / count
    variance = sum(float(np.square(b - mean).sum(dtype=np.float64)) for b in blocks(sets)) / count
    return mean, variance**0.5 or 1.0


def _filters(channels: int) -> Float[np.ndarray, "filters channels 3 3"]:
    w = np.random.default_rng(0).normal(size=(FILTERS, channels, 3, 3))
    w -= w.mean((2, 3), keepdims=True)  # blind to what is flat: that is what the colours are for
    return np.asarray(w / np.sqrt(np.square(w).sum((1, 2, 3), keepdims=True)), np.float32)


def _responses(x: Float[Tensor, "b c h w"], filters: Float[Tensor, "f c 3 3"]) -> Float[Tensor, "b d"]:
    features = [functional.adaptive_avg_pool2d(x, PLACES).flatten(1)]
    while min(x.shape[-2:]) >= FEWEST_PIXELS:
        energy = functional.conv2d(x, filters).square_()
        cells = [functional.adaptive_avg_pool2d(energy, side).flatten(1) for side in (1, CELLS)]
        features += [0.5 * torch.log(FLOOR + cell) for cell in cells]
        x = functional.avg_pool2d(x, 2)
    return torch.cat(features, 1)
