"""Bijections one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.bijections.bijection import Bijection

__all__ = ["Chain"]


class Chain(Bijection):
    r"""The composition :math:`f = f_n \circ \dots \circ f_1`; the log-determinants add up.

    Arguments:
        links: The bijections in the order in which a code meets them, at least one; of vectors, or all of pictures.

    Example:
        >>> from pushforward.bijections import Permutation
        >>> Chain([Permutation([1, 2, 0]), Permutation([1, 0, 2])])(torch.tensor([10.0, 20.0, 30.0]))
        (tensor([30., 20., 10.]), tensor(0.))
    """

    def __init__(self, links: Iterable[Bijection]) -> None:
        super().__init__()
        self.links = nn.ModuleList(links)
        if not self.links:
            raise ValueError("a chain needs at least one link")

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Through the links, first to last."""
        total = z.new_zeros(())
        for link in self.links:
            z, log_det = link(z, context)
            total = total + log_det
        return z, total

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Back through the links, last to first."""
        total = x.new_zeros(())
        for link in cast(Iterable[Bijection], reversed(self.links)):
            x, log_det = link.inverse(x, context)
            total = total + log_det
        return x, total

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Prepare the links last to first, each from what the ones behind it make of the patterns."""
        for link in cast(Iterable[Bijection], reversed(self.links)):
            link.prepare(x, context)
            x, _ = link.inverse(x, context)
