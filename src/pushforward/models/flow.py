"""The flow family: exact, by an invertible map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.nn.functional import relu

from pushforward.bijections import Affine, Bijection, Chain, Coupling, Permutation, RationalQuadratic
from pushforward.distributions.dequantised import dequantised
from pushforward.distributions.law import Law
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.model import Model
from pushforward.networks.mlp import MLP, Constant

__all__ = ["Flow"]


class Flow(Model):
    r"""A neural spline flow: standard normal codes, moved by couplings with rational-quadratic splines.

    .. math:: z \sim \mathcal N(0, I), \qquad x = f_\theta(z, c).

    Source: Durkan, Bekasov, Murray and Papamakarios (2019), "Neural Spline Flows".

    Arguments:
        event: What one pattern is; discrete components are dequantised, which leaves a lower bound.
        context: The width of the context.
        transforms: The number of coupling layers.
        hidden: The hidden layers of each coupling's network.
        bins: The number of bins of each spline.
        bound: Where the splines end and the identity begins, in standard deviations of the prepared patterns.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> flow = Flow(Event.continuous(3), context=2, transforms=2, hidden=(16,))
        >>> law = flow(torch.zeros(5, 2))
        >>> law.log_prob(law.sample()).shape
        torch.Size([5])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        transforms: int = 5,
        hidden: Sequence[int] = (128, 128),
        bins: int = 8,
        bound: float = 5.0,
    ) -> None:
        super().__init__(event, context, transforms=transforms, hidden=list(hidden), bins=bins, bound=bound)
        if transforms < 1:
            raise ValueError(f"a flow needs at least one transform, not {transforms}")
        spline = RationalQuadratic(bins, bound)
        self.bijection = Chain(_links(event.size, context, transforms, hidden, spline))

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Law:
        """The law of patterns, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        weight = next(self.parameters())
        origin = weight.new_zeros(*batch, self.event.size)
        base = Independent(
            Normal(origin, torch.ones_like(origin), validate_args=False), 1, validate_args=False
        )
        return dequantised(Pushforward(base, self.bijection, context), self.event)

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Standardise the patterns of a first batch, discrete components spread over their cells."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype).to(x.device) - 0.5
        self.bijection.prepare(x + self.event.width.to(x) * noise, self.checked(context))


def _links(
    size: int, context: int, transforms: int, hidden: Sequence[int], spline: RationalQuadratic
) -> Iterator[Bijection]:
    """From codes to patterns: couplings, a permutation between each two, and the scale of the patterns."""
    kept = size // 2
    inputs, outputs = kept + context, spline.parameters * (size - kept)
    for i in range(transforms):
        yield Coupling(size, kept, spline, _network(inputs, outputs, hidden) if inputs else Constant(outputs))
        if i + 1 < transforms:
            yield Permutation(_order(size, i))
    yield Affine(size)


def _network(inputs: int, outputs: int, hidden: Sequence[int]) -> MLP:
    """A network that starts near zero, where a spline is the identity, yet with a gradient for every layer."""
    network = MLP(inputs, outputs, hidden, relu)
    with torch.no_grad():
        network.last.weight.mul_(0.01)
        network.last.bias.zero_()
    return network


def _order(size: int, i: int) -> list[int]:
    """The i-th permutation, the same for ever: in turn halves change places, so that all components move, or mix."""
    if i % 2 == 0:
        return [*range(size // 2, size), *range(size // 2)]
    random = Random(i)  # its random(), unlike its shuffle(), is promised to stay the same
    keys = [random.random() for _ in range(size)]
    return sorted(range(size), key=keys.__getitem__)
