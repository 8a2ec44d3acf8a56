"""A causal transformer over tokens, which remembers keys and values when tokens come one by one."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import gelu, scaled_dot_product_attention

from pushforward.networks.transforms import transformed

__all__ = ["Cache", "CausalTransformer"]

Cache = list[Tensor]
"""For each layer the keys and values ``(2, n, heads, t, width / heads)`` of the t tokens so far; begins empty."""


class CausalTransformer(nn.Module):
    """Layers of attention and perceptron in which every token sees itself and the tokens before it.

    Embeddings and positions are the caller's; layers are residual and normalise what they read.

    Source: Radford et al. (2019), "Language Models are Unsupervised Multitask Learners" (GPT-2).

    Arguments:
        width: The width of a token.
        layers: How many layers.
        heads: Attention heads in each, a divisor of ``width``.

    Example:
        >>> transformer = CausalTransformer(width=8, layers=2, heads=2)
        >>> tokens, cache = torch.randn(3, 5, 8), []
        >>> steps = [transformer.step(token, cache) for token in tokens.unbind(1)]
        >>> torch.allclose(transformer(tokens), torch.stack(steps, 1), atol=1e-5)
        True
    """

    def __init__(self, width: int, layers: int, heads: int = 1) -> None:
        super().__init__()
        if layers < 1:
            raise ValueError(f"a transformer needs at least one layer, not {layers}")
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Float[Tensor, "n t width"]) -> Float[Tensor, "n t width"]:
        """What each token knows of those up to it, in one pass."""
        for layer in self.layers:
            tokens = layer(tokens)
        y: Tensor = self.norm(tokens)
        return y

    def step(self, token: Float[Tensor, "n width"], cache: Cache) -> Float[Tensor, "n width"]:
        """The same for the next token alone; ``cache`` grows by its keys and values."""
        tokens = token.unsqueeze(1)
        for i, layer in enumerate(cast(Iterable[_Layer], self.layers)):
            tokens = layer.step(tokens, cache, i)
        y: Tensor = self.norm(tokens).squeeze(1)
        return y


class _Layer(nn.Module):
    """Attention, then a perceptron of four times the width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads cannot share a width of {width} evenly")
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.read = nn.Linear(width, 3 * width)
        self.write = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self._read(tokens)
        return self._finish(tokens, _attention(query, key, value))

    def step(self, tokens: Float[Tensor, "n 1 width"], cache: Cache, place: int) -> Float[Tensor, "n 1 width"]:
        query, *new = self._read(tokens)
        pair = torch.stack(new)
        if place == len(cache):
            cache.append(pair)
        else:
            cache[place] = torch.cat([cache[place], pair], -2)
        keys, values = cache[place].unbind()
        return self._finish(tokens, scaled_dot_product_attention(query, keys, values))

    def _read(self, tokens: Tensor) -> list[Tensor]:
        """Queries, keys and values, each of shape ``(n, heads, t, width / heads)``."""
        read = self.read(self.norms[0](tokens)).unflatten(-1, (3, self.heads, -1))  # (n, t, 3, heads, width / heads)
        return list(read.permute(2, 0, 3, 1, 4).unbind())

    def _finish(self, tokens: Tensor, seen: Float[Tensor, "n heads t part"]) -> Tensor:
        tokens = tokens + self.write(seen.transpose(1, 2).flatten(-2))
        y: Tensor = tokens + self.down(gelu(self.up(self.norms[1](tokens))))
        return y


def _attention(query: Tensor, key: Tensor, value: Tensor) -> Float[Tensor, "n heads t part"]:
    """Causal attention; torch's quick kernels for it have no second derivative and no rule for torch.func."""
    with sdpa_kernel(SDPBackend.MATH) if transformed() else nullcontext():
        return scaled_dot_product_attention(query, key, value, is_causal=True)
