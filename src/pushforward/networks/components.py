"""A causal transformer whose tokens are a pattern's components."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from pushforward.event import Event
from pushforward.networks.inputs import tame
from pushforward.networks.transformer import Cache, CausalTransformer

__all__ = ["ComponentTransformer"]


class ComponentTransformer(nn.Module):
    """A causal transformer over components: the i-th outputs depend on the components before i and the context alone.

    Every component has an embedding of its own, a vector that its value scales, or one vector for each category; a
    place of its own, and a linear map to its outputs.

    Arguments:
        event: The components.
        counts: The number of outputs for each component.
        width: The width of a token.
        layers: The transformer's layers.
        heads: Its attention heads, a divisor of ``width``.
        context: The width of the context.

    Example:
        >>> network = ComponentTransformer(Event.continuous(3), [2, 2, 1], width=8, layers=1, heads=2)
        >>> x, walk = torch.randn(4, 3), network.walk(4)
        >>> each = [next(walk), walk.send(x[:, 0]), walk.send(x[:, 1])]
        >>> torch.allclose(torch.cat(each, -1), network(x), atol=1e-6)
        True
    """

    categories: Tensor
    starts: Tensor
    kept: Tensor

    def __init__(
        self, event: Event, counts: Sequence[int], width: int, layers: int, heads: int, context: int = 0
    ) -> None:
        super().__init__()
        most, before = max(counts), event.feature_counts[:-1]
        self.counts = list(counts)
        self.remembered = 2 * layers * event.size * width
        self.place = nn.Parameter(width**-0.5 * torch.randn(event.size, width))
        self.table = nn.Parameter(width**-0.5 * torch.randn(sum(before), width))  # nothing reads the last component
        self.context = nn.Linear(context, width) if context else None
        self.transformer = CausalTransformer(width, layers, heads)
        # The outputs start near the bias, as many for each component as the most; those not kept are never used.
        self.weight = nn.Parameter(0.01 * torch.randn(event.size, width, most))
        self.bias = nn.Parameter(torch.zeros(sum(counts)))
        self.register_buffer("categories", event.categories[:-1], persistent=False)
        self.register_buffer("starts", torch.tensor(list(accumulate(before, initial=0))[:-1]).long(), persistent=False)
        kept = torch.arange(most) < torch.tensor(self.counts)[:, None]
        self.register_buffer("kept", kept.flatten().nonzero().squeeze(-1), persistent=False)

    def forward(
        self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n outputs"]:
        """The outputs of all components, one after another, in one pass."""
        tokens = self._places(len(x), context) + pad(self._read(x[:, :-1], slice(None)), (0, 0, 1, 0))
        y = torch.einsum("ndw,dwp->ndp", self.transformer(tokens), self.weight).flatten(-2)
        return y.index_select(-1, self.kept) + self.bias

    def walk(self, n: int, context: Float[Tensor, "n c"] | None = None) -> Generator[Tensor, Tensor, None]:
        """Yields the outputs ``(n, counts[i])`` of one component after another, and is sent its values ``(n,)``.

        Keys and values are remembered, so that a step costs what one token costs.
        """
        cache: Cache = []
        first, *others = self._places(n, context).unbind(1)
        x = yield self._outputs(self.transformer.step(first, cache), 0)
        for i, place in enumerate(others):
            token = place + self._read(x.unsqueeze(-1), slice(i, i + 1)).squeeze(1)
            x = yield self._outputs(self.transformer.step(token, cache), i + 1)

    def _outputs(self, h: Float[Tensor, "n width"], i: int) -> Float[Tensor, "n count"]:
        """What the i-th component's token says."""
        y: Tensor = h @ self.weight[i, :, : self.counts[i]] + self.bias.split(self.counts)[i]
        return y

    def _places(self, n: int, context: Tensor | None) -> Float[Tensor, "n d width"]:
        """What every component's token starts from, before it reads the component before."""
        h = self.place.expand(n, -1, -1)
        return h if self.context is None or context is None else h + self.context(context).unsqueeze(1)

    def _read(self, x: Float[Tensor, "n k"], which: slice) -> Float[Tensor, "n k width"]:
        """The embedding of the values of some consecutive components."""
        categories, starts = self.categories[which], self.starts[which]
        code = x.nan_to_num().round().clamp(min=0).minimum(categories - 1).where(categories > 0, 0.0)
        scale = tame(x).where(categories == 0, 1.0)
        read: Tensor = self.table[starts + code.long()] * scale.unsqueeze(-1)
        return read
