"""The passes of a rational-quadratic spline as operations on tensors: on any device, and under ``torch.compile``.

The parameters and bins stand in front, so that each pass runs along whole batches. Where terms could cancel, the
formulas are sums of positive ones, so that the log-derivative is good to a few units in the last place.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["MINIMUM", "SHIFT", "evaluate", "gradient", "interval"]

MINIMUM = 1e-3  # of a bin's share of the interval and of a knot's derivative (Durkan et al. 2019, as in nflows)
SHIFT = math.log(math.expm1(1 - MINIMUM))  # makes the derivative of a zero parameter 1


def interval(bins: int, bound: float) -> tuple[float, float]:
    """A bin's least size, and what is left for the shares."""
    return 2 * bound * MINIMUM, 2 * bound * (1 - bins * MINIMUM)


def evaluate(
    x: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"], bins: int, bound: float, inverse: bool
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], tuple[Tensor, ...]]:
    """The image, the log-derivative, and what the gradient needs: which points are in [−B, B], where, and ξ, s, d."""
    z = x.clamp(-bound, bound)
    inside = x == z
    place = _locate(z, parameters, bins, bound, int(inverse))
    (u, v), (w, h) = place.corner.unbind(), place.size.unbind()
    d0, d1 = softplus(place.raw).add_(MINIMUM).unbind()
    s = h / w
    if inverse:
        xi, derivative = _root((z - v).div_(h).clamp_(0, 1), s, d0, d1)
        y = torch.addcmul(u, w, xi)
    else:
        xi = (z - u).div_(w).clamp_(0, 1)
        curve = _curve(xi, s, d0, d1)
        y, derivative = torch.addcmul(v, h, curve.eta), curve.slope
    return torch.where(inside, y, x), derivative.log().mul_(inside), (inside, *place, xi, s, d0, d1)


def gradient(
    saved: tuple[Tensor, ...],
    grad: Float[Tensor, "*shape"],
    grad_log: Float[Tensor, "*shape"],
    bins: int,
    bound: float,
    inverse: bool,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, " p *shape"]]:
    """The gradients by the argument and by the parameters, given those by the image and by the log-derivative."""
    inside, place, c = saved[0], _Place(*saved[1:-4]), _curve(*saved[-4:])
    (w, h), within = place.size, inside.to(grad.dtype)
    gy, gl = grad * within, grad_log * within
    if inverse:
        # y = g(x) makes dx = (dy − g_θ dθ) / g′; the log-derivative is −log g′, taken at x(y, θ).
        gl.neg_()
    twice = gl + gl
    bent = _half_bend(c).mul_(twice)
    if inverse:
        gx = torch.addcdiv(gy, bent, w).div_(c.slope)
        across, up = gy, -gx
    else:
        gx = torch.addcdiv(gy * c.slope, bent, w)
        across, up = -gx, gy
    g_s, g_ends = _slopes_gradient(c, up * h, gl, twice)
    g_s_over_w = g_s / w
    by_w = torch.addcmul(across * c.xi, g_s_over_w, c.s, value=-1)
    g_bin = torch.stack([across, up, by_w, torch.addcmul(g_s_over_w, up, c.eta)])
    g_parameters = _parameters_gradient(place, g_bin, g_ends.mul_(place.raw.sigmoid()), bins, bound)
    return torch.where(inside, gx, grad), g_parameters


class _Place(NamedTuple):
    """Each point's bin, and where it stands; an axis of two is (across, up), of ends (left, right)."""

    shares: Float[Tensor, "bins 2 *shape"]  # of each bin in the interval, beyond the minimum
    passed: Float[Tensor, " inner *shape"]  # 1 for each inner knot at or before the point, else 0
    number: Float[Tensor, " *shape"]  # of the bin
    at: Int[Tensor, " 2 *shape"]  # the bin's position among the flattened shares
    ends: Int[Tensor, " 2 *shape"]  # its two knots' positions among the flattened derivatives
    corner: Float[Tensor, " 2 *shape"]
    size: Float[Tensor, " 2 *shape"]
    raw: Float[Tensor, " 2 *shape"]  # the derivatives at its two knots before the softplus


class _Curve(NamedTuple):
    """The quotient η(ξ) within a bin, with what its derivatives need.

    Its parts are de Casteljau's points: a between d₀ and s, b between s and d₁; between a and b the slope's numerator,
    between b and a the denominator of both.
    """

    xi: Float[Tensor, "*shape"]
    s: Float[Tensor, "*shape"]
    d0: Float[Tensor, "*shape"]
    d1: Float[Tensor, "*shape"]
    a: Float[Tensor, "*shape"]
    b: Float[Tensor, "*shape"]
    numerator: Float[Tensor, "*shape"]
    denominator: Float[Tensor, "*shape"]
    eta: Float[Tensor, "*shape"]
    slope: Float[Tensor, "*shape"]  # g′ = s η′


def _locate(z: Tensor, parameters: Tensor, bins: int, bound: float, axis: int) -> _Place:
    """Find the bin of each point in [−B, B] along the given axis."""
    least, spread = interval(bins, bound)
    shares = parameters[: 2 * bins].view(bins, 2, *z.shape).softmax(0)
    sizes = torch.add(z.new_full((), least), shares, alpha=spread)
    knots = torch.empty_like(sizes)
    corners = knots.unbind()
    corners[0].fill_(-bound)
    for left, size, right in zip(corners, sizes.unbind(), corners[1:], strict=False):
        torch.add(left, size, out=right)  # a cumulative sum, but along whole batches
    passed = torch.ge(z, knots[1:, axis], out=z.new_empty(bins - 1, *z.shape))
    number = passed.sum(0)
    k, n = number.long(), z.numel()
    index = torch.arange(2 * n, device=z.device).view(2, *z.shape)
    at, ends = torch.add(index, k, alpha=2 * n), torch.add(index, k, alpha=n)
    border = torch.zeros_like(z)[None]  # a zero parameter means the derivative 1 of the identity outside
    inner = torch.cat([border, parameters[2 * bins :], border])
    raw = _take(inner, ends).add_(SHIFT)
    return _Place(shares, passed, number, at, ends, _take(knots, at), _take(sizes, at), raw)


def _parameters_gradient(place: _Place, g_bin: Tensor, g_raw: Tensor, bins: int, bound: float) -> Tensor:
    """Spread the gradients of each point's corner and size over the parameters that made them."""
    least, spread = interval(bins, bound)
    shape = place.size.shape[1:]
    below = torch.sub(place.corner, place.number, alpha=least).add_(bound)
    # The softmax's gradient: each share times what its own gradient exceeds the mean under the shares.
    mean = torch.addcmul(g_bin[:2] * below, g_bin[2:], place.size - least).neg_()
    g_bin.mul_(spread)
    g = mean.new_empty(3 * bins, *shape)
    # The padded derivatives overlap the last height and a row beyond the end: heights are written later.
    g[2 * bins - 1 :].zero_().view(-1).scatter_(0, place.ends.view(-1), g_raw.view(-1))
    g_shares = g[: 2 * bins].view(bins, 2, *shape)
    torch.addcmul(mean, place.passed[:, None], g_bin[:2], out=g_shares[:-1])
    g_shares[-1].copy_(mean)
    g_shares.view(-1).scatter_(0, place.at.view(-1), mean.add_(g_bin[2:]).view(-1))
    g_shares.mul_(place.shares)
    return g[:-1]


def _curve(xi: Tensor, s: Tensor, d0: Tensor, d1: Tensor) -> _Curve:
    a, b = torch.lerp(d0, s, xi), torch.lerp(s, d1, xi)
    numerator, denominator = torch.lerp(a, b, xi), torch.lerp(b, a, xi)
    eta = (a * xi).div_(denominator)
    slope = (s / denominator).square_().mul_(numerator)
    return _Curve(xi, s, d0, d1, a, b, numerator, denominator, eta, slope)


def _half_bend(c: _Curve) -> Tensor:
    """½ ∂ log g′ / ∂ξ."""
    hump = torch.add(c.d0 + c.d1, c.s, alpha=-2)
    tilt = torch.rsub(c.xi, 1, alpha=2)
    return (c.b - c.a).div_(c.numerator).addcdiv_(hump.mul_(tilt), c.denominator, value=-1)


def _slopes_gradient(c: _Curve, g_eta: Tensor, g_log: Tensor, twice: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients by s and by (d₀, d₁) at fixed ξ, given those by η and by log g′, once and twice."""
    g_numerator = g_log / c.numerator
    g_denominator = torch.addcmul(twice, g_eta, c.eta).div_(c.denominator).neg_()
    g_a = torch.lerp(g_numerator, torch.addcdiv(g_denominator, g_eta, c.denominator), c.xi)
    g_b = torch.lerp(g_denominator, g_numerator, c.xi)
    g_s = torch.lerp(g_b, g_a, c.xi).addcdiv_(twice, c.s)
    return g_s, torch.stack([torch.addcmul(g_a, g_a, c.xi, value=-1), g_b * c.xi])


def _root(eta: Tensor, s: Tensor, d0: Tensor, d1: Tensor) -> tuple[Tensor, Tensor]:
    """The ξ in [0, 1] where the quotient is η, and 1 / g′ there.

    The odds ξ / (1 − ξ) solve a quadratic with the coefficients s (1 − η), b and −s η, whose discriminant is a sum of
    positive terms; its root r is also the curve's denominator over that derivative, but for a factor s.
    """
    below = s * eta
    above = s - below
    b = torch.lerp(d0, -d1, eta)  # exact at both ends: there the product below is 0, and b must not be
    r = torch.addcmul(b * b, below, above, value=4).sqrt_()
    q, rises = b.abs().add_(r), b >= 0
    xi = torch.where(rises, below + below, q).div_(q.add_(torch.where(rises, below, above), alpha=2))
    denominator = torch.lerp(torch.lerp(s, d1, xi), torch.lerp(d0, s, xi), xi)
    return xi, denominator.div_(r.mul_(s))


def _take(values: Tensor, index: Tensor) -> Tensor:
    """The values at positions of the flattened tensor: several times faster than ``gather``."""
    return values.view(-1).index_select(0, index.view(-1)).view(index.shape)
