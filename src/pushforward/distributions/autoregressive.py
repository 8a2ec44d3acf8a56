"""The law whose conditionals one causal network gives."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.distributions.ordered import CausalNetwork, Ordered

__all__ = ["Autoregressive"]


class Autoregressive(Ordered):
    r"""The law :math:`p(x) = \prod_i p(x_i \mid x_1, \dots, x_{i-1})`.

    Arguments:
        network: Gives the parameters of every conditional.
        marginals: How the parameters of each conditional are read.
        origin: Zeros of shape ``(*batch, D)``: the law's batch shape, floating type and device.
        context: What the network is given besides, of shape ``(*batch, C)``.

    Example:
        >>> from pushforward.event import Event
        >>> from pushforward.networks.masked import MaskedMLP
        >>> _ = torch.manual_seed(0)
        >>> marginals = Marginals(Event.continuous(3), components=2)
        >>> law = Autoregressive(MaskedMLP(marginals.counts, (16,)), marginals, torch.zeros(3))
        >>> x = law.sample((5,))
        >>> x.shape, law.log_prob(x).shape
        (torch.Size([5, 3]), torch.Size([5]))
        >>> rest = law.given(x[:, :1])  # of the first component
        >>> bool((law.log_prob_prefix(x[:, :1]) + rest.log_prob(x[:, 1:])).allclose(law.log_prob(x), atol=1e-5))
        True
    """

    def __init__(
        self,
        network: CausalNetwork,
        marginals: Marginals,
        origin: Float[Tensor, "*batch d"],
        context: Float[Tensor, "*batch c"] | None = None,
    ) -> None:
        super().__init__(marginals, origin, context)
        self.network = network

    @property
    def remembered(self) -> int:
        """The numbers that a walk keeps for each row."""
        return self.network.remembered

    def conditionals(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch p"]:
        """The parameters of every conditional, in one pass."""
        return self._parameters(self.network, x)

    def log_prob_each(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The logarithm of each conditional."""
        x, infinite = self.finite(value)
        each = Factorised(self.marginals, self.conditionals(x)).log_prob_each(x)
        return each.masked_fill(infinite, -torch.inf)

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its conditional: one pass."""
        x = self.expanded(x)
        return Factorised(self.marginals, self.conditionals(x)).pit(x)

    def _completed(self, prefix: Float[Tensor, "n k"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n d"]:
        walk = self.network.walk(len(prefix), context)
        x = prefix.new_empty(len(prefix), self.event_shape[0])
        for i, (marginals, _) in enumerate(self.marginals.alone):
            parameters = walk.send(x[:, i - 1]) if i else next(walk)
            if i < prefix.shape[-1]:
                x[:, i] = prefix[:, i]
            else:
                x[:, i] = Factorised(marginals, parameters.to(x.dtype)).sample().squeeze(-1)
        return x
