"""A game under way: everything that decides how it goes on, and hence everything a checkpoint holds."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from pushforward.errors import DivergedError
from pushforward.training.game import Batch, Game, Player

__all__ = ["Counters", "Match"]

LARGEST_DECAY = 0.999
"""Of the moving average of weights."""
CLIP = 5.0
"""The largest norm of a player's gradient; rarer events than that are outliers of the batch."""


@dataclass
class Counters:
    """Where the game stands."""

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    """Held-out figures since the best one."""


class Match:
    """The players' weights, their averages, the best of these, and the optimisers' memory.

    Arguments:
        game: The game to play.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.counters = Counters()
        self.optimisers = {p.name: _optimiser(p) for p in game.players}
        self.average = {name: p.detach().clone() for name, p in game.model.named_parameters()}
        self.best: dict[str, Tensor] | None = None

    def move(self, batch: Batch, rate: float) -> dict[str, Tensor]:
        """Let each player move once, at a share ``rate`` of its learning rate; returns the losses.

        Raises:
            DivergedError: If a loss or a gradient is not finite. The weights are then as they were before that move.
        """
        losses = {}
        for player in self.game.players:
            loss = player.loss(batch)
            gradients = torch.autograd.grad(loss, player.parameters, allow_unused=True)
            for p, gradient in zip(player.parameters, gradients, strict=True):
                p.grad = gradient
            norm = clip_grad_norm_(player.parameters, CLIP)
            if not math.isfinite(loss.item() + norm.item()):
                what = "loss" if not math.isfinite(loss.item()) else "gradient"
                raise DivergedError(f"the {what} of the {player.name} is not finite at step {self.counters.step}")
            optimiser = self.optimisers[player.name]
            optimiser.param_groups[0]["lr"] = rate * player.learning_rate
            optimiser.step()
            losses[player.name] = loss.detach()
        self.counters.step += 1
        self._follow()
        return losses

    def _follow(self) -> None:
        """Move the average towards the weights; quickly at first, when it has seen little."""
        step = self.counters.step
        decay = min(LARGEST_DECAY, (1 + step) / (10 + step))
        names, weights = zip(*self.game.model.named_parameters(), strict=True)
        torch._foreach_lerp_([self.average[n] for n in names], [w.detach() for w in weights], 1 - decay)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the model holds its averaged weights and is used, not trained."""
        own = {name: p.detach().clone() for name, p in self.game.model.named_parameters()}
        self._put(self.average)
        self.game.model.eval()
        try:
            yield
        finally:
            self._put(own)
            self.game.model.train()

    def keep_best(self, figure: float) -> None:
        """Remember the averaged weights if no held-out figure was better; one that is not finite says nothing."""
        c = self.counters
        if not math.isfinite(figure):
            return
        if c.best is None or figure > c.best:
            c.best, c.best_step, c.stale = figure, c.step, 0
            self.best = {name: t.clone() for name, t in self.average.items()}
        else:
            c.stale += 1

    def final(self) -> dict[str, Tensor]:
        """The weights to keep: the best average on held-out data, or the last where no figure chooses."""
        return {**self.game.model.state_dict(), **(self.best or self.average)}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor that decides how the game goes on, by name."""
        named = {f"model/{name}": t for name, t in self.game.model.state_dict().items()}
        named |= {f"average/{name}": t for name, t in self.average.items()}
        named |= {f"best/{name}": t for name, t in (self.best or {}).items()}
        for player in self.game.players:
            state = self.optimisers[player.name].state
            for i, p in enumerate(player.parameters):
                named |= {f"optimiser/{player.name}/{i}/{key}": t for key, t in state.get(p, {}).items()}
        return named

    def record(self) -> dict[str, Any]:
        """The counters, as plain values."""
        return asdict(self.counters)

    def restore(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
        """Go back to what :meth:`tensors` and :meth:`record` held."""
        self.counters = Counters(**record)
        self.game.model.load_state_dict(_under(tensors, "model/"))
        device = next(self.game.model.parameters()).device
        self.average = {name: t.to(device) for name, t in _under(tensors, "average/").items()}
        best = _under(tensors, "best/")
        self.best = {name: t.to(device) for name, t in best.items()} or None
        for player in self.game.players:
            state = self.optimisers[player.name].state
            for i, p in enumerate(player.parameters):
                memory = _under(tensors, f"optimiser/{player.name}/{i}/")
                if memory:
                    state[p] = {key: t.to(device) for key, t in memory.items()}

    def _put(self, weights: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, p in self.game.model.named_parameters():
                p.copy_(weights[name])


def _optimiser(player: Player) -> torch.optim.AdamW:
    return torch.optim.AdamW(
        player.parameters,
        lr=player.learning_rate,
        betas=player.betas,
        weight_decay=player.weight_decay,
        fused=True,
    )


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
