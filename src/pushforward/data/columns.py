"""The encoding of rows, column by column."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pushforward.data.categories import Categories
from pushforward.data.column import Column, repeated
from pushforward.data.dataset import Array, Dataset
from pushforward.data.selection import listed
from pushforward.errors import InputError
from pushforward.event import Block, Event

__all__ = ["Columns"]


@dataclass(frozen=True)
class Columns:
    """The encoding of a table or an array, column by column.

    Arguments:
        kind: ``table`` or ``array``.
        columns: The columns in the data's order.
    """

    kind: Literal["table", "array"]
    columns: tuple[Column, ...]

    @classmethod
    def fit(cls, data: Dataset, bend: bool = True) -> Columns:
        """Fit to training rows; constant and duplicate columns are recognised, and those of heavy tails bent.

        An array of nothing but 0 and 1 is binary throughout: that one of its many columns never changed, or
        that two agreed, is chance there and must not make a held-out row impossible.
        """
        columns = [
            Column.fit(name, _observed(data.column(name)), data.categories.get(name), bend) for name in data.columns
        ]
        if all(column.kind == "constant" for column in columns):
            raise InputError(f"{data.name}: all columns are constant, so there is nothing to learn; give other data")
        if data.kind == "array" and all(column.is_bit for column in columns):
            bits = (Column(c.name, c.dtype, "binary", 0, 1, integral=True) for c in columns)
            return cls("array", tuple(bits))
        first: dict[str, str] = {}
        columns = [_unless_duplicate(column, first, data) for column in columns]
        return cls("table" if data.kind == "table" else "array", tuple(columns))

    @property
    def modelled(self) -> list[Column]:
        """The columns that are components of the event, in order."""
        return [column for column in self.columns if column.is_modelled]

    @property
    def event(self) -> Event:
        """What one encoded row is."""
        merged: list[Block] = []
        for block in (column.block for column in self.modelled):
            if merged and merged[-1] == Block(block.kind, merged[-1].size, block.width, block.low, block.high):
                block = Block(block.kind, merged.pop().size + 1, block.width, block.low, block.high)
            merged.append(block)
        return Event(tuple(merged))

    def encode(self, data: Dataset, out: Array) -> None:
        """Fill ``(N, D)`` with the encoded rows; an ``InputError`` for a name that the columns were not fitted on."""
        for j, column in enumerate(self.modelled):
            x = _as_fitted(column, data)
            if column.levels and bool((x < 0).any()):
                row = int((x < 0).argmax())
                raise InputError(
                    f"{data.name}: row {row + 1}, column {column.name!r} holds {data.entries(column.name)[row]!s:.40}, "
                    f"which the model never saw (it knows {listed(column.levels, 4)}); leave such rows out, or fit on "
                    "data that have them"
                )
            with np.errstate(over="ignore"):  # what single precision cannot hold is infinite, and impossible
                out[:, j] = column.encode(x)

    def encode_prefix(self, given: Mapping[str, Any]) -> Array:
        """The encoded values ``(k,)`` of the first k modelled columns; an ``InputError`` if given others."""
        first = self.modelled[: len(given)]
        if {column.name for column in first} != set(given):
            raise InputError(
                f"a model conditions exactly on the first columns of its order alone, which is "
                f"{listed(column.name for column in self.modelled)}, and not on {listed(given)}; "
                "fit with --context, or with --columns in another order"
            )
        return np.array([column.encode_one(given[column.name]) for column in first])

    def log_det(self, data: Dataset) -> Array:
        """log |det dy/dx| per row, −∞ for rows that cannot occur, shape ``(N,)``."""
        impossible, total = np.zeros(len(data), bool), np.zeros(len(data))
        for column in self.columns:
            impossible |= _contradicts(column, data)
            total += column.log_det(_as_fitted(column, data))
        return np.where(impossible, -np.inf, total)

    def contradiction(self, data: Dataset) -> str:
        """What of the first row contradicts what is taken as certain; empty if nothing does."""
        first = data.take(slice(0, 1))
        return next((_told(column, first) for column in self.columns if _contradicts(column, first)[0]), "")

    def decode(self, y: Array, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The rows, as arguments of :class:`Dataset`, from ``(N, D)``; values that were given stay as they were."""
        at = {column.name: j for j, column in enumerate(self.modelled)}
        values: dict[str, Array] = {}
        for column in self.columns:
            if given and column.name in given and column.kind in ("continuous", "integer"):
                values[column.name] = repeated(given[column.name], len(y), column.dtype)
            elif column.source is None:
                values[column.name] = column.decode(y[:, at.get(column.name, 0)].astype(np.float64))
            else:
                values[column.name] = values[column.source].astype(np.int16 if column.levels else column.dtype)
        names = tuple(values)
        categories = {column.name: column.categories for column in self.columns if column.levels}
        rows: Array | Mapping[str, Array] = values if self.kind == "table" else np.stack(list(values.values()), axis=1)
        return {"kind": self.kind, "values": rows, "columns": names, "categories": categories}

    def check(self, data: Dataset) -> None:
        """Name the columns that are missing, too many, or of numbers where there should be names or the reverse."""
        if data.kind == "pictures":
            raise InputError(f"{data.name} holds pictures, but the model was fitted on columns; give it such data")
        names = [column.name for column in self.columns]
        missing, extra = set(names) - set(data.columns), set(data.columns) - set(names)
        if missing or extra:
            parts = [f"lacks {listed(sorted(missing))}"] if missing else []
            parts += [f"has {listed(sorted(extra))} besides"] if extra else []
            raise InputError(
                f"{data.name} {' and '.join(parts)}: the model was fitted on {listed(names)}; "
                "give these columns, and drop others with --drop"
            )
        for column in self.columns:
            holds, held = _what_of(data.categories.get(column.name)), _what_of(column.categories)
            if (holds == "text") != (held == "text"):
                raise InputError(
                    f"{data.name}: column {column.name!r} holds {holds}, but the model was fitted on {held}; "
                    f"give the column as {held}"
                )

    def describe(self) -> str:
        """A line a column."""
        return "\n".join(column.describe() for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {"kind": self.kind, "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Columns:
        """The inverse of :meth:`to_json`."""
        columns = ({**column, "levels": tuple(column.get("levels", ()))} for column in value["columns"])
        return cls(value["kind"], tuple(Column(**column) for column in columns))


def _unless_duplicate(column: Column, first: dict[str, str], data: Dataset) -> Column:
    """The column, or its being a duplicate of the ``first`` of that content."""
    x = data.column(column.name)
    same = first.setdefault(repr(column.levels) + _content(x), column.name)
    if column.kind == "constant" or same == column.name or not _restores(data.column(same), x):
        return column
    return Column(column.name, column.dtype, "duplicate", column.low, column.high, source=same, levels=column.levels)


def _observed(x: Array) -> Array:
    """The values that a column is fitted to: those of a series' variable may be missing; 0 if all are."""
    if x.dtype.kind != "f":
        return x
    missing = np.isnan(x)
    return x[~missing] if not missing.all() else np.zeros(1, x.dtype)


def _as_fitted(column: Column, data: Dataset) -> Array:
    """The values of a column; of names, the codes that the fitted column has for them, −1 where it has none."""
    x, own = data.column(column.name), column.categories
    return x if own is None else own.codes(x, data.categories.get(column.name))


def _contradicts(column: Column, data: Dataset) -> Array:
    """Which rows cannot occur if a column is what it was in training."""
    if column.source is None:
        return column.contradicts(_as_fitted(column, data))
    return np.asarray(data.entries(column.name) != data.entries(column.source))


def _told(column: Column, data: Dataset) -> str:
    """In what the first row contradicts a column."""
    return f"column {column.name!r} holds {data.entries(column.name)[0]!s:.40}, and training had {column.certainty}"


def _what_of(categories: Categories | None) -> str:
    return "text" if categories is not None and categories.are_text else "numbers"


def _content(x: Array) -> str:
    return hashlib.blake2b((x.astype(np.float64) + 0.0).data).hexdigest()


def _restores(source: Array, x: Array) -> bool:
    return bool(np.array_equal(source.astype(x.dtype), x, equal_nan=x.dtype.kind == "f"))
