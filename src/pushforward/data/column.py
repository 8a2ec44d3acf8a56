"""The encoding of one column, by what its training values are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from pushforward.data.categories import Categories, Form, Level
from pushforward.data.dataset import Array
from pushforward.data.selection import listed
from pushforward.errors import InputError
from pushforward.event import Block

__all__ = ["Column", "is_integral", "moments", "repeated"]

COARSEST = 2.0**16
"""Grids of more steps to a standard deviation, float32 cannot resolve; nor …"""
FARTHEST = 2.0**20
"""… values more steps from the mean: float32 must tell eight places within a step."""

Number = float | int
_ColumnKind = Literal["constant", "duplicate", "binary", "integer", "continuous", "categorical"]


@dataclass(frozen=True)
class Column:
    r"""One column's encoding, :math:`y = (x - \text{shift}) / \text{scale}`, with what decoding needs.

    An integer column lies on a grid of step ``1 / scale``. One with so many values that float32 cannot tell
    them apart is ``continuous`` and ``integral``: rounded when decoded, exact only if encoded in float64.
    A column of names is encoded by their codes, which are all that it sees of its values.

    Arguments:
        name: The column's name.
        dtype: NumPy's name of its type; of names, that of :class:`Categories`.
        kind: ``constant`` and ``duplicate`` columns are not modelled but restored.
        low: The smallest training value.
        high: The largest training value.
        shift: The mean; of integers, rounded; of a binary column, its smaller value.
        scale: The standard deviation; of a binary column, the distance of its two values.
        integral: Whether its values are whole numbers.
        source: The column a duplicate repeats.
        levels: What the codes of a column of names stand for.
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
    levels: tuple[Level, ...] = ()

    @classmethod
    def fit(cls, name: str, x: Array, categories: Categories | None = None) -> Column:
        """Fit the encoding of a column to its training values.

        Which names exist is part of the table's form, as in pandas' type, and how frequent they are is learnt.
        """
        if categories is not None:
            kind: _ColumnKind = "categorical" if len(categories) > 1 else "constant"
            return cls(name, categories.dtype, kind, 0, len(categories) - 1, integral=True, levels=categories.levels)
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
        return self.kind not in ("constant", "duplicate")

    @property
    def categories(self) -> Categories | None:
        """What its codes stand for, if they stand for anything."""
        return Categories(self.levels, cast(Form, self.dtype)) if self.levels else None

    @property
    def is_bit(self) -> bool:
        """Whether its training values are 0 and 1, or one of them."""
        return self.kind in ("constant", "binary") and {self.low, self.high} <= {0, 1}

    @property
    def block(self) -> Block:
        """What its encoded values are."""
        if self.kind == "binary":
            return Block.binary()
        if self.kind == "categorical":
            return Block.categorical(len(self.levels))
        if self.kind == "continuous":
            return Block("continuous")
        low = -self.shift / self.scale if self.low >= 0 else None
        return Block("grid", 1, 1.0 / self.scale, low)

    def encode(self, x: Array) -> Array:
        """The encoded values in float64, shape ``(N,)``."""
        return _minus(x, self.shift) / self.scale

    def decode(self, y: Array) -> Array:
        """The values in the column's own type, shape ``(N,)``, from float64."""
        dtype = np.dtype(np.int16 if self.levels else self.dtype)
        if self.kind == "constant":
            return np.full(len(y), self.low, dtype)
        if self.kind == "binary":
            return np.where(y >= 0.5, np.array(self.high, dtype), np.array(self.low, dtype))
        if dtype.kind == "f":
            x = np.rint(y * self.scale) + self.shift if self.integral else y * self.scale + self.shift
            return x.clip(np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
        return _plus(np.rint(y * self.scale), int(self.shift), dtype)

    def encode_one(self, value: Any) -> float:
        """The encoded form of one value asked for by name, as ``--given age=30`` gives it."""
        if self.levels:
            codes = [code for code, level in enumerate(self.levels) if value == level or str(value) == str(level)]
            if not codes:
                raise InputError(f"column {self.name!r} has no category {value!s:.40}; it has {listed(self.levels, 8)}")
            return float(codes[0])
        try:
            x = np.array([float(value)])
        except (TypeError, ValueError):
            x = np.array([np.nan])
        if not np.isfinite(x[0]) or bool(self.contradicts(x)[0]):
            raise InputError(f"column {self.name!r} cannot hold {value!s:.40}; {self.describe()}")
        return float(self.encode(x)[0])

    def log_det(self) -> float:
        """log |dy/dx|, 0 where values have a probability, which no change of units alters."""
        return -math.log(self.scale) if self.kind == "continuous" else 0.0

    def contradicts(self, x: Array) -> Array:
        """Which values cannot occur if the column is what it was in training, shape ``(N,)``."""
        if self.levels:
            return cast(Array, x < 0)
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
        low = repr(self.levels[0]) if self.levels else f"{self.low:g}"
        what = {
            "constant": f"constant, {low}, restored and not modelled",
            "duplicate": f"equal to {self.source}, restored and not modelled",
            "binary": f"binary, {self.low:g} or {self.high:g}",
            "integer": f"integer, {self.low:g} to {self.high:g}",
            "continuous": f"{'integer, as if ' * self.integral}continuous, {self.low:g} to {self.high:g}",
            "categorical": f"{len(self.levels)} categories, {listed(self.levels, 4)}",
        }[self.kind]
        return f"{self.name}: {what}"


def is_integral(x: Array) -> bool:
    """Whether all values are whole numbers, whatever their type."""
    return x.dtype.kind in "biu" or bool((x == np.rint(x)).all())


def repeated(value: float, n: int, dtype: str) -> Array:
    """A number that was asked for, ``n`` times in a column's type: through a vector it would lose to float32."""
    kind, x = np.dtype(dtype), np.full(n, value)
    if kind.kind == "f":
        return x.clip(np.finfo(kind).min, np.finfo(kind).max).astype(kind)
    return np.rint(x).astype(kind) if kind.kind == "b" else _plus(np.rint(x), 0, kind)


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
