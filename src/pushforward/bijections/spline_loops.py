"""The passes of a rational-quadratic spline as loops over the CPU's memory, compiled by Numba: the same formulas.

Each loop runs over points, writes rows that are arguments of its own, and selects instead of branching; so the compiler
makes vector instructions of it. One thread of them takes a third of the time of the tensor operations on two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

import numba
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from pushforward.bijections.spline_tensors import MINIMUM, SHIFT, interval

__all__ = ["evaluate", "gradient"]

Loop = TypeVar("Loop", bound=Callable[..., Any])
Row = Float[np.ndarray, " n"]
Rows = Float[np.ndarray, "r n"]

PLACE = 10
"""Rows that say where a point stands: its bin's corner (2) and size (2), the raw derivatives at its ends (2), its
number, the derivatives at its ends (2), and ξ."""
BY_BIN = 8
"""Rows of gradients: by the corner (2), by the size (2), by both ends' derivatives, and two means under the shares."""
BLOCK = 4096
"""Points that go through all bins before the next ones: their rows stay in the cache."""


def compiled(loop: Loop) -> Loop:
    """The loop as machine code, kept on disk where there is a place for it."""
    try:
        made = numba.njit(loop, cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
    except RuntimeError:  # neither beside this file nor in the user's cache may be written
        made = numba.njit(loop, nogil=True, error_model="numpy", fastmath={"contract"})
    return cast(Loop, made)


def evaluate(
    x: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"], bins: int, bound: float, inverse: bool
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], tuple[Tensor, ...]]:
    """As in :mod:`~pushforward.bijections.spline_tensors`."""
    x, parameters = x.detach(), parameters.detach().view(len(parameters), x.numel())
    shares = parameters[: 2 * bins].view(bins, 2, x.numel()).softmax(0).view(2 * bins, x.numel())
    place, constants = x.new_empty(PLACE, x.numel()), _constants(bins, bound, x.dtype)
    points, rows = _row(x), place.numpy()
    _locate(points, shares.numpy(), parameters[2 * bins :].numpy(), constants, inverse, rows)
    place[7:9] = softplus(place[4:6])
    y, slope = torch.empty_like(x), torch.empty_like(x)
    _move(points, constants, inverse, rows, _row(y), _row(slope))
    log_slope = _row(slope)
    np.log(log_slope, out=log_slope)
    return y, slope, (x, shares, place)


def gradient(
    saved: tuple[Tensor, ...],
    grad: Float[Tensor, "*shape"],
    grad_log: Float[Tensor, "*shape"],
    bins: int,
    bound: float,
    inverse: bool,
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, " p *shape"]]:
    """As in :mod:`~pushforward.bijections.spline_tensors`."""
    x, shares, place = saved
    constants = _constants(bins, bound, x.dtype)
    gx, by_bin, g = torch.empty_like(x), x.new_empty(BY_BIN, x.numel()), x.new_empty(3 * bins - 1, x.numel())
    rises, rows, gradients = place[4:6].sigmoid().numpy(), place.numpy(), by_bin.numpy()
    _return(_row(x), _row(grad), _row(grad_log), constants, inverse, rows, rises, _row(gx), gradients)
    _spread(shares.numpy(), rows[6], gradients, g.numpy())
    return gx, g.view(-1, *x.shape)


@cache
def _constants(bins: int, bound: float, dtype: torch.dtype) -> Row:
    """The bound, a bin's least size, what is left for shares, the identity's raw derivative, the least derivative."""
    return torch.tensor([bound, *interval(bins, bound), SHIFT, MINIMUM], dtype=dtype).numpy()


def _row(x: Tensor) -> Row:
    row: Row = x.view(-1).numpy()
    return row


@compiled
def _locate(x: Row, shares: Rows, slopes: Rows, constants: Row, upwards: bool, place: Rows) -> None:
    """Find each point's bin across, or upwards."""
    searched = 1 if upwards else 0
    other = 1 - searched
    bins, size = shares.shape[0] // 2, min(BLOCK, x.size)
    z, edge, other_edge = np.empty(size, x.dtype), np.empty(size, x.dtype), np.empty(size, x.dtype)
    border = np.zeros(size, x.dtype)  # a zero parameter means the derivative 1 of the identity outside
    for start in range(0, x.size, BLOCK):
        end = min(start + BLOCK, x.size)
        n = end - start
        _clamp(x[start:end], constants, z[:n], place[5, start:end])
        edge[:], other_edge[:] = -constants[0], -constants[0]
        for k in range(bins):
            _enter(
                k, z[:n], constants, edge[:n], other_edge[:n],
                shares[2 * k + searched, start:end], shares[2 * k + other, start:end],
                slopes[k, start:end] if k < bins - 1 else border[:n],
                place[searched, start:end], place[other, start:end],
                place[2 + searched, start:end], place[2 + other, start:end],
                place[4, start:end], place[5, start:end], place[6, start:end],
            )  # fmt: skip


@compiled
def _clamp(x: Row, constants: Row, z: Row, raw: Row) -> None:
    bound, shift = constants[0], constants[3]
    for i in range(x.size):
        above = x[i] if x[i] > -bound else -bound  # which NaN is not
        z[i] = above if above < bound else bound
        raw[i] = shift


@compiled
def _enter(
    k: int, z: Row, constants: Row, edge: Row, other: Row, share: Row, other_share: Row, slope: Row,
    corner: Row, other_corner: Row, size: Row, other_size: Row, raw0: Row, raw1: Row, number: Row,
) -> None:  # fmt: skip
    """Points at or beyond the bin's edge are in it, or in a later one; then go on to its other edge."""
    least, spread, shift, this = constants[1], constants[2], constants[3], z.dtype.type(k)
    for i in range(z.size):
        a, b, end = edge[i], other[i], raw1[i]
        beyond = z[i] >= a
        length, other_length = least + spread * share[i], least + spread * other_share[i]
        corner[i] = a if beyond else corner[i]
        other_corner[i] = b if beyond else other_corner[i]
        size[i] = length if beyond else size[i]
        other_size[i] = other_length if beyond else other_size[i]
        raw0[i] = end if beyond else raw0[i]
        raw1[i] = slope[i] + shift if beyond else end
        number[i] = this if beyond else number[i]
        edge[i], other[i] = a + length, b + other_length


@compiled
def _lerp(a: float, b: float, t: float, half: float) -> float:
    """From a at t = 0 to b at t = 1, exact at both."""
    return a + t * (b - a) if t < half else b - (b - a) * ((half + half) - t)


@compiled
def _unit(t: float, one: float) -> float:
    above = t if t > one - one else one - one
    return above if above < one else one


@compiled
def _move(x: Row, constants: Row, inverse: bool, place: Rows, y: Row, slope: Row) -> None:
    """The image, or the argument, and the derivative there."""
    u, v, w, h, d0, d1, xi = place[0], place[1], place[2], place[3], place[7], place[8], place[9]
    d0 += constants[4]
    d1 += constants[4]
    if inverse:
        _fall(x, constants, u, v, w, h, d0, d1, y, slope, xi)
    else:
        _rise(x, constants, u, v, w, h, d0, d1, y, slope, xi)


@compiled
def _rise(
    x: Row, constants: Row, u: Row, v: Row, w: Row, h: Row, d0: Row, d1: Row, y: Row, slope: Row, xi: Row
) -> None:
    """The image and the derivative there."""
    bound, one = constants[0], x.dtype.type(1)
    half = one / x.dtype.type(2)
    for i in range(x.size):
        inside, s = abs(x[i]) <= bound, h[i] / w[i]
        t = _unit((x[i] - u[i]) / w[i], one)
        a, b = _lerp(d0[i], s, t, half), _lerp(s, d1[i], t, half)
        denominator = _lerp(b, a, t, half)
        ratio = s / denominator
        y[i] = v[i] + h[i] * (a * t / denominator) if inside else x[i]
        slope[i] = ratio * ratio * _lerp(a, b, t, half) if inside else one
        xi[i] = t


@compiled
def _fall(
    x: Row, constants: Row, u: Row, v: Row, w: Row, h: Row, d0: Row, d1: Row, y: Row, slope: Row, xi: Row
) -> None:
    """The argument and the inverse's derivative."""
    bound, one = constants[0], x.dtype.type(1)
    half = one / x.dtype.type(2)
    for i in range(x.size):
        inside, s = abs(x[i]) <= bound, h[i] / w[i]
        eta = _unit((x[i] - v[i]) / h[i], one)
        below = s * eta
        above = s - below
        b = _lerp(d0[i], -d1[i], eta, half)
        product = below * above
        r = math.sqrt(b * b + (product + product + product + product))
        q = abs(b) + r
        rises = b >= one - one
        rest = below if rises else above
        t = (below + below if rises else q) / (q + rest + rest)
        denominator = _lerp(_lerp(s, d1[i], t, half), _lerp(d0[i], s, t, half), t, half)
        y[i] = u[i] + w[i] * t if inside else x[i]
        slope[i] = denominator / (r * s) if inside else one
        xi[i] = t


@compiled
def _return(
    x: Row, grad: Row, grad_log: Row, constants: Row, inverse: bool, place: Rows, rises: Rows, gx: Row, by_bin: Rows
) -> None:
    """The gradients by the argument and by what stands in the rows of a point's bin."""
    u, v, w, h, number, d0, d1, xi = place[0], place[1], place[2], place[3], place[6], place[7], place[8], place[9]
    g_u, g_v, g_w, g_h, g0, g1 = by_bin[0], by_bin[1], by_bin[2], by_bin[3], by_bin[4], by_bin[5]
    _bend(x, xi, grad, grad_log, constants, inverse, w, h, d0, d1, gx, g_u, g_v, g_w, g_h, g0, g1)
    _mean(constants, number, u, w, g_u, g_w, by_bin[6])
    _mean(constants, number, v, h, g_v, g_h, by_bin[7])
    g0 *= rises[0]
    g1 *= rises[1]


@compiled
def _bend(
    x: Row, xi: Row, grad: Row, grad_log: Row, constants: Row, inverse: bool, w: Row, h: Row, d0: Row, d1: Row,
    gx: Row, g_u: Row, g_v: Row, g_w: Row, g_h: Row, g0: Row, g1: Row,
) -> None:  # fmt: skip
    """The gradients by the argument, by the bin's corner and size, and by the derivatives at its ends.

    Those by corner and size are times what is left for the shares.
    """
    bound, spread, one = constants[0], constants[2], x.dtype.type(1)
    half, none = one / x.dtype.type(2), one - one
    for i in range(x.size):
        inside, s, t, e0, e1 = abs(x[i]) <= bound, h[i] / w[i], xi[i], d0[i], d1[i]
        a, b = _lerp(e0, s, t, half), _lerp(s, e1, t, half)
        numerator, denominator = _lerp(a, b, t, half), _lerp(b, a, t, half)
        eta, ratio = a * t / denominator, s / denominator
        gy, gl = grad[i] if inside else none, grad_log[i] if inside else none
        gl = -gl if inverse else gl  # the log-derivative is −log g′, taken at x(y, θ)
        twice = gl + gl
        hump = (e0 + e1 - s - s) * (one - t - t)
        bent = twice * ((b - a) / numerator - hump / denominator) / w[i]
        slope = ratio * ratio * numerator
        # y = g(x) makes dx = (dy − g_θ dθ) / g′.
        by_x = (gy + bent) / slope if inverse else gy * slope + bent
        across, up = (gy if inverse else -by_x), (-by_x if inverse else gy)
        g_eta, g_numerator = up * h[i], gl / numerator
        g_denominator = -(twice + g_eta * eta) / denominator
        g_a = _lerp(g_numerator, g_denominator + g_eta / denominator, t, half)
        g_b = _lerp(g_denominator, g_numerator, t, half)
        by_s = (_lerp(g_b, g_a, t, half) + twice / s) / w[i]
        g_u[i], g_v[i] = across * spread, up * spread
        g_w[i], g_h[i] = (across * t - by_s * s) * spread, (by_s + up * eta) * spread
        g0[i], g1[i] = g_a - g_a * t, g_b * t
        gx[i] = by_x if inside else grad[i]


@compiled
def _mean(constants: Row, number: Row, corner: Row, size: Row, g_corner: Row, g_size: Row, mean: Row) -> None:
    """Less the mean gradient under the shares of one axis: the softmax takes it from each share's own.

    It is known before the bins are gone through, for those before a point's own count alike.
    """
    bound, least, spread = constants[0], constants[1], constants[2]
    for i in range(size.size):
        passed = corner[i] + bound - number[i] * least
        mean[i] = -(g_corner[i] * passed + g_size[i] * (size[i] - least)) / spread


@compiled
def _spread(shares: Rows, number: Row, by_bin: Rows, g: Rows) -> None:
    """Spread those gradients over the parameters that made the bins."""
    bins = shares.shape[0] // 2
    for start in range(0, number.size, BLOCK):
        end = min(start + BLOCK, number.size)
        at = number[start:end]
        for k in range(bins):
            for axis in range(2):
                p, corner, size, mean = 2 * k + axis, by_bin[axis], by_bin[2 + axis], by_bin[6 + axis]
                _share(
                    k, at, shares[p, start:end], mean[start:end], corner[start:end], size[start:end], g[p, start:end]
                )
        for k in range(bins - 1):
            _knot(k, at, by_bin[4, start:end], by_bin[5, start:end], g[2 * bins + k, start:end])


@compiled
def _share(k: int, number: Row, share: Row, mean: Row, passed: Row, within: Row, g: Row) -> None:
    this = number.dtype.type(k)
    none = this - this
    for i in range(number.size):
        own = within[i] if number[i] == this else none
        g[i] = share[i] * (mean[i] + (passed[i] if number[i] > this else own))


@compiled
def _knot(k: int, number: Row, left: Row, right: Row, g: Row) -> None:
    """An inner knot is the right end of bin k and the left end of the next."""
    this, following = number.dtype.type(k), number.dtype.type(k + 1)
    none = this - this
    for i in range(number.size):
        at_left = left[i] if number[i] == following else none
        g[i] = right[i] if number[i] == this else at_left
