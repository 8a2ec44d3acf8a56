"""Monotone rational-quadratic splines, with their gradients by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

__all__ = ["RationalQuadratic"]

MINIMUM = 1e-3  # of a bin's share of the interval and of a knot's derivative (Durkan et al. 2019, as in nflows)
SHIFT = math.log(math.expm1(1 - MINIMUM))  # makes the derivative of a zero parameter 1


@dataclass(frozen=True)
class RationalQuadratic:
    r"""A monotone rational-quadratic spline on [−B, B] with K bins, and the identity outside.

    In bin k, with :math:`\xi = (u - u_k)/w_k` and slope :math:`s = h_k / w_k`,

    .. math:: g(u) = v_k + h_k \frac{s\,\xi^2 + d_k\,\xi(1-\xi)}{s + (d_{k+1} + d_k - 2s)\,\xi(1-\xi)}.

    The 3K − 1 parameters are K pairs for the widths w and heights h, each a softmax kept above a thousandth
    of the interval, then K − 1 for the derivatives d at the inner knots, a softplus kept above a thousandth.
    Zero parameters give the identity.

    Sources: Gregory and Delbourgo (1982); Durkan et al. (2019), "Neural Spline Flows".

    Arguments:
        bins: The number of bins K.
        bound: The bound B.

    Example:
        >>> spline = RationalQuadratic(bins=4, bound=3.0)
        >>> v, log_slope = spline.forward(torch.tensor([-1.0, 2.0, 7.0]), torch.zeros(spline.parameters, 3))
        >>> v.allclose(torch.tensor([-1.0, 2.0, 7.0])), log_slope.allclose(torch.zeros(3), atol=1e-6)
        (True, True)
    """

    bins: int = 8
    bound: float = 5.0

    def __post_init__(self) -> None:
        if not 2 <= self.bins < 1 / MINIMUM:
            raise ValueError(f"a spline needs 2 … {1 / MINIMUM - 1:.0f} bins, not {self.bins}")
        if not self.bound > 0:
            raise ValueError(f"a spline's bound is positive, unlike {self.bound}")

    @property
    def parameters(self) -> int:
        """The number of parameters, 3K − 1."""
        return 3 * self.bins - 1

    def forward(
        self, u: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The image g(u) and log g′(u)."""
        return self._apply(u, parameters, inverse=False)

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The argument u with g(u) = v, and −log g′(u)."""
        return self._apply(v, parameters, inverse=True)

    def _apply(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        if parameters.shape != (self.parameters, *x.shape):
            expected = (self.parameters, *x.shape)
            raise ValueError(f"expected parameters of shape {expected}, received {tuple(parameters.shape)}")
        y, log_derivative = _Spline.apply(x.contiguous(), parameters.contiguous(), self.bins, self.bound, inverse)
        return y, log_derivative


class _Spline(Function):
    """The spline or its inverse, with its gradient by hand, in few passes over memory.

    The parameters and bins stand in front, so that each pass runs along whole batches. Where terms could
    cancel, the formulas are sums of positive ones, so that the log-derivative is good to a few units in the
    last place.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, parameters: Tensor, bins: int, bound: float, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        inside = x.abs() <= bound
        z = x.clamp(-bound, bound)
        place = _locate(z, parameters, bins, bound, int(inverse))
        (u, v), (w, h) = place.corner, place.size
        d0, d1 = derivatives = softplus(place.raw).add_(MINIMUM)
        s = h / w
        xi = _root((z - v) / h, s, d0, d1) if inverse else (z - u) / w
        curve = _curve(xi.clamp_(0, 1), s, d0, d1)
        log_slope = curve.slope.log() * inside
        ctx.save_for_backward(inside, derivatives, *place, *curve)
        ctx.bins, ctx.bound, ctx.inverse = bins, bound, inverse
        if inverse:
            return torch.where(inside, torch.addcmul(u, w, xi), x), -log_slope
        return torch.where(inside, torch.addcmul(v, h, curve.eta), x), log_slope

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, grad_log: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        inside, derivatives, *saved = ctx.saved_tensors
        place, curve = _Place(*saved[: len(_Place._fields)]), _Curve(*saved[len(_Place._fields) :])
        w, h = place.size
        gy, gl = grad * inside, grad_log * inside
        bend = _bend(curve, *derivatives)
        if ctx.inverse:
            # y = g(x) makes dx = (dy − g_θ dθ) / g′; the log-derivative is −log g′, taken at x(y, θ).
            gl = -gl
            gx = torch.addcdiv(gy, gl * bend, w) / curve.slope
            gy = -gx
        g_xi = torch.addcmul(gl * bend, gy * w, curve.slope)
        if not ctx.inverse:
            gx = g_xi / w
        g_s, g_ends = _slopes_gradient(curve, gy * h, gl)
        over_w = w.reciprocal()
        g_corner = torch.stack([-g_xi * over_w, gy])
        g_size = torch.stack([
            torch.addcmul(g_xi * curve.xi, g_s, curve.s).mul_(-over_w),
            torch.addcmul(g_s * over_w, gy, curve.eta),
        ])  # fmt: skip
        g_raw = g_ends * place.raw.sigmoid()
        g_parameters = _parameters_gradient(place, g_corner, g_size, g_raw, ctx.bins, ctx.bound)
        return torch.where(inside, gx, grad), g_parameters, None, None, None


class _Place(NamedTuple):
    """Each point's bin, and where it stands; an axis of two is (across, up), of ends (left, right)."""

    shares: Float[Tensor, "bins 2 *shape"]  # of each bin in the interval, beyond the minimum
    passed: Float[Tensor, " inner *shape"]  # 1 for each inner knot at or before the point, else 0
    at: Int[Tensor, " 2 *shape"]  # the bin's position among the flattened shares
    ends: Int[Tensor, " 2 *shape"]  # its two knots' positions among the flattened derivatives
    corner: Float[Tensor, " 2 *shape"]
    size: Float[Tensor, " 2 *shape"]
    raw: Float[Tensor, " 2 *shape"]  # the derivatives at its two knots before the softplus


def _locate(z: Tensor, parameters: Tensor, bins: int, bound: float, axis: int) -> _Place:
    """Find the bin of each point in [−B, B] along the given axis."""
    least, spread = _constants(bins, bound)
    shares = parameters[: 2 * bins].unflatten(0, (bins, 2)).softmax(0)
    sizes = torch.add(z.new_full((), least), shares, alpha=spread)
    corners = [z.new_full((2, *z.shape), -bound)]
    for size in sizes.unbind()[:-1]:  # a cumulative sum, but along whole batches
        corners.append(corners[-1] + size)
    stacked = torch.stack(corners)
    passed = (z - stacked[1:, axis]).ge_(0)
    k = passed.sum(0).long()
    index = torch.arange(2 * z.numel(), device=z.device).view(2, *z.shape)
    at = torch.add(index, k, alpha=2 * z.numel())
    ends = torch.add(index, k, alpha=z.numel())
    border = torch.zeros_like(z)[None]  # a zero parameter means the derivative 1 of the identity outside
    inner = torch.cat([border, parameters[2 * bins :], border])
    return _Place(shares, passed, at, ends, _take(stacked, at), _take(sizes, at), _take(inner, ends).add_(SHIFT))


def _parameters_gradient(
    place: _Place, g_corner: Tensor, g_size: Tensor, g_raw: Tensor, bins: int, bound: float
) -> Tensor:
    """Spread the gradients of each point's bin over the parameters that made it."""
    least, spread = _constants(bins, bound)
    shape = place.size.shape[1:]
    below = (place.corner + bound).sub_(place.passed.sum(0), alpha=least)
    # The softmax's gradient: each share times what its own gradient exceeds the mean under the shares.
    mean = torch.addcmul(g_corner * below, g_size, place.size - least)
    g_corner, g_size = g_corner * spread, g_size * spread
    g = place.size.new_empty(3 * bins, *shape)
    # The padded derivatives overlap the last height and a row beyond the end: heights are written later.
    g[2 * bins - 1 :].zero_().view(-1).scatter_(0, place.ends.view(-1), g_raw.view(-1))
    g_shares = g[: 2 * bins].view(bins, 2, *shape)
    torch.addcmul(-mean, place.passed[:, None], g_corner, out=g_shares[:-1])
    torch.neg(mean, out=g_shares[-1])
    g_shares.view(-1).scatter_(0, place.at.view(-1), (g_size - mean).view(-1))
    g_shares.mul_(place.shares)
    return g[:-1]


class _Curve(NamedTuple):
    """The quotient η(ξ) within a bin, with what its derivatives need."""

    xi: Float[Tensor, "*shape"]
    rest: Float[Tensor, "*shape"]  # 1 − ξ
    t: Float[Tensor, "*shape"]  # ξ (1 − ξ)
    bow: Float[Tensor, "*shape"]  # 1 − 2t, as ξ² + (1 − ξ)²
    s: Float[Tensor, "*shape"]
    sides: Float[Tensor, "*shape"]  # d₀ + d₁
    denominator: Float[Tensor, "*shape"]
    eta: Float[Tensor, "*shape"]
    numerator: Float[Tensor, "*shape"]  # of the slope
    slope: Float[Tensor, "*shape"]  # g′ = s η′


def _curve(xi: Tensor, s: Tensor, d0: Tensor, d1: Tensor) -> _Curve:
    rest = 1 - xi
    x2, r2, t = xi * xi, rest * rest, xi * rest
    bow, sides = x2 + r2, d0 + d1
    denominator = torch.addcmul(s * bow, sides, t)
    eta = torch.addcmul(d0 * t, s, x2).div_(denominator)
    numerator = (d1 * x2).addcmul_(d0, r2).addcmul_(s, t, value=2)
    slope = (s / denominator).square_().mul_(numerator)
    return _Curve(xi, rest, t, bow, s, sides, denominator, eta, numerator, slope)


def _bend(c: _Curve, d0: Tensor, d1: Tensor) -> Tensor:
    """∂ log g′ / ∂ξ."""
    tilt = c.rest - c.xi
    by_numerator = (d1 * c.xi).addcmul_(c.s, tilt).addcmul_(d0, c.rest, value=-1).div_(c.numerator)
    by_denominator = torch.add(c.sides, c.s, alpha=-2).mul_(tilt)
    return by_numerator.addcdiv_(by_denominator, c.denominator, value=-1).mul_(2)


def _slopes_gradient(c: _Curve, g_eta: Tensor, g_log: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients by s and by (d₀, d₁) at fixed ξ, given those by η and by log g′."""
    g_eta = g_eta / c.denominator
    g_den = torch.add(g_log, g_log).div_(c.denominator)
    g_num = g_log / c.numerator
    x2, r2 = c.xi * c.xi, c.rest * c.rest
    g_s = torch.addcmul(x2, c.eta, c.bow, value=-1).mul_(g_eta).addcmul_(g_den, c.bow, value=-1)
    g_s.addcmul_(g_num, c.t, value=2).addcdiv_(g_log, c.s, value=2)
    common = torch.addcmul(g_den, g_eta, c.eta).mul_(c.t)
    g_d0 = (g_num * r2).addcmul_(g_eta, c.t).sub_(common)
    g_d1 = (g_num * x2).sub_(common)
    return g_s, torch.stack([g_d0, g_d1])


def _root(eta: Tensor, s: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    """The ξ in [0, 1] where the quotient is η: the root of a ξ² + b ξ − s η, without cancellation."""
    b = d0 - eta * (d0 + d1 - 2 * s)
    a = s - b
    q = b.abs() + (b.square() + 4 * a * s * eta).clamp_(min=0).sqrt()
    return torch.where(b >= 0, 2 * s * eta / q, q / (2 * a))


def _constants(bins: int, bound: float) -> tuple[float, float]:
    """A bin's least size, and what is left for the shares."""
    return 2 * bound * MINIMUM, 2 * bound * (1 - bins * MINIMUM)


def _take(values: Tensor, index: Tensor) -> Tensor:
    """The values at positions of the flattened tensor: several times faster than ``gather``."""
    return values.view(-1).index_select(0, index.view(-1)).view(index.shape)
