"""Nearest neighbours."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.discriminators.folds import subset
from pushforward.auditing.discriminators.learnt import Learnt, balance

__all__ = ["neighbours"]

MOST = 10_000


def neighbours(x: Float[np.ndarray, "n d"], real: Bool[np.ndarray, " n"], seed: int) -> Learnt:
    r"""Learn to answer by the labels of the :math:`\sqrt n` nearest training patterns (Cover & Hart 1967).

    Arguments:
        x: Training patterns, shape ``(n, D)``.
        real: Which of them are data, shape ``(n,)``.
        seed: Of the part that is kept where there are very many.
    """
    from sklearn.neighbors import NearestNeighbors

    chosen = subset(real, MOST, seed)
    index = NearestNeighbors(n_neighbors=math.isqrt(len(chosen))).fit(x[chosen])
    votes = np.where(real[chosen], 1.0, 0.0) * balance(real[chosen])
    against = balance(real[chosen]) - votes

    def log_odds(nearest: np.ndarray) -> np.ndarray:
        return np.asarray(np.log((votes[nearest].sum(1) + 0.5) / (against[nearest].sum(1) + 0.5)))

    held_out = np.full(len(x), np.nan)
    held_out[chosen] = log_odds(index.kneighbors(return_distance=False))  # without the pattern itself
    return Learnt(lambda new: log_odds(index.kneighbors(new, return_distance=False)), held_out)
