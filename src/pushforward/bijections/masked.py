"""Masked autoregressive maps: each component moves by a map whose parameters are a function of those before it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.univariate import Univariate
from pushforward.networks.masked import MaskedMLP

__all__ = ["MaskedAutoregressive"]


class MaskedAutoregressive(Bijection):
    r"""The map that moves every component by a univariate map, given those before it and the context,

    .. math:: z_i = g\bigl(x_i;\, \theta_i(x_1, \dots, x_{i-1}, c)\bigr), \quad i = 1, \dots, D,

    so that its Jacobian is triangular. The univariate map g leads from patterns to codes, the direction of training,
    which takes one pass of the masked network θ; the other takes D steps, together as dear as that one pass.

    Source: Papamakarios, Pavlakou and Murray (2017), "Masked Autoregressive Flow for Density Estimation".

    Arguments:
        univariate: The map g, as data.
        network: θ, with D groups of P interleaved outputs: the first parameter of all components first.

    Example:
        >>> from pushforward.bijections import RationalQuadratic
        >>> from pushforward.networks.masked import MaskedMLP
        >>> spline = RationalQuadratic(bins=4)
        >>> layer = MaskedAutoregressive(spline, MaskedMLP([spline.parameters] * 3, (16,), interleaved=True))
        >>> x = torch.randn(5, 3)
        >>> z, log_det = layer.inverse(x)
        >>> torch.allclose(layer(z)[0], x, atol=1e-5)
        True
    """

    def __init__(self, univariate: Univariate, network: MaskedMLP) -> None:
        super().__init__()
        self.univariate = univariate
        self.network = network

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From codes to patterns, component after component."""
        rows, context = _rows(z, context)
        walk = self.network.walk(len(rows), context)
        parameters = next(walk)
        images = []
        for i, column in enumerate(rows.T.contiguous(), start=1):
            images.append(self.univariate.inverse(column, parameters.T.to(z.dtype)))
            if i < z.shape[-1]:
                parameters = walk.send(images[-1][0])
        x, log_derivatives = map(torch.stack, zip(*images, strict=True))
        return x.T.view(z.shape), log_derivatives.sum(0).view(z.shape[:-1])

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """From patterns to codes, all components at once."""
        rows, context = _rows(x, context)
        parameters = self.network.columns(rows, context).to(x.dtype)
        z, log_derivative = self.univariate.forward(rows.T, parameters.view(self.univariate.parameters, *rows.T.shape))
        return z.T.view(x.shape), log_derivative.sum(0).view(x.shape[:-1])


def _rows(x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The batch as a matrix (n, D), and the context of each row (n, C)."""
    rows = x.reshape(x.shape[:-1].numel(), x.shape[-1])
    if context is not None:
        context = context.expand(*x.shape[:-1], -1).reshape(len(rows), context.shape[-1])
    return rows, context
