"""Patterns in the data's own form: a table, an array of numbers, pictures, or windows of a series."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pushforward.data.categories import Categories
from pushforward.data.views import carried, unrolled
from pushforward.errors import InputError

__all__ = ["Array", "Dataset", "Kind", "blocks", "counted"]

Array = NDArray[Any]
Kind = Literal["table", "array", "pictures", "series"]

BLOCK_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class Dataset:
    """N patterns in their own types, as they came in or as they will go out.

    Arguments:
        kind: ``table`` (columns of their own types, codes for categories), ``array`` (one type), ``pictures`` or
            ``series``.
        values: By column name, each ``(N,)``, for a table; ``(N, D)`` for an array; ``(N, H, W)`` or
            ``(N, H, W, 3)`` of uint8 for pictures, possibly memory-mapped; ``(N, T, V)`` of float64 for the windows of
            a series, NaN where missing, possibly a view of its steps.
        name: What a person calls it.
        columns: The columns' names; none for pictures.
        levels: How many values a picture's byte can take, 0 to ``levels - 1``.
        context: What conditions and is not modelled, by name, each ``(N,)``; the stamps of a window's steps are
            ``(N, T)``, in seconds since 1970.
        origin: The arguments of :func:`load` that make it again; ``None`` for data from memory.
        skipped: How many corrupt pictures were left out.
        file_kind: How it came in: csv, tsv, parquet, npy, npz, folder, zip, frame, array, tensor, digits.
        interval: The step of a series as pandas writes it (``3600s``); empty without a calendar.
        categories: What codes stand for, by the name of the column of patterns or context that holds them.

    Example:
        >>> data = Dataset("array", np.zeros((3, 2)), columns=("a", "b"))
        >>> len(data), data.describe(), len(data.take([0, 2]))
        (3, '3 rows × 2 columns', 2)
    """

    kind: Kind
    values: Array | Mapping[str, Array]
    name: str = "data"
    columns: tuple[str, ...] = ()
    levels: int | None = None
    context: Mapping[str, Array] = field(default_factory=dict)
    origin: dict[str, Any] | None = None
    skipped: int = 0
    file_kind: str = "array"
    interval: str = ""
    categories: Mapping[str, Categories] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())) if isinstance(self.values, Mapping) else self.values)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {self.describe()})"

    @property
    def noun(self) -> str:
        """What one pattern is called."""
        return {"pictures": "picture", "series": "window"}.get(self.kind, "row")

    @property
    def pictures(self) -> Array:
        """The pictures, ``(N, H, W)`` or ``(N, H, W, C)``."""
        if self.kind != "pictures" or isinstance(self.values, Mapping):
            raise TypeError(f"{self.name} is a {self.kind}, not pictures")
        return self.values

    @property
    def windows(self) -> Array:
        """The windows of a series, ``(N, T, V)``."""
        if self.kind != "series" or isinstance(self.values, Mapping):
            raise TypeError(f"{self.name} is a {self.kind}, not a series")
        return self.values

    @property
    def has_missing(self) -> bool:
        """Whether values are missing, as they may be in a series alone."""
        return self.kind == "series" and bool(np.isnan(unrolled(self.windows)).any())

    @property
    def components(self) -> tuple[str, ...]:
        """What the columns of :meth:`numeric` are: the columns, or the variables at each step of a window."""
        if self.kind != "series":
            return self.columns
        return tuple(f"{name} at {t}" for t in range(self.windows.shape[1]) for name in self.columns)

    def with_gaps_of(self, other: Dataset) -> Dataset:
        """A series with values missing where another of as many windows lacks them."""
        return replace(self, values=np.where(np.isnan(other.windows), np.nan, self.windows))

    def column(self, name: str) -> Array:
        """One column in its own type, shape ``(N,)``, or one variable of windows, ``(N, T)``; of categories, codes."""
        if isinstance(self.values, Mapping):
            return self.values[name]
        return self.values[..., self.columns.index(name)]

    def entries(self, name: str) -> Array:
        """One column of patterns or context as it came in, shape ``(N,)``: of categories, what the codes stand for.

        Example:
            >>> colours = {"colour": Categories(("blue", "red"))}
            >>> data = Dataset("table", {"colour": np.array([1, 0])}, columns=("colour",), categories=colours)
            >>> data.entries("colour").tolist()
            ['red', 'blue']
        """
        x = self.context[name] if name in self.context else self.column(name)
        return self.categories[name].values(x) if name in self.categories else x

    @property
    def names(self) -> tuple[tuple[str, ...], ...]:
        """For each column of patterns what its codes stand for, nothing where it holds numbers; empty if all do."""
        if not any(name in self.categories for name in self.columns):
            return ()
        none = Categories(())
        return tuple(tuple(map(str, self.categories.get(name, none).levels)) for name in self.columns)

    def take(self, indices: slice | Array | list[int]) -> Dataset:
        """The patterns at ``indices``, with their context; they no longer have an origin of their own."""
        values: Array | Mapping[str, Array]
        if isinstance(self.values, Mapping):
            values = {name: x[indices] for name, x in self.values.items()}
        else:
            values = np.asarray(self.values[indices])
        context = {name: x[indices] for name, x in self.context.items()}
        return replace(self, values=values, context=context, origin=None)

    def thinned(self, n: int, seed: int = 0) -> Dataset:
        """At most ``n`` of the patterns, chosen at random, in their order."""
        if len(self) <= n:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(len(self), n, replace=False)))

    def on_levels(self, levels: int) -> Dataset:
        """Pictures as they are in ``levels`` levels, exactly, if that is what they are, spread over 0 to 255 or not.

        Raises:
            InputError: If a picture has a value that lies on none of the levels.

        Example:
            >>> png = Dataset("pictures", np.array([[[0, 255]]], np.uint8), levels=256)
            >>> png.on_levels(17).values.tolist()
            [[[0, 16]]]
        """
        if self.levels == levels:
            return self
        x = np.asarray(self.pictures)
        factor = 255 / (levels - 1)
        coarse = np.rint(x / factor).astype(np.uint8)
        if bool((x < levels).all()):
            coarse = x
        elif not np.array_equal(np.rint(coarse * factor).astype(np.uint8), x):
            raise InputError(
                f"{self.name} has pictures of {self.levels} levels where {levels} are needed; give pictures whose "
                f"values are 0 to {levels - 1}, or these spread evenly over 0 to 255"
            )
        return replace(self, values=coarse, levels=levels, origin=None)

    def numeric(self) -> Array:
        """The patterns as one array: ``(N, D)`` of float64, or the pictures themselves.

        A missing value of a series counts as the last one before it.
        """
        if self.kind == "pictures":
            return self.pictures
        if self.kind == "series":
            return carried(self.windows).reshape(len(self), -1)
        out = np.empty((len(self), len(self.columns)))
        for j, name in enumerate(self.columns):
            out[:, j] = self.column(name)
        return out

    def fingerprint(self) -> str:
        """SHA-256 of contents, column names and types; the same data have it wherever they lie.

        Example:
            >>> a = Dataset("array", np.eye(2), columns=("a", "b"))
            >>> a.fingerprint() == a.take(slice(None)).fingerprint()
            True
        """
        digest = hashlib.sha256(json.dumps([self.kind, self.columns, self.levels]).encode())
        values = self.values if isinstance(self.values, Mapping) else {"": self.values}
        for role, arrays in (("pattern", values), ("context", self.context)):
            for name, x in arrays.items():
                x = unrolled(x) if self.kind == "series" else x
                digest.update(json.dumps([role, name, x.dtype.str, x.shape]).encode())
                if name in self.categories:
                    used, x = self.categories[name].used(x)
                    digest.update(json.dumps([used.dtype, used.levels]).encode())
                for block in blocks(x):
                    digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()

    def describe(self) -> str:
        """The data in a few words."""
        if self.kind == "series":
            steps = f"{counted(len(self), self.noun)} of {counted(self.windows.shape[1], 'step')}"
            return f"{steps} × {counted(len(self.columns), 'variable')}"
        if self.kind != "pictures":
            return f"{counted(len(self), self.noun)} × {counted(len(self.columns), 'column')}"
        h, w = self.pictures.shape[1:3]
        colour = "colour " if self.pictures.ndim == 4 else ""
        return f"{counted(len(self), colour + self.noun)} of {h}×{w}"


def blocks(x: Array) -> Iterator[Array]:
    """Consecutive rows, about 16 MiB at a time, so that what is mapped from a file is never all in memory."""
    rows = max(1, BLOCK_BYTES // max(1, x[:1].nbytes))
    return (np.asarray(x[i : i + rows]) for i in range(0, len(x), rows))


def counted(n: int, noun: str) -> str:
    """A number of things in words.

    Example:
        >>> counted(1, "path"), counted(2000, "step")
        ('1 path', '2,000 steps')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
