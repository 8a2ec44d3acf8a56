"""The adversarial family: a generator that is taught by a discriminator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from pushforward.distributions.implicit import Implicit
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.mlp import MLP

__all__ = ["GAN"]


class GAN(Model):
    r"""A generative adversarial network: :math:`x = f_\theta(z, c)`, and a discriminator :math:`\pi_\phi(x, c)`.

    The discriminator is part of the model because training goes on from both players. It sees discrete components
    spread over their cells, since rounding alone would tell real patterns from generated ones.

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

    def __init__(self, event: Event, context: int = 0, latent: int = 32, hidden: Sequence[int] = (256, 256)) -> None:
        super().__init__(event, context, latent=latent, hidden=list(hidden))
        if latent < 1:
            raise ValueError(f"a code needs at least one dimension, not {latent}")
        self.generator = MLP(latent + context, event.size, hidden)
        self.discriminator = MLP(event.size + context, 1, hidden)
        self.register_buffer("_origin", torch.zeros(latent), persistent=False)

    _origin: Tensor

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Implicit:
        """The law of patterns, rounded to values that exist."""
        unrounded = self.unrounded(context)
        return Implicit(unrounded.base, lambda z: self.event.snap(unrounded.generator(z)))

    def unrounded(self, context: Float[Tensor, "*batch c"] | None = None) -> Implicit:
        """The law before rounding, through which gradients reach the generator."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = self._origin.expand(*batch, -1)
        base = Independent(Normal(origin, torch.ones_like(origin), validate_args=False), 1)
        return Implicit(base, lambda z: self.generator(_beside(z, context)).to(z.dtype))

    def logit(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """The discriminator's log-odds that a pattern is natural, log π/(1 − π)."""
        y: Tensor = self.discriminator(_beside(x, self.checked(context)))
        return y.squeeze(-1).to(x.dtype)


def _beside(t: Tensor, context: Tensor | None) -> Tensor:
    return t if context is None else torch.cat([t, context.expand(*t.shape[:-1], -1)], -1)
