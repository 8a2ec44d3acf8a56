"""Logistic regression on the features, their squares and, where they are few, their products."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.discriminators.folds import cross_fitted, subset
from pushforward.auditing.discriminators.learnt import Learnt, balance

__all__ = ["logistic"]

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
MOST_PRODUCTS = 400
MOST = 10_000


def logistic(x: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], seed: int) -> Learnt:
    r"""Learn :math:`\log\pi/(1-\pi) = a + b^\top x + x^\top C x`, exact where both laws are normal.

    C is full where it has few entries and diagonal elsewhere; the ridge penalty is chosen across folds.

    Arguments:
        x: Training patterns, shape ``(n, D)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the folds.
    """
    chosen = subset(real, MOST, seed)
    part, labels = x[chosen], real[chosen]
    answers = cross_fitted(_path, part, labels, seed)
    losses = np.logaddexp(0.0, np.where(labels, -answers, answers)) @ balance(labels)
    best = int(losses.argmin())
    model = _path(part, labels, PENALTIES[best : best + 1])
    held_out = np.full(len(x), np.nan)
    held_out[chosen] = answers[best]
    return Learnt(lambda new: model(new)[0], held_out)


def _path(
    x: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], penalties: tuple[float, ...] = PENALTIES
) -> Callable[[np.ndarray], np.ndarray]:
    """The answers of one regression for each penalty, the weakest data term first."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(_quadratic(x))
    inputs = scale.transform(_quadratic(x))
    strength = len(x) / inputs.shape[1] / 10
    models = [LogisticRegression(C=strength * c, tol=1e-3) for c in penalties]
    with warnings.catch_warnings():  # an answer that might still improve is an answer: its calibration is held out
        warnings.simplefilter("ignore", ConvergenceWarning)
        for model in models:
            model.fit(inputs, real, balance(real))
    return lambda new: np.stack([model.decision_function(scale.transform(_quadratic(new))) for model in models])


def _quadratic(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
    d = x.shape[1]
    if d * (d + 1) // 2 > MOST_PRODUCTS:
        return np.concatenate([x, x**2], 1)
    i, j = np.triu_indices(d)
    return np.concatenate([x, x[:, i] * x[:, j]], 1)
