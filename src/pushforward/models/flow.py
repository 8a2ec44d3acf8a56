"""The flow family: exact, by an invertible map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import relu

from pushforward.bijections import Affine, Bijection, Chain, Coupling, Permutation, RationalQuadratic, Triangular
from pushforward.distributions.dequantised import dequantised
from pushforward.distributions.normal import standard_normal
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
        whiten: Whether to start from the covariance of the patterns, not their variances alone. It makes the flow of
            a few correlated columns learn much faster, and that of many pixels overfit sooner.

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
        whiten: bool = False,
    ) -> None:
        shape = {"transforms": transforms, "hidden": list(hidden), "bins": bins, "bound": bound}
        super().__init__(event, context, **shape, whiten=whiten)
        if transforms < 1:
            raise ValueError(f"a flow needs at least one transform, not {transforms}")
        spline = RationalQuadratic(bins, bound)
        outer = Triangular(event.size) if whiten else Affine(event.size)
        self.bijection = Chain([*_links(event.size, context, transforms, hidden, spline), outer])

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Distribution:
        """The law of patterns, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        weight = next(self.parameters())
        origin = weight.new_zeros(*batch, self.event.size)
        return dequantised(Pushforward(standard_normal(origin), self.bijection, context), self.event)

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Standardise the patterns of a first batch, discrete components spread over their cells."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype).to(x.device) - 0.5
        self.bijection.prepare(x + self.event.width.to(x) * noise, self.checked(context))


def _links(
    size: int, context: int, transforms: int, hidden: Sequence[int], spline: RationalQuadratic
) -> list[Bijection]:
    """From codes to standardised patterns: couplings, and a permutation between each two."""
    kept = size // 2
    inputs, outputs = kept + context, spline.parameters * (size - kept)
    links: list[Bijection] = []
    for after, before in pairwise(_arrangements(size, transforms)):
        network = _network(inputs, outputs, hidden) if inputs else Constant(outputs)
        links += [Coupling(size, kept, spline, network), Permutation([before.index(i) for i in after])]
    return links[-2::-1]  # the code needs no order


def _network(inputs: int, outputs: int, hidden: Sequence[int]) -> MLP:
    """A network that starts near zero, where a spline is the identity, yet with a gradient for every layer."""
    network = MLP(inputs, outputs, hidden, relu)
    with torch.no_grad():
        network.last.weight.mul_(0.01)
        network.last.bias.zero_()
    return network


def _arrangements(size: int, transforms: int) -> Iterator[list[int]]:
    """The order of the components at each coupling, of which the first half stays, from patterns to codes.

    What has moved stays next, but which of it is random, so that the halves mix; where all of it would have to stay,
    because the halves are equal, one that stayed may do so again.
    """
    random = Random(0)  # its random(), unlike its shuffle(), is promised to stay the same for ever
    kept, arrangement = size // 2, list(range(size))
    for _ in range(transforms):
        yield arrangement
        stayed, moved = arrangement[:kept], arrangement[kept:]
        if size % 2 == 0 and size > 2:
            moved.append(stayed.pop(int(random.random() * kept)))
        moved.sort(key={i: random.random() for i in moved}.__getitem__)
        arrangement = moved[:kept] + stayed + moved[kept:]
    yield arrangement
