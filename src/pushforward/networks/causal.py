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
        >>> whole, memory = network(u), network.memory()
        >>> bool(torch.stack([network.step(u[:, t], memory) for t in range(5)], 1).allclose(whole, atol=1e-6))
        True
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.ModuleList(nn.Linear(2 * width, 2 * width) for _ in range(layers))
        self.outputs = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def remembered(self, steps: int) -> int:
        """The numbers that a memory holds for each row by the end of so many steps."""
        return self.width * sum(min(1 << i, steps) for i in range(len(self.gates)))

    def forward(self, u: Float[Tensor, "n t w"]) -> Float[Tensor, "n t w"]:
        """Every step at once."""
        h = u
        for i, (gate, output) in enumerate(zip(self.gates, self.outputs, strict=True)):
            back = min(2**i, h.shape[1])  # farther back there are zeros alone, which need not be made
            before = pad(h, (0, 0, back, 0))[:, : h.shape[1]]
            h = h + output(_gated(gate(torch.cat([h, before], -1))))
        return h

    def memory(self) -> list[list[Float[Tensor, "n w"]]]:
        """What :meth:`step` knows of the past before the first step, layer by layer: nothing."""
        return [[] for _ in self.gates]

    def step(self, u: Float[Tensor, "n w"], memory: list[list[Float[Tensor, "n w"]]]) -> Float[Tensor, "n w"]:
        """The next step, given a memory, which is moved on by one step."""
        h = u
        for i, (gate, output, past) in enumerate(zip(self.gates, self.outputs, memory, strict=True)):
            past.append(h)
            before = past.pop(0) if len(past) > 2**i else torch.zeros_like(h)
            h = h + output(_gated(gate(torch.cat([h, before], -1))))
        return h


def _gated(y: Float[Tensor, "*batch 2w"]) -> Float[Tensor, "*batch w"]:
    a, b = y.chunk(2, -1)
    return a.tanh() * b.sigmoid()
