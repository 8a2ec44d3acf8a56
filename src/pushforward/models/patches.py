"""The flow family for pictures: a transformer over patches, again and again."""

from __future__ import annotations

import math
from functools import partial

from pushforward.bijections import (
    AutoregressivePixels,
    Bijection,
    Chain,
    OnPictures,
    PointwiseConvolution,
    Squeeze,
    Univariate,
)
from pushforward.event import Event
from pushforward.models.arrangements import univariate
from pushforward.models.picture_flow import PictureFlow, Shape
from pushforward.networks.tokens import TokenNetwork

__all__ = ["PatchFlow"]


class PatchFlow(PictureFlow):
    r"""An autoregressive flow over the patches of a picture, as TarFlow: in each block, a causal transformer

    moves every patch by what it makes of those before it, and every other block begins at the end. A learned linear map
    of each patch comes before each block. Codes are found in one pass, patterns patch by patch.

    Source: Zhai et al. (2024), "Normalizing Flows are Capable Generative Models". Its noise, of a size chosen for good
    looks, is left out: what is learnt is the law of the patterns themselves.

    Arguments:
        event: What one pattern is; discrete components are dequantised, which leaves a lower bound.
        context: The width of the context.
        patch: The side of a patch, which divides the picture's; by default the largest whose square is at most the
            smaller side.
        transforms: The number of blocks.
        width: The width of each block's transformer.
        layers: The layers of each block's transformer.
        heads: Its attention heads, a divisor of ``width``.
        map: The univariate map: ``spline`` or ``affine``.
        bins: The number of bins of each spline.
        bound: Where the splines end and the identity begins.
        dequantisation: ``uniform`` or ``variational``.

    Example:
        >>> import torch
        >>> from pushforward.event import Block
        >>> _ = torch.manual_seed(0)
        >>> event = Event((Block("grid", 48, 1.0, 0.0, 16.0),), picture=(3, 4, 4))
        >>> law = PatchFlow(event, transforms=2, width=8, layers=1, heads=2)()
        >>> law.log_prob_bound(law.sample((5,))).shape
        torch.Size([5])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        patch: int | None = None,
        transforms: int = 4,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        map: str = "affine",  # noqa: A002  # the field's word
        bins: int = 8,
        bound: float = 5.0,
        dequantisation: str = "uniform",
    ) -> None:
        size = {"transforms": transforms, "width": width, "layers": layers, "heads": heads}
        network = partial(TokenNetwork, width=width, layers=layers, heads=heads, context=context)
        build = partial(_blocks, patch, transforms, network, univariate(map, bins, bound))
        super().__init__(event, context, build, dequantisation, patch=patch, **size, map=map, bins=bins, bound=bound)


def _blocks(
    patch: int | None, transforms: int, network: partial[TokenNetwork], g: Univariate, shape: Shape
) -> Bijection:
    """The map of flat pictures, from codes to patterns."""
    if transforms < 1:
        raise ValueError(f"a flow needs at least one transform, not {transforms}")
    side = _side(shape) if patch is None else patch
    size, *places = codes = Squeeze.codes(shape, side)
    links: list[Bijection] = []
    for i in range(transforms):
        theta = network(tokens=math.prod(places), size=size, outputs=g.parameters * size).near_zero()
        links += [AutoregressivePixels(g, theta, backwards=i % 2 == 1), PointwiseConvolution(size, seed=i)]
    return OnPictures(Chain([*links, *([Squeeze(side)] if side > 1 else [])]), shape, codes)


def _side(shape: Shape) -> int:
    """The largest side of a patch that divides height and width, and whose square is at most the smaller of them."""
    _, height, width = shape
    return max(p for p in range(1, math.isqrt(min(height, width)) + 1) if height % p == width % p == 0)
