"""A causal network that reads the features of an event's components."""

from __future__ import annotations

from collections.abc import Generator

from jaxtyping import Float
from torch import Tensor, nn

from pushforward.event import Event
from pushforward.networks.masked import MaskedMLP

__all__ = ["Featured"]


class Featured(nn.Module):
    """A masked network of an event's features, as a function of its components: categories are fed one-hot.

    Arguments:
        event: The components.
        network: The network, whose inputs for each component are ``event.feature_counts``.

    Example:
        >>> import torch
        >>> from pushforward.event import Block
        >>> event = Event((Block.categorical(3), Block("continuous")))
        >>> network = Featured(event, MaskedMLP([3, 2], hidden=(8,), widths=event.feature_counts))
        >>> network(torch.tensor([[2.0, 0.5]])).shape
        torch.Size([1, 5])
    """

    def __init__(self, event: Event, network: MaskedMLP) -> None:
        super().__init__()
        self.event = event
        self.network = network

    @property
    def remembered(self) -> int:
        """How many numbers a walk keeps for each row."""
        return self.network.remembered

    def forward(
        self, x: Float[Tensor, "*batch d"], context: Float[Tensor, "*batch c"] | None = None
    ) -> Float[Tensor, "*batch outputs"]:
        """All groups of outputs, in one pass."""
        y: Tensor = self.network(self.event.features(x), context)
        return y

    def walk(self, n: int, context: Float[Tensor, "n c"] | None = None) -> Generator[Tensor, Tensor, None]:
        """The outputs of one group after another; it is sent the values ``(n,)`` of each component."""
        walk = self.network.walk(n, context)
        y = next(walk)
        for component in self.event.components()[:-1]:
            x = yield y
            y = walk.send(component.features(x.unsqueeze(-1)))
        yield y
