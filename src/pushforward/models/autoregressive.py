"""The autoregressive family: exact, one component after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.bijections import Permutation
from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.factorised import Marginals
from pushforward.distributions.law import Law
from pushforward.distributions.mixture import Mixture
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.components import ComponentTransformer
from pushforward.networks.featured import Featured
from pushforward.networks.masked import MaskedMLP
from pushforward.networks.regression import regressions

__all__ = ["MaskedAutoregressive", "TransformerAutoregressive"]

ENOUGH = 50
"""Rows that a regression wants."""
LOOKED_AT = 1 << 22
"""Parameters of conditionals that are looked at to choose where these start."""


class MaskedAutoregressive(Model):
    r"""A masked autoregressive model, :math:`p(x) = \prod_i p(x_i \mid x_{<i}, c)`, all conditionals in one pass.

    Binary components have Bernoulli conditionals, categorical ones a probability for each category, and real ones a
    density or, on a grid, probabilities: the likelihood is exact for each.

    With several orders it is the equal-weight mixture of as many models, each in an order of its own, the first in the
    natural one. Each learns by itself, and the mixture is better than any of them; but it has no conditionals in closed
    form.

    Sources: Germain et al. (2015), MADE; Salimans et al. (2017) for discretised mixtures; Uria, Murray and Larochelle
    (2014), "A Deep and Tractable Density Estimator", for ensembles of orders; Tibshirani (1996) for sparsity.

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        hidden: Hidden layers, of equal widths.
        components: Laws in the mixture of each real component, or bins of its spline.
        conditionals: ``logistic`` or ``normal``, of which mixtures are made, or ``spline``.
        orders: How many orders.
        sparsity: The weight of the penalty on the absolute values of direct links from component to component.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = MaskedAutoregressive(Event.continuous(3), context=2)
        >>> law = model(torch.zeros(5, 2))
        >>> law.log_prob(law.sample()).shape
        torch.Size([5])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        hidden: Sequence[int] = (256, 256),
        components: int = 5,
        conditionals: str = "logistic",
        orders: int = 1,
        sparsity: float = 0.0,
    ) -> None:
        chosen = {"components": components, "conditionals": conditionals, "orders": orders, "sparsity": sparsity}
        super().__init__(event, context, hidden=list(hidden), **chosen)
        if orders < 1:
            raise ValueError(f"a model needs at least one order, not {orders}")
        self.members = nn.ModuleList(
            _Ordered(Marginals(_reordered(event, order), components, conditionals), order, hidden, context)
            for order in _orders(event.size, orders)
        )

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Law:
        """The law, with the batch shape of the context."""
        context, members = self.checked(context), self._members()
        if len(members) == 1:
            return members[0].natural(context)
        return Mixture(members, _origin(self.event.size, self, context), context)

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """Start from how often each value of a discrete component occurs in a first batch, real ones from lines."""
        for member in self._members():
            member.start(x, context)

    def penalty(self) -> Float[Tensor, ""] | float:
        """The weighted sum of the absolute values of the direct links, of one order on average."""
        members, sparsity = self._members(), self.config["sparsity"]
        return sparsity * torch.stack([m.links() for m in members]).mean() if sparsity else 0.0

    def _members(self) -> list[_Ordered]:
        return cast("list[_Ordered]", list(self.members))


class _Ordered(nn.Module):
    """A masked autoregressive law of components in one order, as a function of the context.

    Arguments:
        marginals: Of the components in that order.
        order: Which component comes first, second, …
        hidden: Hidden layers.
        context: The width of the context.
    """

    roles: Tensor
    feature: Tensor
    """The first feature of each parameter's component."""

    def __init__(self, marginals: Marginals, order: Sequence[int], hidden: Sequence[int], context: int) -> None:
        super().__init__()
        self.marginals = marginals
        self.permutation = Permutation(sorted(range(len(order)), key=order.__getitem__))
        counts, widths = marginals.counts, marginals.event.feature_counts
        starts = accumulate(widths[:-1], initial=0)
        # The outputs start near the bias, whatever the network is fed.
        network = MaskedMLP(counts, hidden, context, widths=widths, direct=True).near_zero()
        self.network = Featured(marginals.event, network)
        parameters = [(role, start) for start, roles in zip(starts, marginals.roles, strict=True) for role in roles]
        self.register_buffer("roles", torch.tensor([role for role, _ in parameters]), persistent=False)
        self.register_buffer("feature", torch.tensor([start for _, start in parameters]), persistent=False)
        self.start(torch.zeros(0, len(order)))

    def natural(self, context: Tensor | None) -> Autoregressive:
        """The law of the components as they come, where that is their order."""
        origin = _origin(self.marginals.event.size, self, context)
        return Autoregressive(self.network, self.marginals, origin, context)

    def forward(self, context: Tensor | None) -> Law:
        """The law of the components, put back from their order."""
        return Pushforward(self.natural(context), self.permutation)

    @torch.no_grad()
    def start(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        r"""Start from how often each value of a discrete component occurs, and real ones from a linear regression.

        Their locations stand at :math:`b_i^\top (1, c, f_{<i}) + e_i m_k`, of features f, errors :math:`e_i` of the
        regression and the K places :math:`m_k` that a mixture starts from; log-scales grow by :math:`\log e_i`. Where
        errors are far from such a law, the laws stand where the errors do.
        """
        x = self.permutation.inverse(x)[0]
        last, usual = self.network.network.last, self.marginals.initial(x)
        if len(x) < ENOUGH or not bool((self.roles == 1).any()):
            last.bias.copy_(usual)
            return
        lines, other = self._lines(x, x[:, :0] if context is None else context, usual)
        few = slice(max(ENOUGH, LOOKED_AT // self.marginals.parameters))
        last.bias.zero_()
        base = self.network(x[few], None if context is None else context[few])
        last.bias.copy_(self.marginals.likelier(x[few], base, lines, other))

    def _lines(self, x: Tensor, c: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        """Set the direct links to regressions, and return biases of usual laws around them and of laws near errors."""
        location, features = self.roles == 1, self.marginals.event.features(x)
        inputs = torch.cat([torch.ones_like(x[:, :1]), c], -1)
        found = regressions(inputs, features)
        constant, of_context, before = found.weights[self.feature].split([1, c.shape[1], features.shape[1]], -1)
        skip = self.network.network.skip
        assert skip is not None  # it was asked for
        skip.weight.copy_(torch.where(location[:, None], torch.cat([before, of_context], -1), skip.weight))
        constant, error = torch.where(location, constant.squeeze(-1), 0.0), found.error[self.feature]
        lines = torch.where(location, error * usual, usual) + torch.where(self.roles == 2, error.log(), constant)
        errors = features - torch.cat([inputs, features], -1) @ found.weights.T
        first = self.feature[torch.tensor(self.marginals.starts)]
        real = torch.tensor([1 in roles for roles in self.marginals.roles], device=x.device)
        return lines, self.marginals.near(torch.where(real, errors[:, first], x)) + constant

    def links(self) -> Float[Tensor, ""]:
        """The sum of the absolute values of the direct links."""
        skip = self.network.network.skip
        return torch.zeros(()) if skip is None else skip.free().abs().sum()


class TransformerAutoregressive(Model):
    r"""A causal transformer over components, :math:`p(x) = \prod_i p(x_i \mid x_{<i}, c)`.

    Sources: Vaswani et al. (2017), "Attention Is All You Need"; Radford et al. (2019) for the layers.

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        width: The width of a token.
        layers: The transformer's layers.
        heads: Its attention heads, a divisor of ``width``.
        components: Laws in the mixture of each real component, or bins of its spline.
        conditionals: ``logistic`` or ``normal``, of which mixtures are made, or ``spline``.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> law = TransformerAutoregressive(Event.continuous(3), width=16, layers=1)()
        >>> law.given(torch.zeros(5, 2)).sample().shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        components: int = 5,
        conditionals: str = "logistic",
    ) -> None:
        shape = {"width": width, "layers": layers, "heads": heads}
        super().__init__(event, context, **shape, components=components, conditionals=conditionals)
        self.marginals = Marginals(event, components, conditionals)
        self.network = ComponentTransformer(event, self.marginals.counts, width, layers, heads, context)
        with torch.no_grad():
            self._prepare(torch.zeros(0, event.size), None)

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Autoregressive:
        """The law, with the batch shape of the context."""
        context = self.checked(context)
        return Autoregressive(self.network, self.marginals, _origin(self.event.size, self, context), context)

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """Start from how often each value of a discrete component occurs in a first batch; real ones near theirs."""
        bias = self.marginals.initial(x)
        if len(x) >= ENOUGH:
            few = x[: max(ENOUGH, LOOKED_AT // self.marginals.parameters)]
            bias = self.marginals.likelier(few, torch.zeros_like(bias), bias, self.marginals.near(x))
        self.network.bias.copy_(bias)


def _origin(size: int, of: nn.Module, context: Tensor | None) -> Float[Tensor, "*batch d"]:
    """Zeros of the batch shape of the context, of the type of a module's parameters."""
    batch = () if context is None else context.shape[:-1]
    return next(of.parameters()).new_zeros(*batch, size)


def _reordered(event: Event, order: Sequence[int]) -> Event:
    """The event of the components in another order."""
    each = event.components()
    return Event(tuple(each[i].blocks[0] for i in order))


def _orders(size: int, count: int) -> Iterator[list[int]]:
    """The natural order, and as many random ones as are asked for besides."""
    random = Random(0)  # its random(), unlike its shuffle(), is promised to stay the same for ever
    yield list(range(size))
    for _ in range(count - 1):
        yield sorted(range(size), key=[random.random() for _ in range(size)].__getitem__)
