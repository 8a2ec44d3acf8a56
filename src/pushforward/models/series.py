"""The autoregressive family on series: one step after another, and within a step one variable after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.distributions.factorised import Marginals
from pushforward.distributions.stepwise import Stepwise
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.mixing import WindowMixing
from pushforward.networks.steps import StepNetwork

__all__ = ["StepAutoregressive"]

COVERED = 0.9
"""The share of values that calibrated laws hold in their centre."""
NARROWEST, WIDEST = -0.5, 1.0
"""The largest corrections of a log-scale. Laws that ought to be narrower still are of another shape than the data, as
where values lie on lines between hours: narrowed to what most steps need, they miss those where a line ends, and paths
stay too close. (energy, fitted on 64 % and forecast up to 80 %, one network with nothing hidden, two seeds: intervals
cover 87.6 % with -1 and 89.1 % with -0.5, at a CRPS of 0.1602 and 0.1600.)"""
HALVINGS = 8


class StepAutoregressive(Model):
    r"""An autoregressive model of windows of a series, :math:`p(x) = \prod_{t,v} p(x_{t,v} \mid x_{<t}, x_{t,<v}, c)`.

    Conditionals are mixtures that stand relative to the last value and to a running scale, so that a series may change
    its level and its liveliness. Missing values, NaN, have no factor.

    Sources: Salinas et al. (2020), "DeepAR"; van den Oord et al. (2016), "WaveNet".

    Arguments:
        event: What one window is; its ``series`` is (T, V).
        context: The width of the context, T times that of a step.
        hidden: The width of the convolutions, then of the hidden layers of the network within a step.
        layers: The number of convolutions.
        components: Logistics in each mixture.
        dropout: The share of what the convolutions say of a step that training hides.
        variable_dropout: The largest probability by which training hides each variable of a window, as if it were
            missing.
        members: Networks, each of which learns by itself; a conditional is the mean of what they say of it.
        mixup: The share of windows that training mixes with another one.

    Example:
        >>> from pushforward.event import Block
        >>> _ = torch.manual_seed(0)
        >>> model = StepAutoregressive(Event((Block("continuous", 12),), series=(6, 2)), hidden=(8, 8), layers=2)
        >>> x = model().sample((5,))
        >>> x[0, 3] = torch.nan
        >>> model().log_prob(x).shape
        torch.Size([5])
    """

    takes_missing = True

    def __init__(
        self,
        event: Event,
        context: int = 0,
        hidden: Sequence[int] = (96, 128),
        layers: int = 5,
        components: int = 5,
        dropout: float = 0.0,
        variable_dropout: float = 0.0,
        members: int = 1,
        mixup: float = 0.0,
    ) -> None:
        shape = {"hidden": list(hidden), "layers": layers, "components": components, "members": members}
        super().__init__(event, context, **shape, dropout=dropout, variable_dropout=variable_dropout, mixup=mixup)
        if members < 1:
            raise ValueError(f"a model needs at least one member, not {members}")
        if event.series is None:
            raise ValueError("an event that is no series has no steps")
        steps, variables = event.series
        if context % steps:
            raise ValueError(f"a window of {steps} steps needs as much context for each, not {context} numbers in all")
        blocks = [component.blocks[0] for component in event.components()[:variables]]
        self.marginals = Marginals(Event(tuple(blocks)), components)
        self.mixing = WindowMixing(mixup, [block.kind == "continuous" for block in blocks])
        roles, width = self.marginals.roles, context // steps
        self.networks = nn.ModuleList(
            StepNetwork(steps, roles, width, hidden, layers, dropout, variable_dropout) for _ in range(members)
        )
        with torch.no_grad():
            for network in self._members():
                network.head.last.bias.copy_(self.marginals.initial())

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """Take usual moves, cycles and a linear autoregression from a first batch."""
        first, *others = self._members()
        first.fit(x, context)
        for network in others:
            network.start_as(first)

    @torch.no_grad()
    def calibrate(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Widen or narrow each variable's laws until their central 90 % hold 90 % of validation values.

        What a network learnt by heart makes it surer of the next step than it may be. A variable of which no value
        was observed is left as it is.
        """
        widening = self._members()[0].widening
        v = len(widening)
        observed = ~x.unflatten(-1, (-1, v)).isnan()
        low, high = torch.full_like(widening, NARROWEST), torch.full_like(widening, WIDEST)
        for _ in range(HALVINGS):
            self._widen((low + high) / 2)
            u = self(context).pit(x).unflatten(-1, (-1, v))
            inside = (observed & ((u - 0.5).abs() <= COVERED / 2)).sum((0, 1)) / observed.sum((0, 1)).clamp(min=1)
            low, high = torch.where(inside < COVERED, widening, low), torch.where(inside < COVERED, high, widening)
        self._widen(widening.masked_fill(~observed.any(1).any(0), 0.0))  # else nothing says how sure to be

    def _widen(self, widening: Float[Tensor, " v"]) -> None:
        for network in self._members():
            network.widening.copy_(widening)

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Stepwise:
        """The law, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = self._members()[0].first.bias.new_zeros(*batch, self.event.size)
        return Stepwise(self._members(), self.marginals, origin, context, self.mixing)

    def _members(self) -> list[StepNetwork]:
        return cast("list[StepNetwork]", list(self.networks))
