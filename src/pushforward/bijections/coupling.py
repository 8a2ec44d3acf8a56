"""Coupling: some components move by a map whose parameters are a network's function of the others."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.univariate import Univariate
from pushforward.networks.mlp import MLP, Constant

__all__ = ["Coupling"]

Map = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Coupling(Bijection):
    r"""The map that keeps the first K components and moves the others by a univariate map each,

    .. math:: z_{\le K} = x_{\le K}, \qquad z_i = g\bigl(x_i;\, \theta_i(x_{\le K}, c)\bigr), \quad i > K,

    so that its Jacobian is triangular and both directions cost one pass of the network θ. The univariate map
    g leads from patterns to codes, the direction of training.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".

    Arguments:
        size: The number of components D.
        kept: The number of components K that stay and determine how the others move.
        univariate: The map g, as data.
        network: θ, with K + C inputs and P·(D − K) outputs, the first parameter of all
            components first.

    Example:
        >>> from pushforward.bijections import RationalQuadratic
        >>> from pushforward.networks.mlp import MLP
        >>> spline = RationalQuadratic(bins=4)
        >>> coupling = Coupling(3, 1, spline, MLP(1, 2 * spline.parameters))
        >>> x = torch.randn(5, 3)
        >>> z, log_det = coupling.inverse(x)
        >>> torch.allclose(coupling(z)[0], x, atol=1e-5)
        True
    """

    def __init__(self, size: int, kept: int, univariate: Univariate, network: MLP | Constant) -> None:
        super().__init__()
        if not 0 <= kept < size:
            raise ValueError(f"a coupling of {size} components keeps 0 … {size - 1} of them, not {kept}")
        self.sizes = (kept, size - kept)
        self.univariate = univariate
        self.network = network

    def forward(
        self, z: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Move the last components from codes to patterns."""
        return self._move(self.univariate.inverse, z, context)

    def inverse(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch"]]:
        """Move the last components from patterns to codes."""
        return self._move(self.univariate.forward, x, context)

    def _move(self, g: Map, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        rows = x.reshape(x.shape[:-1].numel(), x.shape[-1])
        kept, moved = rows.split(self.sizes, -1)
        inputs = kept
        if context is not None:
            context = context.expand(*x.shape[:-1], -1).reshape(len(rows), context.shape[-1])
            inputs = torch.cat([kept, context], -1)
        # Each parameter of each component lies together for the whole batch, and the univariate map runs
        # along the batch; with the parameters of one event together it would be many times slower.
        parameters = self.network.columns(inputs).to(x.dtype)
        y, log_derivative = g(moved.T, parameters.view(self.univariate.parameters, self.sizes[1], len(rows)))
        return torch.cat([kept.T, y]).T.view(x.shape), log_derivative.sum(0).view(x.shape[:-1])
