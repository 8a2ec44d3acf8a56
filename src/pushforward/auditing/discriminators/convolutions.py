"""A small convolutional network for pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pushforward.auditing.discriminators.learnt import Learnt
from pushforward.auditing.discriminators.network import learn

__all__ = ["convolutions"]

MOST_EPOCHS = 30
MOST_PICTURES = 32_000  # shown in all, whatever their size
MOST_PIXELS = 24_000_000  # seen in training: some seconds on two cores


def convolutions(x: Float[np.ndarray, "n h w c"], real: Bool[np.ndarray, " n"], seed: int) -> Learnt:
    """Learn a small convolutional network.

    Arguments:
        x: Training pictures, shape ``(n, H, W, C)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the weights and the order of the pictures.
    """
    _, height, width, channels = x.shape
    shown = min(MOST_PICTURES, MOST_PIXELS // (height * width * channels))
    epochs = max(2, min(MOST_EPOCHS, shown // len(x)))
    threads = 1 if max(height, width) <= 32 else None  # small pictures keep one thread busy
    return learn(lambda: _network(2 * channels, min(height, width)), _encoding(x), x, real, seed, epochs, threads)


def _encoding(pictures: Float[np.ndarray, "n h w c"]) -> Callable[[np.ndarray], Tensor]:
    """Two views of each value: against all pixels, and against its own place.

    The second shows what a picture may not have where others are blank, a faint grain in the border for one.
    """
    some = pictures.astype(np.float32)
    centre, spread = float(some.mean()), float(some.std()) or 1.0
    mean, std = some.mean(0), some.std(0) + 0.05 * spread

    def encode(x: np.ndarray) -> Tensor:
        x = x.astype(np.float32)
        views = [(x - centre) / spread, (x - mean) / std]
        return torch.from_numpy(np.concatenate(views, -1)).permute(0, 3, 1, 2).contiguous()

    return encode


def _network(channels: int, side: int) -> nn.Module:
    stem = 2 if side > 16 else 1  # large pictures are halved at once
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, stem, 1),
        nn.GELU(),
        nn.Conv2d(32, 64, 3, 2, 1),
        nn.GELU(),
        nn.Conv2d(64, 64, 3, 2, 1),
        nn.GELU(),
        nn.AdaptiveAvgPool2d(4),  # keeps where in the picture something was
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(64 * 16, 1),
        nn.Flatten(0),
    )
