"""A multilayer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, addmm, nn
from torch.nn.functional import silu

from pushforward.networks.inputs import tame

__all__ = ["MLP", "Constant"]


class MLP(nn.Module):
    r"""A multilayer perceptron, :math:`y = W_n\,\sigma(W_{n-1} \cdots \sigma(W_1 x + b_1) \cdots) + b_n`.

    Arguments:
        inputs: The number of inputs.
        outputs: The number of outputs.
        hidden: The width of each hidden layer.
        activation: The function σ.

    Example:
        >>> MLP(3, 5, hidden=(16,))(torch.zeros(2, 4, 3)).shape
        torch.Size([2, 4, 5])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[Tensor], Tensor] = silu,
    ) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(m, n) for m, n in pairwise(widths))
        self.last = nn.Linear(widths[-1], outputs)
        self.activation = activation

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The outputs of each row."""
        y: Tensor = self.last(self._features(x))
        return y

    def columns(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "outputs n"]:
        """The transpose of ``forward(x)``, stored output by output, at no cost beyond that of ``forward``."""
        return addmm(self.last.bias[:, None], self.last.weight, self._features(x).T)

    @torch.no_grad()
    def near_zero(self) -> Self:
        """Make the outputs small, yet with a gradient for every layer; a univariate map then starts as the identity."""
        self.last.weight.mul_(0.01)
        self.last.bias.zero_()
        return self

    def _features(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch features"]:
        x = tame(x)
        for layer in self.hidden:
            x = self.activation(layer(x))
        return x


class Constant(nn.Module):
    """What remains of a perceptron that has no inputs: outputs that are learned and always the same.

    Arguments:
        outputs: The number of outputs.

    Example:
        >>> Constant(5).columns(torch.zeros(3, 0)).shape
        torch.Size([5, 3])
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(outputs))

    def columns(self, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "outputs n"]:
        """The outputs, once for each row of ``x``."""
        return self.value[:, None].expand(-1, len(x))
