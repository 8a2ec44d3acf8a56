"""What every bijection promises: the map and its log-determinant together, in both directions."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Bijection"]


class Bijection(nn.Module, ABC):
    r"""An invertible map x = f(z) from codes to patterns, whose parameters may depend on a context.

    Each direction returns the image and the logarithm of the absolute determinant of its own Jacobian, so the
    two log-determinants at a point and its image add up to zero.
    """

    @abstractmethod
    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        r"""The pattern x = f(z) and :math:`\log |\det \partial x / \partial z|`."""

    @abstractmethod
    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        r"""The code :math:`z = f^{-1}(x)` and :math:`\log |\det \partial z / \partial x|`."""

    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Initialise what depends on data from a first batch of patterns; most have nothing to do."""
