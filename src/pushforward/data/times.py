"""Time stamps as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pushforward.errors import InputError

if TYPE_CHECKING:
    from pandas import DatetimeIndex, Series

__all__ = ["times_of"]

YEAR_LAST = r"^\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4}\b.*)$"
MONTHS = 12


def times_of(column: Series[Any], where: str) -> DatetimeIndex:
    """The times of a column, those with a time zone in UTC; dates that end in the year are all of one order.

    Raises:
        InputError: If something is no time, or nothing tells days from months.
    """
    import pandas as pd

    if column.dtype.kind in "iuf":
        raise InputError(
            f"{where}: the column {column.name!r} holds numbers, not times; write dates, or --series for equal steps"
        )
    written = column.dtype == object or str(column.dtype) == "str"
    try:
        times = pd.to_datetime(column, format="ISO8601" if written else None, utc=True)
    except (ValueError, TypeError):
        times = pd.to_datetime(_year_first(column, where), errors="coerce", utc=True, format="mixed")
    if times.isna().any():
        row = int(times.isna().to_numpy().argmax())
        text = str(column.iloc[row])[:40]
        holds = "is empty" if column.isna().iloc[row] or not text.strip() else f"holds {text!r}, which is no time"
        raise InputError(
            f"{where}: row {row + 1}, column {column.name!r} {holds}; "
            "write it as 2016-07-01 13:00:00, or remove the row"
        )
    return pd.DatetimeIndex(times).tz_localize(None)


def _year_first(column: Series[Any], where: str) -> Series[Any]:
    """Dates such as 31.12.2016 as 2016-12-31; days come first if any is beyond 12, or if points stand between."""
    parts = column.astype(str).str.extract(YEAR_LAST)
    if not parts[0].notna().any():
        return column
    first, second = (parts[i].fillna(0).astype(int) for i in (0, 2))
    days_first = bool((first > MONTHS).any()) or bool((parts[1] == ".").any())
    if not days_first and not bool((second > MONTHS).any()):
        row = int(parts[0].notna().to_numpy().argmax())
        raise InputError(
            f"{where}: row {row + 1}, column {column.name!r} holds {str(column.iloc[row])[:40]!r}, and nothing in the "
            "column tells its days from its months; write times as 2016-07-01 13:00:00"
        )
    day, month = (first, second) if days_first else (second, first)
    year, rest = parts[3].str.slice(0, 4), parts[3].str.slice(4)
    # A month beyond 12 makes what is no time, and is named as such.
    found = year + "-" + month.astype(str).str.zfill(2) + "-" + day.astype(str).str.zfill(2) + rest
    return found.where(parts[0].notna(), column)
