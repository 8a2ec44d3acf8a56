"""Training is a game: one or more players, each with its parameters and its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.errors import InputError
from pushforward.models.gan import GAN
from pushforward.models.model import Model
from pushforward.objectives import (
    adversary_loss,
    gradient_penalty,
    minimax_loss,
    negative_log_likelihood,
    non_saturating_loss,
)

__all__ = ["Batch", "Game", "Player", "adversarial_game", "compiled", "likelihood_game", "require_compiler"]

GeneratorLoss = Literal["non-saturating", "minimax"]


@dataclass(frozen=True)
class Batch:
    """Patterns to learn from, and their context if there is one."""

    x: Float[Tensor, "n d"]
    context: Float[Tensor, "n c"] | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Player:
    """One side of the game.

    Arguments:
        name: As it is called in the metrics.
        parameters: What it may change.
        loss: What it wants small, as a function of a batch.
        learning_rate: Its highest learning rate.
        betas: Adam's decay rates.
        weight_decay: AdamW's.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    loss: Callable[[Batch], Tensor]
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Game:
    """A model and the players who shape it, in the order of their moves."""

    model: Model
    players: tuple[Player, ...]


def likelihood_game(model: Model, learning_rate: float = 1e-3, weight_decay: float = 0.0) -> Game:
    """The one-player game of maximum likelihood (2), or of the ELBO (5) where the law is known by a bound."""

    def loss(batch: Batch) -> Tensor:
        return negative_log_likelihood(model(batch.context), batch.x) + model.penalty()

    player = Player("model", _trainable(model.parameters()), loss, learning_rate, weight_decay=weight_decay)
    return Game(model, (player,))


def compiled(game: Game) -> Game:
    """The same game with the loss of each player as a compiled graph, whose gradient has no gradient."""
    return replace(game, players=tuple(replace(player, loss=torch.compile(player.loss)) for player in game.players))


def require_compiler(device: torch.device | str) -> None:
    """Raise an :class:`InputError` where torch cannot compile for a device."""
    from torch._dynamo.exc import TorchDynamoException

    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except TorchDynamoException as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(f"nothing can be compiled on this machine ({first}); train without compiling") from None


def adversarial_game(
    model: GAN,
    learning_rate: float = 5e-4,
    penalty: float = 0.1,
    loss: GeneratorLoss = "non-saturating",
) -> Game:
    """The two-player game of the saddle point (17), with R₁ on the discriminator.

    Arguments:
        model: The generator and its discriminator.
        learning_rate: Both players'.
        penalty: The weight γ of R₁.
        loss: The generator's: ``minimax`` is (11) itself, ``non-saturating`` the usual substitute.
    """
    if loss not in ("non-saturating", "minimax"):
        raise ValueError(f"the generator's loss is 'non-saturating' or 'minimax', not {loss!r}")
    generator_loss = minimax_loss if loss == "minimax" else non_saturating_loss

    def fakes(batch: Batch) -> Tensor:
        shape = () if batch.context is not None else (len(batch),)
        features: Tensor = model.features(batch.context).rsample(shape)
        return features

    def discriminator(batch: Batch) -> Tensor:
        with torch.no_grad():
            fake = fakes(batch)
        real = model.event.features(batch.x).detach().requires_grad_()
        logit = model.logit(real, batch.context)
        value = adversary_loss(logit, model.logit(fake, batch.context))
        return value + penalty * gradient_penalty(logit, real) if penalty else value

    def generator(batch: Batch) -> Tensor:
        return generator_loss(model.logit(fakes(batch), batch.context))

    betas = (0.0, 0.99)  # momentum makes the two chase each other (Karras et al. 2019 use the same)
    return Game(
        model,
        (
            Player(
                "discriminator",
                _trainable(model.discriminator.parameters()),
                discriminator,
                learning_rate,
                betas,
            ),
            Player("generator", _trainable(model.generator.parameters()), generator, learning_rate, betas),
        ),
    )


def _trainable(parameters: Iterable[nn.Parameter]) -> tuple[nn.Parameter, ...]:
    return tuple(p for p in parameters if p.requires_grad)
