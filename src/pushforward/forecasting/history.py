"""What a forecast goes on from: the last window of a history, in the variables and the step of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pushforward.data import Dataset, Schema
from pushforward.data.files import existing
from pushforward.data.selection import Selection, as_names
from pushforward.data.series import Steps, read_steps
from pushforward.data.windows import Windows
from pushforward.errors import InputError, options_of_model

__all__ = ["history_of", "windows_of"]


def history_of(history: Any, schema: Schema, **reading: Any) -> Steps:
    """The last window of a history, in the variables and the step that the schema was fitted on.

    Arguments:
        history: A file, a frame, an array or a series, at least one step long; missing values stay missing.
        schema: The model's encoding.
        reading: ``columns`` and ``drop``, the variables' choice; ``delimiter``; ``key`` of an array of an ``.npz``.

    Raises:
        InputError: If the schema is of no series, or the history does not fit it.
    """
    coding = windows_of(schema)
    if isinstance(history, Steps):
        return _ordered(history, coding, "the history")
    if isinstance(history, Dataset):
        schema.check(history)
        stamps = next(iter(history.context.values()), None)
        last = None if stamps is None else stamps[-1]
        return _ordered(Steps(history.windows[-1], history.columns, last, history.interval), coding, history.name)
    source = existing(history) if isinstance(history, (str, Path)) else history
    name = source.name if isinstance(source, Path) else "the history"
    if isinstance(source, Path) and source.is_dir():
        raise InputError(f"{name} is a folder; a history is a file like the one the model learnt from")
    time = schema.context[0].name if schema.context else None
    chosen = Selection(as_names(reading.get("columns")), as_names(reading.get("drop")) or ())
    apart, key = reading.get("delimiter"), reading.get("key")
    with options_of_model():
        steps = read_steps(source, name, time, chosen, apart, coding.interval, key)
    if steps.window is not None:
        raise InputError(f"{name} holds separate windows, which have no last step; give the series up to now")
    return _ordered(steps, coding, name)


def windows_of(schema: Schema) -> Windows:
    """How windows of a series are encoded; an ``InputError`` if the schema is of none."""
    if not isinstance(schema.patterns, Windows):
        raise InputError(f"the model of {schema.name} is not of a series; fit one with --time COLUMN or --series")
    return schema.patterns


def _ordered(steps: Steps, coding: Windows, name: str) -> Steps:
    """The last window of steps, with the variables in the model's order whatever theirs is."""
    coding.check_columns(name, steps.columns)
    kept = slice(max(0, len(steps.values) - coding.steps), None)
    order = [steps.columns.index(column) for column in coding.names]
    stamps = None if steps.stamps is None else steps.stamps[kept]
    values = steps.values[kept][:, order]
    wrong = coding.unlike(values)
    if wrong is not None:
        step, why = wrong
        place = f"step {kept.start + step + 1}" if stamps is None else f"at {stamps[step].astype('datetime64[s]')}"
        raise InputError(f"{name}: {place}, {why}; mend it, or leave it empty, as what was not observed")
    return Steps(values, coding.names, stamps, steps.interval)
