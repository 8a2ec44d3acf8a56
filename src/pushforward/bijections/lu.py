"""A linear map whose determinant can be read off."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.linalg import solve_triangular

from pushforward.bijections.bijection import Bijection

__all__ = ["LULinear"]


class LULinear(Bijection):
    r"""The linear map from codes to patterns whose inverse is :math:`z = P L U x + b`.

    P is a fixed permutation, L unit lower triangular and U upper triangular with a positive diagonal :math:`e^{a}`, so
    that :math:`\log |\det \partial z / \partial x| = \sum_i a_i`. Training multiplies; drawing solves.

    Source: Kingma and Dhariwal (2018), "Glow", section 3.2.

    Arguments:
        size: The number of components D.
        seed: Of the random rotation (or reflection) to start from, which mixes all components; without one, P is the
            identity for good and so is the whole map to start with.

    Example:
        >>> linear = LULinear(3, seed=0)
        >>> x = torch.randn(5, 3)
        >>> z, log_det = linear.inverse(x)
        >>> torch.allclose(z.norm(dim=-1), x.norm(dim=-1)), torch.allclose(linear(z)[0], x, atol=1e-5)
        (True, True)
    """

    order: Tensor

    def __init__(self, size: int, seed: int | None = None) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(size))
        # Below the diagonal L, on it a, above it U.
        self.weight = nn.Parameter(torch.zeros(size, size))
        self.register_buffer("order", torch.arange(size))
        if seed is not None:
            self._rotate(seed)

    @property
    def log_scale(self) -> Float[Tensor, " d"]:
        """The logarithm a of the diagonal of U."""
        return self.weight.diagonal()

    @property
    def upper(self) -> Float[Tensor, "d d"]:
        """The factor U."""
        return self.weight.triu(1) + self.log_scale.exp().diag()

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Solve for the pattern."""
        back = self.order.argsort()
        columns = (z - self.shift).index_select(-1, back).reshape(-1, len(back)).T
        u = solve_triangular(self.weight, columns, upper=False, unitriangular=True)
        x = solve_triangular(self.upper, u, upper=True).T.reshape(z.shape)
        return x, -self.log_scale.sum().expand(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Multiply by the three factors' product and shift."""
        with torch.autocast(x.device.type, enabled=False):  # what is rounded to bfloat16 here would be lost
            upper = self.upper
            matrix = (upper + self.weight.tril(-1) @ upper).index_select(0, self.order)
            z = x @ matrix.T + self.shift
        return z, self.log_scale.sum().expand(x.shape[:-1])

    @torch.no_grad()
    def _rotate(self, seed: int) -> None:
        """Take the factors of a random orthogonal matrix, its columns turned such that U's diagonal is positive."""
        size = len(self.shift)
        noise = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        permutation, lower, upper = torch.linalg.lu(torch.linalg.qr(noise).Q)
        upper = upper * upper.diagonal().sign()
        self.order.copy_(permutation.argmax(1))
        self.weight.copy_(lower.tril(-1) + upper.triu(1) + upper.diagonal().log().diag())
