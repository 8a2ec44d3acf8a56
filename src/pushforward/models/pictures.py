"""The autoregressive family of pictures: exact, one pixel after another."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections import Permutation
from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.factorised import Marginals
from pushforward.distributions.law import Law
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.pictures import CausalPictureNetwork

__all__ = ["ConvolutionalAutoregressive"]


class ConvolutionalAutoregressive(Model):
    r"""A causal convolutional model of pictures, :math:`p(x) = \prod_i p(x_i \mid x_{<i}, c)`, all in one pass.

    The order is row by row, pixel by pixel, channel by channel. That of a grey picture's vector is the same, and its
    law is :class:`~pushforward.distributions.autoregressive.Autoregressive`. A colour picture's vector is ordered by
    channels first, so its law is the permutation of one, ``law.base``, which answers for prefixes in its own order.

    Binary pixels have Bernoulli conditionals, those of more levels discretised mixtures: the likelihood is exact.

    Sources: van den Oord et al. (2016), gated PixelCNN; Salimans et al. (2017), PixelCNN++, for mixtures.

    Arguments:
        event: What one picture is.
        context: The width of the context.
        width: The channels of every layer.
        layers: The residual convolutions over rows, and those over the pixels of a row.
        components: Laws in the mixture of each pixel, or bins of its spline.
        conditionals: ``logistic`` or ``normal``, of which mixtures are made, or ``spline``.

    Example:
        >>> from pushforward.event import Block
        >>> _ = torch.manual_seed(0)
        >>> model = ConvolutionalAutoregressive(Event((Block.binary(12),), picture=(1, 3, 4)), width=8, layers=1)
        >>> law = model()
        >>> law.log_prob(law.sample((5,))).shape
        torch.Size([5])
    """

    gains_from_bfloat16 = True

    def __init__(
        self,
        event: Event,
        context: int = 0,
        width: int = 32,
        layers: int = 4,
        components: int = 10,
        conditionals: str = "logistic",
    ) -> None:
        shape = {"width": width, "layers": layers}
        super().__init__(event, context, **shape, components=components, conditionals=conditionals)
        if event.picture is None:
            raise ValueError("an event that is no picture has no rows")
        if len(event.blocks) != 1 or event.blocks[0].kind not in ("grid", "binary"):
            raise ValueError("a picture has pixels of one kind, a grid or binary")
        channels, places = event.picture[0], event.picture[1] * event.picture[2]
        self.marginals = Marginals(event, components, conditionals)
        pixel = Marginals(Event(event.components()[0].blocks * channels), components, conditionals)
        border = event.blocks[0].low or 0.0
        self.network = CausalPictureNetwork(event.picture, pixel.counts, **shape, context=context, border=border)
        self.permutation = Permutation(
            [place * channels + channel for channel in range(channels) for place in range(places)]
        )
        with torch.no_grad():
            self.network.head.last.bias.copy_(pixel.initial())

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Law:
        """The law, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = self.network.places.new_zeros(*batch, self.event.size)
        law = Autoregressive(self.network, self.marginals, origin, context)
        return law if (self.event.picture or (1,))[0] == 1 else Pushforward(law, self.permutation)
