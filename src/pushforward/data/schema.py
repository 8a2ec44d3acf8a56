"""From data to vectors and back, exactly, with the log-determinant of the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.data.calendar import Calendar
from pushforward.data.column import repeated
from pushforward.data.columns import Columns
from pushforward.data.context import ContextColumn
from pushforward.data.dataset import Array, Dataset, counted
from pushforward.data.pixels import Pixels
from pushforward.data.selection import listed
from pushforward.data.windows import Windows
from pushforward.errors import InputError
from pushforward.event import Event

__all__ = ["FEWEST_ROWS", "Schema"]

FEWEST_ROWS = 20
MOST_NAMED = 5
"""Columns that a caution names."""


@dataclass(frozen=True)
class Schema:
    r"""A fitted, invertible encoding of patterns and their context.

    With the density (or probability) :math:`q` of the encoded :math:`y(x)`, in the data's own units

    .. math:: \log p(x) = \log q(y(x)) + \log |\det \partial y / \partial x|,

    where the determinant is over continuous components; values on a grid and binary ones have probabilities,
    which no change of units alters.

    Arguments:
        patterns: The encoding of rows, of pictures or of windows.
        context: The encoding of what conditions, column by column.
        name: The training data's name.
        file_kind: How the training data came in, hence how samples should go out.

    Example:
        >>> data = Dataset("array", np.arange(60.0).reshape(30, 2) / 7, columns=("a", "b"))
        >>> schema = Schema.fit(data)
        >>> schema.event.size, schema.context_size
        (2, 0)
        >>> back = schema.decode(schema.encode(data, torch.float64))
        >>> bool(np.allclose(back.values, data.values, rtol=1e-14))
        True
    """

    patterns: Columns | Pixels | Windows
    context: tuple[ContextColumn | Calendar, ...]
    name: str
    file_kind: str

    @classmethod
    def fit(cls, data: Dataset, whole: Dataset | None = None) -> Schema:
        """Fit to the training part; an ``InputError`` if it is too small or all the same.

        Arguments:
            data: The training part.
            whole: What it is a part of, which tells the values that a context can have; by default the part itself.
        """
        if len(data) < FEWEST_ROWS:
            has = f"{data.name} has {counted(len(data), data.noun)} to learn from"
            raise InputError(f"{has}; at least {FEWEST_ROWS} are needed, so give more")
        patterns = _PATTERNS.get(data.kind, Columns).fit(data)
        if data.kind == "series":
            calendars = tuple(Calendar.fit(name, x, data.interval) for name, x in data.context.items())
            return cls(patterns, calendars, data.name, data.file_kind)
        every = (data if whole is None else whole).context
        context = tuple(
            ContextColumn.fit(name, x, every[name], data.categories.get(name)) for name, x in data.context.items()
        )
        return cls(patterns, context, data.name, data.file_kind)

    @cached_property
    def event(self) -> Event:
        """What one encoded pattern is."""
        return self.patterns.event

    @property
    def context_size(self) -> int:
        """The width C of the encoded context, 0 if there is none or a calendar has no cycle that could matter."""
        return sum(column.size for column in self.context)

    def check(self, data: Dataset) -> None:
        """Raise an ``InputError`` that names how ``data`` differ from what the schema was fitted on."""
        self.patterns.check(data)

    def conform(self, data: Dataset) -> Dataset:
        """``data`` in the form the schema was fitted on, or an ``InputError`` that names how they differ."""
        if isinstance(self.patterns, Pixels) and data.kind == "pictures":
            data = data.on_levels(self.patterns.levels)
        self.check(data)
        return data

    def encode(self, data: Dataset, dtype: torch.dtype = torch.float32) -> Float[Tensor, "n d"]:
        """The patterns as vectors; float64 keeps continuous values to rounding."""
        self.check(data)
        wide = torch.float64 if dtype == torch.float64 else torch.float32
        y = torch.empty(len(data), self.event.size, dtype=wide)
        self.patterns.encode(data, y.numpy())
        return y.to(dtype)

    def log_det(self, data: Dataset) -> Float[Tensor, " n"]:
        """log |det dy/dx| per pattern in float64; −∞ for one that contradicts what is taken as certain.

        That is: another value in a constant or binary column, a difference between duplicates, a fraction
        where all were whole, a negative number where none was, a byte beyond a picture's levels.
        """
        self.check(data)
        return torch.from_numpy(self.patterns.log_det(data))

    def contradiction(self, data: Dataset, row: int) -> str:
        """What of one pattern contradicts what is taken as certain; empty if nothing does."""
        self.check(data)
        return self.patterns.contradiction(data.take(slice(row, row + 1)))

    def encode_context(self, data: Dataset) -> Float[Tensor, "n c"] | None:
        """The context as vectors, ``None`` if the schema has none; an ``InputError`` if ``data`` lack it or go far."""
        missing = [column.name for column in self.context if column.name not in data.context]
        if missing:
            raise InputError(f"{data.name} lacks the context {listed(missing)}; name it with --context")
        return self._context({column.name: data.entries(column.name) for column in self.context}, data.name)

    def prefix_from(self, given: Mapping[str, Any]) -> Float[Tensor, " k"] | None:
        """The first components from what of the values by name is not context; ``None`` if nothing is.

        Raises:
            InputError: If the patterns have no columns of these names, or they are not the first ones modelled.
        """
        modelled = {name: value for name, value in given.items() if name not in [c.name for c in self.context]}
        if not modelled:
            return None
        names = [column.name for column in self.patterns.modelled] if isinstance(self.patterns, Columns) else []
        unknown = [name for name in modelled if name not in names]
        if unknown:
            columns = self.patterns.columns if isinstance(self.patterns, Columns) else ()
            restored = [c.describe() for c in columns if c.name in unknown]
            why = f" ({restored[0]})" if restored else ""
            can = self._what_can_be_given(names)
            raise InputError(f"the model is not conditioned on {listed(unknown)}{why}; {can}")
        assert isinstance(self.patterns, Columns)  # only columns have names
        return torch.from_numpy(self.patterns.encode_prefix(modelled)).float()

    def context_from(self, given: Mapping[str, Any], n: int) -> Float[Tensor, "n c"] | None:
        """``n`` equal vectors of context from values by name, as ``--given label=3`` gives them."""
        return self._context({column.name: np.full(n, column.value(given)) for column in self.context if column.size})

    def context_of_window(self, start: int) -> Float[Tensor, " c"] | None:
        """The context of a window that begins at a time, in seconds since 1970; ``None`` if the schema has none."""
        context = self._context({column.name: np.array([start]) for column in self.context})
        return None if context is None else context[0]

    def decode(
        self,
        y: Float[Tensor, "n d"],
        context: Float[Tensor, "n c"] | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> Dataset:
        """The patterns in the data's own kind, columns and types; discrete values on their grid.

        What was given by name, of the context or of the patterns, is written as it was given.

        What a calendar says of a window does not tell when it was: windows come back without stamps.
        """
        if y.ndim != 2 or y.shape[1] != self.event.size:
            raise ValueError(f"expected vectors of shape (n, {self.event.size}), received {tuple(y.shape)}")
        y = y.detach().cpu()
        rows = (y if y.dtype == torch.float64 else y.float()).numpy()
        coding = self.patterns
        values = coding.decode(rows, given) if isinstance(coding, Columns) else coding.decode(rows)
        columns: dict[str, Array] = {}
        categories = values.pop("categories", {})
        conditions = [column for column in self.context if isinstance(column, ContextColumn)]
        if context is not None and conditions:
            parts = context.detach().to("cpu", torch.float64).split([column.size for column in conditions], dim=1)
            columns = {
                c.name: c.decode(part.numpy())
                if c.categories or not given
                else repeated(given[c.name], len(y), c.dtype)
                for c, part in zip(conditions, parts, strict=True)
            }
            categories |= {c.name: c.names for c in conditions if c.names is not None}
        return Dataset(**values, name=self.name, context=columns, file_kind=self.file_kind, categories=categories)

    def describe(self) -> str:
        """A line for each column, or one for pictures."""
        return "\n".join([self.patterns.describe(), *(column.describe() for column in self.context)])

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {
            "patterns": self.patterns.to_json(),
            "context": [column.to_json() for column in self.context],
            "name": self.name,
            "file_kind": self.file_kind,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Schema:
        """The inverse of :meth:`to_json`."""
        coding = _PATTERNS.get(value["patterns"]["kind"], Columns)
        conditions = Calendar if coding is Windows else ContextColumn
        context = tuple(conditions.from_json(column) for column in value["context"])
        return cls(coding.from_json(value["patterns"]), context, value["name"], value["file_kind"])

    def _what_can_be_given(self, names: list[str]) -> str:
        """What an error names instead: the context, and the columns of which the first ones can be conditioned on."""
        ways = [f"its context, {listed(column.name for column in self.context)}"] if self.context else []
        ways += [f"the first of {listed(names)}, where it is autoregressive of one order"] if names else []
        return f"give {' and '.join(ways)}" if ways else "it is conditioned on nothing, so give nothing"

    @property
    def caution(self) -> str:
        """What to know of densities where many values are one and the same, in a sentence; empty where none are."""
        coding = self.patterns.columns if isinstance(self.patterns, Windows) else self.patterns
        atoms = [c for c in coding.columns if c.atom is not None] if isinstance(coding, Columns) else []
        if not atoms:
            return ""
        which = " and ".join(
            f"of {column.name} {100 * column.share:.0f} % are {column.atom:g}" for column in atoms[:MOST_NAMED]
        )
        which += " and so on" * (len(atoms) > MOST_NAMED)
        return (
            f"{which[0].upper()}{which[1:]}: a density has no upper bound at a value that many share, so log p(x) says "
            "little there, and samples come near it but seldom are it."
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what may be given: the context's, and a table's columns."""
        columns = self.patterns.columns if isinstance(self.patterns, Columns) else ()
        return tuple(column.name for column in (*self.context, *columns))

    def _context(self, columns: Mapping[str, Array], source: str | None = None) -> Float[Tensor, "n c"] | None:
        for column in self.context:
            if isinstance(column, ContextColumn):
                column.check(columns[column.name], source)
        parts = [torch.from_numpy(column.encode(columns[column.name])) for column in self.context if column.size]
        return torch.cat(parts, dim=1).float() if parts else None


_PATTERNS: dict[str, type[Columns] | type[Pixels] | type[Windows]] = {"pictures": Pixels, "series": Windows}
"""The encoding of each kind of data that is not of columns."""
