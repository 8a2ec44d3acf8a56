"""Two symmetric laws of one number at location 0 and scale 1, of which conditionals are made."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.special import log_ndtr, ndtr, ndtri

__all__ = ["STANDARDS", "Logistic", "Normal", "Standard"]

NARROW = 1e-2
"""Normal cells of at most this half-width are integrated by a series, in which nothing cancels."""
FURTHEST = 1e18
"""Where arguments are held, so that their squares are finite in single precision."""
TAIL = -15.0
"""Below it log Φ is taken from its asymptotic series, good to 2e-9: torch's has no good gradient there."""


class Standard(Protocol):
    """A symmetric law of one number, in closed form. All functions work element by element."""

    def log_density(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""

    def log_cell(
        self, z: Float[Tensor, "*n"], half: Float[Tensor, "*n"], first: Bool[Tensor, "*n"], last: Bool[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of z − half … z + half; a first cell has no lower end, a last no upper."""

    def cdf(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The distribution function."""

    def quantile(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The inverse of the distribution function."""


class Logistic:
    r"""The logistic law, :math:`F(z) = \sigma(z)`.

    For a cell with ends a < b, log(σ(b) − σ(a)) = log σ(b) + log σ(−a) + log(1 − e^{a−b}), without cancellation.

    Example:
        >>> z, no = torch.arange(-40.0, 41.0), torch.zeros(81, dtype=torch.bool)
        >>> Logistic().log_cell(z, torch.full_like(z, 0.5), no, no).exp().sum()
        tensor(1.)
    """

    def log_density(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""
        return logsigmoid(z) + logsigmoid(-z)

    def log_cell(
        self, z: Float[Tensor, "*n"], half: Float[Tensor, "*n"], first: Bool[Tensor, "*n"], last: Bool[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of a cell."""
        upper, lower = logsigmoid(z + half).masked_fill(last, 0.0), logsigmoid(half - z).masked_fill(first, 0.0)
        return upper + lower + torch.log(-torch.expm1(-2 * half)).masked_fill(first | last, 0.0)

    def cdf(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The distribution function."""
        return z.sigmoid()

    def quantile(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The inverse of the distribution function."""
        return u.logit()


class Normal:
    r"""The normal law, :math:`F(z) = \Phi(z)`.

    Cells are taken on the lower side, by symmetry. With ends a < b, log(Φ(b) − Φ(a)) = log Φ(b) + log(1 − e^{−s}),
    s = log Φ(b) − log Φ(a); and s is at least −b (b − a), which is what is left of it where rounding takes the rest.
    Of a narrow cell of width h about m the probability is φ(m) h · sinh(mh/2)/(mh/2) · (1 − h²/24 + O(h⁴)).

    Example:
        >>> z, no = torch.arange(-40.0, 41.0), torch.zeros(81, dtype=torch.bool)
        >>> Normal().log_cell(z, torch.full_like(z, 0.5), no, no).exp().sum()
        tensor(1.)
    """

    def log_density(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""
        return -0.5 * z.clamp(-FURTHEST, FURTHEST).square() - 0.5 * math.log(2 * math.pi)

    def log_cell(
        self, z: Float[Tensor, "*n"], half: Float[Tensor, "*n"], first: Bool[Tensor, "*n"], last: Bool[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of a cell."""
        z = z.clamp(-FURTHEST, FURTHEST)
        middle, narrow = -z.abs(), half.clamp(max=NARROW)
        steep = (-middle * narrow).clamp(min=torch.finfo(z.dtype).tiny)
        bulge = steep + torch.log(-torch.expm1(-2 * steep) / (2 * steep))  # log(sinh(x) / x)
        thin = self.log_density(middle) + (2 * narrow).log() + bulge - narrow.square() / 6
        wide = half.clamp(min=NARROW)
        a, b = middle - wide, middle + wide
        upper = _log_cdf(b)
        thick = upper + torch.log(-torch.expm1(-torch.maximum(upper - _log_cdf(a), -2 * wide * b.clamp(max=0))))
        cell = torch.where(half < NARROW, thin, thick)
        edge = _log_cdf(torch.where(first, z, -z) + half).masked_fill(first & last, 0.0)
        return torch.where(first | last, edge, cell)

    def cdf(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The distribution function."""
        below: Tensor = ndtr(z)
        return below

    def quantile(self, u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The inverse of the distribution function."""
        z: Tensor = ndtri(u)
        return z


def _log_cdf(z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The logarithm of Φ, with a gradient that is right however far out."""
    t = z.clamp(-FURTHEST, TAIL)
    v = t.reciprocal().square()
    series = torch.log1p(-v * (1 - 3 * v * (1 - 5 * v * (1 - 7 * v))))
    tail = -0.5 * t.square() - torch.log(-t) - 0.5 * math.log(2 * math.pi) + series
    return torch.where(z < TAIL, tail, log_ndtr(z.clamp(min=TAIL)))


STANDARDS: dict[str, Standard] = {"logistic": Logistic(), "normal": Normal()}
