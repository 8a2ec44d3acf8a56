"""A shift, a scale for each component, and what each owes linearly to those before it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.linalg import cholesky, solve_triangular

from pushforward.bijections.bijection import Bijection

__all__ = ["Triangular"]


class Triangular(Bijection):
    r"""The map :math:`x = e^{a} \odot L^{-1} z + b` with learned a, b and L, which is unit lower triangular.

    :meth:`prepare` sets them such that the codes of a first batch are what each component's regression on those
    before it leaves, with mean 0 and standard deviation 1. A standard normal law of codes then becomes the normal
    law of the batch's mean and, but for a little shrinkage, its covariance.

    Source: Kingma and Dhariwal (2018), "Glow", section 3.1, for the initialisation by data.

    Arguments:
        size: The number of components D.

    Example:
        >>> triangular = Triangular(2)
        >>> triangular.prepare(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))  # a constant component keeps its scale
        >>> triangular.inverse(torch.tensor([3.0, 11.0]))[0].detach()
        tensor([1., 1.])
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(size))
        # Below the diagonal L, on it a; what is above stays zero.
        self.weight = nn.Parameter(torch.zeros(size, size))

    @property
    def log_scale(self) -> Float[Tensor, " d"]:
        """The logarithm a of what scales each component."""
        return self.weight.diagonal()

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Add what the components before contribute, scale, then shift."""
        columns = z.reshape(-1, len(self.shift)).T
        u = solve_triangular(self.weight, columns, upper=False, unitriangular=True).T.reshape(z.shape)
        return torch.addcmul(self.shift, u, self.log_scale.exp()), self.log_scale.sum().expand(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Shift back, scale back, then take away what the components before contribute."""
        u = (x - self.shift) * (-self.log_scale).exp()
        return u + u @ self.weight.tril(-1).T, -self.log_scale.sum().expand(x.shape[:-1])

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Take the mean of ``x``, and the slopes and residual scales of its regressions.

        The correlations are shrunk as if D more patterns had none, so that few patterns do not fit themselves.
        """
        n, d = x.shape
        scale, mean = torch.std_mean(x.double(), 0, correction=0)
        noise = 8 * torch.finfo(x.dtype).eps * mean.abs()  # what rounding alone makes of a constant component
        varies = scale > noise
        scale = torch.where(varies, scale, 1.0)
        u = (x - mean) / scale
        one = torch.eye(d, dtype=u.dtype, device=u.device)
        rows = solve_triangular(cholesky((u.T @ u + d * one) / (n + d)), one, upper=False)
        rows = rows / rows.diagonal()[:, None]
        spread = torch.where(varies, (u @ rows.T).std(0, correction=0), 1.0)
        self.shift.copy_(mean)
        self.weight.copy_((rows * spread / spread[:, None]).tril(-1) + (scale * spread).log().diag())
