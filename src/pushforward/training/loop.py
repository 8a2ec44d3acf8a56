"""The one training loop. It plays games and knows no family."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from pushforward.models.model import Model
from pushforward.training.schedule import Leg, learning_rate_factor
from pushforward.training.state import Match
from pushforward.training.stream import Stream, seed_of

__all__ = ["Hooks", "Observer", "Settings", "Status", "isolated_randomness", "play"]

MARKS = 200
"""How often in a leg the losses are recorded."""
MARKS_PER_FIGURE = 5
"""Every so many marks the held-out figure is taken."""


@dataclass(frozen=True)
class Settings:
    """How a leg is played.

    Arguments:
        seed: Of every random choice.
        patience: Held-out figures without improvement after which training stops.
        checkpoint_seconds: The time between checkpoints.
        bfloat16: Whether networks run in bfloat16 where the device has it.
        compile: Whether ``torch.compile`` makes one graph of each loss, where the model has a likelihood. The first
            step then takes up to a minute, and those that follow are up to a fifth shorter.
    """

    seed: int = 0
    patience: int = 12
    checkpoint_seconds: float = 30.0
    bfloat16: bool = True
    compile: bool = False


@dataclass
class Status:
    """What an observer is shown."""

    step: int
    seconds: float
    progress: float
    rate: float
    losses: dict[str, float] = field(default_factory=dict)
    held_out: float | None = None


Observer = Callable[[Status], None]
"""Whoever watches training."""


@dataclass(frozen=True)
class Hooks:
    """What the loop calls, so that it need not know files, terminals or signals.

    Arguments:
        held_out: The figure to choose weights by, greater is better; ``None`` where the law has none.
        save: Writes a checkpoint.
        record: Takes one row of metrics.
        observe: Sees every step.
        stop: Says whether to stop now.
    """

    held_out: Callable[[], float] | None
    save: Callable[[], None]
    record: Callable[[dict[str, Any]], None]
    observe: Observer = lambda status: None
    stop: Callable[[], bool] = lambda: False


def play(match: Match, stream: Stream, leg: Leg, settings: Settings, hooks: Hooks, last_step: int | None = None) -> str:
    """Play until the leg is over, or ``last_step``; returns ``finished``, ``stopped early`` or ``interrupted``.

    The random choices of a step depend on the seed and the step alone, so a game taken up from a checkpoint goes on bit
    for bit as it would have. The global random state is left as it was.

    Raises:
        DivergedError: If a loss or a gradient is not finite; names the step. No checkpoint is written.
    """
    counters = match.counters
    device = next(match.game.model.parameters()).device
    clock = _Clock(settings.checkpoint_seconds)
    window = _Window()
    started = (time.perf_counter(), counters.step)
    progress = leg.progress(counters.step, counters.seconds)
    held_out: float | None = None
    with isolated_randomness(device):
        if counters.step == 0:  # what is begun with may be better than what few patterns teach
            with _precision(match.game.model, settings.bfloat16):
                held_out = _take_figure(match, hooks)
            counters.seconds += clock.lap()
        while progress < 1.0 and counters.stale < settings.patience and counters.step != last_step:
            torch.manual_seed(seed_of(settings.seed, "step", counters.step))
            with _precision(match.game.model, settings.bfloat16):
                losses = match.move(stream[counters.step], learning_rate_factor(progress))
            window.add(losses)
            counters.seconds += clock.lap()
            before, progress = progress, leg.progress(counters.step, counters.seconds)
            if int(progress * MARKS) > int(before * MARKS):
                if int(progress * MARKS / MARKS_PER_FIGURE) > int(before * MARKS / MARKS_PER_FIGURE):
                    with _precision(match.game.model, settings.bfloat16):
                        held_out = _take_figure(match, hooks)
                    counters.seconds += clock.lap()
                    progress = leg.progress(counters.step, counters.seconds) if leg.steps is None else progress
                hooks.record(_row(match, window.mean(), held_out))
            rate = (counters.step - started[1]) / max(time.perf_counter() - started[0], 1e-9)
            hooks.observe(Status(counters.step, counters.seconds, progress, rate, window.last, held_out))
            if hooks.stop():
                hooks.save()
                return "interrupted"
            if clock.checkpoint_due():
                hooks.save()
    hooks.save()
    return "stopped early" if progress < 1.0 and counters.stale >= settings.patience else "finished"


@contextlib.contextmanager
def isolated_randomness(device: torch.device) -> Iterator[None]:
    """Within the block torch's random state may be set freely; afterwards it is what it was."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


def _take_figure(match: Match, hooks: Hooks) -> float | None:
    if hooks.held_out is None:
        return None
    with match.averaged():
        figure = hooks.held_out()
    match.keep_best(figure)
    return figure if math.isfinite(figure) else None


def _row(match: Match, losses: dict[str, float], held_out: float | None) -> dict[str, Any]:
    c = match.counters
    return {"step": c.step, "time": round(c.seconds, 3), "losses": losses, "held_out": held_out}


def _precision(model: Model, wanted: bool) -> contextlib.AbstractContextManager[Any]:
    """bfloat16 for networks where it pays: on GPUs that have it, and on processors that have it if the model gains.

    Laws compute in the patterns' own type.
    """
    device = next(model.parameters()).device.type
    if device == "cuda":
        pays = torch.cuda.is_bf16_supported()
    else:
        has = torch.cpu.get_capabilities() if device == "cpu" and model.gains_from_bfloat16 else {}
        pays = any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.autocast(device, torch.bfloat16) if pays and wanted else contextlib.nullcontext()


class _Clock:
    """Laps of training time, and the time since the last checkpoint."""

    def __init__(self, between_checkpoints: float) -> None:
        self.between = between_checkpoints
        self.last_lap = self.last_checkpoint = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        lap, self.last_lap = now - self.last_lap, now
        return lap

    def checkpoint_due(self) -> bool:
        now = time.perf_counter()
        due = now - self.last_checkpoint >= self.between
        if due:
            self.last_checkpoint = now
        return due


class _Window:
    """The mean of each player's losses since it was last asked for."""

    def __init__(self) -> None:
        self.losses: list[dict[str, torch.Tensor]] = []
        self.last: dict[str, float] = {}

    def add(self, losses: dict[str, torch.Tensor]) -> None:
        self.losses.append(losses)

    def mean(self) -> dict[str, float]:
        names = self.losses[0] if self.losses else {}
        self.last = {n: torch.stack([row[n] for row in self.losses]).mean().item() for n in names}
        self.losses = []
        return self.last
