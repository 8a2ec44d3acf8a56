"""What every test by relabelling stands on: labellings, and the rank of what was observed among them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["is_smallest", "permutation_p_value", "relabellings"]


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


def is_smallest(p_value: float, draws: int) -> bool:
    """Whether no relabelling had as large a figure: the p-value is then as small as so many can make it.

    Example:
        >>> is_smallest(permutation_p_value(3.0, np.array([1.0, 2.0])), 2)
        True
    """
    return p_value * (1 + draws) < 1.5
