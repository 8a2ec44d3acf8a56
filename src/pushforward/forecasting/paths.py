"""Sample paths of what follows a history, drawn window by window."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.arguments import refuse_beyond_memory, whole_number
from pushforward.data import Schema
from pushforward.data.series import Steps, stamps_after
from pushforward.distributions.mixture import Mixture
from pushforward.distributions.ordered import Ordered
from pushforward.distributions.stepwise import Stepwise
from pushforward.errors import InputError
from pushforward.forecasting.forecast import Forecast
from pushforward.forecasting.history import windows_of
from pushforward.models.model import Model
from pushforward.training.loop import isolated_randomness
from pushforward.training.stream import seed_of

__all__ = ["forecast", "goes_on"]

WINDOWS_AT_MOST = 10
"""The longest horizon, in windows: a path that feeds on itself for longer says more of the model than of the series."""


def forecast(model: Model, schema: Schema, past: Steps, horizon: int, n: int = 200, seed: int = 0) -> Forecast:
    """Draw ``n`` paths of the ``horizon`` steps after a history.

    The model sees a window: the last T − ``horizon`` steps of the history, or all if they are fewer. Where the horizon
    is more than half a window the window rolls: it moves on by half its length, and what was drawn becomes history.

    Arguments:
        model: An autoregressive model of windows.
        schema: Its encoding.
        past: The history, as :func:`~pushforward.forecasting.history_of` gives it.
        horizon: How many steps.
        n: How many paths.
        seed: The same seed gives the same paths.

    Raises:
        InputError: If the model is of no series or cannot be conditioned, or the horizon is not between 1 step and 10
            windows.
    """
    coding = windows_of(schema)
    horizon, n = whole_number(horizon, "a horizon", 24), whole_number(n, "a number of paths", 200)
    if not 1 <= horizon <= WINDOWS_AT_MOST * coding.steps:
        raise InputError(
            f"a horizon is from 1 to {WINDOWS_AT_MOST * coding.steps} steps ({WINDOWS_AT_MOST} windows of "
            f"{coding.steps}), not {horizon}; give one of these, or fit with a larger --window"
        )
    if n < 1:
        raise InputError(f"cannot draw {n} paths; ask for one or more")
    refuse_beyond_memory(n, max(horizon, coding.steps) * coding.columns.event.size, "paths")
    with isolated_randomness(_device(model)), torch.no_grad():
        torch.manual_seed(seed_of(seed, "forecast"))
        drawn = _paths(model, schema, past, horizon, n)
    values = coding.decode_steps(drawn.double().numpy().reshape(n * horizon, -1)).reshape(n, horizon, -1)
    stamps = None if past.stamps is None else stamps_after(int(past.stamps[-1]), past.interval, horizon)
    return Forecast(values, coding.names, stamps, schema.context[0].name if schema.context else "")


def goes_on(model: Model) -> bool:
    """Whether a model's law can be conditioned on a history, as no other family's and no mixture of orders can."""
    context = torch.zeros(model.context, device=_device(model)) if model.context else None
    return isinstance(model(context), Ordered)


def _paths(model: Model, schema: Schema, past: Steps, horizon: int, n: int) -> Float[Tensor, "n h v"]:
    """Encoded paths, window by window."""
    coding = windows_of(schema)
    device, window = _device(model), coding.steps
    steps = torch.from_numpy(coding.encode_steps(past.values)).to(torch.get_default_dtype())
    paths = steps.to(device).expand(n, *steps.shape)  # (n, P, V)
    begun, stamps = len(steps), past.stamps
    while paths.shape[1] < begun + horizon:
        ahead = min(begun + horizon - paths.shape[1], window // 2 or 1)
        keep = min(paths.shape[1], window - ahead)
        context = None
        if stamps is not None:
            context = schema.context_of_window(int(stamps[len(stamps) - keep]))
            stamps = np.append(stamps, stamps_after(int(stamps[-1]), past.interval, ahead))
        law = _conditional(model(None if context is None else context.to(device)))
        if not isinstance(law, Stepwise) and bool(paths.isnan().any()):
            raise InputError("the history has missing values, which only the architecture 'steps' can take; fill them")
        prefix = paths[:, paths.shape[1] - keep :].flatten(1)  # (n, keep V)
        drawn = law.given(prefix).sample().unflatten(-1, (window - keep, -1))
        paths = torch.cat([paths, drawn[:, :ahead]], 1)
    return paths[:, begun:].cpu()


def _conditional(law: Distribution) -> Ordered:
    """The law, if it can be conditioned on how a pattern begins."""
    if isinstance(law, Mixture):
        raise InputError(
            "a model of several orders cannot be conditioned on a history; "
            "fit with --set orders=1 or --set architecture=steps"
        )
    if not isinstance(law, Ordered):
        raise InputError("only an autoregressive model can go on from a history; fit --model autoregressive")
    return law


def _device(model: Model) -> torch.device:
    return next(model.parameters()).device
