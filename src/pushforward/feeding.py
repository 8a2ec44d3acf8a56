"""What training sees of a run's data: batches, and a figure of patterns that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from pushforward.data import Dataset
from pushforward.distributions.likelihood import log_prob_values
from pushforward.run import Run
from pushforward.training.game import Batch
from pushforward.training.state import Match
from pushforward.training.stream import Stream, seed_of

__all__ = ["HELD_OUT_AT_MOST", "batch_of", "held_out", "stream_of"]

HELD_OUT_AT_MOST = 2000
"""Validation patterns that weights are chosen by, …"""
HELD_OUT_COMPONENTS, HELD_OUT_AT_LEAST = 1 << 19, 200
"""… or so many components in all, but never fewer patterns: large ones would take the time for learning."""
ON_DEVICE_AT_MOST = 1 << 31
"""Bytes of encoded patterns kept as one tensor on the device; more are encoded batch by batch."""


def batch_of(run: Run, dataset: Dataset) -> Batch:
    """Patterns as the model sees them, with their contexts."""
    context = run.schema.encode_context(dataset)
    return Batch(run.schema.encode(dataset).to(run.device), None if context is None else context.to(run.device))


def stream_of(run: Run, train: Dataset) -> Stream:
    """The batches of every step."""
    size = len(train)
    if size * run.schema.event.size * 4 <= ON_DEVICE_AT_MOST:
        whole = batch_of(run, train)

        def gather(indices: torch.Tensor) -> Batch:
            i = indices.to(run.device)
            return Batch(whole.x[i], None if whole.context is None else whole.context[i])

    else:

        def gather(indices: torch.Tensor) -> Batch:
            return batch_of(run, train.take(np.sort(indices.numpy())))

    return Stream(gather, size, run.record["batch"], run.seed)


def held_out(run: Run, match: Match, validation: Dataset) -> Callable[[], float] | None:
    """The mean log-likelihood of validation patterns in the data's units, by one draw where it is a bound."""
    if not run.family.density:
        return None
    most = max(HELD_OUT_AT_LEAST, min(HELD_OUT_AT_MOST, HELD_OUT_COMPONENTS // run.schema.event.size))
    part = validation.thinned(most, run.seed)
    log_det = run.schema.log_det(part)
    possible = log_det.isfinite()  # a row that breaks a constant column is as impossible under every weight
    if not bool(possible.any()):
        return None
    batch = batch_of(run, part.take(possible.nonzero().squeeze(-1).numpy()))
    constant = log_det[possible].mean().item()

    def figure() -> float:
        torch.manual_seed(seed_of(run.seed, "held out"))
        with torch.no_grad():
            values, _ = log_prob_values(match.game.model(batch.context), batch.x)
        return float(values.double().mean().item()) + constant

    return figure
