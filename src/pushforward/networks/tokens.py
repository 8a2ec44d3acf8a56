"""A network that says something of every token, from the tokens before it alone."""

from __future__ import annotations

from collections.abc import Generator
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pushforward.networks.inputs import tame
from pushforward.networks.transformer import Cache, CausalTransformer

__all__ = ["TokenNetwork"]


class TokenNetwork(nn.Module):
    """A causal transformer over vectors: the outputs of place i depend on the vectors before i and the context alone.

    Arguments:
        tokens: The number of places T.
        size: The components of each vector.
        outputs: The number of outputs at each place.
        width: The transformer's width.
        layers: Its layers.
        heads: Its attention heads, a divisor of ``width``.
        context: The width of the context.

    Example:
        >>> network = TokenNetwork(tokens=5, size=2, outputs=3, width=8, layers=1, heads=2)
        >>> x = torch.randn(7, 5, 2)
        >>> walk = network.walk(7, None)
        >>> each = [next(walk), *(walk.send(x[:, i]) for i in range(4))]
        >>> torch.allclose(torch.stack(each, 1), network(x), atol=1e-5)
        True
    """

    def __init__(
        self, tokens: int, size: int, outputs: int, width: int, layers: int, heads: int, context: int = 0
    ) -> None:
        super().__init__()
        self.tokens = tokens
        self.read = nn.Linear(size, width) if tokens > 1 else None
        self.place = nn.Parameter(0.02 * torch.randn(tokens, width))  # the first of them begins the sequence
        self.context = nn.Linear(context, width) if context else None
        self.transformer = CausalTransformer(width, layers, heads)
        self.write = nn.Linear(width, outputs)

    def forward(
        self, x: Float[Tensor, "n t d"], context: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n t outputs"]:
        """The outputs of all places, in one pass."""
        h = self._places(len(x), context)
        if self.read is not None:
            h = h + nn.functional.pad(self.read(tame(x[:, :-1])), (0, 0, 1, 0))
        y: Tensor = self.write(self.transformer(h))
        return y

    def walk(self, n: int, context: Float[Tensor, "n c"] | None = None) -> Generator[Tensor, Tensor, None]:
        """Yields the outputs ``(n, outputs)`` of one place after another, and is sent its vectors ``(n, d)``."""
        cache: Cache = []
        first, *others = self._places(n, context).unbind(1)
        x = yield self.write(self.transformer.step(first, cache))
        for place in others:
            assert self.read is not None
            x = yield self.write(self.transformer.step(place + self.read(tame(x)), cache))

    @torch.no_grad()
    def near_zero(self) -> Self:
        """Make the outputs small, yet with a gradient for every layer; a univariate map then starts as the identity."""
        self.write.weight.mul_(0.01)
        self.write.bias.zero_()
        return self

    def _places(self, n: int, context: Tensor | None) -> Float[Tensor, "n t width"]:
        """What every place starts from, before it reads the one before."""
        h = self.place.expand(n, -1, -1)
        return h if self.context is None or context is None else h + self.context(context).unsqueeze(1)
