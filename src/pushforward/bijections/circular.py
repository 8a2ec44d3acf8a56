"""Monotone rational-quadratic splines on a circle."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, softplus

from pushforward.bijections.spline import check
from pushforward.bijections.spline_tensors import MINIMUM, SHIFT

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
        inside = u.abs() <= self.bound
        z = u.where(inside, 0)
        corner, size, ends = self._bin(z, parameters, axis=0)
        eta, log_slope = _curve(((z - corner[0]) / size[0]).clamp(0, 1), size, ends)
        return torch.where(inside, torch.addcmul(corner[1], size[1], eta), u), log_slope * inside

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The argument u with g(u) = v, and −log g′(u)."""
        inside = v.abs() <= self.bound
        z = v.where(inside, 0)
        corner, size, ends = self._bin(z, parameters, axis=1)
        xi = _root(((z - corner[1]) / size[1]).clamp(0, 1), size, ends)
        log_slope = _curve(xi, size, ends)[1]
        return torch.where(inside, torch.addcmul(corner[0], size[0], xi), v), -log_slope * inside

    def _bin(self, z: Tensor, parameters: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """The corner (across, up) of each point's bin, its size (across, up) and the derivatives (left, right)."""
        if parameters.shape != (self.parameters, *z.shape):
            expected = (self.parameters, *z.shape)
            raise ValueError(f"expected parameters of shape {expected}, received {tuple(parameters.shape)}")
        k, b = self.bins, self.bound
        shares = MINIMUM + (1 - k * MINIMUM) * parameters[: 2 * k].unflatten(0, (k, 2)).softmax(0)
        sizes = 2 * b * shares.transpose(0, 1)  # (2, K, *shape)
        knots = pad(sizes.cumsum(1)[:, :-1].movedim(1, -1), (1, 0)).movedim(-1, 1) - b
        derivatives = MINIMUM + softplus(torch.cat([parameters[2 * k :], parameters[2 * k : 2 * k + 1]]) + SHIFT)
        at = (z >= knots[axis, 1:]).sum(0, keepdim=True)  # (1, *shape)
        corner, size = (t.gather(1, at.expand(2, 1, *z.shape)).squeeze(1) for t in (knots, sizes))
        return corner, size, derivatives.gather(0, torch.cat([at, at + 1]))


def _curve(xi: Tensor, size: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    """How far up its bin a point is, as a share, and the logarithm of the slope there."""
    s, rest, t = size[1] / size[0], 1 - xi, xi * (1 - xi)
    bow = xi.square() + rest.square()
    denominator = s * bow + ends.sum(0) * t
    eta = (s * xi.square() + ends[0] * t) / denominator
    numerator = ends[1] * xi.square() + 2 * s * t + ends[0] * rest.square()
    return eta, numerator.log() + 2 * (s / denominator).log()


def _root(eta: Tensor, size: Tensor, ends: Tensor) -> Tensor:
    """The ξ in [0, 1] where the curve has risen by the share η: the root of a quadratic, without cancellation."""
    s = size[1] / size[0]
    b = ends[0] - eta * (ends.sum(0) - 2 * s)
    return 2 * s * eta / (b + (b.square() + 4 * (s - b) * s * eta).clamp(min=0).sqrt())
