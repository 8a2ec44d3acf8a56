"""A shift and a scale for each component."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.bijections.bijection import Bijection

__all__ = ["Affine"]


class Affine(Bijection):
    r"""The elementwise map :math:`x = z \odot e^{a} + b` with learned a and b.

    :meth:`prepare` sets them such that the codes of a first batch have mean 0 and standard deviation 1.

    Source: Kingma and Dhariwal (2018), "Glow", section 3.1 (activation normalisation).

    Arguments:
        size: The number of components D.

    Example:
        >>> affine = Affine(2)
        >>> affine.prepare(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))  # a constant component keeps its scale
        >>> affine.inverse(torch.tensor([3.0, 11.0]))[0].detach()
        tensor([1., 1.])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(size))
        self.shift = nn.Parameter(torch.zeros(size))

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Scale, then shift."""
        return torch.addcmul(self.shift, z, self.log_scale.exp()), self.log_scale.sum().expand(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Shift back, then scale back."""
        return (x - self.shift) * (-self.log_scale).exp(), -self.log_scale.sum().expand(x.shape[:-1])

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Take the mean and the standard deviation of ``x``."""
        scale, mean = torch.std_mean(x, 0, correction=0)
        noise = 8 * torch.finfo(x.dtype).eps * mean.abs()  # what rounding alone makes of a constant component
        self.shift.copy_(mean)
        self.log_scale.copy_(torch.where(scale > noise, scale, 1.0).log())
