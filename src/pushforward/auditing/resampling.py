"""What every calibrated figure stands on: relabelling for null laws, half-samples for standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["permutation_p_value", "relabellings", "subsampled_se"]

SUBSAMPLES = 40


def relabellings(n: int, m: int, count: int, rng: np.random.Generator) -> Bool[np.ndarray, "count n_plus_m"]:
    """Random ways to call ``n`` of ``n + m`` pooled patterns real.

    If both sets follow one law, what was observed is one more such way, so its rank among them is uniform.

    Example:
        >>> relabellings(2, 3, 4, np.random.default_rng(0)).sum(1)
        array([2, 2, 2, 2])
    """
    real = np.zeros((count, n + m), bool)
    real[:, :n] = True
    return np.asarray(rng.permuted(real, axis=1))


def permutation_p_value(observed: float, null: Float[np.ndarray, " draws"]) -> float:
    r"""The share of relabellings, the observed one counted, whose figure is as large.

    .. math:: p = \frac{1 + \#\{b : T_b \ge T\}}{1 + B},

    which is at most α with probability at most α, whatever the laws (Phipson & Smyth 2010).

    Example:
        >>> permutation_p_value(3.0, np.array([1.0, 2.0, 4.0]))
        0.5
    """
    slack = 1e-12 * max(1.0, abs(observed))  # equal figures, summed in another order
    return (1 + int((null >= observed - slack).sum())) / (1 + len(null))


def subsampled_se(
    figure: Callable[[Int[np.ndarray, " h"], Int[np.ndarray, " k"]], Float[np.ndarray, " figures"]],
    n: int,
    m: int,
    rng: np.random.Generator,
    most: int = 1000,
    count: int = SUBSAMPLES,
) -> Float[np.ndarray, " figures"]:
    r"""Standard errors of figures of ``n`` real and ``m`` fake patterns from their spread over random subsamples.

    A share :math:`f` drawn without replacement spreads a regular figure with variance
    :math:`\sigma^2 (1/f - 1)` where :math:`\sigma^2` is the variance at full size: for halves the two agree.
    No pattern occurs twice, which a bootstrap would do to neighbours. Source: Politis, Romano & Wolf (1999).

    Arguments:
        figure: From positions of real and of fake patterns to one or more figures.
        n: How many real patterns there are.
        m: How many fake ones.
        rng: Of the subsamples.
        most: Of either kind in one subsample.
        count: How many subsamples.

    Example:
        >>> x = np.random.default_rng(0).normal(size=400)
        >>> se = subsampled_se(lambda i, j: np.array([x[i].mean()]), 400, 400, np.random.default_rng(1))
        >>> 0.03 < float(se[0]) < 0.07
        True
    """
    share = min(0.5, most / max(n, m))
    h, k = max(2, round(share * n)), max(2, round(share * m))
    draws = [figure(rng.choice(n, h, replace=False), rng.choice(m, k, replace=False)) for _ in range(count)]
    kept = 0.5 * (h / n + k / m)
    return np.asarray(np.std(draws, axis=0, ddof=1) / math.sqrt(1 / kept - 1))
