"""What an increasing map of the real line promises: itself as data, for couplings and autoregressive maps to apply."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float
from torch import Tensor

__all__ = ["Univariate"]


class Univariate(Protocol):
    """An increasing map of the real line as data: its parameter count, and the map and its inverse.

    Both directions take the parameters in front, ``(P, *shape)``, and return the image and the log-derivative
    of that direction, each of the input's shape. With zero parameters it is the identity.
    """

    @property
    def parameters(self) -> int:
        """The number of parameters P."""

    def forward(
        self, u: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The image of ``u`` and the logarithm of the derivative there."""

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The argument whose image is ``v`` and the logarithm of the inverse's derivative there."""
