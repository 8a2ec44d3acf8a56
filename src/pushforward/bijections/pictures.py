"""Bijections of pictures: as maps of flat vectors, and made of maps of each pixel's channels."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.affine import Affine
from pushforward.bijections.bijection import Bijection
from pushforward.bijections.lu import LULinear

__all__ = ["ActivationNormalisation", "EachPixel", "OnPictures", "PointwiseConvolution"]

Shape = tuple[int, int, int]


class OnPictures(Bijection):
    r"""A bijection of pictures ``(*batch, C, H, W)``, with log-determinants ``*batch``, read as one of flat vectors.

    Arguments:
        bijection: The map of pictures.
        shape: The patterns' ``(C, H, W)``.
        codes: The codes' shape, where it is another.

    Example:
        >>> import torch
        >>> from pushforward.bijections import Squeeze
        >>> squeeze = OnPictures(Squeeze(), (1, 2, 4), codes=(4, 1, 2))
        >>> squeeze.inverse(torch.arange(8.0))[0]
        tensor([0., 2., 1., 3., 4., 6., 5., 7.])
    """

    def __init__(self, bijection: Bijection, shape: Shape, codes: Shape | None = None) -> None:
        super().__init__()
        codes = codes or shape
        if math.prod(codes) != math.prod(shape):
            raise ValueError(f"codes of shape {tuple(codes)} cannot hold patterns of shape {tuple(shape)}")
        self.bijection = bijection
        self.shape, self.codes = tuple(shape), tuple(codes)

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From flat codes to flat patterns."""
        x, log_det = self.bijection(z.unflatten(-1, self.codes), context)
        return x.flatten(-3), log_det

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From flat patterns to flat codes."""
        z, log_det = self.bijection.inverse(x.unflatten(-1, self.shape), context)
        return z.flatten(-3), log_det

    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Prepare the map of pictures."""
        self.bijection.prepare(x.unflatten(-1, self.shape), context)


class EachPixel(Bijection):
    """The same bijection of the C channels at every pixel; its log-determinants add up over the pixels.

    Arguments:
        bijection: The map of vectors of C components; it is given no context.

    Example:
        >>> import torch
        >>> from pushforward.bijections import Permutation
        >>> EachPixel(Permutation([1, 0]))(torch.arange(4.0).view(2, 1, 2))[0]
        tensor([[[2., 3.]],
        <BLANKLINE>
                [[0., 1.]]])
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    # The channels come last as a view: what such a map returns lies in memory pixel by pixel, where the next such map,
    # and a convolution, find it without a copy.

    def forward(
        self, z: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """From codes to patterns, pixel by pixel."""
        x, log_det = self.bijection(z.movedim(-3, -1))
        return x.movedim(-1, -3), log_det.sum((-2, -1))

    def inverse(
        self, x: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """From patterns to codes, pixel by pixel."""
        z, log_det = self.bijection.inverse(x.movedim(-3, -1))
        return z.movedim(-1, -3), log_det.sum((-2, -1))

    def prepare(self, x: Float[Tensor, "n c h w"], context: Float[Tensor, "n k"] | None = None) -> None:
        """Prepare from all pixels of all pictures."""
        self.bijection.prepare(x.movedim(-3, -1).flatten(0, -2))


class PointwiseConvolution(EachPixel):
    r"""An invertible 1×1 convolution: :class:`LULinear` of each pixel's channels.

    .. math:: z_{\cdot hw} = P L U x_{\cdot hw} + b, \qquad \log |\det| = H W \sum_i a_i.

    Source: Kingma and Dhariwal (2018), "Glow", section 3.2.

    Arguments:
        channels: The number of channels C.
        seed: Of the random rotation to start from; without one it starts as the identity.

    Example:
        >>> import torch
        >>> _, log_det = PointwiseConvolution(4, seed=0).inverse(torch.zeros(2, 4, 8, 8))
        >>> torch.allclose(log_det, torch.zeros(2), atol=1e-4)
        True
    """

    def __init__(self, channels: int, seed: int | None = None) -> None:
        super().__init__(LULinear(channels, seed))


class ActivationNormalisation(EachPixel):
    r"""A shift and a scale for each channel, :math:`x = z \odot e^{a} + b`: :class:`Affine` of each pixel's channels.

    :meth:`prepare` sets them such that each channel of a first batch's codes has mean 0 and standard deviation 1.

    Source: Kingma and Dhariwal (2018), "Glow", section 3.1.

    Arguments:
        channels: The number of channels C.

    Example:
        >>> import torch
        >>> normalisation = ActivationNormalisation(1)
        >>> normalisation.prepare(torch.tensor([0.0, 2.0, 4.0, 6.0]).view(1, 1, 2, 2))
        >>> normalisation.inverse(torch.full((1, 1, 2, 2), 3.0))[0].sum().item()
        0.0
    """

    def __init__(self, channels: int) -> None:
        super().__init__(Affine(channels))
