"""Several sets of the same columns, named by the same codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from pushforward.data.categories import Categories
from pushforward.data.dataset import Array, Dataset
from pushforward.errors import InputError

__all__ = ["alike"]


def alike(sets: Sequence[Dataset]) -> list[Dataset]:
    """The sets with one code for each name; what not all of them name is numbers in each.

    Columns go by their place. The names of the first set come first.

    Raises:
        InputError: If a column is text in one and numbers in another.
    """
    if not any(data.categories for data in sets):
        return list(sets)
    named: list[dict[str, Categories]] = [{} for _ in sets]
    values: list[dict[str, Array]] = [dict(x.values) if isinstance(x.values, Mapping) else {} for x in sets]
    for place in range(len(sets[0].columns)):
        names = [data.columns[place] for data in sets]
        found = [data.categories.get(name) for data, name in zip(sets, names, strict=True)]
        every = reduce(Categories.joined, present) if len(present := [c for c in found if c]) == len(sets) else None
        if every is None:
            _refuse_text(sets, names, found)
        for data, name, own, categories, x in zip(sets, names, found, named, values, strict=True):
            if own is None:
                continue
            x[name] = data.entries(name) if every is None else every.codes(data.column(name), own)
            if every is not None:
                categories[name] = every
    return [
        replace(data, values=x, categories={**{n: c for n, c in data.categories.items() if n in data.context}, **own})
        if x
        else data
        for data, x, own in zip(sets, values, named, strict=True)
    ]


def _refuse_text(sets: Sequence[Dataset], names: Sequence[str], found: Sequence[Categories | None]) -> None:
    text = [i for i, categories in enumerate(found) if categories is not None and categories.are_text]
    if text:
        other = next(i for i, categories in enumerate(found) if categories is None)
        raise InputError(
            f"column {names[text[0]]!r} holds text in {sets[text[0]].name} and numbers in {sets[other].name}; "
            "give both the same"
        )
