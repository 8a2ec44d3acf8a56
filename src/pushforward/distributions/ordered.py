"""Laws of components in an order, each of which is known given those before it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.distributions.factorised import Marginals
from pushforward.distributions.law import Law

__all__ = ["CausalNetwork", "Given", "Ordered", "Walk"]

Walk = Generator[Tensor, Tensor, None]
"""Yields the parameters ``(n, P_i)`` of component i and is sent its values ``(n,)``, for i = 1, …, D."""

REMEMBERED_AT_MOST = 1 << 26
"""Numbers that the walks of one chunk of rows may keep at once."""


class CausalNetwork(Protocol):
    """What gives the parameters of every conditional; those of component i depend on the components before i alone."""

    @property
    def remembered(self) -> int:
        """The numbers that a walk keeps for each row."""

    def __call__(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n p"]:
        """The parameters of all conditionals, in one pass."""

    def walk(self, n: int, context: Float[Tensor, "n c"] | None) -> Walk:
        """The same parameters one component after another, at the cost of one pass in all."""


class Ordered(Law):
    r"""A law :math:`p(x) = \prod_i p(x_i \mid x_1, \dots, x_{i-1})` whose conditionals are all known.

    Arguments:
        marginals: How the parameters of each conditional are read.
        origin: Zeros of shape ``(*batch, D)``: the law's batch shape, floating type and device.
        context: What the conditionals are given besides, of shape ``(*batch, C)``.
    """

    def __init__(
        self,
        marginals: Marginals,
        origin: Float[Tensor, "*batch d"],
        context: Float[Tensor, "*batch c"] | None = None,
    ) -> None:
        super().__init__(origin.shape[:-1], origin.shape[-1:])
        self.marginals = marginals
        self.origin = origin
        self.context = context

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its origin."""
        return self.origin.dtype

    @property
    @abstractmethod
    def remembered(self) -> int:
        """The numbers that drawing keeps for each row."""

    @abstractmethod
    def conditionals(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*shape p"]:
        """The parameters of every conditional, in one pass; of several networks, those of each."""

    @abstractmethod
    def log_prob_each(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The logarithm of each conditional; those of component i need the components up to i alone."""

    @abstractmethod
    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its conditional."""

    @abstractmethod
    def _completed(self, prefix: Float[Tensor, "n k"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n d"]:
        """Patterns that begin so, of a chunk of rows."""

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Exact: one pass gives every conditional."""
        return self.log_prob_each(value).sum(-1)

    def log_prob_prefix(self, prefix: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch"]:
        """The exact log-density of the first k components, whatever the others are."""
        k = self._checked(prefix)
        x = torch.cat([prefix, self.origin.new_zeros(*prefix.shape[:-1], self.event_shape[0] - k)], -1)
        return self.log_prob_each(x)[..., :k].sum(-1)

    def given(self, prefix: Float[Tensor, "*batch k"]) -> Given:
        """The exact law of the components after the first k, given these."""
        self._checked(prefix)
        return Given(self, prefix)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw component after component, at the cost of about one pass."""
        shape = self._extended_shape(torch.Size(sample_shape))
        return self.completed(self.origin[..., :0].expand(*shape[:-1], 0))

    @torch.no_grad()
    def completed(self, prefix: Float[Tensor, "*shape k"]) -> Float[Tensor, "*shape d"]:
        """Patterns that begin so, with the rest drawn. Memory is bounded: rows are drawn in chunks."""
        shape = prefix.shape[:-1]
        rows, contexts = prefix.reshape(shape.numel(), prefix.shape[-1]), self._contexts(shape)
        at_once = max(1, REMEMBERED_AT_MOST // max(1, self.remembered))
        parts = [
            self._completed(part, None if contexts is None else contexts[i * at_once : i * at_once + len(part)])
            for i, part in enumerate(rows.split(at_once))
        ]
        return torch.cat(parts).reshape(*shape, self.event_shape[0])

    def _parameters(self, network: CausalNetwork, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch p"]:
        """What a network says of patterns of any batch shape."""
        shape = x.shape[:-1]
        rows = x.reshape(shape.numel(), x.shape[-1])
        parameters = network(rows, self._contexts(shape))
        # Networks may run in bfloat16, likelihoods may not.
        return parameters.to(x.dtype).reshape(*shape, parameters.shape[-1])

    def _contexts(self, shape: torch.Size) -> Float[Tensor, "n c"] | None:
        """The context of each row of a batch of that shape."""
        c = self.context
        return None if c is None else c.expand(*shape, -1).reshape(shape.numel(), c.shape[-1])

    def _checked(self, prefix: Tensor) -> int:
        if prefix.dim() == 0:
            raise ValueError("a prefix has an axis of components, of shape (…, k); this one has none")
        k, d = prefix.shape[-1], self.event_shape[0]
        if k > d:
            raise ValueError(f"a prefix of {k} components is longer than a pattern of {d}")
        if not prefix.is_floating_point():
            raise ValueError(
                f"a prefix is floating-point numbers, not {prefix.dtype}; convert it, as by prefix.float()"
            )
        if prefix.dtype != self.dtype:
            raise ValueError(f"the prefix is {prefix.dtype} and the law {self.dtype}; give prefix.to({self.dtype})")
        return k


class Given(Law):
    r"""The law :math:`p(x_{k+1}, \dots, x_D \mid x_1, \dots, x_k)` of what follows a prefix.

    Arguments:
        law: The law of the whole.
        prefix: The first k components, of shape ``(*batch, k)``.
    """

    def __init__(self, law: Ordered, prefix: Float[Tensor, "*batch k"]) -> None:
        batch = torch.broadcast_shapes(prefix.shape[:-1], law.batch_shape)
        super().__init__(batch, torch.Size([law.event_shape[0] - prefix.shape[-1]]))
        self.law = law
        self.prefix = prefix.expand(*batch, -1)

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its whole."""
        return self.law.dtype

    def log_prob(self, value: Float[Tensor, "*batch r"]) -> Float[Tensor, "*batch"]:
        """Exact, in one pass."""
        rest = self.expanded(value)
        k = self.prefix.shape[-1]
        whole = torch.cat([self.prefix.expand(*rest.shape[:-1], k), rest], -1)
        return self.law.log_prob_each(whole)[..., k:].sum(-1)

    def log_prob_prefix(self, prefix: Float[Tensor, "*batch j"]) -> Float[Tensor, "*batch"]:
        """The exact log-density of the next j components, whatever follows."""
        return self.law.log_prob_prefix(self._begun(prefix)) - self.law.log_prob_prefix(self.prefix)

    def given(self, prefix: Float[Tensor, "*batch j"]) -> Given:
        """The exact law of what follows the next j components too."""
        return self.law.given(self._begun(prefix))

    def _begun(self, more: Float[Tensor, "*batch j"]) -> Float[Tensor, "*batch k+j"]:
        """The first components and those that follow."""
        batch = torch.broadcast_shapes(more.shape[:-1], self.batch_shape)
        return torch.cat([self.prefix.expand(*batch, -1), more.expand(*batch, -1)], -1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw what follows."""
        k = self.prefix.shape[-1]
        return self.law.completed(self.prefix.expand(*sample_shape, *self.batch_shape, k))[..., k:]
