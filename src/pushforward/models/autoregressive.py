"""The autoregressive family: exact, one component after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.factorised import Marginals
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.masked import MaskedMLP

__all__ = ["MaskedAutoregressive"]


class MaskedAutoregressive(Model):
    r"""A masked autoregressive model, :math:`p(x) = \prod_i p(x_i \mid x_{<i}, c)`, all conditionals in one pass.

    Binary components have Bernoulli conditionals, continuous ones mixtures of logistics, counts and bytes discretised
    mixtures of logistics: the likelihood is exact for each.

    Sources: Germain et al. (2015), MADE; Salimans et al. (2017) for the discretised mixture.

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        hidden: Hidden layers, of equal widths.
        components: Logistics in each mixture.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = MaskedAutoregressive(Event.continuous(3), context=2)
        >>> law = model(torch.zeros(5, 2))
        >>> law.log_prob(law.sample()).shape
        torch.Size([5])
    """

    def __init__(self, event: Event, context: int = 0, hidden: Sequence[int] = (256, 256), components: int = 5) -> None:
        super().__init__(event, context, hidden=list(hidden), components=components)
        self.marginals = Marginals(event, components)
        self.network = MaskedMLP(self.marginals.counts, hidden, context)
        with torch.no_grad():
            self.network.last.bias.copy_(self.marginals.initial())

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Autoregressive:
        """The law, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = self.network.last.bias.new_zeros(*batch, self.event.size)

        def conditionals(x: Tensor) -> Tensor:
            c = None if context is None else context.expand(*x.shape[:-1], -1)
            parameters: Tensor = self.network(x, c)
            return parameters.to(x.dtype)  # networks may run in bfloat16, likelihoods may not

        return Autoregressive(conditionals, self.marginals, origin)
