"""How univariate maps are arranged into an invertible map of vectors: in couplings or one component after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Literal, get_args

from torch import relu_

from pushforward.bijections import (
    Bijection,
    Coupling,
    Inverse,
    LULinear,
    MaskedAutoregressive,
    MonotonicAffine,
    Permutation,
    RationalQuadratic,
    Univariate,
)
from pushforward.networks.masked import MaskedMLP
from pushforward.networks.mlp import MLP, Constant

__all__ = ["Arrangement", "Mixing", "arranged", "univariate"]

Arrangement = Literal["coupling", "autoregressive", "inverse"]
Mixing = Literal["permutation", "linear"]


def univariate(name: str, bins: int, bound: float) -> Univariate:
    """The univariate map of that name: ``spline`` (on [−bound, bound] with so many bins) or ``affine``."""
    if name not in ("spline", "affine"):
        raise ValueError(f"the univariate map is spline or affine, not {name!r}")
    return RationalQuadratic(bins, bound) if name == "spline" else MonotonicAffine()


def arranged(
    arrangement: str,
    mixing: str,
    size: int,
    context: int,
    transforms: int,
    hidden: Sequence[int],
    g: Univariate,
) -> list[Bijection]:
    """The links from codes to patterns: transforms, and between each two what mixes the components.

    Arguments:
        arrangement: ``coupling``, ``autoregressive`` (patterns to codes in one pass) or ``inverse`` (the reverse).
        mixing: ``permutation``, or ``linear`` for a learned linear map besides.
        size: The number of components D.
        context: The width of the context.
        transforms: How many transforms.
        hidden: The hidden layers of each transform's network.
        g: The univariate map.
    """
    if arrangement not in _ARRANGEMENTS:
        raise ValueError(f"the arrangement is {', '.join(get_args(Arrangement))}, not {arrangement!r}")
    if mixing not in get_args(Mixing):
        raise ValueError(f"the mixing is {' or '.join(get_args(Mixing))}, not {mixing!r}")
    if transforms < 1:
        raise ValueError(f"a flow needs at least one transform, not {transforms}")
    way = _ARRANGEMENTS[arrangement]
    links: list[Bijection] = []
    for seed, (after, before) in enumerate(pairwise(way.orders(size, transforms))):
        links += [way.transform(size, context, hidden, g), Permutation([before.index(i) for i in after])]
        if mixing == "linear":
            links.append(LULinear(size, seed))
    end = 2 if mixing == "permutation" else 3
    return links[-end::-1]  # the code needs no order


def _coupling(size: int, context: int, hidden: Sequence[int], g: Univariate) -> Bijection:
    kept = size // 2
    inputs, outputs = kept + context, g.parameters * (size - kept)
    network = MLP(inputs, outputs, hidden, relu_).near_zero() if inputs else Constant(outputs)
    return Coupling(size, kept, g, network)


def _masked(size: int, context: int, hidden: Sequence[int], g: Univariate) -> Bijection:
    network = MaskedMLP([g.parameters] * size, hidden, context, interleaved=True).near_zero()
    return MaskedAutoregressive(g, network)


def _inverse(size: int, context: int, hidden: Sequence[int], g: Univariate) -> Bijection:
    return Inverse(_masked(size, context, hidden, g))


def _halves(size: int, transforms: int) -> Iterator[list[int]]:
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


def _reversals(size: int, transforms: int) -> Iterator[list[int]]:
    """Forwards and backwards in turn, so that every component comes late in some transform."""
    order = list(range(size))
    for i in range(transforms + 1):
        yield order[:: -1 if i % 2 else 1]


@dataclass(frozen=True)
class _Way:
    """A transform, and the order in which each of several meets the components, from patterns to codes."""

    transform: Callable[[int, int, Sequence[int], Univariate], Bijection]
    orders: Callable[[int, int], Iterator[list[int]]]


_ARRANGEMENTS = {
    "coupling": _Way(_coupling, _halves),
    "autoregressive": _Way(_masked, _reversals),
    "inverse": _Way(_inverse, _reversals),
}
