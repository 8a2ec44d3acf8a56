"""Sources read with a column that names each pattern's mode beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pushforward.data import Dataset, Splits, load
from pushforward.data.columns import Columns
from pushforward.errors import InputError
from pushforward.run import Run
from pushforward.sides.compared import Sides

__all__ = ["loaded", "loaded_if_with", "loaded_with", "parts_with", "unknown_to", "with_modes"]


def loaded(source: Any, reading: dict[str, Any], role: str) -> Dataset:
    """A source as a data set, under its role where it has no name of its own."""
    if isinstance(source, Dataset):
        return replace(source, name=role) if source.name == Dataset.name else source
    return load(source, **({} if isinstance(source, (str, Path)) else {"name": role}) | reading)


def loaded_with(source: Any, reading: dict[str, Any], modes: str | None) -> Dataset:
    """Patterns with the column of modes beside them."""
    with _said_of_modes(modes):
        return loaded(source, _beside(reading, modes), "real")


def loaded_if_with(source: Any, reading: dict[str, Any], modes: str | None) -> Dataset:
    """Samples with the column of modes beside them or, where they have none, without."""
    if modes is None:
        return loaded(source, reading, "fake")
    try:
        return loaded(source, _beside(reading, modes), "fake")
    except InputError:
        return loaded(source, reading, "fake")


def parts_with(run: Run, modes: str | None) -> Splits:
    """A run's data with the column of modes beside them, as they were divided."""
    unknown = unknown_to(run, modes)
    with _said_of_modes(unknown):
        return run.splits(unknown)


def unknown_to(run: Run, modes: str | None) -> str | None:
    """The column of modes, if a run's model knows it neither as a column of patterns nor as a condition."""
    patterns = run.schema.patterns
    columns = patterns.columns if isinstance(patterns, Columns) else ()
    known = {column.name for column in (*run.schema.context, *columns)}
    return None if modes in known else modes


@contextmanager
def _said_of_modes(modes: str | None) -> Iterator[None]:
    """What is wrong with the column of modes, which is read as a condition is, is said of ``--modes``."""
    try:
        yield
    except InputError as error:
        if modes is None:
            raise
        raise InputError(str(error).replace("--context", "--modes")) from error


def _beside(reading: dict[str, Any], modes: str | None) -> dict[str, Any]:
    """How to read patterns with a column of modes beside them."""
    return reading if modes is None else {**reading, "context": [*(reading.get("context") or ()), modes]}


def with_modes(both: Sides, name: str, drawn: bool) -> Sides:
    """With each pattern's mode, and each sample's where a column of its own says so.

    The conditions under which a model's samples were ``drawn`` are those of the data, and say nothing of the samples.
    """
    if name in both.real.columns:
        compared = f"{name!r}, which names the modes, is also one of the columns that were compared"
        modes = both.real.entries(name), both.fake.entries(name)
        return replace(both, modes=modes[0], fake_modes=modes[1], notes=(*both.notes, compared))
    if name not in both.real.context:
        raise InputError(
            f"{both.real.name} has no {name!r} to name its patterns' modes; give --modes one of its columns, or leave "
            "it out"
        )
    labelled = name in both.fake.context and not drawn
    return replace(both, modes=both.real.entries(name), fake_modes=both.fake.entries(name) if labelled else None)
