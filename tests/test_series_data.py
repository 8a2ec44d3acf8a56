"""Series as data: equal steps, windows, parts in time, and what is wrong with a file in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward as pf
from pushforward.data import Schema, export, split
from pushforward.data.calendar import Calendar
from pushforward.data.selection import Selection
from pushforward.data.series import default_window, read_steps
from pushforward.data.views import carried, unrolled, windows_of
from pushforward.errors import InputError


def frame(n: int = 300, freq: str = "h", start: str = "2016-07-01") -> pd.DataFrame:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n, 2)).cumsum(0)
    return pd.DataFrame({"date": pd.date_range(start, periods=n, freq=freq), "a": values[:, 0], "b": values[:, 1]})


def test_windows_are_a_view_and_unroll_to_the_series() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    windows = windows_of(x, 7)
    assert np.shares_memory(windows, x) and windows.shape == (44, 7, 3)
    assert all(np.array_equal(windows[i], x[i : i + 7]) for i in range(44))
    assert np.array_equal(unrolled(windows), x)
    assert np.array_equal(unrolled(windows[5:20]), x[5:26])
    assert unrolled(windows[::7]).shape == (49, 3)


def test_missing_values_are_carried_as_pandas_does() -> None:
    rng = np.random.default_rng(1)
    x = np.where(rng.random((40, 3)) < 0.4, np.nan, rng.normal(size=(40, 3)))
    expected = pd.DataFrame(x).ffill().fillna(0).to_numpy()
    assert np.array_equal(carried(x), expected)
    assert np.array_equal(carried(windows_of(x, 40))[0], expected)


def test_a_file_and_a_frame_are_the_same_series(tmp_path: Path) -> None:
    table = frame()
    table.to_csv(tmp_path / "s.csv", index=False)
    table.to_parquet(tmp_path / "s.parquet")
    loaded = [pf.load(source, time="date", window=24) for source in (table, tmp_path / "s.csv", tmp_path / "s.parquet")]
    assert len({data.fingerprint() for data in loaded}) == 1
    assert loaded[0].describe() == "277 windows of 24 steps × 2 variables"
    assert loaded[0].interval == "3600s"


def test_rows_that_are_left_out_are_missing_values() -> None:
    table = frame().drop(index=[3, 4, 100])
    steps = read_steps(table, "s", "date", Selection())
    assert steps.values.shape == (300, 2)
    assert np.flatnonzero(np.isnan(steps.values).all(1)).tolist() == [3, 4, 100]
    data = pf.load(table, time="date", window=24)
    assert data.has_missing and split(data).note == "1 % of the values are missing"


def test_rows_that_repeat_a_time_are_one_if_they_agree() -> None:
    table = frame(30)
    twice = pd.concat([table, table.iloc[[7]]]).sort_values("date")
    assert read_steps(twice, "s", "date", Selection()).values.shape == (30, 2)


@pytest.mark.parametrize("freq", ["10min", "h", "D", "W", "MS", "ME", "QE", "YS"])
def test_every_usual_step_is_recognised(freq: str) -> None:
    table = frame(60, freq)
    steps = read_steps(table.drop(index=[5, 6]), "s", "date", Selection())
    assert len(steps.values) == 60
    assert np.array_equal(steps.stamps.astype("datetime64[s]"), table["date"].to_numpy().astype("datetime64[s]"))
    assert default_window(steps.interval) >= 120


@pytest.mark.parametrize(("model", "history"), [("1MS", "h"), ("1MS", "QS"), ("3600s", "D"), ("86400s", "h")])
def test_another_step_than_the_known_one_is_named(model: str, history: str) -> None:
    table = frame(60, history)
    with pytest.raises(InputError, match=rf"steps of \d+s where the model has {model}"):
        read_steps(table, "s", "date", Selection(), interval=model)


@pytest.mark.parametrize(("model", "history"), [("1MS", "MS"), ("1ME", "ME"), ("1YS", "YS"), ("3600s", "h")])
def test_the_known_step_may_have_gaps(model: str, history: str) -> None:
    table = frame(60, history).drop(index=[3, 4, 5, 20])
    assert len(read_steps(table, "s", "date", Selection(), interval=model).values) == 60


def test_times_with_a_zone_are_taken_to_utc() -> None:
    clock = pd.date_range("2023-10-28", periods=60, freq="h", tz="Europe/Berlin")  # clocks go back on the way
    table = pd.DataFrame({"date": clock.astype(str), "a": np.arange(60.0)})
    steps = read_steps(table, "s", "date", Selection())
    assert len(steps.values) == 60 and not np.isnan(steps.values).any()
    local = pd.DataFrame({"date": clock.tz_localize(None), "a": np.arange(60.0)})
    with pytest.raises(InputError, match=r"earlier|UTC"):
        read_steps(local, "s", "date", Selection())


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda t: t.assign(date=t["date"] + pd.to_timedelta((t.index == 9) * 17, "min")), "resample"),
        (lambda t: t.iloc[::-1], "sort the rows"),
        (lambda t: pd.concat([t, t.iloc[[7]].assign(a=0.0)]).sort_values("date", kind="stable"), "repeats the time"),
        (lambda t: t.assign(date=["never", *t["date"].astype(str)[1:]]), "row 1, column 'date' holds 'never'"),
        (lambda t: t.assign(date=["", *t["date"].astype(str)[1:]]), "row 1, column 'date' is empty; write"),
        (lambda t: t.assign(date=[np.nan, *t["date"].astype(str)[1:]]), "row 1, column 'date' is empty; write"),
        (lambda t: t.assign(date=np.arange(len(t))), "--series"),
        (lambda t: t.assign(a="x"), "--drop a"),
        (lambda t: t.assign(a=np.inf), "is infinite"),
        (lambda t: t.assign(a=np.nan), "no values"),
        (lambda t: t.drop(columns="date"), "no column 'date'"),
        (lambda t: t.iloc[:0], "no steps"),
        (lambda t: t.iloc[:20], "fewer than a window of 24"),
    ],
)
def test_what_cannot_be_a_series_is_named(spoil: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        pf.load(spoil(frame()), time="date", window=24)


def test_options_of_series_are_refused_elsewhere() -> None:
    for source, options in (("digits", {"time": "date"}), (frame(), {"window": 24}), (np.eye(30), {"window": 3})):
        with pytest.raises(InputError, match="has no meaning"):
            pf.load(source, **options)
    with pytest.raises(InputError, match="--context has no meaning"):
        pf.load(frame(), time="date", context="b")
    with pytest.raises(InputError, match="--window is a number of steps from 2"):
        pf.load(frame(), time="date", window=1)


def test_a_file_without_a_header_and_without_times(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(400, 3))
    np.savetxt(tmp_path / "s.txt", x, delimiter=",")
    np.save(tmp_path / "s.npy", x)
    (tmp_path / "u.NPY").write_bytes((tmp_path / "s.npy").read_bytes())
    for source in (tmp_path / "s.txt", tmp_path / "s.npy", tmp_path / "u.NPY", x, torch.from_numpy(x)):
        data = pf.load(source, series=True)
        assert np.allclose(unrolled(data.windows), x) and not data.context and data.columns == ("x0", "x1", "x2")
        assert default_window("") == 120 and data.windows.shape[1] == 40  # a tenth of the steps


def test_parts_follow_each_other_and_no_window_lies_across_two() -> None:
    data = pf.load(np.arange(1000.0), series=True, window=20)
    parts = split(data, seed=3)
    steps = [set(part.windows.ravel().tolist()) for part in (parts.train, parts.validation, parts.test)]
    assert max(steps[0]) < min(steps[1]) and max(steps[1]) < min(steps[2])
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [781, 5, 5]
    assert len(steps[1]) == len(steps[2]) == 100  # held-out windows do not overlap
    assert np.shares_memory(parts.train.windows, data.windows)
    with pytest.raises(InputError, match="about 200 are needed, or --window 10 at most"):
        split(pf.load(np.arange(100.0), series=True, window=20))
    assert len(split(pf.load(np.arange(100.0), series=True, window=10)).test) == 1
    with pytest.raises(InputError, match="--window 5 at most"):
        split(pf.load(np.arange(48.0), series=True))
    assert len(split(pf.load(np.arange(48.0), series=True, window=5)).test) == 1


@pytest.mark.parametrize("steps", [120, 280, 400, 730, 1199, 1200, 5000])
def test_a_default_window_leaves_enough_to_judge_by(steps: int) -> None:
    parts = split(pf.load(np.arange(float(steps)), series=True))
    assert len(parts.train) >= 20 and min(len(parts.validation), len(parts.test)) >= 1


DAYS = pd.date_range("2022-01-01", periods=40, freq="D")


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%B %d, %Y"])
def test_days_and_months_are_told_apart_by_the_whole_column(written: str) -> None:
    steps = read_steps(pd.DataFrame({"t": DAYS.strftime(written), "x": range(40)}), "s", "t", Selection())
    assert steps.interval == "86400s" and not np.isnan(steps.values).any()
    assert steps.stamps is not None and steps.stamps[0] == DAYS[0].timestamp()


def test_points_mean_that_days_come_first() -> None:
    minutes = pd.date_range("2022-03-05", periods=100, freq="min")
    steps = read_steps(pd.DataFrame({"t": minutes.strftime("%d.%m.%Y %H:%M"), "x": range(100)}), "s", "t", Selection())
    assert steps.stamps is not None and steps.stamps[-1] == minutes[-1].timestamp()


def test_days_that_may_be_months_are_asked_about() -> None:
    months = pd.date_range("1990-01-01", periods=30, freq="MS").strftime("%d/%m/%Y")
    with pytest.raises(InputError, match=r"row 1, column 't' holds '01/01/1990', and nothing .* days from its months"):
        read_steps(pd.DataFrame({"t": months, "x": range(30)}), "s", "t", Selection())
    table = pd.DataFrame({"t": DAYS.strftime("%d/%m/%Y"), "x": range(40)})
    table.loc[5, "t"] = "06/31/2022"
    with pytest.raises(InputError, match=r"row 6, column 't' holds '06/31/2022', which is no time"):
        read_steps(table, "s", "t", Selection())


def test_encoding_is_exact_and_leaves_gaps() -> None:
    table = frame(400).assign(c=lambda t: np.arange(400) % 7, d=5.0, e=lambda t: t["a"])
    table.loc[30:40, "b"] = np.nan
    data = pf.load(table, time="date", window=24)
    parts = split(data)
    schema = Schema.fit(parts.train)
    assert schema.event.series == (24, 3) and schema.event.size == 72  # a constant and a copy are restored
    y = schema.encode(parts.train, torch.float64)
    back = schema.decode(y)
    assert back.columns == data.columns
    np.testing.assert_allclose(back.windows, parts.train.windows, rtol=1e-12)  # NaN where it was
    observed = ~np.isnan(parts.train.windows)
    scales = [column.scale for column in schema.patterns.columns.columns[:2]]
    expected = -(observed[:, :, :2].sum(1) * np.log(scales)).sum(1)
    np.testing.assert_allclose(schema.log_det(parts.train).numpy(), expected)
    again = Schema.from_json(schema.to_json())
    assert torch.equal(again.encode(parts.test), schema.encode(parts.test)) and again.event == schema.event
    other = pf.load(table.assign(d=6.0), time="date", window=24)
    assert bool((schema.log_det(other) == -torch.inf).all())
    assert schema.contradiction(other, 0) == "column 'd' holds 6.0 in step 1, and training had 5.0 alone"


def test_missing_values_have_no_part_in_the_scale() -> None:
    x = 1e6 + np.random.default_rng(0).normal(size=(300, 2))
    x[:150, 0] = np.nan
    x[200:, 1] = np.nan
    fitted = Schema.fit(pf.load(x, series=True, window=20)).patterns.columns.columns
    for column, observed in zip(fitted, (x[150:, 0], x[:200, 1]), strict=True):
        whole = Schema.fit(pf.load(observed, series=True, window=20)).patterns.columns.columns[0]
        assert (column.kind, column.scale) == (whole.kind, whole.scale)


def test_a_variable_and_its_lag_are_two() -> None:
    walk = np.random.default_rng(0).normal(size=301)
    lagged = np.stack([np.append(walk[1:-1], np.nan), np.append(np.nan, walk[1:-1])], 1)  # what is observed agrees
    copied = np.stack([lagged[:, 0], lagged[:, 0]], 1)
    assert [Schema.fit(pf.load(x, series=True, window=20)).event.size for x in (lagged, copied)] == [40, 20]


def test_the_schema_learns_from_the_training_part_alone() -> None:
    table = frame(400)
    later = table.copy()
    later.loc[330:, ["a", "b"]] = 1e6
    one, other = (Schema.fit(split(pf.load(t, time="date", window=24)).train) for t in (table, later))
    assert one.to_json() == other.to_json()


def test_the_calendar_is_what_pandas_says() -> None:
    data = pf.load(frame(400), time="date", window=24)
    stamps = data.context["date"]
    calendar = Calendar.fit("date", stamps, data.interval)
    assert calendar.cycles == ("day", "week")
    features = calendar.encode(stamps).reshape(len(data), 24, -1)
    times = pd.DatetimeIndex(stamps[5].astype("datetime64[s]"))
    assert np.array_equal(features[5, :, 4:].argmax(1), times.day_of_week)
    np.testing.assert_allclose(features[5, :, 0], np.sin(2 * np.pi * times.hour / 24), atol=1e-6)
    np.testing.assert_array_equal(calendar.encode(stamps[::30, 0]), calendar.encode(stamps[::30]))
    np.testing.assert_array_equal(calendar.encode(stamps[:1]), calendar.encode(stamps)[:1])
    years = pf.load(frame(900, "D"), time="date", window=24)
    assert Calendar.fit("date", years.context["date"], years.interval).cycles == ("week", "year")
    assert Calendar.fit("date", data.context["date"], "1MS").cycles == ()
    minutes = Calendar.fit("date", stamps, "600s")
    assert minutes.cycles == ("hour", "day", "week")
    quarter = minutes.encode(np.arange(24)[None] * 900).reshape(24, -1)[:4]  # every quarter of an hour
    np.testing.assert_allclose(quarter[:, [0, 2]], [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-6)


def test_windows_go_out_step_by_step(tmp_path: Path) -> None:
    data = pf.load(frame(40), time="date", window=24)
    export(data, tmp_path / "s.csv")
    table = pd.read_csv(tmp_path / "s.csv")
    assert table.shape == (17 * 24, 4)
    np.testing.assert_allclose(table["b"].to_numpy().reshape(17, 24), data.column("b"))
