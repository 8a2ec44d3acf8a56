"""The encoding of rows: each column by what its training values are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np

from pushforward.data.dataset import Array, Dataset
from pushforward.data.selection import listed
from pushforward.errors import InputError
from pushforward.event import Block, Event

__all__ = ["Column", "Columns", "is_integral", "moments"]

COARSEST = 2.0**16
"""Grids of more steps to a standard deviation, float32 cannot resolve; nor …"""
FARTHEST = 2.0**20
"""… values more steps from the mean: float32 must tell eight places within a step."""

Number = float | int
_ColumnKind = Literal["constant", "duplicate", "binary", "integer", "continuous"]


@dataclass(frozen=True)
class Column:
    r"""One column's encoding, :math:`y = (x - \text{shift}) / \text{scale}`, with what decoding needs.

    An integer column lies on a grid of step ``1 / scale``. One with so many values that float32 cannot tell
    them apart is ``continuous`` and ``integral``: rounded when decoded, exact only if encoded in float64.

    Arguments:
        name: The column's name.
        dtype: NumPy's name of its type.
        kind: ``constant`` and ``duplicate`` columns are not modelled but restored.
        low: The smallest training value.
        high: The largest training value.
        shift: The mean; of integers, rounded; of a binary column, its smaller value.
        scale: The standard deviation; of a binary column, the distance of its two values.
        integral: Whether its values are whole numbers.
        source: The column a duplicate repeats.
    """

    name: str
    dtype: str
    kind: _ColumnKind
    low: Number
    high: Number
    shift: Number = 0
    scale: float = 1.0
    integral: bool = False
    source: str | None = None

    @classmethod
    def fit(cls, name: str, x: Array) -> Column:
        """Fit the encoding of a column to its training values."""
        low, high = x.min().item(), x.max().item()
        given = {"name": name, "dtype": x.dtype.name, "low": low, "high": high}
        if low == high:
            return cls(**given, kind="constant")
        integral = is_integral(x)
        if integral and bool(((x == low) | (x == high)).all()):
            return cls(**given, kind="binary", shift=low, scale=float(_distance(low, high)), integral=True)
        mean, scale = moments(x)
        if not math.isfinite(scale) or not math.isfinite(float(high) - float(low)):
            raise InputError(f"column {name!r} spans {low} to {high}, more than float64 can standardise; rescale it")
        if not integral:
            return cls(**given, kind="continuous", shift=mean, scale=scale)
        shift = min(max(round(mean), int(low)), int(high))
        farthest = max(_distance(low, shift), _distance(shift, high))
        resolved = scale <= COARSEST and farthest <= FARTHEST
        return cls(**given, kind="integer" if resolved else "continuous", shift=shift, scale=scale, integral=True)

    @property
    def is_modelled(self) -> bool:
        """Whether it is a component of the encoded event."""
        return self.kind in ("binary", "integer", "continuous")

    @property
    def is_bit(self) -> bool:
        """Whether its training values are 0 and 1, or one of them."""
        return self.kind in ("constant", "binary") and {self.low, self.high} <= {0, 1}

    @property
    def block(self) -> Block:
        """What its encoded values are."""
        if self.kind == "binary":
            return Block.binary()
        if self.kind == "continuous":
            return Block("continuous")
        low = -self.shift / self.scale if self.low >= 0 else None
        return Block("grid", 1, 1.0 / self.scale, low)

    def encode(self, x: Array) -> Array:
        """The encoded values in float64, shape ``(N,)``."""
        return _minus(x, self.shift) / self.scale

    def decode(self, y: Array) -> Array:
        """The values in the column's own type, shape ``(N,)``, from float64."""
        dtype = np.dtype(self.dtype)
        if self.kind == "constant":
            return np.full(len(y), self.low, dtype)
        if self.kind == "binary":
            return np.where(y >= 0.5, np.array(self.high, dtype), np.array(self.low, dtype))
        if dtype.kind == "f":
            x = np.rint(y * self.scale) + self.shift if self.integral else y * self.scale + self.shift
            return x.clip(np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
        return _plus(np.rint(y * self.scale), int(self.shift), dtype)

    def log_det(self) -> float:
        """log |dy/dx|, 0 where values have a probability, which no change of units alters."""
        return -math.log(self.scale) if self.kind == "continuous" else 0.0

    def contradicts(self, x: Array) -> Array:
        """Which values cannot occur if the column is what it was in training, shape ``(N,)``."""
        if self.kind == "constant":
            return cast(Array, x != self.low)
        if self.kind == "binary":
            return cast(Array, (x != self.low) & (x != self.high))
        if self.kind == "integer":
            off_grid = np.rint(x) != x if x.dtype.kind == "f" else np.zeros(len(x), bool)
            return cast(Array, off_grid | (x < 0) if self.low >= 0 else off_grid)
        return np.zeros(len(x), bool)

    def describe(self) -> str:
        """The column in a line."""
        what = {
            "constant": f"constant, {self.low:g}, restored and not modelled",
            "duplicate": f"equal to {self.source}, restored and not modelled",
            "binary": f"binary, {self.low:g} or {self.high:g}",
            "integer": f"integer, {self.low:g} to {self.high:g}",
            "continuous": f"{'integer, as if ' * self.integral}continuous, {self.low:g} to {self.high:g}",
        }[self.kind]
        return f"{self.name}: {what}"


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
    def fit(cls, data: Dataset) -> Columns:
        """Fit to training rows; constant and duplicate columns are recognised.

        An array of nothing but 0 and 1 is binary throughout: that one of its many columns never changed, or
        that two agreed, is chance there and must not make a held-out row impossible.
        """
        columns = [Column.fit(name, data.column(name)) for name in data.columns]
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
        """Fill ``(N, D)`` with the encoded rows."""
        for j, column in enumerate(self.modelled):
            out[:, j] = column.encode(data.column(column.name))

    def log_det(self, data: Dataset) -> Array:
        """log |det dy/dx| per row, −∞ for rows that cannot occur, shape ``(N,)``."""
        impossible = np.zeros(len(data), bool)
        for column in self.columns:
            x = data.column(column.name)
            source = column.source
            impossible |= column.contradicts(x) if source is None else x != data.column(source)
        return np.where(impossible, -np.inf, math.fsum(column.log_det() for column in self.columns))

    def decode(self, y: Array) -> dict[str, Any]:
        """The rows, as arguments of :class:`Dataset`, from ``(N, D)``."""
        at = {column.name: j for j, column in enumerate(self.modelled)}
        values: dict[str, Array] = {}
        for column in self.columns:
            if column.source is None:
                values[column.name] = column.decode(y[:, at.get(column.name, 0)].astype(np.float64))
            else:
                values[column.name] = values[column.source].astype(column.dtype)
        names = tuple(values)
        rows: Array | Mapping[str, Array] = values if self.kind == "table" else np.stack(list(values.values()), axis=1)
        return {"kind": self.kind, "values": rows, "columns": names}

    def check(self, data: Dataset) -> None:
        """Name the columns that are missing or too many."""
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

    def describe(self) -> str:
        """A line a column."""
        return "\n".join(column.describe() for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {"kind": self.kind, "columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Columns:
        """The inverse of :meth:`to_json`."""
        return cls(value["kind"], tuple(Column(**column) for column in value["columns"]))


def _unless_duplicate(column: Column, first: dict[str, str], data: Dataset) -> Column:
    """The column, or its being a duplicate of the ``first`` of that content."""
    x = data.column(column.name)
    same = first.setdefault(_content(x), column.name)
    if column.kind == "constant" or same == column.name or not _restores(data.column(same), x):
        return column
    return Column(column.name, column.dtype, "duplicate", column.low, column.high, source=same)


def is_integral(x: Array) -> bool:
    """Whether all values are whole numbers, whatever their type."""
    return x.dtype.kind in "biu" or bool((x == np.rint(x)).all())


def moments(x: Array) -> tuple[float, float]:
    """Mean and standard deviation of values that differ, in float64, safe from over- and underflow."""
    peak = float(np.abs(x.astype(np.float64)).max())
    z = x.astype(np.float64) / peak
    mean = float(z.mean())
    scale = peak * math.sqrt(float(np.square(z - mean).mean()))
    # Great whole numbers may differ by less than float64 sees, and then do so exactly.
    return peak * mean, scale or float(x.max().item() - x.min().item())


def _distance(low: Number, high: Number) -> int:
    return abs(int(high) - int(low))


def _minus(x: Array, shift: Number) -> Array:
    """``x − shift`` in float64, of integers without loss: by modular arithmetic in 64 bits."""
    if x.dtype.kind == "f" or not isinstance(shift, int):
        return x.astype(np.float64) - float(shift)
    difference: Array = x.astype(np.int64) - np.array([shift], _wide(shift)).astype(np.int64)
    return difference.astype(np.float64)


def _plus(k: Array, shift: int, dtype: np.dtype[Any]) -> Array:
    """``shift + k`` within an integer type's range, for whole ``k`` in float64; inverts :func:`_minus`."""
    info = np.iinfo(dtype)
    k = k.clip(_towards_zero(int(info.min) - shift), _towards_zero(int(info.max) - shift)).astype(np.int64)
    return (k + np.array([shift], _wide(shift)).astype(np.int64)).astype(dtype)


def _wide(shift: int) -> type[np.int64] | type[np.uint64]:
    return np.int64 if shift < 2**63 else np.uint64


def _towards_zero(limit: int) -> float:
    limit = min(max(limit, -(2**62)), 2**62)
    return float(limit) if abs(limit) <= 2**53 else float(np.nextafter(float(limit), 0.0))


def _content(x: Array) -> str:
    return hashlib.blake2b((x.astype(np.float64) + 0.0).data).hexdigest()


def _restores(source: Array, x: Array) -> bool:
    return bool(np.array_equal(source.astype(x.dtype), x))
