"""Gradient-boosted trees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.discriminators.folds import cross_fitted
from pushforward.auditing.discriminators.learnt import Learnt, balance

__all__ = ["trees"]

MOST_TREES = 100
MANY = 20_000  # with fewer patterns threads only wait for one another


def trees(x: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], seed: int) -> Learnt:
    """Learn gradient-boosted trees (Friedman 2001), as many as answer best across folds.

    Arguments:
        x: Training patterns, shape ``(n, D)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the folds.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    # A prior taken off afterwards does what weights would; with weights scikit-learn takes forty times as long.
    prior = math.log(real.mean() / (1 - real.mean()))

    def staged(part: np.ndarray, labels: np.ndarray) -> Any:
        model = _boosting(len(part), MOST_TREES, seed).fit(part, labels)
        return lambda new: np.stack(list(model.staged_decision_function(new))) - prior

    with threadpool_limits(1 if len(x) < MANY else None):
        stages = cross_fitted(staged, x, real, seed)
        losses = np.logaddexp(0.0, np.where(real, -stages, stages)) @ balance(real)
        best = int(losses.argmin())
        model = _boosting(len(x), best + 1, seed).fit(x, real)
    return Learnt(lambda new: model.decision_function(new) - prior, stages[best])


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
