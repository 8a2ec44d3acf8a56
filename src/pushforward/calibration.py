"""Beside the held-out likelihood: how much of it was learnt by heart, and whether the conditionals are calibrated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from pushforward.auditing.pit import PitCheck, pit_check
from pushforward.data import Dataset, Splits
from pushforward.data.dataset import counted
from pushforward.distributions.law import pit
from pushforward.errors import NoDensityError
from pushforward.evidence import Estimate, Kind, LogLikelihood
from pushforward.run import Run
from pushforward.training.loop import isolated_randomness
from pushforward.training.stream import seed_of

__all__ = ["calibration", "gap_of_run", "generalisation_gap", "pit_values", "unchecked"]

NUMBERS_AT_MOST = 4_000_000
"""Numbers whose transforms one check looks at; of larger test parts a random share."""
FEWEST = 20
"""Patterns below which no check is made."""


def generalisation_gap(train: LogLikelihood, test: LogLikelihood, level: float = 0.05) -> Estimate | None:
    r"""How much likelier training patterns are than held-out ones, in nats per pattern.

    .. math:: \bar\ell_{\text{train}} - \bar\ell_{\text{test}} \pm t_\nu \sqrt{s_{\text{train}}^2 + s_{\text{test}}^2},

    with Welch's (1947) degrees of freedom ν. The p-value is two-sided, of no gap. Of two lower bounds it is their
    difference, as its name says: where a bound is looser on held-out patterns, the gap is partly looseness.

    Arguments:
        train: Of patterns that the model learnt from.
        test: Of patterns that it did not.
        level: One minus the interval's coverage.

    Returns:
        The gap, or ``None`` where either mean or its standard error is not finite.

    Example:
        >>> train, test = (LogLikelihood(x, 0.1, 200, Kind.EXACT) for x in (-1.0, -1.5))
        >>> print(generalisation_gap(train, test))
        train-minus-test gap 0.500 [0.222, 0.778] nats (estimate, n = 400, p = 0.00045)
    """
    from scipy.stats import t

    if train.kind is not test.kind or train.k != test.k:
        raise ValueError(f"expected two figures of one kind and k, received {train!r} and {test!r}")
    value, se = train.nats - test.nats, math.hypot(train.se, test.se)
    if not (math.isfinite(value) and math.isfinite(se) and se > 0):
        return None
    freedom = se**4 / sum(figure.se**4 / (figure.n - 1) for figure in (train, test))
    half = se * float(t.isf(level / 2, freedom))
    of = f" of the bounds (k = {train.k})" if train.kind is Kind.LOWER_BOUND else ""
    return Estimate(
        f"train-minus-test gap{of}",
        value,
        value - half,
        value + half,
        train.n + test.n,
        "nats",
        1 - level,
        p_value=float(2 * t.sf(abs(value) / se, freedom)),
    )


def gap_of_run(run: Run, parts: Splits, test: LogLikelihood) -> Estimate | None:
    """The gap between a run's training part, as many patterns as ``test`` has at random, and its test part."""
    train = parts.train.thinned(test.n, run.seed)
    return generalisation_gap(run.log_likelihood(train, test.k or 1, seed=1), test)  # noise apart from the test's


def calibration(run: Run, data: Dataset) -> PitCheck | None:
    """Whether patterns the model did not learn from find its conditionals calibrated; ``None`` where it has none."""
    if len(data) < FEWEST:
        return None
    most = max(FEWEST, NUMBERS_AT_MOST // run.schema.event.size)
    try:
        return pit_check(pit_values(run, data.thinned(most, run.seed), run.seed))
    except NoDensityError:
        return None


def unchecked(run: Run, data: Dataset) -> str:
    """Why the conditionals of a model that has some are not checked; empty if they are, or there are none."""
    if len(data) >= FEWEST:
        return ""
    try:
        pit_values(run, data)
    except NoDensityError:
        return ""
    kept = f"{counted(len(data), 'pattern')} {'was' if len(data) == 1 else 'were'} kept for the verdict"
    return f"{kept}; calibration needs {FEWEST}."


def pit_values(run: Run, data: Dataset, seed: int = 0) -> Float[np.ndarray[Any, Any], "n d"]:
    """The probability integral transforms of patterns under a run's model, one row each.

    Raises:
        NoDensityError: If the model has no conditionals in closed form.
        InputError: If the data have other columns than the model learnt.
    """
    data = run.schema.conform(data)
    x, context = run.schema.encode(data), run.schema.encode_context(data)
    chunk, u = run.at_once, []
    with isolated_randomness(run.device), torch.no_grad():
        torch.manual_seed(seed_of(seed, "pit"))
        for start in range(0, len(x), chunk):
            part = slice(start, start + chunk)
            law = run.model(None if context is None else context[part].to(run.device))
            u.append(pit(law, x[part].to(run.device)).cpu().double())
    return torch.cat(u).numpy()
