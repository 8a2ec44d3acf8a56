"""The encoding of what conditions: names and few frequent whole numbers as categories, the rest standardised."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from pushforward.data.categories import Categories, Form, Level
from pushforward.data.column import far, is_integral, moments, number_of
from pushforward.data.dataset import Array
from pushforward.data.selection import listed
from pushforward.errors import InputError

__all__ = ["ContextColumn"]

MOST_CATEGORIES = 50
"""Whole numbers of more different values are quantities; and so they are if one of them occurs in …"""
FEWEST_OF_CATEGORY = 5
"""… fewer rows: of counts the great ones are rare, and what is known of the others must carry over to them."""


@dataclass(frozen=True)
class ContextColumn:
    """A conditioning column: one component a category, or one standardised component.

    Which categories or which range there is, is part of the table's form, as a column's names are: read off the
    whole table, so that chance cannot put a value into a part where it is refused.

    Arguments:
        name: The column's name.
        dtype: NumPy's name of its type; of names, that of :class:`Categories`.
        categories: The names, or the table's whole numbers if they are few and none is rare; then it is one-hot.
        shift: The mean, where there are no categories.
        scale: The standard deviation, idem.
        low: The smallest value of the table, idem; ``None`` in runs of before it was kept.
        high: The largest value, idem.
    """

    name: str
    dtype: str
    categories: tuple[Level, ...] = ()
    shift: float = 0.0
    scale: float = 1.0
    low: float | None = None
    high: float | None = None

    @classmethod
    def fit(cls, name: str, x: Array, whole: Array, categories: Categories | None = None) -> ContextColumn:
        """Fit to the values of the training part and of the ``whole`` table, or to what codes stand for."""
        if categories is not None:
            return cls(name, categories.dtype, categories.levels)
        if is_integral(whole):
            values, counts = np.unique(whole, return_counts=True)
            if len(values) <= MOST_CATEGORIES and counts.min() >= FEWEST_OF_CATEGORY:
                return cls(name, x.dtype.name, tuple(int(v) for v in values))
        shift, scale = (float(x[0]), 1.0) if x.min() == x.max() else moments(x)
        return cls(name, x.dtype.name, (), shift, scale, float(whole.min()), float(whole.max()))

    @property
    def size(self) -> int:
        """How many components it takes."""
        return len(self.categories) or 1

    @property
    def names(self) -> Categories | None:
        """What its codes stand for, if they came in as names."""
        return Categories(self.categories, cast(Form, self.dtype)) if self.dtype in ("str", "category") else None

    def check(self, x: Array, source: str | None = None) -> None:
        """Refuse values that the model cannot condition on: a category that it never saw, or a number far off.

        Arguments:
            x: The values, ``(N,)``.
            source: Where they are rows, to be named in the error; ``None`` for a value asked for by name.
        """
        if not self.categories and x.dtype.kind not in "biuf":
            raise InputError(
                f"{source}: context {self.name!r} holds text, but the model was fitted on numbers; give numbers"
            )
        wrong = Categories(self.categories).codes(x) < 0 if self.categories else self._far(x)
        if not bool(wrong.any()):
            return
        row = int(wrong.argmax())
        value = f"{x[row]:g}" if x.dtype.kind in "iuf" else f"{x[row]!s:.40}"
        if source is None:
            place = f"the context {self.name!r} is given as {value}"
            remedy = f"give one {'of' if self.categories else 'nearer to'} these, or fit on data that have it"
        else:
            place = f"{source}: row {row + 1}, context {self.name!r} holds {value}"
            remedy = "leave such rows out, or fit on data that have them"
        raise InputError(f"{place}, {self._why()}; {remedy}")

    def _far(self, x: Array) -> Array:
        """Which numbers lie farther outside the table's range than it is wide: there a network says anything."""
        if self.low is None or self.high is None:
            return np.zeros(len(x), bool)
        return far(x, self.low, self.high)

    def _why(self) -> str:
        if not self.categories:
            return f"far outside the {self.low:g} to {self.high:g} that the model learnt from"
        known = listed(self.categories, 8) if self.names else ", ".join(map(str, self.categories))
        return f"which the model never saw (it knows {known})"

    def encode(self, x: Array) -> Array:
        """The components in float64, ``(N, size)``, of values that :meth:`check` lets pass."""
        if self.categories:
            return np.eye(self.size)[Categories(self.categories).codes(x)]
        return cast(Array, (x.astype(np.float64)[:, None] - self.shift) / self.scale)

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
            raise InputError(
                f"the model is conditioned on {self.name!r}; give --given {shlex.quote(self.name + '=VALUE')}"
            )
        if self.names is not None:
            code = self.names.asked(given[self.name])
            return self.categories[code] if code >= 0 else str(given[self.name])
        value = number_of(given[self.name])
        if value is None or not np.isfinite(float(value)):
            raise InputError(f"--given {self.name}={given[self.name]} is not a number; give one")
        return float(value)

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
