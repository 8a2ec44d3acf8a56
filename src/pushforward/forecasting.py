"""What a series does next: sample paths, their quantiles, and how far what came was from them."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor
from torch.distributions import Distribution

from pushforward.data import Dataset, Schema
from pushforward.data.arrays import tensor_to_numpy
from pushforward.data.files import existing
from pushforward.data.selection import Selection, listed
from pushforward.data.series import Steps, read_steps, stamps_after
from pushforward.data.windows import Windows
from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.mixture import Mixture
from pushforward.distributions.stepwise import Stepwise
from pushforward.errors import InputError, options_of_model
from pushforward.evidence import Estimate
from pushforward.models.model import Model
from pushforward.training.loop import isolated_randomness
from pushforward.training.stream import seed_of

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Forecast", "crps", "forecast", "goes_on"]

WINDOWS_AT_MOST = 10
"""The longest horizon, in windows: a path that feeds on itself for longer says more of the model than of the series."""
NORMAL_95 = 1.959964

Paths = Float[np.ndarray[Any, Any], "n h v"]
Draws = Float[np.ndarray[Any, Any], "n *shape"]
Scores = Float[np.ndarray[Any, Any], "*shape"]


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
        """Each step's and variable's quantiles at levels in [0, 1], of shape ``(levels, H, V)``."""
        return np.asarray(np.quantile(self.paths, _checked_levels(levels), axis=0))

    def interval(self, level: float = 0.9) -> tuple[Float[np.ndarray[Any, Any], "h v"], ...]:
        """The ends of each step's central interval, which holds a share ``level`` of the paths, in (0, 1)."""
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
        return tuple(_estimate(name, self.paths[:, :, j], came[:, j]) for j, name in enumerate(self.columns))

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


def crps(paths: Draws, truth: Scores) -> Scores:
    r"""The continuous ranked probability score of a law known by n draws: less is better, 0 is perfect.

    .. math:: \mathrm{CRPS}(F, y) = \int (F(t) - [t \ge y])^2\,dt
              = \mathbb E\,|X - y| - \tfrac12\,\mathbb E\,|X - X'|,

    estimated without bias by the mean over draws and over *pairs* of draws (the "fair" estimator). In the units of the
    values.

    Sources: Gneiting and Raftery (2007); Ferro (2014) and Zamo and Naveau (2018) for the estimator.

    Example:
        >>> crps(np.array([1.0, 3.0]), np.array(2.0))  # |X − y| = 1, |X − X'| = 2
        array(0.)
    """
    n = len(paths)
    if n < 2:
        raise InputError(f"a CRPS needs at least two sample paths, not {n}")
    ordered = np.sort(paths, axis=0)
    rank = (2 * np.arange(1, n + 1) - n - 1).reshape(-1, *[1] * (ordered.ndim - 1))
    return np.asarray(np.abs(paths - truth).mean(0) - (rank * ordered).sum(0) / (n * (n - 1)))


def forecast(
    model: Model,
    schema: Schema,
    history: Any,
    horizon: int,
    n: int = 200,
    seed: int = 0,
    selection: Selection | None = None,
    delimiter: str | None = None,
    key: str | None = None,
) -> Forecast:
    """Draw ``n`` paths of the ``horizon`` steps after a history.

    The model sees a window: the last T − ``horizon`` steps of the history, or all if they are fewer. Where the horizon
    is more than half a window the window rolls: it moves on by half its length, and what was drawn becomes history.

    Arguments:
        model: An autoregressive model of windows.
        schema: Its encoding.
        history: A file, a frame, an array or a series, at least one step long; missing values stay missing.
        horizon: How many steps.
        n: How many paths.
        seed: The same seed gives the same paths.
        selection: Which columns of the history are the variables.
        delimiter: What separates a text file's cells.
        key: Which array of an ``.npz``.

    Raises:
        InputError: If the model is of no series or cannot be conditioned, if the history does not fit it, or the
            horizon is not between 1 step and 10 windows.
    """
    coding = schema.patterns
    if not isinstance(coding, Windows):
        raise InputError(f"the model of {schema.name} is not of a series; fit one with --time COLUMN or --series")
    horizon, n = _whole(horizon, "a horizon"), _whole(n, "a number of paths")
    if not 1 <= horizon <= WINDOWS_AT_MOST * coding.steps:
        raise InputError(
            f"a horizon is from 1 to {WINDOWS_AT_MOST * coding.steps} steps ({WINDOWS_AT_MOST} windows of "
            f"{coding.steps}), not {horizon}; give one of these, or fit with a larger --window"
        )
    if n < 1:
        raise InputError(f"cannot draw {n} paths; ask for one or more")
    past = history_of(history, schema, selection, delimiter, key)
    with isolated_randomness(_device(model)), torch.no_grad():
        torch.manual_seed(seed_of(seed, "forecast"))
        drawn = _paths(model, schema, past, horizon, n)
    values = coding.decode_steps(drawn.double().numpy().reshape(n * horizon, -1)).reshape(n, horizon, -1)
    stamps = None if past.stamps is None else stamps_after(int(past.stamps[-1]), past.interval, horizon)
    return Forecast(values, coding.names, stamps, schema.context[0].name if schema.context else "")


def goes_on(model: Model) -> bool:
    """Whether a model's law can be conditioned on a history, as no other family's and no mixture of orders can."""
    context = torch.zeros(model.context, device=_device(model)) if model.context else None
    return isinstance(model(context), Autoregressive)


def history_of(
    history: Any, schema: Schema, selection: Selection | None, delimiter: str | None = None, key: str | None = None
) -> Steps:
    """The last window of a history, in the variables and the step that the schema was fitted on."""
    coding = schema.patterns
    assert isinstance(coding, Windows)  # the caller saw to it
    if isinstance(history, Steps):
        return _ordered(history, coding, "the history")
    if isinstance(history, Dataset):
        schema.check(history)
        stamps = next(iter(history.context.values()), None)
        last = None if stamps is None else stamps[-1]
        return _ordered(Steps(history.windows[-1], history.columns, last, history.interval), coding, history.name)
    source = existing(history) if isinstance(history, (str, Path)) else history
    name = source.name if isinstance(source, Path) else "the history"
    if isinstance(source, Path) and source.is_dir():
        raise InputError(f"{name} is a folder; a history is a file like the one the model learnt from")
    time = schema.context[0].name if schema.context else None
    with options_of_model():
        steps = read_steps(source, name, time, selection or Selection(), delimiter, coding.interval, key)
    if steps.window is not None:
        raise InputError(f"{name} holds separate windows, which have no last step; give the series up to now")
    return _ordered(steps, coding, name)


def _ordered(steps: Steps, coding: Windows, name: str) -> Steps:
    """The last window of steps, with the variables in the model's order whatever theirs is."""
    coding.check_columns(name, steps.columns)
    kept = slice(max(0, len(steps.values) - coding.steps), None)
    order = [steps.columns.index(column) for column in coding.names]
    stamps = None if steps.stamps is None else steps.stamps[kept]
    return Steps(steps.values[kept][:, order], coding.names, stamps, steps.interval)


def _whole(value: Any, what: str) -> int:
    """A number that counts, of Python or NumPy."""
    try:
        if isinstance(value, bool):  # which Python counts as 0 or 1
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise InputError(f"{what} is a whole number, not {value!r}; give one such as 24") from None


def _paths(model: Model, schema: Schema, past: Steps, horizon: int, n: int) -> Float[Tensor, "n h v"]:
    """Encoded paths, window by window."""
    coding = schema.patterns
    assert isinstance(coding, Windows)
    device, window = _device(model), coding.steps
    steps = torch.from_numpy(coding.encode_steps(past.values)).to(torch.get_default_dtype())
    paths = steps.to(device).expand(n, *steps.shape)  # (n, P, V)
    begun, stamps = len(steps), past.stamps
    while paths.shape[1] < begun + horizon:
        ahead = min(begun + horizon - paths.shape[1], window // 2 or 1)
        keep = min(paths.shape[1], window - ahead)
        context = None
        if stamps is not None:
            start = stamps[len(stamps) - keep]
            context = torch.from_numpy(schema.context[0].encode(np.array([start])))[0].to(device)
            stamps = np.append(stamps, stamps_after(int(stamps[-1]), past.interval, ahead))
        law = _conditional(model(context))
        if not isinstance(law, Stepwise) and bool(paths.isnan().any()):
            raise InputError("the history has missing values, which only the architecture 'steps' can take; fill them")
        prefix = paths[:, paths.shape[1] - keep :].flatten(1)  # (n, keep V)
        drawn = law.given(prefix).sample().unflatten(-1, (window - keep, -1))
        paths = torch.cat([paths, drawn[:, :ahead]], 1)
    return paths[:, begun:].cpu()


def _conditional(law: Distribution) -> Autoregressive:
    """The law, if it can be conditioned on how a pattern begins."""
    if isinstance(law, Mixture):
        raise InputError(
            "a model of several orders cannot be conditioned on a history; "
            "fit with --set orders=1 or --set architecture=steps"
        )
    if not isinstance(law, Autoregressive):
        raise InputError("only an autoregressive model can go on from a history; fit --model autoregressive")
    return law


def _estimate(
    name: str, paths: Float[np.ndarray[Any, Any], "n h"], truth: Float[np.ndarray[Any, Any], " h"]
) -> Estimate:
    """The mean score of the steps whose truth is known; its error by Hájek's projection onto whole paths."""
    known = ~np.isnan(truth)
    if not known.any():
        return Estimate(f"CRPS of {name}", math.nan, -math.inf, math.inf, 0)
    paths, truth = paths[:, known], truth[known]
    n, value = len(paths), float(crps(paths, truth).mean())
    order = paths.argsort(0)
    rank, ordered = np.arange(n)[:, None], np.take_along_axis(paths, order, 0)
    below = ordered.cumsum(0) - ordered
    apart = ((2 * rank - n + 1) * ordered - 2 * below + below[-1] + ordered[-1] - ordered) / (n - 1)
    spread = np.empty_like(apart)
    np.put_along_axis(spread, order, apart, 0)
    se = float((np.abs(paths - truth) - spread).mean(1).std(ddof=1)) / math.sqrt(n)
    return Estimate(f"CRPS of {name}", value, value - NORMAL_95 * se, value + NORMAL_95 * se, int(known.sum()))


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


def _device(model: Model) -> torch.device:
    return next(model.parameters()).device
