"""A bijection the other way round."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection

__all__ = ["Inverse"]


class Inverse(Bijection):
    """The bijection whose patterns are another's codes and whose codes are the other's patterns.

    The inverse of a masked autoregressive map is the inverse autoregressive map, which draws in one pass (Kingma et al.
    2016, "Improved variational inference with inverse autoregressive flow"). What the other prepares from data depends
    on its own patterns, which are codes here: an inverse prepares nothing.

    Arguments:
        bijection: The bijection to turn round.

    Example:
        >>> import torch
        >>> from pushforward.bijections import Permutation
        >>> Inverse(Permutation([2, 0, 1]))(torch.tensor([30.0, 10.0, 20.0]))[0]
        tensor([10., 20., 30.])
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """The other's inverse."""
        return self.bijection.inverse(z, context)

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """The other's forward."""
        z, log_det = self.bijection(x, context)
        return z, log_det
