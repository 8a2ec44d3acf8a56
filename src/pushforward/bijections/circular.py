"""Monotone rational-quadratic splines on a circle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.spline import check
from pushforward.bijections.spline_formulas import applied

__all__ = ["CircularRationalQuadratic"]


@dataclass(frozen=True)
class CircularRationalQuadratic:
    r"""A monotone rational-quadratic spline of angles in [−B, B] with K bins, as smooth across ±B as elsewhere.

    It is that of :class:`RationalQuadratic`, but its derivative at both ends is one number, and learned. The 3K
    parameters are K pairs for the widths and heights, then K for the derivatives at the knots, that of both ends first.
    Zero parameters give the identity. A value that is no angle in [−B, B] stays where it is.

    Source: Rezende et al. (2020), "Normalizing flows on tori and spheres".

    Arguments:
        bins: The number of bins K.
        bound: The bound B, half of the circumference.

    Example:
        >>> spline = CircularRationalQuadratic(bins=4)
        >>> ends = torch.tensor([-math.pi, math.pi])
        >>> v, log_slope = spline.forward(ends, torch.ones(spline.parameters, 2))
        >>> v.allclose(ends), log_slope.diff().abs().item() < 1e-5
        (True, True)
    """

    bins: int = 8
    bound: float = math.pi

    def __post_init__(self) -> None:
        check(self.bins, self.bound)

    @property
    def parameters(self) -> int:
        """The number of parameters, 3K."""
        return 3 * self.bins

    def forward(
        self, u: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The image g(u) and log g′(u)."""
        return self._applied(u, parameters, inverse=False)

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The argument u with g(u) = v, and −log g′(u)."""
        return self._applied(v, parameters, inverse=True)

    def _applied(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        if parameters.shape != (self.parameters, *x.shape):
            expected = (self.parameters, *x.shape)
            raise ValueError(f"expected parameters of shape {expected}, received {tuple(parameters.shape)}")
        shares, slopes = parameters.split([2 * self.bins, self.bins])
        return applied(x, shares, torch.cat([slopes, slopes[:1]]), self.bound, inverse)
