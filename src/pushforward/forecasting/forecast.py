"""Sample paths of what a series does next, and their quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from pushforward.data import Dataset
from pushforward.data.arrays import tensor_to_numpy
from pushforward.data.selection import listed
from pushforward.errors import InputError
from pushforward.evidence import Estimate
from pushforward.forecasting.scores import mean_crps

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Forecast"]

Paths = Float[np.ndarray[Any, Any], "n h v"]


@dataclass(frozen=True, eq=False)
class Forecast:
    """Sample paths of what follows a history, in the data's own units.

    Arguments:
        paths: Equally likely futures, of shape ``(n, H, V)``.
        columns: The variables' names.
        stamps: The time of each step in seconds since 1970, ``(H,)``; ``None`` without a calendar.
        time: The name of the column of times; empty without a calendar.

    Example:
        >>> made = Forecast(np.random.default_rng(0).normal(size=(500, 24, 1)), ("load",))
        >>> made.quantiles([0.05, 0.5, 0.95]).shape
        (3, 24, 1)
        >>> print(made.crps(np.zeros((24, 1)))[0])
        CRPS of load 0.236 [0.231, 0.240] (estimate, n = 24)
    """

    paths: Paths
    columns: tuple[str, ...]
    stamps: np.ndarray[Any, Any] | None = None
    time: str = ""

    @property
    def horizon(self) -> int:
        """The number of steps H."""
        return int(self.paths.shape[1])

    def quantiles(self, levels: ArrayLike) -> Float[np.ndarray[Any, Any], "q h v"]:
        """Each step's and variable's quantiles at levels in [0, 1], of shape ``(levels, H, V)``.

        The i-th smallest of n paths stands at i / (n + 1), where one more path lies below it with just that chance
        (Weibull 1939; Hyndman and Fan 1996, their sixth); beyond the outer ones stand the least and the largest.
        """
        return np.asarray(np.quantile(self.paths, _checked_levels(levels), axis=0, method="weibull"))

    def interval(self, level: float = 0.9) -> tuple[Float[np.ndarray[Any, Any], "h v"], ...]:
        """The ends of each step's central interval, which holds one more path with a chance ``level`` in (0, 1).

        Where there are fewer than 2 / (1 − level) − 1 paths, 19 for 0.9, it reaches from the least to the largest, and
        the chance is less.
        """
        if not isinstance(level, (int, float)) or not 0 < level < 1:
            raise InputError(f"an interval holds a share between 0 and 1, not {level!r}; give one such as 0.9")
        low, high = self.quantiles([(1 - level) / 2, (1 + level) / 2])
        return low, high

    def crps(self, truth: Float[np.ndarray[Any, Any], "h v"] | DataFrame | Tensor) -> tuple[Estimate, ...]:
        """The continuous ranked probability score of each variable, averaged over the steps, in its own units.

        Its interval is that of the finite number of paths: what came is taken as it is. Missing truths are left out.

        Arguments:
            truth: The steps that came: an array in the order of the columns, or a frame that has them by name.
        """
        came = _truth(truth, self.columns)
        if came.shape != self.paths.shape[1:]:
            raise InputError(f"the truth has shape {came.shape}, not {self.paths.shape[1:]} (steps, variables)")
        for step, j in np.argwhere(np.isinf(came))[:1].tolist():
            at = f"step {step + 1} of {self.columns[j]!r}"
            raise InputError(f"the truth is infinite at {at}; give a number, or NaN where it is missing")
        return tuple(mean_crps(name, self.paths[:, :, j], came[:, j]) for j, name in enumerate(self.columns))

    def table(self, levels: ArrayLike | None = None) -> Dataset:
        """The paths as a table of one row a path and step, or quantiles of one row a step and level."""
        values = self.paths if levels is None else self.quantiles(levels)
        n, steps, _ = values.shape
        labels = np.arange(n) if levels is None else _checked_levels(levels)
        columns: dict[str, Any] = {"path" if levels is None else "quantile": np.repeat(labels, steps)}
        columns["step"] = np.tile(np.arange(1, steps + 1), n)
        if self.stamps is not None:
            columns[self.time] = np.tile(self.stamps.astype("datetime64[s]"), n)
        columns |= {name: values[..., j].ravel() for j, name in enumerate(self.columns)}
        return Dataset("table", columns, "forecast", tuple(columns))

    def to_json(self, levels: ArrayLike = (0.05, 0.5, 0.95)) -> dict[str, Any]:
        """Quantiles as plain values."""
        levels = _checked_levels(levels)
        found = self.quantiles(levels)
        times = None if self.stamps is None else self.stamps.astype("datetime64[s]").astype(str).tolist()
        return {
            "paths": len(self.paths),
            "horizon": self.horizon,
            "times": times,
            "quantiles": {
                name: {f"{level:g}": found[i, :, j].tolist() for i, level in enumerate(levels)}
                for j, name in enumerate(self.columns)
            },
        }


def _checked_levels(levels: ArrayLike) -> Float[np.ndarray[Any, Any], " q"]:
    """Levels of quantiles, of which a number alone is one."""
    try:
        found = np.atleast_1d(np.asarray(levels, float))
    except (TypeError, ValueError):
        raise InputError(f"quantiles are asked for at numbers from 0 to 1, not {levels!r}") from None
    wrong = found[~((found >= 0) & (found <= 1))].tolist()
    if wrong or found.size == 0 or found.ndim > 1:
        form = f"at an array of shape {found.shape}" if found.ndim > 1 else "at none"
        raise InputError(f"quantiles are asked for at levels from 0 to 1, not {wrong or form}")
    return found


def _truth(
    truth: Float[np.ndarray[Any, Any], "h v"] | DataFrame | Tensor, columns: tuple[str, ...]
) -> Float[np.ndarray[Any, Any], "h v"]:
    """What came, with a frame's columns in the forecast's order whatever theirs is; NaN where missing."""
    import pandas as pd

    if isinstance(truth, pd.DataFrame):
        missing = [name for name in columns if name not in truth]
        if missing:
            raise InputError(
                f"the truth lacks {listed(missing)}, which the forecast has; its columns are {listed(truth.columns)}: "
                "add what is missing, or give an array in the forecast's order"
            )
        truth = truth[list(columns)].astype(object).where(truth[list(columns)].notna(), np.nan)
    elif isinstance(truth, Tensor):
        truth = tensor_to_numpy(truth)
    try:
        return np.asarray(truth, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"the truth does not hold numbers alone ({error}); give numbers, NaN where missing") from None
