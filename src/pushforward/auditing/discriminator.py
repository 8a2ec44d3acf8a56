"""Discriminators: what is learnt on one part of the patterns and answers on another.

A discriminator is a function of two training sets that returns a function from patterns to log-odds of being
real. Its calibration happens inside, on its training part alone, so the held-out answers stay held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["LogOdds", "calibrated", "temperature", "trees"]

LogOdds = Callable[[np.ndarray], np.ndarray]
"""Patterns of shape (n, …) to log-odds of being real, of shape (n,)."""

FOLDS = 3
MOST_TREES = 100
MANY = 20_000  # with fewer patterns threads only wait for one another


def trees(real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "n d"], seed: int) -> LogOdds:
    """Learn gradient-boosted trees (Friedman 2001) whose number and temperature come from cross-validation.

    Arguments:
        real: Training patterns, shape ``(n, D)``.
        fake: As many samples.
        seed: Of the folds.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    x = np.concatenate([real, fake])
    y = np.repeat([1, 0], [len(real), len(fake)])
    with threadpool_limits(1 if len(x) < MANY else None):
        staged = _held_out_stages(x, y, seed)
        losses = np.logaddexp(0.0, np.where(y == 1, -staged, staged)).mean(1)
        best = int(losses.argmin())
        model = _boosting(len(x), best + 1, seed).fit(x, y)
    scale = temperature(staged[best][y == 1], staged[best][y == 0])
    return calibrated(model.decision_function, scale, len(x))


def temperature(log_odds_real: Float[np.ndarray, " n"], log_odds_fake: Float[np.ndarray, " m"]) -> float:
    r"""The factor on the log-odds that minimises the cross-entropy of answers the classifier had not learnt.

    One positive number (Guo et al. 2017): it mends over-confidence and leaves every answer's sign, hence the
    accuracy, as it was.

    Example:
        >>> overconfident = temperature(np.array([9.0, 9.0, -9.0]), np.array([-9.0, -9.0, 9.0]))
        >>> round(9 * overconfident, 3)  # two right in three: odds of two to one
        0.693
    """
    from scipy.optimize import minimize_scalar

    right = np.concatenate([log_odds_real, -log_odds_fake])
    result = minimize_scalar(
        lambda t: float(np.logaddexp(0.0, -math.exp(t) * right).mean()), bounds=(-7.0, 3.0), method="bounded"
    )
    return math.exp(float(result.x))


def calibrated(raw: LogOdds, scale: float, n: int) -> LogOdds:
    """Scale the log-odds and limit them: n patterns cannot support odds beyond n + 1 to 1."""
    limit = math.log(n + 1.0)
    return lambda x: np.clip(scale * np.asarray(raw(x), np.float64), -limit, limit)


def _held_out_stages(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], seed: int
) -> Float[np.ndarray, "stages n"]:
    """The log-odds of each training pattern after 1, 2, … trees that were grown without it."""
    from sklearn.model_selection import StratifiedKFold

    staged = np.empty((MOST_TREES, len(x)))
    for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(x, y):
        model = _boosting(len(inside), MOST_TREES, seed).fit(x[inside], y[inside])
        staged[:, outside] = np.stack(list(model.staged_decision_function(x[outside])))
    return staged


def _boosting(n: int, count: int, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=count,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=max(5, min(20, n // 20)),  # scikit-learn's 20 would forbid splits in the smallest data
        l2_regularization=1.0,
        early_stopping=False,  # the number of trees is chosen by the folds
        random_state=seed,
    )
