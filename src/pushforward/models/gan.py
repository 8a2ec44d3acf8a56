"""The adversarial family: a generator that is taught by a discriminator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

    The discriminator is part of the model because training goes on from both players. Both speak of a pattern's
    *features*, in which a category is a row of indicators. Discrete components are rounded to values that exist before
    the discriminator sees them, and of a category's logits the greatest is taken, or fractions alone would tell real
    patterns from generated ones; gradients pass the rounding as if it were not there, and the choice of a category as
    if its probabilities had been passed on (the straight-through estimator of Bengio, Léonard and Courville 2013).

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
        features = sum(event.feature_counts)
        self.parts = [Event((block,)) for block in event.blocks]
        self.generator = MLP(latent + context, features, hidden)
        self.discriminator = MLP(features + context, 1, hidden, activation=leaky_relu)
        self.register_buffer("_origin", torch.zeros(latent), persistent=False)

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Implicit:
        """The law of patterns, with the batch shape of the context."""
        return self._law(context, self.event.patterns, self.event.size)

    def features(self, context: Float[Tensor, "*batch c"] | None = None) -> Implicit:
        """The law of their features; its ``rsample`` has gradients."""
        return self._law(context, lambda features: features, sum(self.event.feature_counts))

    def logit(
        self, features: Float[Tensor, "*batch f"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """The discriminator's log-odds that a pattern of these features is natural, log π/(1 − π)."""
        y: Tensor = self.discriminator(beside(features, self.checked(context)))
        return y.squeeze(-1).to(features.dtype)

    def _law(self, context: Tensor | None, of: Callable[[Tensor], Tensor], size: int) -> Implicit:
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]

        def generate(z: Tensor) -> Tensor:
            return of(self._exist(self.generator(beside(z, context)).to(z.dtype)))

        return Implicit(standard_normal(self._origin.expand(*batch, -1)), generate, size)

    def _exist(self, features: Float[Tensor, "*batch f"]) -> Float[Tensor, "*batch f"]:
        """Features of patterns that exist: values on their grids, and of each category's logits the greatest alone."""
        widths = [event.size * event.feature_counts[0] for event in self.parts]
        parts = zip(self.parts, features.split(widths, -1), strict=True)
        exist = [_chosen(x, event) if event.blocks[0].categories else _rounded(x, event) for event, x in parts]
        return torch.cat(exist, -1)


def _rounded(x: Float[Tensor, "*batch d"], event: Event) -> Float[Tensor, "*batch d"]:
    """Values that exist, where components are discrete; what is bounded nears its bounds smoothly."""
    (block,) = event.blocks
    if block.low is not None and block.high is not None:
        x = (block.low + block.high) / 2 + (block.high - block.low + block.width) / 2 * x.tanh()
    return x + (event.snap(x) - x).detach()


def _chosen(logits: Float[Tensor, "*batch f"], event: Event) -> Float[Tensor, "*batch f"]:
    """One category of each component."""
    p: Tensor = logits.unflatten(-1, (event.size, -1)).softmax(-1)
    best = torch.zeros_like(p).scatter(-1, p.argmax(-1, keepdim=True), 1.0)
    return (p + (best - p).detach()).flatten(-2)
