"""The law codes come from."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from pushforward.distributions.independent import independent

__all__ = ["standard_normal"]


def standard_normal(origin: Float[Tensor, "*batch d"]) -> Independent[Distribution]:
    """The law N(0, I) of vectors, with the batch shape, floating type and device of ``origin``, which is zero.

    Example:
        >>> standard_normal(torch.zeros(5, 2)).batch_shape
        torch.Size([5])
    """
    return independent(Normal(origin, torch.ones_like(origin), validate_args=False))
