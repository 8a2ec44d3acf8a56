"""A small convolutional network for what is asked of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from pushforward.networks.inputs import tame

__all__ = ["BesidePicture", "Convolutional"]


class Convolutional(nn.Module):
    r"""Convolutions of 3×3 pixels that keep the picture's size, and outputs at every pixel.

    Every hidden layer but the first is residual. The first also sees where it is, by a learned bias of every place,
    and the context, by one of every picture: pictures of one thing are seldom the same law everywhere.

    Arguments:
        shape: The picture's ``(C, H, W)``; C may be 0.
        outputs: The number of outputs at every pixel.
        hidden: The channels of the hidden layers, all equal.
        context: The width of the context.

    Example:
        >>> Convolutional((3, 4, 5), outputs=2, hidden=(16, 16)).columns(torch.zeros(7, 3, 4, 5)).shape
        torch.Size([2, 140])
    """

    def __init__(self, shape: tuple[int, int, int], outputs: int, hidden: Sequence[int], context: int = 0) -> None:
        super().__init__()
        if not hidden or len(set(hidden)) != 1:
            raise ValueError(f"a convolutional network needs hidden layers of one width, not {tuple(hidden)}")
        channels, *size = shape
        self.first = nn.Conv2d(channels, hidden[0], 3, padding=1) if channels else None
        self.place = nn.Parameter(torch.zeros(hidden[0], *size))
        self.context = nn.Linear(context, hidden[0]) if context else None
        self.blocks = nn.ModuleList(nn.Conv2d(m, n, 3, padding=1) for m, n in pairwise(hidden))
        self.last = nn.Linear(hidden[-1], outputs)

    def columns(
        self, x: Float[Tensor, "n c h w"], context: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "outputs n*h*w"]:
        """The outputs at every pixel of every picture, output by output."""
        h = self.place if self.first is None else self.place + self.first(tame(x))
        if self.context is not None and context is not None:
            h = h + self.context(context)[:, :, None, None]
        for block in self.blocks:
            h = h + block(relu(h))
        features = relu(h).expand(len(x), -1, -1, -1).movedim(1, -1).flatten(0, 2)  # (n·h·w, hidden)
        return torch.addmm(self.last.bias[:, None], self.last.weight, features.T)

    @torch.no_grad()
    def near_zero(self) -> Self:
        """Make the outputs small, yet with a gradient for every layer; a univariate map then starts as the identity."""
        self.last.weight.mul_(0.01)
        self.last.bias.zero_()
        return self


class BesidePicture(Convolutional):
    """The same, where the context begins with a flat picture of the same shape: it is seen as further channels.

    Arguments:
        shape: The picture's ``(C, H, W)``.
        outputs: The number of outputs at every pixel.
        hidden: The channels of the hidden layers, all equal.
        context: The width of the context besides the picture.

    Example:
        >>> network = BesidePicture((3, 4, 5), outputs=2, hidden=(16,))
        >>> network.columns(torch.zeros(7, 3, 4, 5), torch.zeros(7, 60)).shape
        torch.Size([2, 140])
    """

    def __init__(self, shape: tuple[int, int, int], outputs: int, hidden: Sequence[int], context: int = 0) -> None:
        super().__init__((2 * shape[0], *shape[1:]), outputs, hidden, context)

    def columns(
        self, x: Float[Tensor, "n c h w"], context: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "outputs n*h*w"]:
        """The outputs at every pixel of every picture."""
        assert context is not None
        size = x.shape[1:].numel()
        picture, rest = context[:, :size].view_as(x), context[:, size:]
        return super().columns(torch.cat([x, picture], 1), rest)
