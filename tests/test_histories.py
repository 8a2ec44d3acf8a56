"""What a forecast may go on from, and series whose calendar says little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pushforward as pf
from pushforward.cli.app import app
from pushforward.data import Schema
from pushforward.errors import InputError
from pushforward.fitting import fit
from pushforward.run import Run

TINY = {"hidden": [8, 8], "layers": 1, "components": 2, "members": 1}
DAYS = 298


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    level = rng.normal(size=DAYS).cumsum()
    others = {"count": rng.poisson(3, DAYS), "bit": rng.integers(0, 2, DAYS), "five": 5, "twin": level}
    return pd.DataFrame({"day": pd.date_range("2021-01-01", periods=DAYS), "level": level, **others})


@pytest.fixture(scope="module")
def run() -> Run:
    return fit(frame(), "autoregressive", steps=2, time="day", window=12, options=TINY)


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("level", 1e39, "'level' holds 1e.39, and training had -"),
        ("level", -1e300, "'level' holds -1e.300"),
        ("count", -4, "'count' holds -4, and training had whole numbers from 0 on"),
        ("count", 2.5, "'count' holds 2.5"),
        ("bit", 7, "'bit' holds 7, and training had 0.0 or 1.0"),
        ("five", 9, "'five' holds 9, and training had 5.0 alone"),
        ("twin", 100, "'twin' holds 100, and training had the same as in 'level'"),
    ],
)
def test_a_history_of_what_cannot_be_is_named(run: Run, column: str, value: float, word: str) -> None:
    """It went on from it: with paths of NaN, or with other values than the history's."""
    past = frame().tail(30).astype({column: float}).reset_index(drop=True)
    past.loc[28, [column, "twin"] if column == "level" else column] = value
    with pytest.raises(InputError, match=rf"at 2021-10-24T00:00:00, column {word}.*leave it empty"):
        run.forecast(past, 2, 3)
    past.loc[28, list({column, "twin"})] = np.nan
    assert np.isfinite(run.forecast(past, 2, 3).paths).all()


def test_what_repeats_a_variable_tells_what_is_missing_of_it(run: Run) -> None:
    past = frame().tail(30).reset_index(drop=True)
    gap = past.copy()
    gap.loc[25:, "level"] = np.nan
    assert np.array_equal(run.forecast(gap, 3, 5).paths, run.forecast(past, 3, 5).paths)
    data = [pf.load(x, time="day", window=12) for x in (past, gap)]
    whole, filled = (run.score_samples(x)[0] for x in data)
    assert np.array_equal(whole, filled) and np.isfinite(whole).all()


def test_what_is_masked_is_missing(tmp_path: Path) -> None:
    """What lay under a mask was taken for observed."""
    x = np.random.default_rng(0).normal(size=(200, 2)).cumsum(0)
    run = fit(x, "autoregressive", steps=2, series=True, window=12, options=TINY)
    spoilt = np.ma.masked_array(x, mask=np.zeros_like(x, bool))
    spoilt[-1] = 1e6
    spoilt[-1] = np.ma.masked
    missing = np.vstack([x[:-1], np.full((1, 2), np.nan)])
    assert np.array_equal(run.forecast(spoilt, 2, 3).paths, run.forecast(missing, 2, 3).paths)


@pytest.mark.parametrize(("freq", "periods"), [("YS", 150), ("W", 100), ("4D", 150)])
def test_a_calendar_without_a_cycle_is_no_context(freq: str, periods: int) -> None:
    """Of years, of few weeks and of four days no cycle is seen: fitting ended in a traceback."""
    days = pd.date_range("1850-01-01", periods=periods, freq=freq)
    data = pd.DataFrame({"day": days, "v": np.random.default_rng(0).normal(size=periods).cumsum()})
    run = fit(data, "autoregressive", steps=2, time="day", window=8, options=TINY)
    assert run.schema.context_size == 0 and run.model.context == 0
    made = run.forecast(data, 6, 4)
    after = pd.date_range(days[-1], periods=7, freq=freq)[1:]
    assert made.stamps is not None and np.array_equal(made.stamps.astype("datetime64[s]"), after.to_numpy())
    assert np.isfinite(run.score_samples(data)[0]).all() and len(run.sample(3)) == 3
    back = Schema.from_json(json.loads(json.dumps(run.schema.to_json())))
    assert back.encode_context(pf.load(data, time="day", window=8)) is None


def test_days_without_weekends_are_business_days() -> None:
    """A forecast of what is traded from Monday to Friday went on over Saturday."""
    days = pd.bdate_range("2019-01-01", periods=300).delete([20, 150])  # holidays
    data = pd.DataFrame({"day": days, "v": np.random.default_rng(0).normal(size=298).cumsum()})
    loaded = pf.load(data, time="day", window=10)
    assert loaded.interval == "1B" and len(loaded) == 291  # the holidays are missing steps
    run = fit(loaded, "autoregressive", steps=2, options=TINY)
    assert run.schema.context[0].describe() == "day: calendar of week, in steps of 1B"
    stamps = run.forecast(data, 10, 3).stamps
    assert stamps is not None
    assert np.array_equal(stamps.astype("datetime64[s]"), pd.bdate_range(days[-1], periods=11)[1:].to_numpy())
    week = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=5), "v": 1.0})
    assert pf.load(week, time="day", window=2).interval == "86400s"  # five days alone may be chance


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["sample", "-n", "2", "--given", "day=NaT"], "is no time from 1700"),
        (["sample", "-n", "2", "--given", "day=999999999-01-01"], "is no time from 1700"),
        (["sample", "-n", "2", "--given", "level=1"], "a window is conditioned on when it begins"),
        (
            ["sample", "-n", "2", "--given", "day=2021-01-01", "--given", "level=1"],
            "not conditioned on 'level'; give",
        ),
        (["forecast", "{history}", "--horizon", "3", "-n", "1000000000000"], "paths do not fit into this machine"),
    ],
)
def test_what_a_run_of_a_series_is_asked_in_vain(run: Run, tmp_path: Path, arguments: list[str], word: str) -> None:
    history = tmp_path / "history.csv"
    frame().to_csv(history, index=False)
    command, *rest = (argument.format(history=history) for argument in arguments)
    result = CliRunner().invoke(app, [command, str(run.directory), *rest, "--out", str(tmp_path / "out.csv")])
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=word):
        raise result.exception
