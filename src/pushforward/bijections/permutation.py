"""A fixed reordering of components."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection

__all__ = ["Permutation"]


class Permutation(Bijection):
    r"""The map :math:`x_i = z_{\pi(i)}`, which keeps volumes.

    Arguments:
        order: The permutation :math:`\pi(0), \pi(1), \dots` of 0, …, D − 1.

    Example:
        >>> Permutation([2, 0, 1])(torch.tensor([10.0, 20.0, 30.0]))
        (tensor([30., 10., 20.]), tensor(0.))
    """

    order: Tensor
    back: Tensor

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        if sorted(order) != list(range(len(order))):
            raise ValueError(f"a permutation holds each of 0 … {len(order) - 1} once, unlike {list(order)}")
        # Not persistent: the constructor's argument already says it all.
        self.register_buffer("order", torch.tensor(list(order)), persistent=False)
        self.register_buffer("back", self.order.argsort(), persistent=False)

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """The components of ``z`` in the new order."""
        return z.index_select(-1, self.order), z.new_zeros(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """The components of ``x`` in the old order."""
        return x.index_select(-1, self.back), x.new_zeros(x.shape[:-1])
