"""Forecasters that the series benchmark compares with: seasonal naive, and statsmodels' VAR, ETS and ARIMA."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Task", "carried", "peers"]

Array = NDArray[np.float64]
Forecaster = Callable[[int], Array]
"""From an origin to paths ``(n, H, V)`` of the steps from it on."""


@dataclass(frozen=True)
class Task:
    """A series ``(N, V)`` with its cycles in steps, and what is asked of every forecaster."""

    x: Array
    cycles: tuple[int, ...]
    horizon: int
    paths: int
    start: int
    """The first step that may be forecast: what is fitted once is fitted before it."""


def carried(x: Array) -> Array:
    """Missing values as the last before them, or the first after."""
    import pandas as pd

    return pd.DataFrame(x).ffill().bfill().to_numpy()


def peers(task: Task, ets: bool = True) -> dict[str, Forecaster]:
    """Every forecaster by name; ETS has one cycle, so only a short one."""
    made = {f"seasonal naive {m}": seasonal_naive(task, m) for m in sorted({1, *task.cycles})}
    if task.x.shape[1] > 1:
        made |= {f"VAR({p}), {length}": vector(task, p, length) for p, length in ((2, 2000), (4, 2000), (2, 8000))}
    made |= {f"ARIMA{order}": arima(task, order) for order in ((2, 1, 2), (2, 0, 1))}
    return made | ({"ETS": exponential(task)} if ets else {})


def fourier(task: Task, start: int, end: int) -> Array | None:
    """Sines and cosines of each cycle, four of a long one and two of a short one."""
    t = np.arange(start, end)
    angles = [2 * np.pi * k * t / m for m in task.cycles for k in range(1, 1 + (4 if m > 30 else 3))]
    return np.stack([f(a) for a in angles for f in (np.sin, np.cos)], 1) if angles else None


def seasonal_naive(task: Task, cycle: int, memory: int = 30) -> Forecaster:
    """What was a cycle ago, with runs of past errors of the same rule: a law, as CRPS needs."""

    def run(origin: int) -> Array:
        rng = np.random.default_rng(origin)
        past = task.x[max(0, origin - memory * max(cycle, 24)) : origin]
        errors = past[cycle:] - past[:-cycle]
        starts = rng.integers(0, len(errors) - task.horizon, task.paths)
        drawn = np.stack([errors[s : s + task.horizon] for s in starts])
        last = carried(past)[-cycle:]
        base = last[np.arange(task.horizon) % cycle]
        if cycle == 1:  # the errors of a random walk add up
            drawn = np.nan_to_num(drawn).cumsum(1)
        return base + np.where(np.isnan(drawn), np.nanmedian(errors, 0), drawn)

    return run


def vector(task: Task, lags: int, length: int) -> Forecaster:
    """A vector autoregression with Fourier terms on the last ``length`` steps; residuals are drawn again."""

    def run(origin: int) -> Array:
        from statsmodels.tsa.api import VAR

        rng, begin = np.random.default_rng(origin), max(0, origin - length)
        past = carried(task.x[begin:origin])
        mean, sd = past.mean(0), np.where(past.std(0) > 0, past.std(0), 1)
        z = (past - mean) / sd + 1e-6 * rng.normal(size=past.shape)  # a variable that never moved has no regression
        terms = fourier(task, begin, origin + task.horizon)
        found = VAR(z, exog=None if terms is None else terms[: len(z)]).fit(lags)
        fixed = np.ones((task.horizon, 1)) if terms is None else np.c_[np.ones(task.horizon), terms[len(z) :]]
        means = fixed @ found.params[: fixed.shape[1]]
        path = np.repeat(z[None, -lags:], task.paths, 0)
        for step in range(task.horizon):
            drift = sum(path[:, -1 - i] @ found.coefs[i].T for i in range(lags))
            noise = found.resid[rng.integers(0, len(found.resid), task.paths)]
            path = np.concatenate([path, (means[step] + drift + noise)[:, None]], 1)
        return path[:, lags:] * sd + mean

    return run


def arima(task: Task, order: tuple[int, int, int], length: int = 1000) -> Forecaster:
    """ARIMA with Fourier terms, its parameters estimated before the first origin and applied to each one's past."""
    begin = task.start - length
    fitted: list[Any] = []

    def fit() -> None:
        from statsmodels.tsa.statespace.sarimax import SARIMAX

        terms = fourier(task, begin, task.start)
        for v in range(task.x.shape[1]):
            y = task.x[begin : task.start, v]
            scaled = (y - np.nanmean(y)) / (np.nanstd(y) or 1)
            model = SARIMAX(scaled, terms, order, enforce_stationarity=False, enforce_invertibility=False)
            fitted.append((model.fit(disp=False, maxiter=50), np.nanmean(y), np.nanstd(y) or 1))

    def run(origin: int) -> Array:
        if not fitted:
            fit()
        terms = fourier(task, origin - length, origin + task.horizon)
        inside, ahead = (None, None) if terms is None else (terms[:length], terms[length:])
        rng, out = np.random.default_rng(origin), []
        for v, (found, mean, sd) in enumerate(fitted):
            at = found.apply((task.x[origin - length : origin, v] - mean) / sd, exog=inside)
            drawn = at.simulate(task.horizon, repetitions=task.paths, anchor="end", exog=ahead, rng=rng)
            out.append(np.asarray(drawn).reshape(task.horizon, task.paths).T * sd + mean)
        return np.stack(out, -1)

    return run


def exponential(task: Task, length: int = 1000) -> Forecaster:
    """Exponential smoothing with a damped trend and the shortest cycle, if it is short enough to be estimated."""
    cycle = next((m for m in task.cycles if m <= 24), None)

    def run(origin: int) -> Array:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel

        rng, past = np.random.default_rng(origin), carried(task.x[origin - length : origin])
        return np.stack([_smoothed(ETSModel, past[:, v], cycle, task, rng) for v in range(past.shape[1])], -1)

    return run


def _smoothed(model: Any, y: Array, cycle: int | None, task: Task, rng: np.random.Generator) -> Array:
    mean, sd = y.mean(), y.std() or 1
    season = {} if cycle is None else {"seasonal": "add", "seasonal_periods": cycle}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model((y - mean) / sd, trend="add", damped_trend=True, **season).fit(disp=False, maxiter=50)
        drawn = found.simulate(task.horizon, repetitions=task.paths, anchor="end", rng=rng)
    return np.asarray(drawn).reshape(task.horizon, task.paths).T * sd + mean
