"""The law of a window of a series, in which values may be missing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.distributions.ordered import Ordered
from pushforward.networks.mixing import WindowMixing
from pushforward.networks.steps import StepNetwork

__all__ = ["Stepwise"]


class Stepwise(Ordered):
    r"""The law :math:`\prod_{t, v} \frac1K \sum_k p_k(x_{t,v} \mid \text{what was observed before})`.

    A missing component, NaN, has no factor: for each pattern of what is missing this is an exact law of the rest, whose
    conditionals are told that the past has gaps. It is not the marginal of the law without gaps.

    Each conditional is the mean of what K networks say of it, so the law is exact, and what one network learnt by heart
    weighs a K-th. (A mixture of K laws of whole windows would soon follow one of them: of hundreds of values one member
    has foreseen by far the most.)

    Source: Lakshminarayanan, Pritzel and Blundell (2017), "Deep Ensembles".

    Arguments:
        networks: K networks, each of which gives the parameters of every conditional.
        marginals: How the parameters of one step are read.
        origin: Zeros of shape ``(*batch, T · V)``.
        context: What the networks are given besides, of shape ``(*batch, C)``.
        mixing: What training adds to windows, nothing by default.
    """

    def __init__(
        self,
        networks: Sequence[StepNetwork],
        marginals: Marginals,
        origin: Float[Tensor, "*batch d"],
        context: Float[Tensor, "*batch c"] | None = None,
        mixing: WindowMixing | None = None,
    ) -> None:
        super().__init__(marginals, origin, context)
        self.networks = networks
        self.mixing = mixing
        self.steps = origin.shape[-1] // marginals.event.size

    def conditionals(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "k *batch p"]:
        """The parameters of every conditional by each network, in one pass of each."""
        return torch.stack([self._parameters(network, x) for network in self.networks])

    def log_prob_each(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The logarithm of each conditional, 0 where the value is missing."""
        each = torch.stack([self._each(network, value) for network in self.networks])
        return each.logsumexp(0) - math.log(len(self.networks))

    def log_prob_members(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, k * batch]:
        """The log-density under each network alone, of what training lets it see."""
        windows = self._by_step(value)
        if self.mixing is not None and value.dim() == 2:  # windows of one batch
            windows = self.mixing(windows, None if self.context is None else self._by_step(self.context))
        seen = [network.hiding(windows).flatten(-2) for network in self.networks]
        return torch.stack([self._each(n, x).sum(-1) for n, x in zip(self.networks, seen, strict=True)])

    def _each(self, network: StepNetwork, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The logarithm of each conditional under one network, 0 where the value is missing."""
        x, infinite = self.finite(value)
        each = self._steps_law(network, x).log_prob_each(self._by_step(x.nan_to_num())).flatten(-2)
        return each.masked_fill(x.isnan(), 0.0).masked_fill(infinite, -torch.inf)

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its conditional; anywhere, by chance, where it is missing."""
        x = self.expanded(x)
        steps = [self._steps_law(n, x).step(self._by_step(x.nan_to_num())) for n in self.networks]
        below, above = (torch.stack(ends).mean(0).flatten(-2) for ends in zip(*steps, strict=True))
        chance = torch.rand_like(below)
        return torch.where(x.isnan(), chance, below + chance * (above - below))

    def _steps_law(self, network: StepNetwork, x: Float[Tensor, "*batch d"]) -> Factorised:
        """A network's conditionals of every step, of batch shape ``(*batch, T)``."""
        return Factorised(self.marginals, self._parameters(network, x).unflatten(-1, (self.steps, -1)))

    def _by_step(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch t v"]:
        steps: Tensor = x.unflatten(-1, (self.steps, -1))
        return steps

    @property
    def remembered(self) -> int:
        """The numbers that the walks keep for each row."""
        return sum(network.remembered for network in self.networks)

    def _completed(self, prefix: Float[Tensor, "n k"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n d"]:
        (n, k), v = prefix.shape, self.marginals.event.size
        known = k // v * v
        begun = prefix[:, :known].reshape(n, known // v, v)
        walks = [network.walk(n, context, begun) for network in self.networks]
        x = torch.cat([prefix, prefix.new_empty(n, self.event_shape[0] - k)], -1)
        for i in range(known, x.shape[1]):
            parameters = [walk.send(x[:, i - 1]) if i > known else next(walk) for walk in walks]
            if i >= k:
                x[:, i] = self._drawn(self.marginals.alone[i % v][0], parameters)
        return x

    def _drawn(self, marginals: Marginals, parameters: Sequence[Float[Tensor, "n p"]]) -> Float[Tensor, " n"]:
        """One component, of each row by the law of a network that chance chooses."""
        n, device = len(parameters[0]), parameters[0].device
        whose = torch.randint(len(parameters), (n,), device=device)
        mine = torch.stack(list(parameters))[whose, torch.arange(n, device=device)]
        return Factorised(marginals, mine.to(self.origin.dtype)).sample().squeeze(-1)
