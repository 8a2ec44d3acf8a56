"""A network whose i-th group of outputs sees only the inputs before i."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import linear, relu

__all__ = ["MaskedLinear", "MaskedMLP"]


class MaskedLinear(nn.Linear):
    """A linear map some of whose weights are held at zero.

    Arguments:
        mask: Which weights are free, of shape ``(outputs, inputs)``.
    """

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, "outputs inputs"]) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask, persistent=False)
        with torch.no_grad():
            # A row with few free weights would start too small: keep its variance that of a full row of its fan-in.
            fan_in = mask.sum(1, keepdim=True).clamp(min=1)
            self.weight.mul_(mask * (mask.shape[1] / fan_in).sqrt())

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The map with the held weights at zero."""
        return linear(x, self.weight * self.mask, self.bias)


class MaskedMLP(nn.Module):
    r"""A masked multilayer perceptron: outputs of group i depend on :math:`x_1, \dots, x_{i-1}` and the context alone.

    Each hidden unit has a degree m and sees units of degree at most m; group i sees hidden units of degree below i.
    Hidden layers after the first are residual.

    Source: Germain, Gregor, Murray and Larochelle (2015), "MADE: Masked Autoencoder for Distribution Estimation".

    Arguments:
        counts: The number of outputs in each group, one group per input.
        hidden: The width of every hidden layer and how many there are, as ``(width, …)`` of equal widths.
        context: The width of the context, which every unit may see.

    Example:
        >>> network = MaskedMLP(counts=[1, 1, 1], hidden=(16, 16))
        >>> jacobian = torch.autograd.functional.jacobian(network, torch.randn(3))
        >>> bool((jacobian.triu() == 0).all())
        True
    """

    def __init__(self, counts: Sequence[int], hidden: Sequence[int], context: int = 0) -> None:
        super().__init__()
        if len(set(hidden)) != 1:
            raise ValueError(f"a masked network needs hidden layers of one width, not {tuple(hidden)}")
        inputs = len(counts)
        degree_in = torch.cat([torch.arange(1, inputs + 1), torch.zeros(context, dtype=torch.long)])
        lowest = 0 if context else min(1, inputs - 1)  # without context a unit of degree 0 would see nothing
        degree = lowest + torch.arange(hidden[0]) * max(inputs - lowest, 1) // hidden[0]  # as even as can be
        degree_out = torch.arange(1, inputs + 1).repeat_interleave(torch.tensor(list(counts)))
        self.first = MaskedLinear(degree[:, None] >= degree_in)
        self.blocks = nn.ModuleList(MaskedLinear(degree[:, None] >= degree) for _ in hidden[1:])
        self.last = MaskedLinear(degree_out[:, None] > degree)
        # The context also reaches the outputs directly, so that the first group, which sees no hidden unit of a
        # positive degree, still hears it.
        self.skip = nn.Linear(context, len(degree_out), bias=False) if context else None

    def forward(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch outputs"]:
        """All groups of outputs, one after another."""
        h = self.first(x if context is None else torch.cat([x, context], -1))
        for block in self.blocks:
            h = h + block(relu(h))
        y: Tensor = self.last(relu(h))
        return y if self.skip is None or context is None else y + self.skip(context)
