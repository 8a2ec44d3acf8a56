"""The encoding of a series' windows: each variable by what its training values are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pushforward.data.column import Column
from pushforward.data.columns import Columns
from pushforward.data.dataset import Array, Dataset
from pushforward.data.views import unrolled
from pushforward.errors import InputError
from pushforward.event import Block, Event

__all__ = ["Windows"]

LARGEST = 1e15
"""Encoded value of a history: of greater ones networks see that they are great, and paths can only wander off."""


@dataclass(frozen=True)
class Windows:
    """The encoding of windows of T steps, in time-major order, by one encoding of each variable.

    Missing values are NaN before and after; they have no part in the log-determinant.

    Arguments:
        steps: How many steps T a window has.
        interval: The step, as pandas writes it; empty without a calendar.
        columns: The encoding of one step.
    """

    steps: int
    interval: str
    columns: Columns

    @classmethod
    def fit(cls, data: Dataset) -> Windows:
        """Fit to the steps of the training part, each variable by what was observed of it."""
        windows = data.windows
        steps = unrolled(windows)
        variables = {name: steps[:, j] for j, name in enumerate(data.columns)}
        # A step is told from the one before it, so a line everywhere.
        columns = Columns.fit(Dataset("table", variables, data.name, data.columns), bend=False)
        return cls(windows.shape[1], data.interval, columns)

    @cached_property
    def event(self) -> Event:
        """What one encoded window is."""
        blocks = _merged(self.columns.event.blocks * self.steps)
        return Event(blocks, series=(self.steps, self.columns.event.size))

    @property
    def names(self) -> tuple[str, ...]:
        """The variables' names."""
        return tuple(column.name for column in self.columns.columns)

    def encode(self, data: Dataset, out: Array) -> None:
        """Fill ``(N, T · V)`` with the encoded windows."""
        steps = out.reshape(len(data), self.steps, -1)
        for j, column in enumerate(self.columns.modelled):
            with np.errstate(over="ignore"):  # what single precision cannot hold is infinite, and impossible
                steps[..., j] = column.encode(self._observed(column, data))

    def encode_steps(self, values: Array) -> Array:
        """Encoded steps ``(n, V)`` of all variables ``(n, ·)``, in the order of :attr:`names`."""
        steps = self._as_window(values)
        return np.stack([column.encode(self._observed(column, steps)[0]) for column in self.columns.modelled], 1)

    def decode_steps(self, y: Array) -> Array:
        """The inverse of :meth:`encode_steps`."""
        return np.stack([np.asarray(x, np.float64) for x in self.columns.decode(y)["values"].values()], 1)

    def log_det(self, data: Dataset) -> Array:
        """log |det dy/dx| per window over what was observed, −∞ for windows that cannot occur, shape ``(N,)``."""
        total = np.zeros(len(data))
        for column in self.columns.columns:
            x = self._observed(column, data)
            total += np.where(np.isnan(x), 0.0, column.log_det(x)).sum(1)
            total[_contradicts(column, data).any(1)] = -math.inf
        return total

    def contradiction(self, data: Dataset) -> str:
        """What of the first window contradicts what is taken as certain; empty if nothing does."""
        first = data.take(slice(0, 1))
        for column in self.columns.columns:
            wrong = _contradicts(column, first)[0]
            if wrong.any():
                step = int(wrong.argmax())
                holds = f"column {column.name!r} holds {first.column(column.name)[0, step]} in step {step + 1}"
                return f"{holds}, and training had {column.certainty}"
        return ""

    def unlike(self, values: Array) -> tuple[int, str] | None:
        """Which of steps ``(n, V)`` first holds what a model of these windows cannot go on from, and what; or none."""
        steps = self._as_window(values)
        for column in self.columns.columns:
            x, impossible = self._observed(column, steps)[0], _contradicts(column, steps)[0]
            wrong, had = impossible, column.certainty if impossible.any() else f"{column.low:g} to {column.high:g}"
            if column.is_modelled and not impossible.any():
                wrong = np.abs(column.encode(x)) > LARGEST
            if wrong.any():
                step = int(wrong.argmax())
                return step, f"column {column.name!r} holds {x[step]:g}, and training had {had}"
        return None

    def decode(self, y: Array) -> dict[str, Any]:
        """The windows, as arguments of :class:`Dataset`, from ``(N, T · V)``."""
        windows = self.decode_steps(y.reshape(len(y) * self.steps, -1)).reshape(len(y), self.steps, -1)
        return {"kind": "series", "values": windows, "columns": self.names, "interval": self.interval}

    def check(self, data: Dataset) -> None:
        """Name how the variables, the step or the window differ."""
        if data.kind != "series":
            raise InputError(
                f"{data.name} is read as {data.describe()}, but the model was fitted on a series; "
                "name its column of times with --time, or give --series"
            )
        self.check_columns(data.name, data.columns)
        resampled = "resample it, as pandas' resample does, or fit a model of its steps"
        remedy = resampled if self.interval and data.interval else "mend it with --time"
        window = f"mend it with --window {self.steps}"
        for what, own, other, mended in (
            ("steps of", self.interval or "no calendar", data.interval or "no calendar", remedy),
            ("windows of", f"{self.steps} steps", f"{data.windows.shape[1]} steps", window),
        ):
            if own != other:
                raise InputError(f"{data.name} has {what} {other} where the model has {own}; {mended}")

    def check_columns(self, name: str, columns: tuple[str, ...]) -> None:
        """Name the variables that are missing or too many."""
        self.columns.check(Dataset("table", {}, name, columns))

    def describe(self) -> str:
        """A line a variable."""
        return f"windows of {self.steps} steps of\n{self.columns.describe()}"

    def _as_window(self, values: Array) -> Dataset:
        """Steps ``(n, V)`` as one window of so many."""
        return Dataset("series", values[None], "steps", self.names)

    def _observed(self, column: Column, data: Dataset) -> Array:
        """What was observed of a variable, or of one that repeats it, ``(N, T)``."""
        x = data.column(column.name)
        for other in self.columns.columns:
            if other.source == column.name:
                x = np.where(np.isnan(x), data.column(other.name), x)
        return x

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {"kind": "series", "steps": self.steps, "interval": self.interval, "columns": self.columns.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Windows:
        """The inverse of :meth:`to_json`."""
        return cls(value["steps"], value["interval"], Columns.from_json(value["columns"]))


def _contradicts(column: Column, data: Dataset) -> Array:
    """What was observed of a variable and cannot occur if it is what it was in training, ``(N, T)``."""
    x = data.column(column.name)
    if column.source is not None:
        source = data.column(column.source)
        wrong = (x != source) & ~np.isnan(source)
    else:
        wrong = column.contradicts(x.ravel()).reshape(x.shape)
    return np.asarray(wrong & ~np.isnan(x))


def _merged(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same components in as few blocks as can be."""
    merged: list[Block] = []
    for block in blocks:
        last = merged[-1] if merged else None
        if last is not None and (last.kind, last.width, last.low, last.high) == (
            block.kind,
            block.width,
            block.low,
            block.high,
        ):
            block = Block(block.kind, merged.pop().size + block.size, block.width, block.low, block.high)
        merged.append(block)
    return tuple(merged)
