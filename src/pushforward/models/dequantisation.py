"""How a flow, which has a density over real vectors, becomes a law of patterns with discrete components."""

from __future__ import annotations

import math
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Uniform

from pushforward.bijections import (
    Bijection,
    Chain,
    CheckerboardCoupling,
    Inverse,
    Logit,
    MonotonicAffine,
    OnPictures,
    Within,
)
from pushforward.distributions.dequantised import dequantised
from pushforward.distributions.independent import independent
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.arrangements import arranged
from pushforward.models.model import beside
from pushforward.networks.convolutional import BesidePicture

__all__ = ["Dequantisation"]

KINDS = ("uniform", "variational")
HIDDEN, CHANNELS = (64, 64), (16, 16)
"""The hidden layers of learned noise's networks, of vectors and of pictures: they see the pattern and can be small."""


class Dequantisation(nn.Module):
    r"""Reads a density over real vectors as a law of patterns, by uniform noise or by noise that is learned.

    Learned noise is a flow given the pattern. It starts as the uniform noise:

    .. math:: u = \sigma\bigl(f_\psi(\operatorname{logit} v;\, x, c)\bigr) - \tfrac12, \qquad v \sim U(0, 1)^D, \qquad
              f_\psi = \mathrm{id} \text{ at first}.

    Source: Ho, Chen, Srinivas, Duan and Abbeel (2019), "Flow++", section 3.1.

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        kind: ``uniform`` or ``variational``.

    Example:
        >>> from pushforward.distributions.normal import standard_normal
        >>> from pushforward.event import Block
        >>> dequantisation = Dequantisation(Event((Block("grid", 2, 1.0),)), kind="variational")
        >>> law = dequantisation(standard_normal(torch.zeros(2)))
        >>> _ = torch.manual_seed(0)
        >>> law.log_prob_bound(torch.zeros(2), k=1000)  # the truth is −1.9197
        tensor(-1.92..., grad_fn=<...>)
    """

    def __init__(self, event: Event, context: int = 0, kind: str = "uniform") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"dequantisation is {' or '.join(KINDS)}, not {kind!r}")
        self.event = event
        self.noise = None if kind == "uniform" or event.is_continuous else _noise(event, context)

    def forward(self, law: Distribution, context: Float[Tensor, "*batch c"] | None = None) -> Distribution:
        """The law of patterns whose density, before rounding, is that of ``law``."""
        return dequantised(law, self.event, self.noise and partial(self._law, context))

    def limits(self) -> list[Bijection]:
        """What leads from the real line to where discrete components can lie, cells included, if any has a limit.

        Rounding would gather in the outer cells what lies beyond them, and no noise within the cells would find it.
        """
        discrete, half = self.event.width > 0, self.event.width / 2
        low = torch.where(discrete, self.event.low - half, -torch.inf)
        high = torch.where(discrete, self.event.high + half, torch.inf)
        limited = bool(low.isfinite().any())
        return [Within(low, high, torch.where(discrete, self.event.width, 1.0))] if limited else []

    def prepared_with(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Patterns spread evenly over their cells, always alike, for what depends on a first batch."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype).to(x.device) - 0.5
        return x + self.event.width.to(x) * noise

    def _law(self, context: Tensor | None, x: Float[Tensor, "*batch d"]) -> Pushforward:
        """q(u | x, c)."""
        assert self.noise is not None
        zero = x.new_zeros(*x.shape[:-1], len(self.event.discrete))
        uniform = independent(Uniform(zero, torch.ones_like(zero), validate_args=False))
        return Pushforward(uniform, self.noise, beside(self.event.features(x), context))


def _noise(event: Event, context: int) -> Bijection:
    """From uniform codes to places in a cell, given the pattern and the context."""
    # A logistic law squeezed by more than 2 leaves a cell's edges so thin that importance weights have no variance.
    g = MonotonicAffine(bound=math.log(2))
    size = len(event.discrete)
    if event.picture is None:
        links = arranged("coupling", "permutation", size, sum(event.feature_counts) + context, 2, HIDDEN, g)
    else:
        links = [_checkerboard(event.picture, context, black, g) for black in (True, False)]
    return Chain([Inverse(Logit(0.0, 1.0)), *links, Logit(-0.5, 0.5)])


def _checkerboard(shape: tuple[int, int, int], context: int, black: bool, g: MonotonicAffine) -> Bijection:
    network = BesidePicture(shape, g.parameters * shape[0], CHANNELS, context).near_zero()
    return OnPictures(CheckerboardCoupling(shape, black, g, network), shape)
