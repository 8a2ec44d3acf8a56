"""What the flows of pictures share: where pixels lie, and how bytes become real numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.bijections import Affine, Bijection, Chain
from pushforward.distributions.normal import standard_normal
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.dequantisation import Dequantisation
from pushforward.models.model import Model

__all__ = ["PictureFlow"]

Shape = tuple[int, int, int]


class PictureFlow(Model):
    r"""A flow of pictures: standard normal codes, a map of pictures, a scale and a shift for each pixel, a sigmoid.

    The sigmoid keeps every pixel within what it can be, and gives the cells at the ends of the range, where many pixels
    are, a whole half-line each.

    Arguments:
        event: What one pattern is; discrete components are dequantised, which leaves a lower bound.
        context: The width of the context.
        build: From the picture's ``(C, H, W)`` to the map of flat pictures.
        dequantisation: ``uniform`` or ``variational``.
        config: The remaining arguments of the constructor, by name.
    """

    def __init__(
        self, event: Event, context: int, build: Callable[[Shape], Bijection], dequantisation: str, **config: Any
    ) -> None:
        super().__init__(event, context, dequantisation=dequantisation, **config)
        if event.picture is None:
            raise ValueError("this flow is one of pictures, and the event is none")
        self.dequantisation = Dequantisation(event, context, dequantisation)
        self.bijection = Chain([build(event.picture), Affine(event.size), *self.dequantisation.limits()])

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Distribution:
        """The law of patterns, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = next(self.parameters()).new_zeros(*batch, self.event.size)
        law: Distribution = self.dequantisation(Pushforward(standard_normal(origin), self.bijection, context), context)
        return law

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """Standardise what every link makes of the patterns of a first batch."""
        self.bijection.prepare(self.dequantisation.prepared_with(x), context)
