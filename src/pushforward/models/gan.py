"""The adversarial family: a generator that is taught by a discriminator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import leaky_relu

from pushforward.distributions.implicit import Implicit
from pushforward.distributions.normal import standard_normal
from pushforward.event import Event
from pushforward.models.model import Model, beside
from pushforward.networks.mlp import MLP

__all__ = ["GAN"]


class GAN(Model):
    r"""A generative adversarial network: :math:`x = f_\theta(z, c)`, and a discriminator :math:`\pi_\phi(x, c)`.

    The discriminator is part of the model because training goes on from both players. Discrete components are rounded
    to values that exist before the discriminator sees them, or fractions alone would tell real patterns from generated
    ones; gradients pass the rounding as if it were not there (the straight-through estimator of Bengio, Léonard and
    Courville 2013).

    Source: Goodfellow et al. (2014), "Generative Adversarial Nets".

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        latent: The dimension of the code.
        hidden: Hidden layers of the generator and of the discriminator.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = GAN(Event.continuous(3))
        >>> model().sample((5,)).shape
        torch.Size([5, 3])
        >>> model.logit(torch.zeros(5, 3)).shape
        torch.Size([5])
    """

    _origin: Tensor

    def __init__(self, event: Event, context: int = 0, latent: int = 32, hidden: Sequence[int] = (256, 256)) -> None:
        super().__init__(event, context, latent=latent, hidden=list(hidden))
        if latent < 1:
            raise ValueError(f"a code needs at least one dimension, not {latent}")
        self.generator = MLP(latent + context, event.size, hidden)
        self.discriminator = MLP(event.size + context, 1, hidden, activation=leaky_relu)
        self.register_buffer("_origin", torch.zeros(latent), persistent=False)

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Implicit:
        """The law of patterns, with the batch shape of the context; its ``rsample`` has gradients."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]

        def generate(z: Tensor) -> Tensor:
            return self._round(self.generator(beside(z, context)).to(z.dtype))

        return Implicit(standard_normal(self._origin.expand(*batch, -1)), generate, self.event.size)

    def logit(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """The discriminator's log-odds that a pattern is natural, log π/(1 − π)."""
        y: Tensor = self.discriminator(beside(x, self.checked(context)))
        return y.squeeze(-1).to(x.dtype)

    def _round(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Values that exist, where components are discrete; what is bounded nears its bounds smoothly."""
        event = self.event
        low, high = ((bound + side * event.width / 2).to(x) for bound, side in ((event.low, -1), (event.high, 1)))
        middle, half = (low + high) / 2, (high - low) / 2
        bounded = half.isfinite()
        x = torch.where(bounded, middle.nan_to_num() + half.where(bounded, torch.ones_like(half)) * x.tanh(), x)
        return x + (event.snap(x) - x).detach()
