"""How a network becomes a discriminator: cross-entropy (9), and a held-out fifth that chooses the epoch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pushforward.auditing.discriminators.learnt import Learnt, balance

__all__ = ["learn"]

BATCH = 64


def learn(
    build: Callable[[], nn.Module],
    encode: Callable[[np.ndarray], Tensor],
    x: np.ndarray,
    real: Bool[np.ndarray, " n"],
    seed: int,
    epochs: int,
    threads: int | None,
) -> Learnt:
    """Train a network to its best epoch on an inner fifth, and return it with its answers there.

    Deterministic on a CPU for a given ``seed``; torch's global generator is left as it was.

    Arguments:
        build: Makes the network, which maps ``encode``'s tensors to log-odds.
        encode: From patterns to the network's input.
        x: Training patterns, shape ``(n, …)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the weights, the inner split and the order of the patterns.
        epochs: At most this many.
        threads: For the network; ``None`` for torch's own choice.
    """
    with torch.random.fork_rng(devices=[]), _threads(threads):
        torch.default_generator.manual_seed(seed)  # of the CPU alone, and only inside the fork
        net, inputs = build(), encode(x)
        inner = _stratified_fifth(real, seed)
        answers = _train(net, inputs, torch.from_numpy(real).float(), inner, seed, epochs)
    held_out = np.full(len(x), np.nan)
    held_out[inner.numpy()] = answers
    return Learnt(lambda new: _answer(net, encode(new)), held_out)


def _train(net: nn.Module, x: Tensor, y: Tensor, inner: Tensor, seed: int, epochs: int) -> Float[np.ndarray, " m"]:
    """Train ``net``, put the weights of its best epoch back, and return its answers on the inner part."""
    rows = (~inner).nonzero().flatten()
    weights = torch.from_numpy(balance(y.numpy() > 0)).float()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    steps = epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    best = (math.inf, copy.deepcopy(net.state_dict()), np.zeros(int(inner.sum())))
    for _ in range(epochs):
        for batch in rows[torch.randperm(len(rows), generator=order)].split(BATCH):
            optimiser.zero_grad()
            binary_cross_entropy_with_logits(net(x[batch]), y[batch], weights[batch]).backward()
            optimiser.step()
            schedule.step()
        answers = _answer(net, x[inner])
        right = np.where(y[inner].numpy() > 0, answers, -answers)
        loss = float(weights[inner].numpy() @ np.logaddexp(0.0, -right))
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


def _stratified_fifth(real: Bool[np.ndarray, " n"], seed: int) -> Tensor:
    """A mask that takes a random fifth of both kinds."""
    generator = torch.Generator().manual_seed(seed)
    inner = torch.zeros(len(real), dtype=torch.bool)
    for kind in (real, ~real):
        places = torch.from_numpy(np.flatnonzero(kind))
        inner[places[torch.randperm(len(places), generator=generator)[: max(1, len(places) // 5)]]] = True
    return inner


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
