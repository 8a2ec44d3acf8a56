"""A law known only by its samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from pushforward.distributions.law import Law
from pushforward.errors import NoDensityError

__all__ = ["Implicit"]


class Implicit(Law):
    r"""The law of :math:`x = f(z),\ z \sim \mathcal D` (3) for any f, invertible or not: it can be drawn from, no more.

    Arguments:
        base: The law of codes, with batch shape that of the context.
        generator: The map f from codes to patterns.
        size: The number of components of a pattern.

    Example:
        >>> from torch.distributions import Independent, Normal
        >>> base = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        >>> law = Implicit(base, lambda z: z.abs().sum(-1, keepdim=True), size=1)
        >>> law.event_shape
        torch.Size([1])
        >>> bool((law.sample((100,)) >= 0).all())
        True
    """

    evidence = None
    has_rsample = True

    def __init__(self, base: Distribution, generator: Callable[[Tensor], Tensor], size: int) -> None:
        super().__init__(base.batch_shape, torch.Size([size]))
        self.base = base
        self.generator = generator

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw codes and push them forward."""
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw with gradients to the generator's parameters."""
        return self.generator(self.base.rsample(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Refused: an implicit law has no tractable density."""
        raise NoDensityError(
            "an implicit law (a GAN's) has no density, so no likelihood can be asked of it; ask how far its samples "
            "can be told from data: pushforward.audit(real, samples), or `pushforward audit DATA RUN`"
        )
