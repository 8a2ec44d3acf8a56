"""Columns of names: what their codes stand for, and how the codes are found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pushforward.data.selection import dropping

__all__ = ["MOST_LEVELS", "Categories", "Coder", "Form", "Level", "is_named"]

Array = NDArray[Any]
Level = str | bool | int | float
Form = Literal["str", "category"]
MOST_LEVELS = 1000
"""A column of more different names is an identity or free text, of which there is no law to learn."""


@dataclass(frozen=True)
class Categories:
    """What the codes 0, …, K − 1 of a column stand for.

    Arguments:
        levels: The K different values, sorted.
        dtype: How they came in: ``str`` for text, ``category`` for pandas' type and Arrow's dictionaries.

    Example:
        >>> colours = Categories(("blue", "red"))
        >>> colours.codes(np.array(["red", "blue", "green"])).tolist()
        [1, 0, -1]
        >>> colours.values(np.array([1, 1])).tolist()
        ['red', 'red']
    """

    levels: tuple[Level, ...]
    dtype: Form = "str"

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def are_text(self) -> bool:
        """Whether the levels are text, rather than numbers or truth values."""
        return isinstance(self.levels[0], str)

    def codes(self, x: Array, named: Categories | None = None) -> Array:
        """The codes of values, −1 for what is no level here; ``named`` says what they stand for if they are codes."""
        levels: Sequence[Level]
        if named is None:
            distinct, x = np.unique(x, return_inverse=True)
            levels = distinct.tolist()
        else:
            levels = named.levels
        own = {level: code for code, level in enumerate(self.levels)}
        return np.array([own.get(level, -1) for level in levels], np.int16)[x]

    def asked(self, value: Any) -> int:
        """The code of a level asked for by itself or as it is written, −1 where there is none.

        Example:
            >>> Categories(("007", "3.10", "true")).asked("3.10"), Categories((False, True)).asked("true")
            (1, 1)
        """
        spellings = [value, str(value)]
        if isinstance(value, bool):
            spellings.append(str(value).lower())
        if isinstance(value, str):
            with suppress(ValueError):
                spellings.append(json.loads(value))
        for spelling in spellings:
            for code, level in enumerate(self.levels):
                if level == spelling or str(level) == spelling:
                    return code
        return -1

    def values(self, codes: Array) -> Array:
        """The values that codes stand for, in the levels' own type."""
        return np.array(self.levels)[codes]

    def used(self, codes: Array) -> tuple[Categories, Array]:
        """Without the levels that do not occur, the rest sorted; and the codes as they are then."""
        kept, codes = np.unique(codes, return_inverse=True)
        levels = [self.levels[i] for i in kept]
        order = sorted(range(len(levels)), key=lambda i: levels[i])
        rank = np.argsort(order).astype(np.int16)
        return Categories(tuple(levels[i] for i in order), self.dtype), rank[codes]

    def joined(self, other: Categories) -> Categories:
        """These levels, and after them those that only ``other`` has."""
        return Categories(tuple(dict.fromkeys((*self.levels, *other.levels))), self.dtype)


class Coder:
    """Numbers the values of a column of Arrow's, block by block, as they appear.

    Arguments:
        name: The column's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers: dict[Level, int] = {}

    @property
    def overflows(self) -> bool:
        """Whether there are too many different values to be categories."""
        return len(self.numbers) > MOST_LEVELS

    def too_many(self) -> str:
        """What is wrong then, and what to do."""
        return (
            f"column {self.name!r} has more than {MOST_LEVELS:,} different texts, as identities and free text do; "
            f"drop it with {dropping(self.name)}"
        )

    def add(self, column: Any) -> Array:
        """The codes of a block without missing values."""
        import pyarrow as pa

        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)  # a dictionary may hold what no row does
        block = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
        block = block.combine_chunks().dictionary_encode()
        block = block.combine_chunks() if isinstance(block, pa.ChunkedArray) else block
        codes = [self.numbers.setdefault(level, len(self.numbers)) for level in block.dictionary.to_pylist()]
        x: Array = np.array(codes, np.int32)[block.indices.to_numpy(zero_copy_only=False)]
        return x

    def categories(self, codes: Array, dtype: Form) -> tuple[Categories, Array]:
        """What all codes stand for, sorted, and the codes as they are then."""
        return Categories(tuple(self.numbers), dtype).used(codes)


def is_named(kind: Any) -> bool:
    """Whether a column of Arrow's type holds names: text, or a dictionary of text, numbers or truth values."""
    from pyarrow import types

    if types.is_dictionary(kind):
        inner = kind.value_type
        return is_named(inner) or types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner)
    return str(kind) in ("string", "large_string", "string_view")
