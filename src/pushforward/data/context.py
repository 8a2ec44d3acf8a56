"""The encoding of what conditions: names and few whole numbers as categories, anything else standardised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from pushforward.data.categories import Categories, Form, Level
from pushforward.data.column import is_integral, moments
from pushforward.data.dataset import Array
from pushforward.errors import InputError

__all__ = ["ContextColumn"]

MOST_CATEGORIES = 50


@dataclass(frozen=True)
class ContextColumn:
    """A conditioning column: one component a category, or one standardised component.

    Arguments:
        name: The column's name.
        dtype: NumPy's name of its type; of names, that of :class:`Categories`.
        categories: The names, or the training part's whole numbers if they are few; then it is one-hot.
        shift: The mean, where there are no categories.
        scale: The standard deviation, idem.
    """

    name: str
    dtype: str
    categories: tuple[Level, ...] = ()
    shift: float = 0.0
    scale: float = 1.0

    @classmethod
    def fit(cls, name: str, x: Array, categories: Categories | None = None) -> ContextColumn:
        """Fit to the training part's values, or codes of ``categories``, shape ``(N,)``."""
        if categories is not None:
            return cls(name, categories.dtype, categories.levels)
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

    @property
    def names(self) -> Categories | None:
        """What its codes stand for, if they came in as names."""
        return Categories(self.categories, cast(Form, self.dtype)) if self.dtype in ("str", "category") else None

    def encode(self, x: Array) -> Array:
        """The components in float64, ``(N, size)``; an ``InputError`` for a category not seen in training."""
        if not self.categories:
            if x.dtype.kind not in "biuf":
                raise InputError(f"context {self.name!r} holds text, but the model was fitted on numbers; give numbers")
            return cast(Array, (x.astype(np.float64)[:, None] - self.shift) / self.scale)
        codes = Categories(self.categories).codes(x)
        if bool((codes < 0).any()):
            unseen = x[(codes < 0).argmax()]
            raise InputError(
                f"context {self.name!r} has the category {f'{unseen:g}' if x.dtype.kind in 'iuf' else unseen}, which "
                f"the training part has not; it has {', '.join(map(str, self.categories))}"
            )
        return np.eye(self.size)[codes]

    def decode(self, c: Array) -> Array:
        """The inverse of :meth:`encode`, from ``(N, size)``: values, or codes of :attr:`names`."""
        if self.names is not None:
            return cast(Array, c.argmax(axis=1).astype(np.int16))
        if self.categories:
            x = np.array(self.categories)[c.argmax(axis=1)]
        else:
            x = c[:, 0] * self.scale + self.shift
            x = x if np.dtype(self.dtype).kind == "f" else np.rint(x)
        return cast(Array, x.astype(self.dtype))

    def value(self, given: Mapping[str, Any]) -> Level:
        """The value asked for by name: a name where it has some, else a number."""
        if self.name not in given:
            raise InputError(f"the model is conditioned on {self.name!r}; give --given {self.name}=VALUE")
        if self.names is not None:
            asked = given[self.name]
            text = str(asked).lower() if isinstance(asked, bool) else str(asked)  # true and false may be names
            return next((level for level in self.categories if level == asked or str(level) == text), text)
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
