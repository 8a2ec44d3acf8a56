"""A network whose i-th group of outputs sees only the inputs before i."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Self, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, addmm, mm, nn, relu_
from torch.nn.functional import linear, relu

from pushforward.networks.inputs import farthest, tame

__all__ = ["MaskedLinear", "MaskedMLP"]


class MaskedLinear(nn.Linear):
    """A linear map some of whose weights are held at zero.

    Arguments:
        mask: Which weights are free, of shape ``(outputs, inputs)``.
        bias: Whether to add a bias.
    """

    mask: Tensor

    def __init__(self, mask: Bool[Tensor, "outputs inputs"], bias: bool = True) -> None:
        super().__init__(mask.shape[1], mask.shape[0], bias)
        # In the weights' own type: a product with booleans takes several times as long.
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)
        with torch.no_grad():
            # A row with few free weights would start too small: keep its variance that of a full row of its fan-in.
            fan_in = mask.sum(1, keepdim=True).clamp(min=1)
            self.weight.mul_(mask * (mask.shape[1] / fan_in).sqrt())

    def free(self) -> Float[Tensor, "outputs inputs"]:
        """The weights, those held at zero."""
        return self.weight * self.mask

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """The map with the held weights at zero."""
        return linear(x, self.free(), self.bias)


class MaskedMLP(nn.Module):
    r"""A masked multilayer perceptron: outputs of group i depend on :math:`x_1, \dots, x_{i-1}` and the context alone.

    Each hidden unit has a degree m and sees inputs and units of degree at most m; group i sees hidden units of degree
    below i. Hidden layers after the first are residual. The context also reaches the outputs directly, so that the
    first group hears it well, and so do the inputs where that is asked for, or where they outnumber the hidden units,
    which then cannot show every group all that stands before it.

    Source: Germain, Gregor, Murray and Larochelle (2015), "MADE: Masked Autoencoder for Distribution Estimation".

    Arguments:
        counts: The number of outputs in each group, one group per component.
        hidden: The width of every hidden layer and how many there are, as ``(width, …)`` of equal widths.
        context: The width of the context, which every unit may see.
        widths: The number of inputs that stand for each component, by default one.
        interleaved: Whether the first output of every group comes first, then the second of each, …; all groups are
            then of one size.
        direct: Whether the inputs reach the outputs directly in any case.

    Example:
        >>> network = MaskedMLP(counts=[1, 1, 1], hidden=(16, 16))
        >>> jacobian = torch.autograd.functional.jacobian(network, torch.randn(3))
        >>> bool((jacobian.triu() == 0).all())
        True
    """

    def __init__(
        self,
        counts: Sequence[int],
        hidden: Sequence[int],
        context: int = 0,
        widths: Sequence[int] | None = None,
        interleaved: bool = False,
        direct: bool = False,
    ) -> None:
        super().__init__()
        if len(set(hidden)) != 1:
            raise ValueError(f"a masked network needs hidden layers of one width, not {tuple(hidden)}")
        if interleaved and len(set(counts)) != 1:
            raise ValueError(f"interleaved groups are of one size, not {tuple(counts)}")
        groups, width = len(counts), hidden[0]
        widths = [1] * groups if widths is None else widths
        lowest = 0 if context else min(1, groups - 1)  # without context a unit of degree 0 would see nothing
        numbers = torch.arange(1, groups + 1)
        degree_in = torch.cat([numbers.repeat_interleave(torch.tensor(widths)), torch.zeros(context, dtype=torch.long)])
        # As even as can be, and the last as high as is of use.
        degree = lowest + (torch.arange(1, width + 1) * max(groups - lowest, 1) - 1) // width
        degree_out = numbers.repeat(counts[0]) if interleaved else numbers.repeat_interleave(torch.tensor(counts))
        self.first = MaskedLinear(degree[:, None] >= degree_in)
        self.blocks = nn.ModuleList(MaskedLinear(degree[:, None] >= degree) for _ in hidden[1:])
        self.last = MaskedLinear(degree_out[:, None] > degree)
        reaching = degree_in if direct or width < groups - lowest else degree_in[sum(widths) :]
        self.skip = MaskedLinear(degree_out[:, None] > reaching, bias=False) if len(reaching) else None
        # For the walk: what is known before each group, and which of the outputs are the group's.
        self._inputs = list(accumulate(widths[:-1], initial=1 + context))
        self._units = torch.bincount(degree, minlength=groups)[:groups].tolist()
        ends = [0, *accumulate(counts)]
        self._outputs = [slice(i, None, groups) if interleaved else slice(*ends[i : i + 2]) for i in range(groups)]
        self.context = context

    def forward(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch outputs"]:
        """All groups of outputs, one after another."""
        h, direct = self._features(x, context)
        y: Tensor = self.last(h)
        return y if direct is None else y + direct

    def columns(
        self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "outputs n"]:
        """The transpose of ``forward(x, context)``, stored output by output, at no cost beyond that of ``forward``."""
        h, direct = self._features(x, context)
        bias = self.last.bias[:, None]
        return addmm(bias if direct is None else bias + direct.T, self.last.free(), h.T)

    def _features(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The last hidden layer, and what reaches the outputs directly."""
        inputs = tame(x if context is None else torch.cat([x, context], -1))
        h = self.first(inputs)
        for block in self.blocks:
            h = h + block(relu(h))
        direct = None if self.skip is None else self.skip(inputs[..., -self.skip.in_features :])
        return relu_(h), direct

    @torch.no_grad()
    def near_zero(self) -> Self:
        """Make the outputs small, yet with a gradient for every layer; a univariate map then starts as the identity."""
        for layer in [self.last] if self.skip is None else [self.last, self.skip]:
            layer.weight.mul_(0.01)
        self.last.bias.zero_()
        return self

    @property
    def remembered(self) -> int:
        """How many numbers a walk keeps for each row."""
        return 1 + self.first.in_features + (1 + len(self.blocks)) * (1 + self.first.out_features)

    def walk(
        self, n: int, context: Float[Tensor, "n c"] | None = None
    ) -> Generator[Float[Tensor, "n count"], Float[Tensor, " n *width"], None]:
        """The outputs of ``forward`` group after group for n rows, at the cost of one pass.

        It yields the outputs ``(n, counts[i])`` of group i and is sent the inputs ``(n,)``, or ``(n, widths[i])``, of
        component i. A unit of degree k never changes once component k is known, so each is computed once: a step
        computes one block of rows of every layer from the blocks before it.
        """
        hidden = [_joined(self.first, self.context), *map(_joined, cast(Iterable[MaskedLinear], self.blocks))]
        last = _joined(self.last)
        skip = None if self.skip is None else self.skip.free().roll(self.context, 1)
        most = farthest(last.dtype)
        seen = _Rows(last.new_empty(1 + self.first.in_features, n), -most, most)
        if context is not None:
            seen.append(context.T)
        layers = [_Rows(last.new_empty(1 + self.first.out_features, n), 0.0, math.inf) for _ in hidden]
        steps = zip(*(weights.split(self._units) for weights in hidden), strict=True)
        for units, (first, *others), inputs, outputs in zip(
            self._units, steps, self._inputs, self._outputs, strict=True
        ):
            if units:
                h = mm(first[:, :inputs], seen.rows)
                layers[0].append(h)
                for block, (before, after) in zip(others, pairwise(layers), strict=True):
                    h = addmm(h, block[:, : before.count], before.rows)
                    after.append(h)
            y = mm(last[outputs, : layers[-1].count], layers[-1].rows)
            if skip is not None:
                w = skip[outputs, : inputs - 1]
                y = addmm(y, w, seen.rows[1 : 1 + w.shape[1]])
            x = yield y.T
            seen.append(x[None] if x.dim() == 1 else x.T)


class _Rows:
    """Rows that come in blocks after a first of ones, which carries biases, and are held within limits.

    They go into the memory that is given, unless a gradient needs what was there before.
    """

    def __init__(self, memory: Float[Tensor, "rows n"], low: float, high: float) -> None:
        self.memory, self.limits, self.count = memory, (low, high), 1
        self.rows = memory[:1].fill_(1)

    def append(self, block: Float[Tensor, "rows n"]) -> None:
        """Add the next rows."""
        start, self.count = self.count, self.count + block.shape[0]  # quicker than len(block)
        block = block.to(self.memory.dtype)  # autocast makes products in another
        if torch.is_grad_enabled():
            self.rows = torch.cat([self.rows, block.clamp(*self.limits)])
        else:
            torch.clamp(block, *self.limits, out=self.memory[start : self.count])
            self.rows = self.memory[: self.count]


def _joined(layer: MaskedLinear, ahead: int = 0) -> Tensor:
    """The bias and the weights side by side, those of the last inputs, so many, ahead of the others."""
    weights = layer.free()
    first = weights.shape[1] - ahead
    return torch.cat([layer.bias[:, None], weights[:, first:], weights[:, :first]], 1)
