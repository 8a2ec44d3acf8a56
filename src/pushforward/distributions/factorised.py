"""Independent components of mixed type, each with its own simple law."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from pushforward.distributions.law import Law
from pushforward.event import Event

__all__ = ["Factorised", "Marginals"]

SMALLEST_LOG_SCALE = -7.0
"""A floor under mixture scales, in encoded units: repeated values would otherwise drive the density to infinity."""


class Marginals:
    r"""How a flat vector of parameters is read as one simple law per component of an event.

    A binary component is Bernoulli (one logit). Any other is a mixture of ``components`` logistics (3·components
    parameters: logits, locations, raw log-scales): by its density where the component is continuous, by the probability
    of a cell where it is a grid (Salimans et al. 2017, PixelCNN++), whose edges collect the tails.

    Arguments:
        event: The components.
        components: Logistics in each mixture.
    """

    def __init__(self, event: Event, components: int) -> None:
        if components < 1:
            raise ValueError(f"a mixture needs at least one component, not {components}")
        self.event = event
        self.components = components
        self.counts = [1 if binary else 3 * components for binary in event.binary.tolist()]

    @property
    def parameters(self) -> int:
        """The length P of the flat parameter vector."""
        return sum(self.counts)

    @cached_property
    def binary(self) -> Tensor:
        """The indices of the binary components."""
        return self.event.binary.nonzero().squeeze(-1)

    @cached_property
    def mixed(self) -> Tensor:
        """The indices of the components that are mixtures."""
        return (~self.event.binary).nonzero().squeeze(-1)

    @cached_property
    def starts(self) -> Tensor:
        """Where each component's parameters begin."""
        return torch.tensor([0, *self.counts[:-1]]).cumsum(0)

    @cached_property
    def mixture_index(self) -> Tensor:
        """For each mixture, where its 3K parameters stand in the flat vector."""
        return (self.starts[self.mixed, None] + torch.arange(3 * self.components)).flatten()

    @cached_property
    def alone(self) -> tuple[tuple[Marginals, slice], ...]:
        """Each component as marginals of its own, with the place of its parameters."""
        events = self.event.components()
        starts = self.starts.tolist()
        return tuple(
            (Marginals(event, self.components), slice(start, start + count))
            for event, start, count in zip(events, starts, self.counts, strict=True)
        )

    def initial(self) -> Float[Tensor, " p"]:
        """A starting point: fair coins, and locations spread over the standardised range."""
        k = self.components
        spread = torch.linspace(-1.5, 1.5, k) if k > 1 else torch.zeros(1)
        mixture = torch.cat([torch.zeros(k), spread, torch.full((k,), -1.0)])
        return torch.cat([torch.zeros(1) if c == 1 else mixture for c in self.counts])


class Factorised(Law):
    r"""Independent components, :math:`p(x) = \prod_i p_i(x_i)`, of the types an event prescribes.

    Arguments:
        marginals: How the parameters are read.
        parameters: The parameters, of shape ``(*batch, P)``.

    Example:
        >>> from pushforward.event import Block
        >>> marginals = Marginals(Event((Block("grid", 1, 1.0, 0.0, 3.0), Block.binary())), components=2)
        >>> law = Factorised(marginals, marginals.initial())
        >>> x = torch.cartesian_prod(torch.arange(4.0), torch.arange(2.0))
        >>> law.log_prob(x).exp().sum()
        tensor(1.0000)
    """

    def __init__(self, marginals: Marginals, parameters: Float[Tensor, "*batch p"]) -> None:
        if parameters.shape[-1] != marginals.parameters:
            raise ValueError(f"expected {marginals.parameters} parameters per pattern, received {parameters.shape[-1]}")
        super().__init__(parameters.shape[:-1], torch.Size([marginals.event.size]))
        self.marginals = marginals
        self.parameters = parameters

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """The sum of the components' log-densities and log-probabilities."""
        m = self.marginals
        total = torch.zeros((), dtype=value.dtype, device=value.device)
        if len(m.mixed):
            total = total + self._mixtures(value).sum(-1)
        if len(m.binary):
            total = total + self._bernoullis(value).sum(-1)
        return total

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component stands in its law; a discrete one anywhere between the ends of its step, by chance."""
        m, x = self.marginals, self.expanded(x)
        below, above = torch.empty_like(x), torch.empty_like(x)
        if len(m.mixed):
            below[..., m.mixed], above[..., m.mixed] = self._mixture_steps(x)
        if len(m.binary):
            zero, no = x[..., m.binary] < 0.5, (-self._logits()).sigmoid()
            below[..., m.binary] = no.masked_fill(zero, 0.0)
            above[..., m.binary] = no.masked_fill(~zero, 1.0)
        return below + torch.rand_like(x) * (above - below)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw every component."""
        with torch.no_grad():
            m, shape = self.marginals, torch.Size(sample_shape)
            x = self.parameters.new_empty(self._extended_shape(shape))
            if len(m.mixed):
                x[..., m.mixed] = _draw(*self._mixture_parameters(), shape)
            if len(m.binary):
                p = self._logits().sigmoid().expand(*shape, *self.batch_shape, -1)
                x[..., m.binary] = torch.bernoulli(p)
            return m.event.snap(x)

    def _bernoullis(self, x: Tensor) -> Tensor:
        y = x[..., self.marginals.binary]
        inside = (y == 0) | (y == 1)
        logits = self._logits()
        return torch.where(inside, y * logits - softplus(logits), -torch.inf)

    def _logits(self) -> Float[Tensor, "*batch b"]:
        m = self.marginals
        return self.parameters[..., m.starts[m.binary].to(self.parameters.device)]

    def _mixture_parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, locations and log-scales, each of shape ``(*batch, M, K)``."""
        m = self.marginals
        flat = self.parameters
        if len(m.binary):
            flat = flat[..., m.mixture_index.to(flat.device)]
        logits, location, raw = flat.unflatten(-1, (-1, 3, m.components)).unbind(-2)
        return logits.log_softmax(-1), location, SMALLEST_LOG_SCALE + softplus(raw - SMALLEST_LOG_SCALE)

    def _mixtures(self, x: Tensor) -> Float[Tensor, "*batch m"]:
        event, mixed = self.marginals.event, self.marginals.mixed.to(x.device)
        width, low, high = (t.to(x)[mixed] for t in (event.width, event.low, event.high))
        log_weight, location, log_scale = self._mixture_parameters()
        y = x[..., mixed]
        each = _log_each((y.unsqueeze(-1) - location), log_scale, width, (y <= low), (y >= high))
        outside = (y < low - width / 2) | (y > high + width / 2)
        return (log_weight + each).logsumexp(-1).masked_fill(outside, -torch.inf)

    def _mixture_steps(self, x: Tensor) -> tuple[Float[Tensor, "*batch m"], Float[Tensor, "*batch m"]]:
        """The distribution functions at both ends of each cell, which are one where the component is continuous."""
        event, mixed = self.marginals.event, self.marginals.mixed.to(x.device)
        width, low, high = (t.to(x)[mixed] for t in (event.width, event.low, event.high))
        y = x[..., mixed]
        below, above = self._mixture_cdf(y - width / 2), self._mixture_cdf(y + width / 2)
        return below.masked_fill(y <= low, 0.0), above.masked_fill(y >= high, 1.0)

    def _mixture_cdf(self, y: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch m"]:
        log_weight, location, log_scale = self._mixture_parameters()
        each = ((y.unsqueeze(-1) - location) * (-log_scale).exp()).sigmoid()
        return (log_weight.exp() * each).sum(-1)


def _log_each(residual: Tensor, log_scale: Tensor, width: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Each logistic's log-density, or the log-probability of its cell, without cancellation.

    For a cell with standardised ends a < b,
    log(σ(b) − σ(a)) = log σ(b) + log σ(−a) + log(1 − e^{a−b}); an edge cell reaches to infinity and loses a factor.
    Where the width is 0 the first two terms less log s are the log-density.
    """
    half = (width / 2).unsqueeze(-1)
    inverse = (-log_scale).exp()
    upper, lower = logsigmoid((residual + half) * inverse), logsigmoid((half - residual) * inverse)
    span = torch.where(half > 0, 2 * half * inverse, torch.ones_like(inverse))
    interior = torch.log(-torch.expm1(-span))
    first, last = first.unsqueeze(-1), last.unsqueeze(-1)
    cell = upper.masked_fill(last, 0.0) + lower.masked_fill(first, 0.0) + interior.masked_fill(first | last, 0.0)
    return torch.where(half > 0, cell, upper + lower - log_scale)


def _draw(log_weight: Tensor, location: Tensor, log_scale: Tensor, shape: torch.Size) -> Tensor:
    """One draw of each mixture: choose a logistic, then invert its distribution function."""
    full = shape + log_weight.shape[:-1]
    gumbel = (
        -torch.empty(*full, log_weight.shape[-1], dtype=location.dtype, device=location.device).exponential_().log()
    )
    choice = (log_weight + gumbel).argmax(-1, keepdim=True)
    mu = location.expand(*full, -1).gather(-1, choice).squeeze(-1)
    scale = log_scale.expand(*full, -1).gather(-1, choice).squeeze(-1).exp()
    u = torch.rand(full, dtype=location.dtype, device=location.device)
    return mu + scale * torch.logit(u, eps=torch.finfo(location.dtype).eps)
