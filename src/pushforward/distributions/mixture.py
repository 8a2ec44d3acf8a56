"""An equal-weight mixture of laws: an ensemble, exactly averaged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.law import Law
from pushforward.errors import InputError

__all__ = ["Mixture"]


class Mixture(Law):
    r"""The law :math:`p(x \mid c) = \frac1K \sum_k p_k(x \mid c)`.

    Arguments:
        components: The laws :math:`p_k`, each as a function of the context.
        origin: Zeros of shape ``(*batch, D)``: the law's batch shape, floating type and device.
        context: The context c, of shape ``(*batch, C)``, or ``None``.

    Example:
        >>> from pushforward.distributions.normal import standard_normal
        >>> mixture = Mixture([lambda c: standard_normal(torch.zeros(2))] * 3, torch.zeros(2))
        >>> mixture.log_prob(torch.zeros(2)).exp()  # 1 / 2π
        tensor(0.1592)
    """

    def __init__(
        self,
        components: Sequence[Callable[[Tensor | None], Law]],
        origin: Float[Tensor, "*batch d"],
        context: Float[Tensor, "*batch c"] | None = None,
    ) -> None:
        super().__init__(origin.shape[:-1], origin.shape[-1:])
        self.components = components
        self.origin = origin
        self.context = context

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its origin."""
        return self.origin.dtype

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """The logarithm of the mean density."""
        return self.log_prob_members(value).logsumexp(0) - math.log(len(self.components))

    def log_prob_members(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, k * batch]:
        """The log-density under each component."""
        return torch.stack([law(self.context).log_prob(value) for law in self.components])

    def log_prob_prefix(self, prefix: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
        """Refused: components in several orders begin with other components."""
        raise _of_several_orders("the log-density of a prefix")

    def given(self, prefix: Float[Tensor, "*batch k"]) -> Law:
        """Refused, idem."""
        raise _of_several_orders("the law given a prefix")

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Choose a component for every pattern, and draw from it; nothing is drawn in vain."""
        shape = self._extended_shape(torch.Size(sample_shape))
        c = self.context
        rows = None if c is None else c.expand(*shape[:-1], -1).reshape(-1, c.shape[-1])
        x = self.origin.new_empty(shape).reshape(-1, shape[-1])
        choice = torch.randint(len(self.components), (len(x),), device=x.device)
        for k, law in enumerate(self.components):
            (here,) = (choice == k).nonzero(as_tuple=True)
            x[here] = law(None).sample(here.shape) if rows is None else law(rows[here]).sample()
        return x.reshape(shape)


def _of_several_orders(what: str) -> InputError:
    return InputError(f"a mixture of several orders does not know {what}; fit with orders=1, which does")
