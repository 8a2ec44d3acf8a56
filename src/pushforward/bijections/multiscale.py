"""Pictures by scales: what is settled at a fine one waits while the rest goes on to a coarser one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.squeeze import Squeeze

__all__ = ["MultiScale"]

Shape = tuple[int, int, int]


class MultiScale(Bijection):
    r"""A bijection of flat pictures, from a bijection of pictures at each of S scales.

    A pattern is squeezed, meets the first scale's bijection, and half of the channels that result are done: they are
    codes. The others are squeezed, meet the next scale's bijection, and so on; after the last one all are codes:

    .. math:: h_0 = x, \qquad (h_s, z_s) = f_s^{-1}(\operatorname{squeeze} h_{s-1}), \qquad
              z = (z_1, \dots, z_{S-1}, h_S).

    A scale whose bijection ends (on the side of the codes) in a coupling that moves the second half of the channels
    given the first has thereby a learned law of :math:`z_s` given :math:`h_s`, as in Glow.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP", section 3.6.

    Arguments:
        shape: The patterns' ``(C, H, W)``.
        scales: Each scale's bijection of pictures, finest first, of the shapes that :meth:`shapes` tells.

    Raises:
        ValueError: If a height or width to be halved is odd.

    Example:
        >>> from pushforward.bijections import ActivationNormalisation
        >>> MultiScale.shapes((1, 8, 8), 2)
        [(4, 4, 4), (8, 2, 2)]
        >>> flow = MultiScale((1, 8, 8), [ActivationNormalisation(4), ActivationNormalisation(8)])
        >>> flow.inverse(torch.zeros(3, 64))[0].shape
        torch.Size([3, 64])
    """

    def __init__(self, shape: Shape, scales: Iterable[Bijection]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.scales = nn.ModuleList(scales)
        self.squeeze = Squeeze()
        shapes = self.shapes(shape, len(self.scales))
        self.coarsest = shapes[-1]
        self.sizes = [math.prod(s) // 2 for s in shapes[:-1]] + [math.prod(shapes[-1])]

    @staticmethod
    def shapes(shape: Shape, scales: int) -> list[Shape]:
        """The shape of what each scale's bijection is of."""
        if scales < 1:
            raise ValueError(f"a picture has at least one scale, not {scales}")
        shapes = [Squeeze.codes(shape)]
        for _ in range(scales - 1):
            c, h, w = shapes[-1]
            shapes.append(Squeeze.codes((c // 2, h, w)))
        return shapes

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From the coarsest scale to the finest."""
        *settled, h = z.split(self.sizes, -1)
        h, total = h.unflatten(-1, self.coarsest), z.new_zeros(z.shape[:-1])
        for i, scale in reversed(list(enumerate(self.scales))):
            if i < len(settled):
                h = torch.cat([h, settled[i].unflatten(-1, h.shape[-3:])], -3)
            h, log_det = scale(h, context)
            h, total = self.squeeze(h)[0], total + log_det
        return h.flatten(-3), total

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From the finest scale to the coarsest."""
        h, total, settled = x.unflatten(-1, self.shape), x.new_zeros(x.shape[:-1]), []
        for i, scale in enumerate(self.scales):
            h, log_det = cast(Bijection, scale).inverse(self.squeeze.inverse(h)[0], context)
            total = total + log_det
            if i < len(self.scales) - 1:
                h, done = h.chunk(2, -3)
                settled.append(done.flatten(-3))
        return torch.cat([*settled, h.flatten(-3)], -1), total

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Prepare the scales finest first, each from what the finer ones leave."""
        h = x.unflatten(-1, self.shape)
        for scale in cast(Iterable[Bijection], self.scales):
            h, _ = self.squeeze.inverse(h)
            scale.prepare(h, context)
            h = scale.inverse(h, context)[0].chunk(2, -3)[0]
