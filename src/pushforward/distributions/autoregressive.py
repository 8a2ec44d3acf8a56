"""A law given by its conditionals, one component after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.distributions.law import Law

__all__ = ["Autoregressive"]


class Autoregressive(Law):
    r"""The law :math:`p(x) = \prod_i p(x_i \mid x_1, \dots, x_{i-1})`.

    Arguments:
        conditionals: Maps patterns ``(*batch, D)`` to the parameters ``(*batch, P)`` of every conditional at once; the
            parameters of component i may depend on the components before i alone.
        marginals: How the parameters of each conditional are read.
        origin: Zeros of shape ``(*batch, D)``: the law's batch shape, floating type and device.

    Example:
        >>> from pushforward.event import Event
        >>> marginals = Marginals(Event.continuous(2), components=1)
        >>> def conditionals(x):  # x₂ follows x₁
        ...     zero = torch.zeros_like(x[..., 0])
        ...     return torch.stack([zero, zero, zero, zero, x[..., 0], zero], -1)
        >>> law = Autoregressive(conditionals, marginals, torch.zeros(2))
        >>> law.log_prob(torch.tensor([[3.0, 3.0], [3.0, 0.0]])).argmax()
        tensor(0)
    """

    def __init__(
        self,
        conditionals: Callable[[Tensor], Tensor],
        marginals: Marginals,
        origin: Float[Tensor, "*batch d"],
    ) -> None:
        super().__init__(origin.shape[:-1], origin.shape[-1:])
        self.conditionals = conditionals
        self.marginals = marginals
        self.origin = origin

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Exact: one pass gives every conditional."""
        x = self.expanded(value)
        return Factorised(self.marginals, self.conditionals(x)).log_prob(x)

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its conditional: one pass."""
        x = self.expanded(x)
        return Factorised(self.marginals, self.conditionals(x)).pit(x)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw component after component: D passes."""
        with torch.no_grad():
            x = self.origin.expand(self._extended_shape(torch.Size(sample_shape))).clone()
            for i, (marginals, place) in enumerate(self.marginals.alone):
                x[..., i] = Factorised(marginals, self.conditionals(x)[..., place]).sample().squeeze(-1)
            return x
