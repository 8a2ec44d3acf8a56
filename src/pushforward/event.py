"""What one encoded pattern is: the contract between the data and the laws.

A pattern reaches a model as a vector of real numbers, but the numbers mean different things: a continuous measurement
has a *density*, a count or a byte has a *probability*, and so has a category, whose codes are in no order. An
:class:`Event` says which component is which, so that a law can answer in the right measure and a sampler can return
values that exist. It knows neither data nor models.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Block", "Event"]

Measure = Literal["continuous", "grid", "binary", "categorical"]


@dataclass(frozen=True)
class Block:
    """Consecutive components that share one measure.

    Arguments:
        kind: ``continuous`` (a density), ``grid`` (values ``anchor + width·ℤ``, a probability), ``binary`` ({0, 1}) or
            ``categorical`` (codes 0, …, K − 1 whose order means nothing).
        size: How many components.
        width: The grid's step in encoded units; 0 for continuous, 1 for binary and categorical.
        low: The smallest value of a grid that can occur (also its anchor), or ``None`` if there is none.
        high: The largest value of a grid with a smallest one, or ``None``.
    """

    kind: Measure
    size: int = 1
    width: float = 0.0
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Measure):
            raise ValueError(f"a block is {', '.join(get_args(Measure))}, not {self.kind!r}")
        if self.size < 1:
            raise ValueError(f"a block needs at least one component, not {self.size}")
        if (self.kind == "continuous") != (self.width == 0.0) or not 0 <= self.width < math.inf:
            raise ValueError(f"a {self.kind} block cannot have width {self.width}")
        if self.kind == "continuous" and (self.low, self.high) != (None, None):
            raise ValueError("a continuous block has no limits; take values between limits to the line first, as Logit")
        if self.high is not None and (self.low is None or not self.low < self.high < math.inf):
            raise ValueError(f"a block with the largest value {self.high} cannot have the smallest {self.low}")
        if self.kind == "categorical" and (self.low != 0 or self.high is None or self.high < 1):
            raise ValueError("a categorical block has codes from 0 to at least 1")

    @classmethod
    def binary(cls, size: int = 1) -> Block:
        """Components in {0, 1}."""
        return cls("binary", size, 1.0, 0.0, 1.0)

    @classmethod
    def categorical(cls, categories: int, size: int = 1) -> Block:
        """Components in {0, …, ``categories`` − 1}, in no order."""
        return cls("categorical", size, 1.0, 0.0, categories - 1.0)

    @property
    def categories(self) -> int:
        """The number K of categories, 0 where there are none."""
        return round(self.high or 0) + 1 if self.kind == "categorical" else 0


@dataclass(frozen=True)
class Event:
    """The components of one pattern, in order.

    Arguments:
        blocks: The blocks, whose sizes add up to the number of components.
        picture: ``(channels, height, width)`` if the vector is a picture in that order.
        series: ``(steps, variables)`` if the vector is a window of a series in that order.

    Example:
        >>> event = Event((Block("continuous", 2), Block.binary()))
        >>> event.size, event.is_discrete
        (3, False)
        >>> event.binary
        tensor([False, False,  True])
    """

    blocks: tuple[Block, ...]
    picture: tuple[int, int, int] | None = None
    series: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("an event needs at least one block")
        for shape in (self.picture, self.series):
            if shape is not None and math.prod(shape) != self.size:
                raise ValueError(f"a pattern of {'×'.join(map(str, shape))} has not {self.size} components")

    @classmethod
    def continuous(cls, size: int) -> Event:
        """An event of ``size`` continuous components."""
        return cls((Block("continuous", size),))

    def made(self) -> Self:
        """Itself, with every cached property there: before Python 3.12 making one takes a lock, which no graph can."""
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                getattr(self, name)
        return self

    @property
    def size(self) -> int:
        """The number of components D."""
        return sum(block.size for block in self.blocks)

    @property
    def is_continuous(self) -> bool:
        """Whether every component has a density."""
        return all(block.kind == "continuous" for block in self.blocks)

    @property
    def is_discrete(self) -> bool:
        """Whether every component has a probability."""
        return all(block.kind != "continuous" for block in self.blocks)

    @cached_property
    def binary(self) -> Tensor:
        """Which components are binary, as a mask of shape ``(D,)``."""
        return torch.tensor([block.kind == "binary" for block in self._each()])

    @cached_property
    def discrete(self) -> Tensor:
        """The indices of the components that are not continuous."""
        places = [i for i, block in enumerate(self._each()) if block.kind != "continuous"]
        return torch.tensor(places, dtype=torch.long)

    @cached_property
    def width(self) -> Float[Tensor, " d"]:
        """The grid's step of each component, 0 where it is continuous."""
        return torch.tensor([block.width for block in self._each()], dtype=torch.float64)

    @cached_property
    def low(self) -> Float[Tensor, " d"]:
        """The smallest value of each component, −∞ where there is none."""
        return torch.tensor(
            [-torch.inf if block.low is None else block.low for block in self._each()], dtype=torch.float64
        )

    @cached_property
    def high(self) -> Float[Tensor, " d"]:
        """The largest value of each component, +∞ where there is none."""
        return torch.tensor(
            [torch.inf if block.high is None else block.high for block in self._each()], dtype=torch.float64
        )

    @cached_property
    def categories(self) -> Tensor:
        """The number of categories of each component, 0 where it is none."""
        return torch.tensor([block.categories for block in self._each()])

    @cached_property
    def feature_counts(self) -> tuple[int, ...]:
        """How many numbers stand for each component in :meth:`features`."""
        return tuple(max(1, k) for k in self.categories.tolist())

    def features(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """What networks are fed: one number for each category, 1 for the one that is, and the rest as they are.

        Example:
            >>> Event((Block("continuous"), Block.categorical(3))).features(torch.tensor([0.5, 2.0]))
            tensor([0.5000, 0.0000, 0.0000, 1.0000])
        """
        if not any(block.categories for block in self.blocks):
            return x
        component, value = self._indicators
        component, value = component.to(x.device), value.to(x)
        taken = x.index_select(-1, component)
        return torch.where(value < 0, taken, (taken == value).to(x.dtype))

    def patterns(self, features: Float[Tensor, "*batch f"]) -> Float[Tensor, "*batch d"]:
        """The inverse of :meth:`features`.

        Example:
            >>> Event((Block("continuous"), Block.categorical(3))).patterns(torch.tensor([0.5, 0.0, 0.0, 1.0]))
            tensor([0.5000, 2.0000])
        """
        if not bool(self.categories.any()):
            return features
        component, value = self._indicators
        weight = value.where(value >= 0, 1).to(features)
        x = features.new_zeros(*features.shape[:-1], self.size)
        return x.index_add(-1, component.to(features.device), weight * features)

    @cached_property
    def _indicators(self) -> tuple[Tensor, Tensor]:
        """For each feature its component, and the category it indicates, −1 where it is the component itself."""
        pairs = [(i, value) for i, k in enumerate(self.categories.tolist()) for value in (range(k) if k else [-1])]
        component, value = zip(*pairs, strict=True)
        return torch.tensor(component), torch.tensor(value)

    def components(self) -> tuple[Event, ...]:
        """Each component as an event of its own."""
        return tuple(Event((replace(block, size=1),)) for block in self._each())

    def snap(self, y: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Move each discrete component to the nearest value it can take, and clamp all to their range.

        Example:
            >>> Event((Block("grid", 2, 1.0, 0.0, 16.0),)).snap(torch.tensor([3.4, 18.0]))
            tensor([ 3., 16.])
        """
        # In double precision: the lowest value may lie thousands of steps away.
        width, low, high = (t.to(y.device) for t in (self.width, self.low, self.high))
        anchor = torch.where(low.isfinite(), low, torch.zeros_like(low))
        step = torch.where(width > 0, width, torch.ones_like(width))
        snapped = anchor + step * ((y.double() - anchor) / step).round()
        return torch.where(width > 0, snapped, y.double()).clamp(low, high).to(y.dtype)

    def possible(self, y: Float[Tensor, "*batch d"]) -> Bool[Tensor, "*batch d"]:
        """Which components lie in their range and, where discrete, at a value they can take.

        A quarter of a grid's step is allowed for rounding, and what the floating type cannot tell apart.

        Example:
            >>> Event((Block("grid", 3, 1.0, 0.0, 16.0),)).possible(torch.tensor([3.0, 3.5, 18.0]))
            tensor([ True, False, False])
        """
        allowed = self.width.to(y.device) / 4
        rounded = torch.finfo(y.dtype).eps * y.abs().double()
        return (y.double() - self.snap(y.double())).abs() <= torch.where(allowed > 0, allowed + rounded, 0.0)

    def dequantise(self, y: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Spread each discrete component uniformly over its cell, y + width·(u − ½) (Theis et al. 2016)."""
        return y + self.width.to(y) * (torch.rand_like(y) - 0.5)

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {
            "blocks": [asdict(b) for b in self.blocks],
            "picture": self.picture and list(self.picture),
            "series": self.series and list(self.series),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Event:
        """The inverse of :meth:`to_json`."""
        picture, series = value.get("picture"), value.get("series")
        return cls(
            tuple(Block(**b) for b in value["blocks"]),
            tuple(picture) if picture else None,
            tuple(series) if series else None,
        )

    def _each(self) -> Iterator[Block]:
        return (block for block in self.blocks for _ in range(block.size))
