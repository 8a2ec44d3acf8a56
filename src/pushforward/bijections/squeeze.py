"""Each square of pixels as one pixel of so many times the channels."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection

__all__ = ["Squeeze"]


class Squeeze(Bijection):
    """Patterns of shape (C, H, W) from codes of shape (r²C, H/r, W/r): neighbours become one pixel's channels.

    The channels of one colour's r² neighbours stand together, row by row. Volumes are kept.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP", section 3.6.

    Arguments:
        factor: The side r of a square of neighbours.

    Raises:
        ValueError: If r does not divide a pattern's height or width, or r² a code's channels.

    Example:
        >>> import torch
        >>> Squeeze().inverse(torch.arange(4.0).view(1, 2, 2))[0].flatten()
        tensor([0., 1., 2., 3.])
    """

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        if factor < 2:
            raise ValueError(f"a square of neighbours has a side of at least 2, not {factor}")
        self.factor = factor

    @staticmethod
    def codes(shape: tuple[int, int, int], factor: int = 2) -> tuple[int, int, int]:
        """The shape of the codes of patterns of a shape."""
        c, h, w = shape
        if h % factor or w % factor:
            odd = " and ".join(f"{name} {size}" for name, size in (("height", h), ("width", w)) if size % factor)
            raise ValueError(f"{factor} does not divide the {odd} of a picture {c}×{h}×{w}")
        return factor**2 * c, h // factor, w // factor

    def forward(
        self, z: Float[Tensor, "*batch r*r*c h/r w/r"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """Channels to space."""
        if z.shape[-3] % self.factor**2:
            raise ValueError(f"{z.shape[-3]} channels do not spread over squares of {self.factor}×{self.factor} pixels")
        squares = z.unflatten(-3, (-1, self.factor, self.factor))  # (*batch, C, r, r, H/r, W/r)
        x = squares.movedim((-4, -3), (-3, -1)).flatten(-4, -3).flatten(-2)
        return x, z.new_zeros(z.shape[:-3])

    def inverse(
        self, x: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch r*r*c h/r w/r"], Float[Tensor, "*batch"]]:
        """Space to channels."""
        c, h, w = x.shape[-3:]
        self.codes((c, h, w), self.factor)
        squares = x.unflatten(-1, (-1, self.factor)).unflatten(-3, (-1, self.factor))  # (*batch, C, H/r, r, W/r, r)
        z = squares.movedim((-3, -1), (-4, -3)).flatten(-5, -3)  # as pixel_unshuffle, which fails on empty batches
        return z, x.new_zeros(x.shape[:-3])
