"""A small network for rows and features."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from pushforward.auditing.discriminators.folds import subset
from pushforward.auditing.discriminators.learnt import Learnt
from pushforward.auditing.discriminators.network import learn

__all__ = ["perceptron"]

WIDTH = 64
MOST_EPOCHS = 40
MOST_STEPS = 2_000
MOST = 10_000


def perceptron(x: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], seed: int) -> Learnt:
    """Learn a network with two hidden layers.

    Arguments:
        x: Training patterns, shape ``(n, D)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the weights and the order of the patterns.
    """
    chosen = subset(real, MOST, seed)
    part = x[chosen]
    centre, spread = part.mean(0), part.std(0) + 1e-12 * (np.abs(part).max() + 1)

    def encode(patterns: np.ndarray) -> Tensor:
        return torch.from_numpy(((patterns - centre) / spread).astype(np.float32))

    def build() -> nn.Module:
        layers = [nn.Linear(x.shape[1], WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1)]
        return nn.Sequential(*layers, nn.Flatten(0))

    epochs = max(5, min(MOST_EPOCHS, MOST_STEPS * 64 // len(chosen)))
    learnt = learn(build, encode, part, real[chosen], seed, epochs, threads=1)
    held_out = np.full(len(x), np.nan)
    held_out[chosen] = learnt.held_out
    return Learnt(learnt.answer, held_out)
