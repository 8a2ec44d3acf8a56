"""What callers give, checked: whole numbers, seeds and values by name."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping
from typing import Any

from pushforward.errors import InputError

__all__ = ["by_name", "checked_seed", "refuse_beyond_memory", "whole_number"]

BYTES = 8
"""Of each number that is drawn."""


def whole_number(value: Any, what: str, such: int, least: int | None = None) -> int:
    """A number that counts, of Python or NumPy, as Python's.

    Arguments:
        value: What was given.
        what: What it is, for the error.
        such: One that would do, idem.
        least: The smallest that will do.

    Raises:
        InputError: If it is none, or smaller.

    Example:
        >>> whole_number(3, "a horizon", such=24)
        3
    """
    try:
        if isinstance(value, bool):  # which Python counts as 0 or 1
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least):
        kind = "a whole number" if least is None else f"a whole number from {least} on"
        raise InputError(f"{what} is {kind}, not {value!r:.40}; give one such as {such}")
    return number


def checked_seed(seed: Any) -> int:
    """A seed as Python's number; an ``InputError`` if it is none."""
    try:
        number = whole_number(seed, "a seed", such=0, least=0)
    except InputError:
        number = -1
    if not 0 <= number < 2**63:
        raise InputError(f"a seed is a whole number from 0 on, below 2⁶³, not {seed!r:.40}; give one such as 0")
    return number


def refuse_beyond_memory(n: int, each: int, what: str) -> None:
    """Name a number of things to draw, each of so many numbers, that this machine cannot hold."""
    if n * each * BYTES > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
        raise InputError(f"{n:,} {what} do not fit into this machine's memory; draw fewer, with several seeds")


def by_name(values: Any, what: str, such: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values by name, none where there are none; an ``InputError`` if they are something else.

    Example:
        >>> by_name(None, "the options", {"hidden": [64, 64]})
        {}
    """
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise InputError(f"{what} are values by name, not {values!r:.40}; give them as {such}")
    return values
