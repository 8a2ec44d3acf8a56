"""A monotone rational-quadratic spline as formulas that can be differentiated as often as one likes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, softplus

from pushforward.bijections.spline_tensors import MINIMUM, SHIFT, interval

__all__ = ["applied"]


def applied(
    x: Float[Tensor, "*shape"],
    shares: Float[Tensor, " 2k *shape"],
    slopes: Float[Tensor, " k+1 *shape"],
    bound: float,
    inverse: bool,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """The image of a spline, or its argument, and the log-derivative; the identity outside [−B, B].

    Arguments:
        x: Where.
        shares: K pairs that make the bins' widths and heights by a softmax.
        slopes: What makes the K + 1 derivatives at the knots by a softplus.
        bound: The bound B.
        inverse: Whether x is an image.
    """
    inside = x.abs() <= bound
    z = x.where(inside, 0)
    axis = int(inverse)
    corner, size, ends = _bin(z, shares, slopes, bound, axis)
    along = ((z - corner[axis]) / size[axis]).clamp(0, 1)
    xi = _root(along, size, ends) if inverse else along
    eta, log_slope = _curve(xi, size, ends)
    y = torch.addcmul(corner[1 - axis], size[1 - axis], xi if inverse else eta)
    return torch.where(inside, y, x), (-log_slope if inverse else log_slope) * inside


def _bin(z: Tensor, shares: Tensor, slopes: Tensor, bound: float, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """The corner (across, up) of each point's bin, its size (across, up) and the derivatives (left, right)."""
    bins = len(slopes) - 1
    least, spread = interval(bins, bound)
    sizes = (least + spread * shares.unflatten(0, (bins, 2)).softmax(0)).transpose(0, 1)  # (2, K, *shape)
    knots = pad(sizes.cumsum(1)[:, :-1].movedim(1, -1), (1, 0)).movedim(-1, 1) - bound
    derivatives = MINIMUM + softplus(slopes + SHIFT)
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
