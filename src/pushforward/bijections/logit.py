"""Between the real line and a bounded interval."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from pushforward.bijections.bijection import Bijection

__all__ = ["Logit"]


class Logit(Bijection):
    r"""Patterns in an interval from codes on the real line, each component by itself:

    .. math:: z = \log \frac{p}{1 - p}, \qquad p = \alpha + (1 - 2\alpha)\, \frac{x - l}{h - l}.

    With α = 0 the patterns fill (l, h). A small positive α keeps the codes of l and h themselves moderate, at the price
    of some probability a little beyond them. A pattern so far out that p is not in [0, 1] has no code: its
    log-determinant is −∞, and hence its density 0. At p = 0 and 1 and next to them, where rounding decides, p counts as
    ε or 1 − ε.

    Sources: Dinh, Sohl-Dickstein and Bengio (2017), section 4.1; Papamakarios, Pavlakou and Murray (2017), "Masked
    Autoregressive Flow", section 4.3, for α.

    Arguments:
        low: The lower end l.
        high: The upper end h.
        alpha: The margin α.

    Example:
        >>> logit = Logit(0.0, 256.0)
        >>> logit.inverse(torch.tensor([128.0, 64.0]))[0]
        tensor([ 0.0000, -1.0986])
        >>> logit.inverse(torch.tensor([128.0, 300.0]))[1]  # nothing lies there
        tensor(-inf)
    """

    def __init__(self, low: float = 0.0, high: float = 1.0, alpha: float = 0.0) -> None:
        super().__init__()
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"an interval has a lower and a higher end, both finite, unlike ({low}, {high})")
        if not 0 <= alpha < 0.5:
            raise ValueError(f"a margin is at least 0 and below one half, unlike {alpha}")
        self.low, self.high, self.alpha = low, high, alpha

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Squash into the interval."""
        spread, margin = self._spread, self.alpha * self._spread
        x = (self.low - margin) + spread * z.sigmoid()
        log_derivative = logsigmoid(z) + logsigmoid(-z) + math.log(spread)
        return x.clamp(self.low - margin, self.high + margin), log_derivative.sum(-1)

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Stretch to the real line."""
        p, q = self.alpha + (x - self.low) / self._spread, self.alpha + (self.high - x) / self._spread
        least = torch.finfo(x.dtype).eps
        noise = 4 * least * (1 + max(abs(self.low), abs(self.high)) / self._spread)
        outside = torch.minimum(p, q) < -noise
        log_p, log_q = p.clamp(least, 1).log(), q.clamp(least, 1).log()
        log_derivative = (-log_p - log_q - math.log(self._spread)).masked_fill(outside, -torch.inf)
        return log_p - log_q, log_derivative.sum(-1)

    @property
    def _spread(self) -> float:
        """The length of the interval with its margins."""
        return (self.high - self.low) / (1 - 2 * self.alpha)
