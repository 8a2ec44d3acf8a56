"""What every discriminator promises: calibrated answers on patterns that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["Learner", "Learnt", "LogOdds", "balance", "combined", "limited"]

LogOdds = Callable[[np.ndarray], np.ndarray]
"""Patterns of shape (n, …) to log-odds of being real, of shape (n,)."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """A discriminator, and how it answered on patterns of its training part that it had not learnt from.

    Arguments:
        answer: From patterns to log-odds of being real where real and fake are equally likely.
        held_out: For each training pattern, the log-odds by a model that was fitted without it; ``nan`` where
            none was.
    """

    answer: LogOdds
    held_out: Float[np.ndarray, " n"] = field(repr=False)


Learner = Callable[[np.ndarray, np.ndarray, int], Learnt]
"""Training patterns (n, …), whether each is real (n,), and a seed, to a discriminator.

Both kinds count as equally likely (8) however many there are of each.
"""


def balance(real: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Weights of mean one under which both kinds weigh the same.

    Example:
        >>> balance(np.array([True, False, False, False])).round(2)
        array([2.  , 0.67, 0.67, 0.67])
    """
    n = len(real)
    share = max(1, int(real.sum())) / n
    return np.where(real, 0.5 / share, 0.5 / max(1 - share, 1 / n))


def combined(learnt: list[Learnt], real: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " learners"]:
    r"""Weights of several discriminators' log-odds that minimise the cross-entropy of held-out answers.

    .. math:: \min_{w \ge 0}\; \sum_i b_i \log\bigl(1 + e^{-y_i \sum_c w_c \ell_c(x_i)}\bigr) + \sum_c w_c,
        \qquad y_i = \pm 1,

    with the classes' balancing weights b (Wolpert 1992, stacked generalisation; with one discriminator it is
    temperature scaling, Guo et al. 2017). The last term, an exponential prior, leaves a discriminator out
    that has found nothing.

    Example:
        >>> real = np.array([True, True, True, False, False, False])
        >>> sure = np.array([9.0, 9.0, -9.0, -9.0, -9.0, 9.0])
        >>> weight, = combined([Learnt(np.ravel, np.tile(sure, 100))], np.tile(real, 100))
        >>> round(9 * float(weight), 2)  # two right in three: odds of two to one
        0.69
    """
    from scipy.optimize import minimize

    answers = np.stack([model.held_out for model in learnt], 1)
    known = np.isfinite(answers).all(1)
    right = np.where(real[known], 1.0, -1.0)[:, None] * answers[known]
    weights = balance(real)[known]

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        total = right @ w
        slope = -weights * np.exp(-np.logaddexp(0.0, total))
        return float(weights @ np.logaddexp(0.0, -total) + w.sum()), right.T @ slope + 1.0

    start = np.full(len(learnt), 0.5 / len(learnt))
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, 20.0)] * len(learnt))
    return np.asarray(result.x)


def limited(log_odds: Float[np.ndarray, " n"], n: int) -> Float[np.ndarray, " n"]:
    """Answers held within what ``n`` training patterns can support: odds of n + 1 to 1."""
    most = math.log(n + 1.0)
    return np.asarray(np.clip(log_odds, -most, most))
