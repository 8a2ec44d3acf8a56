"""Series: a table in time order becomes equal steps, and these become windows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor

from pushforward.data.arrays import read_npy, read_npz, tensor_to_numpy
from pushforward.data.dataset import Array
from pushforward.data.files import reading
from pushforward.data.selection import Selection, dropping, listed
from pushforward.data.times import times_of
from pushforward.errors import InputError, OptionError

if TYPE_CHECKING:
    from pandas import DataFrame, DatetimeIndex, Series

__all__ = ["INTERVALS", "PLACE", "Steps", "default_window", "read_steps", "seconds_of", "stamps_after"]

PLACE = ("window", "step")
"""The columns that say where a row of samples stands."""
MOST_MISSING = 20
"""Times as many steps as rows, beyond which gaps are no longer gaps."""
CYCLES = {86_400: "day", 604_800: "week", 31_557_600: "year"}
HORIZON = 24
"""Steps that a default window holds beyond its cycle."""
SHORTEST_CYCLE, LONGEST_CYCLE = 96, 168
"""Steps of history in a default window."""
WINDOWS, SHORTEST = 10, 12
"""How many default windows a series holds at least, and the steps that a default one has at least."""


@dataclass(frozen=True)
class Steps:
    """A series at equal steps.

    Arguments:
        values: The variables, ``(n, V)`` of float64, NaN where missing.
        columns: The variables' names.
        stamps: The time of each step in seconds since 1970, ``(n,)`` of int64; ``None`` without a calendar.
        interval: The step as pandas writes it (``3600s``, ``1MS``); empty without a calendar.
        window: Where the steps are those of separate windows, one window after another: how many each has.
    """

    values: Array
    columns: tuple[str, ...]
    stamps: Array | None = None
    interval: str = ""
    window: int | None = None


def read_steps(
    source: Any,
    name: str,
    time: str | None,
    selection: Selection,
    delimiter: str | None = None,
    interval: str = "",
    key: str | None = None,
) -> Steps:
    """Read a series from a file, a frame or an array; or separate windows, as samples of a series are written.

    Arguments:
        source: A path to CSV, TSV, Parquet, ``.npy`` or ``.npz``; a pandas frame; an array or a tensor ``(n, V)``.
        name: What to call it in errors.
        time: The column of time stamps; without it rows are equal steps of no calendar.
        selection: Which of the other columns are the variables.
        delimiter: What separates cells.
        interval: The step, where it is known already.
        key: Which array of an ``.npz``.

    Raises:
        InputError: If stamps are not in order, repeat with different values or lie on no regular grid; if most are
            another step apart than the known one; if a column does not hold numbers.
    """
    frame = _frame_of(source, name, delimiter, key)
    if frame.empty:
        raise InputError(f"{name} has no steps; give at least one")
    stamps, window = None, _window_of(frame)
    if window is not None:
        frame = frame.drop(columns=list(PLACE))
    elif time is not None:
        if time not in frame:
            columns = listed(frame.columns)
            raise OptionError(
                f"{name} has no column {time!r} of times",
                remedy=f"give one of its columns with --time: {columns}",
                fixed=f"the model's times stand there, so add it, or rename the one that holds them among {columns}",
            )
        stamps = frame.pop(time)
    modelled, _ = selection.of(list(frame.columns), name)
    values = np.stack([_numbers(frame[column], column, name) for column in modelled], 1)
    if stamps is None:
        return Steps(values, tuple(modelled), window=window)
    return _regular(values, tuple(modelled), times_of(stamps, name), name, interval)


def default_window(interval: str, steps: int | None = None) -> int:
    """A cycle of the calendar, or as many as make a window long enough to learn from, and a day's 24 steps to forecast.

    The longest of day, week and year that takes at most 168 steps; without a calendar 96 steps. Of so many steps no
    more than a tenth, which is what is kept for the verdict, but 12 at least.

    Example:
        >>> default_window("3600s"), default_window("600s"), default_window("1MS"), default_window("")
        (192, 168, 120, 120)
        >>> default_window("1B")  # 5 of which are a week
        124
        >>> default_window("1MS", steps=400)
        40
    """
    step = seconds_of(interval)
    cycles = [round(cycle / step) for cycle in CYCLES if step and 2 * step <= cycle <= LONGEST_CYCLE * step]
    cycle = max(cycles, default=SHORTEST_CYCLE)
    usual = cycle * -(-SHORTEST_CYCLE // cycle) + HORIZON
    return usual if steps is None else min(usual, max(steps // WINDOWS, SHORTEST))


def seconds_of(interval: str) -> float:
    """The mean length of a step, 0 without a calendar."""
    import pandas as pd

    if not interval:
        return 0.0
    start, end = pd.date_range("2001-01-01", periods=13, freq=interval)[[0, 12]]
    return float((end - start).total_seconds() / 12)


def stamps_after(last: int, interval: str, n: int) -> Array:
    """The times of ``n`` steps after one, in seconds since 1970.

    Example:
        >>> stamps_after(0, "3600s", 2).tolist()
        [3600, 7200]
    """
    import pandas as pd

    grid = pd.date_range(pd.Timestamp(last, unit="s"), periods=n + 1, freq=interval)
    return _seconds(grid)[1:]


def _frame_of(source: Any, name: str, delimiter: str | None, key: str | None) -> DataFrame:
    import pandas as pd

    kind = source.suffix.lower() if isinstance(source, Path) else ""
    if isinstance(source, Path) and kind not in (".npy", ".npz"):
        with reading(source.name, "a table"):
            return pd.read_parquet(source) if kind == ".parquet" else _delimited(source, delimiter)
    if isinstance(source, pd.DataFrame):
        return source.copy(deep=False)
    x = _array_of(source, kind, key)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.dtype.kind not in "biuf":
        form = f"{name} has shape {x.shape} and type {x.dtype}; a series is steps of numbers (n, variables)"
        raise InputError(f"{form}, or samples of one in .csv or .parquet")
    return pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])


def _array_of(source: Any, kind: str, key: str | None) -> Array:
    """The array in a file of that kind, or in memory."""
    if kind:
        return read_npy(source) if kind == ".npy" else read_npz(source, key, ())[0]
    if isinstance(source, np.ma.MaskedArray) and source.dtype.kind in "biuf":
        return np.where(np.ma.getmaskarray(source), np.nan, source.data)  # what is masked is missing
    return tensor_to_numpy(source) if isinstance(source, Tensor) else np.asarray(source)


def _window_of(frame: DataFrame) -> int | None:
    """How many steps each window has, if the rows are the steps of window 0, of window 1 and so on; else ``None``."""
    if not set(PLACE) <= set(frame):
        return None
    window, step = (frame[name].to_numpy() for name in PLACE)
    steps = int((window == window[0]).sum())
    whole = np.divmod(np.arange(len(frame)), steps)
    return steps if all(map(np.array_equal, whole, (window, step))) and len(frame) % steps == 0 else None


def _delimited(path: Path, delimiter: str | None) -> DataFrame:
    """Delimited text; a first row of numbers alone means: no header."""
    import pandas as pd

    default = "\t" if ".tsv" in path.suffixes else ","
    separator = {None: default, "tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
    first = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str)
    bare = not pd.to_numeric(first.iloc[0], errors="coerce").isna().any()
    frame = pd.read_csv(path, sep=separator, header=None if bare else 0, low_memory=False)
    return frame.rename(columns=lambda j: f"x{j}") if bare else frame


def _numbers(column: Series[Any], name: str, where: str) -> Array:
    """A column as float64, NaN where empty; text and infinities are named."""
    import pandas as pd

    x = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    for wrong, what in ((np.isnan(x) & column.notna().to_numpy(), "holds the text"), (np.isinf(x), "is infinite:")):
        if wrong.any():
            row = int(wrong.argmax())
            raise InputError(
                f"{where}: row {row + 1}, column {name!r} {what} {str(column.iloc[row])[:40]!r}; "
                f"mend it, or leave the column out with {dropping(name)}"
            )
    return cast(Array, x)


def _regular(values: Array, columns: tuple[str, ...], times: DatetimeIndex, where: str, interval: str) -> Steps:
    """The series on its grid: rows that repeat a stamp and agree are one, steps without a row are missing."""
    if not times.is_monotonic_increasing:
        row = int((np.diff(times.asi8) < 0).argmax()) + 1
        raise InputError(
            f"{where}: row {row + 1} ({times[row]}) is earlier than the one before it; sort the rows by time"
        )
    repeated = np.flatnonzero(times[1:] == times[:-1]) + 1
    for row in repeated.tolist():
        if not np.array_equal(values[row], values[row - 1], equal_nan=True):
            raise InputError(
                f"{where}: row {row + 1} repeats the time {times[row]} with other values; keep one row for each time "
                "(where clocks went back, write times in UTC)"
            )
    keep = np.setdiff1d(np.arange(len(times)), repeated)
    values, times = values[keep], times[keep]
    if interval:
        _check_step(times, where, interval)
    grid, interval = _grid(times, where, interval)
    on_grid = np.full((len(grid), values.shape[1]), np.nan)
    on_grid[grid.get_indexer(times)] = values
    return Steps(on_grid, columns, _seconds(grid), interval)


def _check_step(times: DatetimeIndex, where: str, interval: str) -> None:
    """Refuse stamps of which most are another step apart: they leave out no rows at random, they have another step."""
    import pandas as pd

    own = np.diff(_seconds(pd.date_range("2000-01-01", periods=49, freq=interval)))  # a calendar's months are unequal
    steps, counts = np.unique(np.diff(_seconds(times)), return_counts=True)
    of_model = np.isin(steps, own)
    if counts.sum() > 2 and counts[~of_model].max(initial=0) > counts[of_model].sum():
        raise InputError(
            f"{where} has steps of {_usual(times)} where the model has {interval}; "
            "resample it, as pandas' resample does, or fit a model of its steps"
        )


def _grid(times: DatetimeIndex, where: str, interval: str) -> tuple[DatetimeIndex, str]:
    """Every step from the first time to the last, and the interval."""
    import pandas as pd

    if len(times) < 2 and not interval:
        raise InputError(f"{where} has {len(times)} time, too few to see its steps; give a longer series")
    usual = "" if len(times) < 2 else _usual(times)
    for candidate in [interval] if interval else [*_of_business(times, usual), usual, *INTERVALS]:
        if len(pd.date_range(times[0], times[-1], freq=candidate)) > MOST_MISSING * len(times) + 1:
            continue
        grid = pd.date_range(times[0], times[-1], freq=candidate)
        if times.isin(grid).all():
            return grid, candidate
    on = pd.date_range(times[0], times[-1], freq=interval or usual)
    row = int((~times.isin(on)).argmax()) if not times.isin(on).all() else 0
    raise InputError(
        f"{where}: the time {times[row]} is not a whole number of steps of {interval or usual} after the first; a "
        "series needs equal steps (missing ones may be left out): resample it, as pandas' resample does"
    )


def _of_business(times: DatetimeIndex, usual: str) -> tuple[str, ...]:
    """Business days, from Monday to Friday, where steps of a day leave out every weekend of several."""
    weeks = (times[-1] - times[0]).days // 7
    return ("1B",) if usual == DAILY and weeks >= FEWEST_WEEKS and bool((times.day_of_week < SATURDAY).all()) else ()


DAILY, SATURDAY = "86400s", 5
FEWEST_WEEKS = 2
"""In which no row is of a weekend: of one alone that may be chance."""
INTERVALS = ("1YS", "1YE", "1QS", "1QE", "1MS", "1ME")
"""Steps of the calendar that are not equal in seconds, as pandas writes them, the longest first."""


def _usual(times: DatetimeIndex) -> str:
    """The commonest step in seconds."""
    steps, counts = np.unique(np.diff(_seconds(times)), return_counts=True)
    return f"{max(1, int(steps[counts.argmax()]))}s"


def _seconds(times: DatetimeIndex) -> Array:
    return cast(Array, times.to_numpy().astype("datetime64[s]").astype(np.int64))
