"""Convolutions over the rows of a picture, and over the pixels of each row, that look back and never ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, relu

__all__ = ["CausalConv2d", "CausalStack"]


class CausalConv2d(nn.Conv2d):
    """A convolution that sees no row, or no column, after its own.

    Arguments:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Its height and width. Over rows it is centred on its column and of odd width; over columns of height 1.
        axis: 2 if steps are rows, 3 if they are columns.

    Example:
        >>> rows = CausalConv2d(1, 4, kernel=(2, 3), axis=2)
        >>> x = torch.randn(1, 1, 5, 5)
        >>> bool(rows(x)[:, :, :2].allclose(rows(x[:, :, :2]), atol=1e-6))
        True
    """

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], axis: int) -> None:
        self.axis = axis
        self.past = kernel[axis - 2] - 1
        across = (0, kernel[1] // 2) if axis == 2 else (0, 0)
        before = (self.past, 0) if axis == 2 else (0, self.past)
        super().__init__(inputs, outputs, kernel, padding=(across[0] + before[0], across[1] + before[1]))
        self.across = across

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Every step at once."""
        return super().forward(x).narrow(self.axis, 0, x.shape[self.axis])

    def memory(self, n: int, size: int) -> Float[Tensor, "n c h w"]:
        """What :meth:`step` sees before the first step, where a step has ``size`` pixels."""
        shape = (self.past, size) if self.axis == 2 else (1, self.past)
        return self.weight.new_zeros(n, self.in_channels, *shape)

    def step(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The next row or column, and the memory after it."""
        window = torch.cat([memory, x], self.axis)
        return _convolved(window, self, self.across), window.narrow(self.axis, 1, self.past)


class _Residual(nn.Module):
    r"""The map :math:`h + W \operatorname{relu}(K * h)`, with a causal convolution K."""

    def __init__(self, width: int, kernel: tuple[int, int], axis: int) -> None:
        super().__init__()
        self.causal = CausalConv2d(width, width, kernel, axis)
        self.mix = nn.Conv2d(width, width, 1)
        with torch.no_grad():
            self.mix.weight.mul_(0.3)  # so that depth does not blow the sum up

    def forward(self, h: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        added: Tensor = self.mix(relu(self.causal(h)))
        return h + added

    def step(self, h: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        y, memory = self.causal.step(h, memory)
        return h + _convolved(relu(y), self.mix), memory


class CausalStack(nn.Module):
    """A wide causal convolution, a bias from without, and residual causal convolutions.

    Arguments:
        inputs: Channels in.
        width: Channels of every layer.
        layers: The number of residual convolutions.
        first: The kernel of the first convolution.
        kernel: The kernel of the others.
        axis: 2 if steps are rows, 3 if they are columns.

    Example:
        >>> stack = CausalStack(1, 4, layers=2, first=(1, 4), kernel=(1, 3), axis=3)
        >>> x, zero = torch.randn(1, 1, 1, 5), torch.zeros(1)
        >>> whole, memory = stack(x, zero), stack.memory(1, size=1)
        >>> steps = [stack.step(x[..., i : i + 1], zero, memory) for i in range(5)]
        >>> bool(torch.cat(steps, 3).allclose(whole, atol=1e-6))
        True
    """

    def __init__(
        self, inputs: int, width: int, layers: int, first: tuple[int, int], kernel: tuple[int, int], axis: int
    ) -> None:
        super().__init__()
        self.first = CausalConv2d(inputs, width, first, axis)
        self.blocks = nn.ModuleList(_Residual(width, kernel, axis) for _ in range(layers))

    def forward(self, x: Float[Tensor, "n c h w"], bias: Float[Tensor, "*#n k h w"]) -> Float[Tensor, "n k h w"]:
        """Every step at once."""
        h: Tensor = self.first(x) + bias
        for block in self.blocks:
            h = block(h)
        return h

    def memory(self, n: int, size: int) -> list[Tensor]:
        """What :meth:`step` needs of the past of n pictures before the first step, layer by layer."""
        return [layer.memory(n, size) for layer in (self.first, *(block.causal for block in self._each()))]

    def step(self, x: Tensor, bias: Tensor, memory: list[Tensor]) -> Tensor:
        """The next row or column, given a memory, which is moved on by one step."""
        y, memory[0] = self.first.step(x, memory[0])
        h = y + bias
        for i, block in enumerate(self._each(), start=1):
            h, memory[i] = block.step(h, memory[i])
        return h

    def remembered(self, size: int) -> int:
        """The numbers that a memory holds for each picture."""
        return sum(part.numel() for part in self.memory(1, size))

    def _each(self) -> Iterable[_Residual]:
        return cast(Iterable[_Residual], self.blocks)


def _convolved(x: Tensor, layer: nn.Conv2d, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """A convolution; of one place a matrix product, since a convolution's call costs more than such small work."""
    if x.shape[2:] == layer.kernel_size:
        return linear(x.flatten(1), layer.weight.flatten(1), layer.bias)[..., None, None]
    return conv2d(x, layer.weight, layer.bias, padding=padding)
