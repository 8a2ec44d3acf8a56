"""How far what came was from what was foretold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["crps", "mean_crps"]

NORMAL_95 = 1.959964

Draws = Float[np.ndarray[Any, Any], "n *shape"]
Scores = Float[np.ndarray[Any, Any], "*shape"]


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


def mean_crps(
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
