"""Networks over the steps of a sequence that look back and never ahead."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["CausalConvolutions"]


class CausalConvolutions(nn.Module):
    r"""Gated residual convolutions of dilations 1, 2, 4, …, so that the last step sees :math:`2^L` steps.

    .. math:: h \leftarrow h + W\bigl(\tanh(a) \odot \sigma(b)\bigr), \quad
              (a, b)_t = A\,h_t + B\,h_{t - 2^l} + c.

    Source: van den Oord et al. (2016), "WaveNet: A Generative Model for Raw Audio".

    Arguments:
        width: The width of a step, in and out.
        layers: The number of layers L.

    Example:
        >>> network = CausalConvolutions(4, layers=2)
        >>> u = torch.randn(1, 5, 4)
        >>> whole, memory = network(u), network.memory(1)
        >>> bool(torch.stack([network.step(u[:, t], memory) for t in range(5)], 1).allclose(whole, atol=1e-6))
        True
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.ModuleList(nn.Linear(2 * width, 2 * width) for _ in range(layers))
        self.outputs = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    @property
    def remembered(self) -> int:
        """The numbers that a memory holds for each row."""
        return self.width * ((1 << len(self.gates)) - 1)

    def forward(self, u: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        """Every step at once."""
        h = u
        for i, (gate, output) in enumerate(zip(self.gates, self.outputs, strict=True)):
            before = pad(h, (0, 0, 2**i, 0))[:, : h.shape[1]]
            h = h + output(_gated(gate(torch.cat([h, before], -1))))
        return h

    def memory(self, n: int) -> list[list[Float[Tensor, "n w"]]]:
        """What :meth:`step` needs of the past of n rows before the first step, layer by layer."""
        zero = next(self.parameters()).new_zeros(n, self.width)
        return [[zero] * 2**i for i in range(len(self.gates))]

    def step(self, u: Float[Tensor, "n w"], memory: list[list[Float[Tensor, "n w"]]]) -> Float[Tensor, "n w"]:
        """The next step, given a memory, which is moved on by one step."""
        h = u
        for gate, output, past in zip(self.gates, self.outputs, memory, strict=True):
            past.append(h)
            h = h + output(_gated(gate(torch.cat([h, past.pop(0)], -1))))
        return h


def _gated(y: Float[Tensor, "*batch 2w"]) -> Float[Tensor, "*batch w"]:
    a, b = y.chunk(2, -1)
    return a.tanh() * b.sigmoid()
