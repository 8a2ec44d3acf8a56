"""The law of a window of a series, in which values may be missing."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.networks.steps import StepNetwork

__all__ = ["Stepwise"]


class Stepwise(Autoregressive):
    r"""The law :math:`\prod_{t, v} p(x_{t,v} \mid \text{what was observed before})` over what was observed.

    A missing component, NaN, has no factor: for each pattern of what is missing this is an exact law of the rest, whose
    conditionals are told that the past has gaps. It is not the marginal of the law without gaps.

    Arguments:
        network: Gives the parameters of every conditional.
        marginals: How the parameters of one step are read.
        origin: Zeros of shape ``(*batch, T · V)``.
        context: What the network is given besides, of shape ``(*batch, C)``.
    """

    def __init__(
        self,
        network: StepNetwork,
        marginals: Marginals,
        origin: Float[Tensor, "*batch d"],
        context: Float[Tensor, "*batch c"] | None = None,
    ) -> None:
        super().__init__(network, marginals, origin, context)
        self.network: StepNetwork = network
        self.steps = origin.shape[-1] // marginals.event.size

    def log_prob_each(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The logarithm of each conditional, 0 where the value is missing; training may hide some."""
        x, infinite = self.finite(value)
        x = self.network.hiding(self._by_step(x)).flatten(-2)
        each = self._steps_law(x).log_prob_each(self._by_step(x.nan_to_num())).flatten(-2)
        return each.masked_fill(x.isnan(), 0.0).masked_fill(infinite, -torch.inf)

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its conditional; anywhere, by chance, where it is missing."""
        x = self.expanded(x)
        u = self._steps_law(x).pit(self._by_step(x.nan_to_num())).flatten(-2)
        return torch.where(x.isnan(), torch.rand_like(u), u)

    def _steps_law(self, x: Float[Tensor, "*batch d"]) -> Factorised:
        """The conditionals of every step, of batch shape ``(*batch, T)``."""
        return Factorised(self.marginals, self.conditionals(x).unflatten(-1, (self.steps, -1)))

    def _by_step(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch t v"]:
        steps: Tensor = x.unflatten(-1, (self.steps, -1))
        return steps

    def _completed(self, prefix: Float[Tensor, "n k"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n d"]:
        (n, k), v = prefix.shape, self.marginals.event.size
        known = k // v * v
        walk = self.network.walk(n, context, prefix[:, :known].reshape(n, known // v, v))
        x = torch.cat([prefix, prefix.new_empty(n, self.event_shape[0] - k)], -1)
        for i in range(known, x.shape[1]):
            parameters = walk.send(x[:, i - 1]) if i > known else next(walk)
            if i >= k:
                x[:, i] = Factorised(self.marginals.alone[i % v][0], parameters.to(x.dtype)).sample().squeeze(-1)
        return x
