"""A picture's pixels as tokens, each moved by what a causal network makes of the tokens before it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.coupling import Map
from pushforward.bijections.univariate import Univariate

__all__ = ["AutoregressivePixels", "CausalTokens"]


class CausalTokens(Protocol):
    """What gives the parameters of every token; those of token i depend on the tokens before i alone."""

    def __call__(self, x: Float[Tensor, "n t d"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n t outputs"]:
        """The parameters of all tokens, in one pass."""

    def walk(self, n: int, context: Float[Tensor, "n c"] | None) -> Generator[Tensor, Tensor, None]:
        """The same one token after another: yields ``(n, outputs)``, is sent ``(n, d)``."""


class AutoregressivePixels(Bijection):
    r"""The map of pictures that moves each pixel's channels given the pixels before it,

    .. math:: z_{td} = g\bigl(x_{td};\, \theta_{td}(x_{<t}, c)\bigr), \qquad t = 1, \dots, HW,

    row by row, or in the opposite order. Where pixels are squeezed patches it is a block of TarFlow. From patterns to
    codes it takes one pass of θ, from codes to patterns one token after another, with what the network remembers.

    Source: Zhai et al. (2024), "Normalizing Flows are Capable Generative Models".

    Arguments:
        univariate: The map g, as data.
        network: θ, with P·C outputs a token, the first parameter of all channels first.
        backwards: Whether the last pixel comes first.

    Example:
        >>> from pushforward.bijections import MonotonicAffine
        >>> from pushforward.networks.tokens import TokenNetwork
        >>> network = TokenNetwork(tokens=6, size=4, outputs=2 * 4, width=8, layers=1, heads=2)
        >>> flow = AutoregressivePixels(MonotonicAffine(), network, backwards=True)
        >>> x = torch.randn(5, 4, 2, 3)
        >>> z, log_det = flow.inverse(x)
        >>> torch.allclose(flow(z)[0], x, atol=1e-5), log_det.shape
        (True, torch.Size([5]))
    """

    def __init__(self, univariate: Univariate, network: CausalTokens, backwards: bool = False) -> None:
        super().__init__()
        self.univariate = univariate
        self.network = network
        self.backwards = backwards

    def forward(
        self, z: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """From codes to patterns, token by token."""
        tokens, context = self._tokens(z, context)
        walk = self.network.walk(len(tokens), context)
        moved, log_det, x = [], tokens.new_zeros(len(tokens)), None
        for token in tokens.unbind(1):
            parameters = next(walk) if x is None else walk.send(x)
            x, log_derivative = self._moved(self.univariate.inverse, token, parameters)
            moved.append(x)
            log_det = log_det + log_derivative.sum(-1)
        return self._pictures(torch.stack(moved, 1), z.shape), log_det.reshape(z.shape[:-3])

    def inverse(
        self, x: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """From patterns to codes, in one pass."""
        tokens, context = self._tokens(x, context)
        z, log_derivative = self._moved(self.univariate.forward, tokens, self.network(tokens, context))
        return self._pictures(z, x.shape), log_derivative.sum((1, 2)).reshape(x.shape[:-3])

    def _moved(
        self, g: Map, u: Float[Tensor, "*shape d"], parameters: Float[Tensor, "*shape p*d"]
    ) -> tuple[Float[Tensor, "*shape d"], Float[Tensor, "*shape d"]]:
        shape = (self.univariate.parameters, u.shape[-1])
        return g(u, parameters.to(u.dtype).unflatten(-1, shape).movedim(-2, 0))

    def _tokens(
        self, x: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None
    ) -> tuple[Float[Tensor, "n t c"], Float[Tensor, "n k"] | None]:
        """Pictures as sequences of pixels, in their order, and the context of each."""
        batch = x.shape[:-3]
        tokens = x.reshape(batch.numel(), *x.shape[-3:]).flatten(-2).transpose(-1, -2)
        if context is not None:
            context = context.expand(*batch, -1).reshape(len(tokens), context.shape[-1])
        return tokens.flip(1) if self.backwards else tokens, context

    def _pictures(self, tokens: Float[Tensor, "n t c"], shape: torch.Size) -> Float[Tensor, "*batch c h w"]:
        return (tokens.flip(1) if self.backwards else tokens).transpose(-1, -2).reshape(shape)
