"""A forecast of a run's held-out steps, as its page shows it."""

from __future__ import annotations

from pushforward.data import Dataset
from pushforward.data.series import Steps
from pushforward.forecasting import goes_on
from pushforward.report import Fan
from pushforward.run import Run

__all__ = ["fan_of_run"]

PATHS = 200
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
HORIZON = 24
"""Steps ahead, or half a window where that is less."""


def fan_of_run(run: Run, held_out: Dataset) -> Fan | None:
    """What follows the first steps of the last held-out window, as the model sees it and as it came.

    ``None`` where there is nothing to forecast, or a law that cannot be conditioned on a beginning.
    """
    if held_out.kind != "series" or not goes_on(run.model):
        return None
    steps = held_out.windows[-1]
    known = len(steps) - min(HORIZON, len(steps) // 2)
    stamps = next((x[-1][:known] for x in held_out.context.values()), None)
    history = Steps(steps[:known], held_out.columns, stamps, held_out.interval)
    made = run.forecast(history, len(steps) - known, PATHS, run.seed)
    return Fan(held_out.columns, steps[:known], steps[known:], LEVELS, made.quantiles(LEVELS))
