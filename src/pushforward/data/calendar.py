"""The calendar of a window as its context: where in the hour, the day, the week and the year each step lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from pushforward.data.dataset import Array
from pushforward.data.series import seconds_of, stamps_after
from pushforward.data.views import unrolled, windows_of
from pushforward.errors import InputError

__all__ = ["Calendar"]

HOUR, DAY, WEEK, YEAR = 3600, 86_400, 604_800, 31_556_952
EARLIEST, LATEST = -270 * YEAR, 230 * YEAR
"""When a window may begin, in seconds since 1970: a good way within the times that pandas counts in nanoseconds."""
HARMONICS = 2
"""Sines and cosines of an hour, of a day and of a year."""


@dataclass(frozen=True)
class Calendar:
    r"""What time it is at each step of a window: :math:`\sin` and :math:`\cos` of :math:`2\pi k t / \text{hour}`,
    :math:`2\pi k t / \text{day}` and :math:`2\pi k t / \text{year}`, :math:`k = 1, 2`, and one component for each day
    of the week.

    A cycle counts where a step is at most half of it, and the year where the training part holds two: what was
    seen once cannot be told from a trend.

    Arguments:
        name: The column's name.
        interval: The step, as pandas writes it.
        steps: How many steps a window has.
        cycles: Which of ``hour``, ``day``, ``week`` and ``year`` count.

    Example:
        >>> stamps = np.arange(3) * 3600 + windows_of(np.arange(30) * 3600, 1)
        >>> calendar = Calendar.fit("date", stamps, "3600s")
        >>> calendar.cycles, calendar.encode(stamps).shape
        (('day', 'week'), (30, 33))
    """

    name: str
    interval: str
    steps: int
    cycles: tuple[str, ...]

    @classmethod
    def fit(cls, name: str, stamps: Array, interval: str) -> Calendar:
        """Fit to the stamps of the training part's windows, ``(N, T)`` in seconds."""
        step = seconds_of(interval)
        daily = step < 2 * DAY  # business days are 1.4 days apart on average
        long_enough = {"hour": True, "day": True, "week": daily, "year": np.ptp(stamps) >= 2 * YEAR}
        lengths = {"hour": HOUR, "day": DAY, "week": WEEK, "year": YEAR}
        cycles = (cycle for cycle, length in lengths.items() if 2 * step <= length and long_enough[cycle])
        return cls(name, interval, stamps.shape[1], tuple(cycles))

    @property
    def each(self) -> int:
        """How many components a step takes."""
        return sum(7 if cycle == "week" else 2 * HARMONICS for cycle in self.cycles)

    @property
    def size(self) -> int:
        """How many components a window takes."""
        return self.steps * self.each

    def encode(self, stamps: Array) -> Array:
        """The components in float32, ``(N, T · each)``, of the windows' stamps ``(N, T)`` or first stamps ``(N,)``."""
        if stamps.ndim == 1:
            stamps = np.stack([np.append(s, stamps_after(int(s), self.interval, self.steps - 1)) for s in stamps])
        flat = unrolled(stamps)
        features = self._features(flat)
        windows = windows_of(features, self.steps) if len(flat) < stamps.size else features
        return np.require(windows.reshape(len(stamps), self.size), requirements=["C", "W"])

    def value(self, given: Mapping[str, Any]) -> float:
        """The first stamp asked for by name, as seconds since 1970."""
        if self.name not in given:
            raise InputError(f"a window is conditioned on when it begins; give --given {self.name}=2016-07-01T13:00")
        try:
            time = float(np.datetime64(str(given[self.name]), "s").astype(np.int64))
        except ValueError:
            time = np.nan
        if not EARLIEST <= time <= LATEST:  # NaT, which is no time, is the least of all numbers
            asked = f"--given {self.name}={given[self.name]}"
            raise InputError(f"{asked} is no time from 1700 to 2200; write it as 2016-07-01T13:00")
        return time

    def describe(self) -> str:
        """The calendar in a line."""
        return f"{self.name}: calendar of {', '.join(self.cycles) or 'no cycle'}, in steps of {self.interval}"

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {**asdict(self), "cycles": list(self.cycles)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Calendar:
        """The inverse of :meth:`to_json`."""
        return cls(**{**value, "cycles": tuple(value["cycles"])})

    def _features(self, seconds: Array) -> Array:
        """The components of each stamp, ``(n, each)``."""
        parts = {
            "hour": lambda: _circle(seconds % HOUR / HOUR),
            "day": lambda: _circle(seconds % DAY / DAY),
            "week": lambda: (seconds // DAY + 3)[:, None] % 7 == np.arange(7),  # 1970 began on a Thursday
            "year": lambda: _circle(seconds % YEAR / YEAR),
        }
        columns = [parts[cycle]().astype(np.float32) for cycle in self.cycles]
        return cast(Array, np.concatenate(columns, 1) if columns else np.empty((len(seconds), 0), np.float32))


def _circle(phase: Array) -> Array:
    """Sines and cosines of a phase in [0, 1), ``(n, 2 · HARMONICS)``."""
    angle = 2 * np.pi * phase[:, None] * np.arange(1, HARMONICS + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], 1)
