"""A fixed reordering of components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from pushforward.bijections.bijection import Bijection
from pushforward.networks.transforms import transformed

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
        return _reordered(z, self.order, self.back), z.new_zeros(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """The components of ``x`` in the old order."""
        return _reordered(x, self.back, self.order), x.new_zeros(x.shape[:-1])


def _reordered(x: Tensor, order: Tensor, back: Tensor) -> Tensor:
    y: Tensor = x.index_select(-1, order) if transformed() else _Reorder.apply(x, order, back)
    return y


class _Reorder(Function):
    """Components in another order, each stored for the whole batch together, as univariate maps take them.

    Its gradient is the order back; that of ``index_select`` would add up what never coincides.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(order, back)
        return x.movedim(-1, 0).index_select(0, order).movedim(0, -1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        order, back = ctx.saved_tensors
        return _reordered(grad, back, order), None, None
