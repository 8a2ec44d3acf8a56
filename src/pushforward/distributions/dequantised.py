"""A density over real vectors read as a law of discrete patterns."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.distributions.law import LowerBounded, floating_type, pit
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event

__all__ = ["Dequantised", "Noise", "dequantised"]

Noise = Callable[[Tensor], Pushforward]
"""From patterns ``(*batch, D)`` to the laws of where in its cell each of their discrete components is."""


class Dequantised(LowerBounded):
    r"""The law of patterns obtained by rounding a continuous law to the cells of an event's grid.

    .. math:: P(x) = \int_{\mathrm{cell}(x)} p(y)\,dy = \mathbb E_{u \sim U[-\frac12, \frac12]^D}
              \bigl[\, p(x + w u) \textstyle\prod_i w_i \bigr],

    so :math:`\log p(x + wu) + \sum_i \log w_i` is a lower bound of :math:`\log P(x)` in expectation. An exact density
    of dequantised data is therefore *not* the exact probability of the data, though it is often printed as if it were.

    Noise from another law on the cell, q(u | x), gives another weight of the same expectation,

    .. math:: P(x) = \mathbb E_{u \sim q(\cdot \mid x)}
              \bigl[\, p(x + w u) \textstyle\prod_i w_i \,/\, q(u \mid x) \bigr],

    and a bound that is tight where q is the law of a pattern's place in its cell (variational dequantisation).

    Sources: Theis, van den Oord, Bethge (2016), "A note on the evaluation of generative models", section 3.1; Ho et al.
    (2019), "Flow++", for q.

    Arguments:
        base: A law with an exact density over real vectors.
        event: Which components are discrete, and their cells.
        noise: From patterns to the laws q(u | x) of the discrete components on :math:`(-\frac12, \frac12)`;
            uniform ones by default.

    Example:
        >>> from torch.distributions import Independent, Normal
        >>> from pushforward.event import Block
        >>> base = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        >>> law = Dequantised(base, Event((Block("grid", 2, 1.0),)))
        >>> _ = torch.manual_seed(0)
        >>> law.sample()
        tensor([2., 0.])
        >>> law.log_prob_bound(torch.zeros(2), k=1000)  # the truth is 2·log(Φ(½) − Φ(−½)) = −1.9197
        tensor(-1.92...)
    """

    def __init__(self, base: Distribution, event: Event, noise: Noise | None = None) -> None:
        super().__init__(base.batch_shape, base.event_shape)
        self.base = base
        self.event = event
        self.noise = noise
        self.log_volume = sum(block.size * math.log(block.width) for block in event.blocks if block.width > 0)

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its base."""
        return floating_type(self.base)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the base and round."""
        return self.event.snap(self.base.sample(torch.Size(sample_shape)))

    def log_weights(self, x: Float[Tensor, "*batch d"], k: int) -> Float[Tensor, k * batch]:
        """``k`` draws of log p(x + wu) + Σ log w − log q(u | x)."""
        x, infinite = self.finite(x)
        impossible = (infinite | ~self.event.possible(x)).any(-1)
        y, log_q = self.spread(x, k)
        return (self.base.log_prob(y) + self.log_volume - log_q).masked_fill(impossible, -torch.inf)

    def elbo(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """The bound with one dequantisation."""
        return self.log_weights(x, 1).squeeze(0)

    def spread(self, x: Float[Tensor, "*batch d"], k: int) -> tuple[Float[Tensor, "k *batch d"], Tensor | float]:
        """``k`` draws of x + wu, with log q(u | x)."""
        if self.noise is None:
            return self.event.dequantise(x.expand(k, *x.shape)), 0.0
        u, log_q = self.noise(x).rsample_and_log_prob((k,))
        discrete = self.event.discrete
        steps = self.event.width[discrete].to(u) * u
        return x.expand(k, *x.shape).index_add(-1, discrete.to(x.device), steps), log_q

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The base's, of dequantised patterns: uniform if the base is their law, which is more than rounding asks."""
        return pit(self.base, self.spread(self.expanded(x), 1)[0].squeeze(0))


def dequantised(law: Distribution, event: Event, noise: Noise | None = None) -> Distribution:
    """``law`` itself where every component is continuous, else its :class:`Dequantised` reading."""
    return law if event.is_continuous else Dequantised(law, event, noise)
