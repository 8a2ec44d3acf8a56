"""The flow family for pictures: convolutional couplings at several scales."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pushforward.bijections import (
    ActivationNormalisation,
    Bijection,
    Chain,
    ChannelCoupling,
    CheckerboardCoupling,
    MultiScale,
    OnPictures,
    PointwiseConvolution,
    Univariate,
)
from pushforward.event import Event
from pushforward.models.arrangements import univariate
from pushforward.models.picture_flow import PictureFlow, Shape
from pushforward.networks.convolutional import Convolutional

__all__ = ["MultiScaleFlow"]


class MultiScaleFlow(PictureFlow):
    r"""A multi-scale flow of pictures, as Glow: at each scale steps of normalisation, 1×1 convolution and coupling.

    Pictures are halved as long as height and width are even, at most ``scales`` times, and at each scale but the last
    half of what there is becomes code. A grey picture that cannot be halved is coupled by the fields of a chessboard.

    Sources: Dinh, Sohl-Dickstein and Bengio (2017), RealNVP; Kingma and Dhariwal (2018), "Glow".

    Arguments:
        event: What one pattern is; discrete components are dequantised, which leaves a lower bound.
        context: The width of the context.
        scales: At how many scales at most.
        transforms: The number of steps at each scale.
        hidden: The channels of the hidden layers of each coupling's network, all equal.
        map: The univariate map: ``spline`` or ``affine``.
        bins: The number of bins of each spline.
        bound: Where the splines end and the identity begins.
        dequantisation: ``uniform`` or ``variational``.

    Example:
        >>> import torch
        >>> from pushforward.event import Block
        >>> _ = torch.manual_seed(0)
        >>> event = Event((Block("grid", 48, 1.0, 0.0, 16.0),), picture=(3, 4, 4))
        >>> law = MultiScaleFlow(event, transforms=1, hidden=(8,))()
        >>> law.log_prob_bound(law.sample((5,))).shape
        torch.Size([5])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        scales: int = 3,
        transforms: int = 6,
        hidden: Sequence[int] = (64, 64),
        map: str = "spline",  # noqa: A002  # the field's word
        bins: int = 8,
        bound: float = 5.0,
        dequantisation: str = "uniform",
    ) -> None:
        shape = {"scales": scales, "transforms": transforms, "hidden": list(hidden), "bins": bins, "bound": bound}
        steps = partial(_steps, context=context, transforms=transforms, hidden=hidden, g=univariate(map, bins, bound))
        super().__init__(event, context, partial(_scales, scales, steps), dequantisation, map=map, **shape)


def _scales(most: int, steps: partial[Bijection], shape: Shape) -> Bijection:
    """The map of flat pictures: at as many scales as there can be, and ``most`` at most."""
    if most < 1:
        raise ValueError(f"a picture has at least one scale, not {most}")
    halvings = next(i for i in range(most + 1) if i == most or any((side >> i) % 2 for side in shape[1:]))
    if not halvings:
        return OnPictures(steps(shape), shape)
    return MultiScale(shape, [steps(each) for each in MultiScale.shapes(shape, halvings)])


def _steps(shape: Shape, context: int, transforms: int, hidden: Sequence[int], g: Univariate) -> Bijection:
    """The steps at one scale, from codes to patterns."""
    if transforms < 1:
        raise ValueError(f"a flow needs at least one transform, not {transforms}")
    return Chain(link for i in range(transforms) for link in _step(shape, context, i, hidden, g))


def _step(shape: Shape, context: int, i: int, hidden: Sequence[int], g: Univariate) -> list[Bijection]:
    channels, height, width = shape
    kept = channels // 2
    if not kept:
        network = Convolutional(shape, g.parameters, hidden, context).near_zero()
        return [CheckerboardCoupling(shape, i % 2 == 0, g, network), ActivationNormalisation(1)]
    network = Convolutional((kept, height, width), g.parameters * (channels - kept), hidden, context).near_zero()
    coupling = ChannelCoupling(channels, kept, g, network)
    return [coupling, PointwiseConvolution(channels, seed=i), ActivationNormalisation(channels)]
