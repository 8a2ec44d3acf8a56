"""Between the real line and the limits of each component, where it has any."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.logit import Logit

__all__ = ["Within"]

MARGIN = 1e-5
"""Of an interval, at each of its ends: a pattern at the very end would have a code at infinity."""


class Within(Bijection):
    r"""Patterns within limits from codes on the real line, each component by itself:

    .. math:: x = l + (h - l)\, \sigma(z), \qquad x = l + s \log\bigl(1 + e^{z / s}\bigr), \qquad x = z

    where a component has two limits, where it has a lower one alone, and where it has none. Two limits have the margin
    of :class:`Logit`. A lower one bends the line within a few times s of itself; a pattern below it has no code, so
    its density is 0.

    Arguments:
        low: The lower limits l, −∞ where there is none.
        high: The upper limits h, ∞ where there is none; they count beside lower ones alone.
        softness: s, where there is a lower limit alone.

    Example:
        >>> within = Within(torch.tensor([0.0, 0.0]), torch.tensor([2.0, torch.inf]), torch.tensor([1.0, 1.0]))
        >>> within(torch.tensor([0.0, 9.0]))[0]
        tensor([1.0000, 9.0001])
    """

    low: Tensor
    spread: Tensor
    softness: Tensor
    between: Tensor
    above: Tensor

    def __init__(self, low: Float[Tensor, " d"], high: Float[Tensor, " d"], softness: Float[Tensor, " d"]) -> None:
        super().__init__()
        between = low.isfinite() & high.isfinite()
        above = low.isfinite() & ~between
        self.register_buffer("between", between.nonzero().squeeze(-1), persistent=False)
        self.register_buffer("above", above.nonzero().squeeze(-1), persistent=False)
        self.register_buffer("low", low.double(), persistent=False)
        self.register_buffer("spread", (high - low).double(), persistent=False)
        self.register_buffer("softness", softness.double(), persistent=False)
        self.logit = Logit(alpha=MARGIN)

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Squash into the limits."""
        x, log_det = z, z.new_zeros(z.shape[:-1])
        if len(self.between):
            low, spread = self._of(self.between, z, self.low, self.spread)
            share, log_slope = self.logit(z[..., self.between])
            x = x.index_copy(-1, self.between, low + spread * share)
            log_det = log_det + log_slope + spread.log().sum()
        if len(self.above):
            low, softness = self._of(self.above, z, self.low, self.softness)
            t = z[..., self.above] / softness
            x = x.index_copy(-1, self.above, low + softness * softplus(t))
            log_det = log_det + logsigmoid(t).sum(-1)
        return x, log_det

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Stretch to the real line."""
        z, log_det = x, x.new_zeros(x.shape[:-1])
        if len(self.between):
            low, spread = self._of(self.between, x, self.low, self.spread)
            code, log_slope = self.logit.inverse((x[..., self.between] - low) / spread)
            z = z.index_copy(-1, self.between, code)
            log_det = log_det + log_slope - spread.log().sum()
        if len(self.above):
            low, softness = self._of(self.above, x, self.low, self.softness)
            height = (x[..., self.above] - low) / softness
            least = torch.finfo(x.dtype).eps
            rounding = 4 * least * (1 + low.abs() / softness)
            t = height.clamp(min=least)
            t = t + (-torch.expm1(-t)).log()
            z = z.index_copy(-1, self.above, softness * t)
            log_det = log_det - logsigmoid(t).masked_fill(height < -rounding, math.inf).sum(-1)
        return z, log_det

    def _of(self, which: Tensor, like: Tensor, *each: Tensor) -> tuple[Tensor, ...]:
        return tuple(of_all[which].to(like) for of_all in each)
