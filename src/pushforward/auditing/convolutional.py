"""The discriminator for pictures: a small convolutional network with a loop of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pushforward.auditing.discriminator import LogOdds, calibrated, temperature

__all__ = ["convolutions"]

BATCH = 64
MOST_EPOCHS = 30
MOST_PIXELS = 24_000_000  # seen in training: some seconds on two cores


def convolutions(real: Float[np.ndarray, "n h w c"], fake: Float[np.ndarray, "n h w c"], seed: int) -> LogOdds:
    """Learn a small convolutional network; a fifth of its part chooses epoch and temperature.

    Deterministic on a CPU for a given ``seed``; torch's global generator is left as it was.

    Arguments:
        real: Training pictures, shape ``(n, H, W, C)``.
        fake: As many generated ones.
        seed: Of the weights, the inner split and the order of the pictures.
    """
    pictures = np.concatenate([real, fake]).astype(np.float32)
    encode = _encoding(pictures)
    with torch.random.fork_rng(devices=[]), _threads(1 if max(pictures.shape[1:3]) <= 32 else None):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, and only inside the fork
        net = _network(2 * pictures.shape[-1], min(pictures.shape[1:3]))
        x, y = encode(pictures), torch.tensor([1.0, 0.0]).repeat_interleave(len(real))
        inner = _stratified_fifth(len(real), seed)
        held_out = _learn(net, x[~inner], y[~inner], x[inner], y[inner], seed)
    is_real = y[inner].numpy() == 1
    factor = temperature(held_out[is_real], held_out[~is_real])
    return calibrated(lambda patterns: _answer(net, encode(patterns)), factor, len(pictures))


def _encoding(pictures: Float[np.ndarray, "n h w c"]) -> Callable[[np.ndarray], Tensor]:
    """Two views of each value: against all pixels, and against its own place.

    The second shows what a picture may not have where others are blank, a faint grain in the border for one.
    """
    centre, spread = float(pictures.mean()), float(pictures.std()) or 1.0
    mean, std = pictures.mean(0), pictures.std(0) + 0.05 * spread

    def encode(x: np.ndarray) -> Tensor:
        views = [(x - centre) / spread, (x - mean) / std]
        return torch.from_numpy(np.concatenate(views, -1, dtype=np.float32)).permute(0, 3, 1, 2).contiguous()

    return encode


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Small pictures keep one thread busy; more would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def _learn(net: nn.Module, x: Tensor, y: Tensor, x_in: Tensor, y_in: Tensor, seed: int) -> Float[np.ndarray, " m"]:
    """Train ``net`` to its best epoch on the inner split, and return its log-odds there."""
    epochs = max(2, min(MOST_EPOCHS, MOST_PIXELS // (len(x) * x[0, 0].numel())))
    batches = math.ceil(len(x) / BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=epochs * batches)
    order = torch.Generator().manual_seed(seed)
    best = (math.inf, copy.deepcopy(net.state_dict()), np.zeros(len(x_in)))
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(BATCH):
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(net(x[rows]), y[rows]).backward()  # (9), with its sign changed
            optimiser.step()
            schedule.step()
        answers = _answer(net, x_in)
        loss = float(np.logaddexp(0.0, np.where(y_in.numpy() == 1, -answers, answers)).mean())
        if loss < best[0]:
            best = (loss, copy.deepcopy(net.state_dict()), answers)
    net.load_state_dict(best[1])
    return best[2]


@torch.no_grad()
def _answer(net: nn.Module, x: Tensor) -> Float[np.ndarray, " n"]:
    net.eval()
    answers = torch.cat([net(part) for part in x.split(512)]).double().numpy()
    net.train()
    return np.asarray(answers)


def _stratified_fifth(n: int, seed: int) -> Tensor:
    """A mask over n real and n fake patterns that takes the same fifth of both."""
    fifth = torch.randperm(n, generator=torch.Generator().manual_seed(seed)) < max(1, n // 5)
    return fifth.repeat(2)
