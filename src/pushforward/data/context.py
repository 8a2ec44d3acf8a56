"""The encoding of what conditions: few whole numbers as categories, anything else standardised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from pushforward.data.columns import is_integral, moments
from pushforward.data.dataset import Array
from pushforward.errors import InputError

__all__ = ["ContextColumn"]

MOST_CATEGORIES = 50


@dataclass(frozen=True)
class ContextColumn:
    """A conditioning column: one component a category, or one standardised component.

    Arguments:
        name: The column's name.
        dtype: NumPy's name of its type.
        categories: The training part's whole numbers, if they are few; then it is one-hot.
        shift: The mean, where there are no categories.
        scale: The standard deviation, idem.
    """

    name: str
    dtype: str
    categories: tuple[int, ...] = ()
    shift: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, name: str, x: Array) -> ContextColumn:
        """Fit to the training part's values, shape ``(N,)``."""
        if is_integral(x):
            values = np.unique(x)
            if len(values) <= MOST_CATEGORIES:
                return cls(name, x.dtype.name, tuple(int(v) for v in values))
        if x.min() == x.max():
            return cls(name, x.dtype.name, shift=float(x[0]))
        shift, scale = moments(x)
        return cls(name, x.dtype.name, shift=shift, scale=scale)

    @property
    def size(self) -> int:
        """How many components it takes."""
        return len(self.categories) or 1

    def encode(self, x: Array) -> Array:
        """The components in float64, ``(N, size)``; an ``InputError`` for a category not seen in training."""
        if not self.categories:
            return cast(Array, (x.astype(np.float64)[:, None] - self.shift) / self.scale)
        one_hot = x[:, None] == np.array(self.categories)
        unseen = ~one_hot.any(axis=1)
        if unseen.any():
            raise InputError(
                f"context {self.name!r} has the category {x[unseen][0]:g}, which the training part has "
                f"not; it has {', '.join(map(str, self.categories))}"
            )
        return np.where(one_hot, 1.0, 0.0)

    def decode(self, c: Array) -> Array:
        """The inverse of :meth:`encode`, from ``(N, size)``."""
        if self.categories:
            x = np.array(self.categories)[c.argmax(axis=1)]
        else:
            x = c[:, 0] * self.scale + self.shift
            x = x if np.dtype(self.dtype).kind == "f" else np.rint(x)
        return cast(Array, x.astype(self.dtype))

    def value(self, given: Mapping[str, Any]) -> float:
        """The value asked for by name, as a number."""
        if self.name not in given:
            raise InputError(f"the model is conditioned on {self.name!r}; give --given {self.name}=VALUE")
        try:
            value = float(given[self.name])
        except (TypeError, ValueError):
            value = np.nan
        if not np.isfinite(value):
            raise InputError(f"--given {self.name}={given[self.name]} is not a number; give one")
        return value

    def describe(self) -> str:
        """The column in a line."""
        if self.categories:
            return f"{self.name}: context, {len(self.categories)} categories"
        return f"{self.name}: context, around {self.shift:g} ± {self.scale:g}"

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {**asdict(self), "categories": list(self.categories)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ContextColumn:
        """The inverse of :meth:`to_json`."""
        return cls(**{**value, "categories": tuple(value["categories"])})
