"""How the components of each measure are scored, transformed and drawn, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from pushforward.distributions.scalar import Scalar
from pushforward.event import Event

__all__ = ["MEASURES", "Bernoulli", "Categorical", "Cells", "Density", "Measure"]


LEAST = 2e-3
"""The smallest scale that a law of standardised values starts from, and …"""
LEAST_OF_CELL = 0.3
"""… the smallest in cells, where values are on a grid."""


class Measure(Protocol):
    """Components of one measure, m of them, with P parameters in all, each component's after the other's."""

    roles: list[tuple[int, ...]]
    """For each parameter of each component 1 if it is a location, 2 if it is a log-scale, 0 otherwise."""

    def initial(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """Where training starts, given a first batch, which may be empty: real ones spread over a standard range."""

    def near(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """Laws near those of a batch, whatever its values' range."""

    def log_prob(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n m"]:
        """Log-densities or log-probabilities, −∞ where there is no such value."""

    def step(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor]:
        """The distribution functions just below and at each value, which are one where there is a density."""

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n m"]:
        """Independent draws of each component."""


class Bernoulli:
    """Binary components, by one logit each.

    Example:
        >>> Bernoulli(Event.continuous(2)).log_prob(torch.tensor([1.0, 0.5]), torch.zeros(2))
        tensor([-0.6931,    -inf])
    """

    def __init__(self, event: Event, law: Scalar | None = None) -> None:
        self.roles: list[tuple[int, ...]] = [(0,)] * event.size

    def initial(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """As often 1 as in the batch, or once in twice more."""
        return ((y.sum(0) + 1) / (len(y) + 2)).logit()

    def near(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """As :meth:`initial`."""
        return self.initial(y)

    def log_prob(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n m"]:
        """Log-probabilities, −∞ but for 0 and 1."""
        return torch.where((y == 0) | (y == 1), y * parameters - softplus(parameters), -torch.inf)

    def step(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor]:
        """The ends of the steps at 0 and 1."""
        zero, no = y < 0.5, (-parameters).sigmoid()
        return no.masked_fill(zero, 0.0), no.masked_fill(~zero, 1.0)

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n m"]:
        """Tosses."""
        return torch.bernoulli(parameters.sigmoid().expand(shape + parameters.shape))


class Categorical:
    """Components with codes 0, …, K − 1, by K logits each; those with fewer than the most are filled up by −∞.

    Example:
        >>> from pushforward.event import Block
        >>> law = Categorical(Event((Block.categorical(4), Block.categorical(2))))
        >>> law.log_prob(torch.tensor([[3.0, 1.0], [0.0, 2.0]]), torch.zeros(2, 6)).exp()
        tensor([[0.2500, 0.5000],
                [0.2500, 0.0000]])
    """

    def __init__(self, event: Event, law: Scalar | None = None) -> None:
        self.event = event
        self.roles = [(0,) * k for k in event.categories.tolist()]
        ends, codes = event.categories.cumsum(0)[:, None], torch.arange(max(map(len, self.roles)))
        self.missing = codes >= event.categories[:, None]
        self.place = ends - event.categories[:, None] + codes.where(~self.missing, 0)

    def initial(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """Each code as often as in the batch, or once more."""
        return self.event.features(y).sum(0).add(1).log()

    def near(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """As :meth:`initial`."""
        return self.initial(y)

    def log_prob(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n m"]:
        """Log-probabilities, −∞ for codes that do not exist."""
        code = y.nan_to_num().round().clamp(0, self.place.shape[1] - 1)
        log_p = self._log_probabilities(parameters).gather(-1, code.long().unsqueeze(-1)).squeeze(-1)
        return torch.where(y == code, log_p, -torch.inf)

    def step(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor]:
        """The ends of each step, with the codes in their order."""
        p = self._log_probabilities(parameters).exp()
        codes = torch.arange(p.shape[-1], device=p.device)
        below, at = ((p * (codes < limit.unsqueeze(-1))).sum(-1) for limit in (y, y + 1))
        return below, at

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n m"]:
        """The greatest logit, each with Gumbel noise."""
        log_p = self._log_probabilities(parameters)
        noise = torch.empty_like(log_p.expand(shape + log_p.shape)).exponential_().log()
        return (log_p - noise).argmax(-1).to(log_p.dtype)

    def _log_probabilities(self, parameters: Tensor) -> Float[Tensor, "*n m k"]:
        logits = parameters[..., self.place.to(parameters.device)]  # (*n, m, K)
        return logits.masked_fill(self.missing.to(parameters.device), -torch.inf).log_softmax(-1)


class Density:
    """Continuous components, by the density of a law of one number.

    Arguments:
        event: The components.
        law: How the parameters of each are read.
    """

    def __init__(self, event: Event, law: Scalar) -> None:
        self.event, self.law = event, law
        self.roles = [law.roles] * event.size

    def initial(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """The same for all, whatever the batch: encodings are standardised."""
        return self.law.initial().repeat(self.event.size)

    def near(self, y: Float[Tensor, "n m"]) -> Float[Tensor, " p"]:
        """Laws that together are near that of each component."""
        least = (LEAST_OF_CELL * self.event.width).clamp(min=LEAST)
        return self.law.near(y, least.to(y)).flatten()

    def log_prob(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n m"]:
        """Log-densities."""
        density: Tensor = self.law.log_density(y, self._each(parameters))
        return density

    def step(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor]:
        """The distribution function, twice."""
        u: Tensor = self.law.cdf(y, self._each(parameters))
        return u, u

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n m"]:
        """Draws, which may lie beyond the range."""
        return self.law.draw(self._each(parameters), shape)

    def _each(self, parameters: Tensor) -> Float[Tensor, "*n m p"]:
        each: Tensor = parameters.unflatten(-1, (self.event.size, self.law.parameters))
        return each


class Cells(Density):
    """Components on grids, by the probability of each cell; the first and last cells collect the tails."""

    def log_prob(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n m"]:
        """Log-probabilities."""
        half, low, high = self._edges(y)
        cells = self.law.log_cell(y, half.expand_as(y), y <= low, y >= high, self._each(parameters))
        return cells.masked_fill(~self.event.possible(y), -torch.inf)

    def step(self, y: Float[Tensor, "*n m"], parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor]:
        """The ends of each cell's step."""
        (half, low, high), each = self._edges(y), self._each(parameters)
        below, above = self.law.cdf(y - half, each), self.law.cdf(y + half, each)
        return below.masked_fill(y <= low, 0.0), above.masked_fill(y >= high, 1.0)

    def _edges(self, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Half the width of each cell, and the middles of the first and the last."""
        return self.event.width.to(y) / 2, self.event.low.to(y), self.event.high.to(y)


MEASURES: dict[str, Callable[[Event, Scalar], Measure]] = {
    "binary": Bernoulli,
    "categorical": Categorical,
    "grid": Cells,
    "continuous": Density,
}
"""By the kind of an event's block."""
