"""Forecasts of real series: CRPS of 24 steps from rolling origins, beside seasonal naive and statsmodels.

``python -m benchmarks.series --data DIR [--only etth1] [--seconds 300] [--steps N] [--fits 1] [--origins 50]``

The last fifth of each series is forecast. With ``--fits 1`` the model is fitted once, to nothing of it: ``fit`` is
given so much that the parts it learns from and chooses by are the four fifths before. With three it is so once more at
85 and at 90 % of the series. Of the peers, VAR and ETS are fitted anew before each origin to its last steps, ARIMA
once. A variable's CRPS is divided by its standard deviation over those four fifths, and averaged over variables, steps
and origins; ± is the standard error over origins. Coverage is that of central 90 % intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pushforward as pf
from benchmarks.series_peers import Array, Task, peers
from pushforward.forecasting import Forecast, crps

HORIZON, PATHS = 24, 200
FIT_UP_TO = 0.9
"""The share of a series before the last fit: what lies beyond is no more than what ``fit`` keeps for the verdict."""
OPTIONS: dict[str, Any] = {}


@dataclass(frozen=True)
class Series:
    """Where a series lies, how it is read, and its cycles in steps."""

    file: str
    reading: Mapping[str, Any]
    cycles: tuple[int, ...]


SERIES = {
    "etth1": Series("etth1.csv.gz", {"time": "date"}, (24, 168)),
    "exchange": Series("exchange-rate.txt.gz", {"series": True}, ()),
    "traffic": Series("traffic-volume.csv.gz", {"time": "date_time", "columns": "traffic_volume"}, (24, 168)),
    "energy": Series("energy-appliances.csv.gz", {"time": "date", "drop": "rv1,rv2"}, (144,)),  # two of pure noise
}


@dataclass(frozen=True)
class Score:
    """How good one forecaster was on one series."""

    series: str
    forecaster: str
    crps: float
    se: float
    coverage: float
    seconds: float

    def __str__(self) -> str:
        figure = f"{self.crps:.4f} ± {self.se:.4f}, {100 * self.coverage:.1f} % covered"
        return f"{self.series:<9} {self.forecaster:<18} CRPS {figure} ({self.seconds:.0f} s)"


def windows(data: pf.Dataset) -> tuple[Array, Array | None]:
    """All steps of a series ``(N, V)`` and their stamps."""
    from pushforward.data.views import unrolled

    stamps = next(iter(data.context.values()), None)
    return unrolled(data.windows), None if stamps is None else unrolled(stamps)


def score(series: str, name: str, run: Callable[[int], Array], x: Array, origins: list[int]) -> Score:
    """Forecast from every origin."""
    started, unit = time.perf_counter(), np.nanstd(x[: origins[0]], 0)
    scores, covered = [], []
    for origin in origins:
        truth = x[origin : origin + HORIZON]
        known = ~np.isnan(truth)
        if not known.any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # statsmodels says much of what it could not estimate
            paths = run(origin)
        low, high = Forecast(paths, ()).interval(0.9)
        scores.append((crps(paths, np.nan_to_num(truth)) / unit)[known].mean())
        covered.append(((truth >= low) & (truth <= high))[known].mean())
    se = float(np.std(scores, ddof=1)) / len(scores) ** 0.5
    return Score(series, name, float(np.mean(scores)), se, float(np.mean(covered)), time.perf_counter() - started)


def fitted(data: pf.Dataset, start: int, args: argparse.Namespace) -> pf.Run:
    """A run that learnt from the steps before ``start``, and chose by the last of them."""
    reach = round(start / 0.9)  # of which the last tenth, kept for the verdict, lies beyond ``start``
    before = replace(data.take(slice(0, reach - data.windows.shape[1] + 1)), name=data.name)
    length = {"steps": args.steps} if args.steps else {"budget": args.seconds}
    run = pf.fit(before, "autoregressive", seed=args.seed, options=OPTIONS, **length)
    trained = run.record["trained"]
    print(f"          fitted: {trained['step']} steps, {trained['seconds']:.0f} s, best at {trained['best_step']}")
    return run


def ours(
    data: pf.Dataset, x: Array, stamps: Array | None, starts: Sequence[int], args: argparse.Namespace
) -> Callable[[int], Array]:
    """A forecaster that is fitted anew on the steps before each of ``starts``, once an origin has reached it."""
    from pushforward.data.series import Steps

    window = data.windows.shape[1]
    fits: dict[int, pf.Run] = {}

    def forecast(origin: int) -> Array:
        start = max(start for start in starts if start <= origin)
        if start not in fits:
            fits[start] = fitted(data, start, args)
        past = slice(origin - window, origin)
        history = Steps(x[past], data.columns, None if stamps is None else stamps[past], data.interval)
        made: Array = fits[start].forecast(history, HORIZON, PATHS, seed=origin).paths
        return made

    return forecast


def compare(name: str, args: argparse.Namespace) -> list[Score]:
    """All forecasters on one series."""
    series = SERIES[name]
    data = pf.load(Path(args.data) / series.file, **series.reading)
    x, stamps = windows(data)
    start = int(0.8 * len(x))
    origins = np.linspace(start, len(x) - HORIZON, args.origins).astype(int).tolist()
    starts = np.linspace(start, FIT_UP_TO * len(x), args.fits, dtype=int).tolist()
    task = Task(x, series.cycles, HORIZON, PATHS, start)
    forecasters = {} if args.ours else peers(task)
    found = []
    for peer, run in ({"pushforward": ours(data, x, stamps, starts, args)} | forecasters).items():
        found.append(score(name, peer, run, x, origins))
        print(found[-1], flush=True)
    return found


def summary(found: list[Score]) -> str:
    """How much better than the best of each kind of peer, in per cent of it."""
    mine, *others = found
    kinds = {"seasonal naive": "seasonal", "statsmodels": ("ARIMA", "ETS", "VAR")}
    parts = []
    for kind, start in kinds.items():
        of_kind = [other for other in others if other.forecaster.startswith(start)]
        if of_kind:
            least = min(of_kind, key=lambda s: s.crps)
            parts.append(f"{100 * (1 - mine.crps / least.crps):+.1f} % on {kind}'s best ({least.forecaster})")
    return f"{mine.series:<9} " + ", ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("PUSHFORWARD_DATA"))
    parser.add_argument("--only", action="append", choices=list(SERIES))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--fits", type=int, default=1, help="how often the model is fitted, to more each time")
    parser.add_argument("--origins", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ours", action="store_true", help="leave the peers out")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.data is None:
        sys.exit("skipped: no data; give --data DIR or set PUSHFORWARD_DATA")
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch
        found = {name: compare(name, args) for name in args.only or SERIES}
    for scores in found.values():
        print(summary(scores))
    if args.json:
        print(json.dumps([vars(s) for scores in found.values() for s in scores], indent=1))


if __name__ == "__main__":
    main()
