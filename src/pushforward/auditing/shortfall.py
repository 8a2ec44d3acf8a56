"""Many overlapping sets tested at once for too few patterns of one of two groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Shortfall", "shortfall"]

DRAWS = 1999


@dataclass(frozen=True, eq=False)
class Shortfall:
    """Tests of many sets for too few of one group; see :func:`shortfall`.

    Arguments:
        p_values: Fisher's, one for each set.
        adjusted: The chance that equal laws give *any* set so small a p-value.
        critical: What a set's p-value must be below to be a discovery.
    """

    p_values: Float[np.ndarray, " sets"]
    adjusted: Float[np.ndarray, " sets"]
    critical: float

    def noticeable(self, sizes: Int[np.ndarray, " sizes"], n: int, m: int, power: float = 0.8) -> float:
        r"""The smallest share of n patterns that, with none of m others among them, is a discovery that often.

        With the smallest a of the ascending ``sizes`` for which :math:`\binom{n+m-a}{m} / \binom{n+m}{m}` is
        below the critical value it solves :math:`P(\mathrm{Bin}(n, s) \ge a) =` ``power``; ``nan`` where no a is
        enough.
        """
        from scipy.stats import beta

        enough = sizes[(_none_of(sizes, n, m) < self.critical) & (sizes <= n)]
        return float(beta.ppf(power, enough[0], n - enough[0] + 1)) if len(enough) else math.nan


def shortfall(
    present: Int[np.ndarray, " bins"],
    lacking: Int[np.ndarray, " bins"],
    sets: Bool[np.ndarray, "sets bins"],
    rng: np.random.Generator,
    level: float = 0.05,
) -> Shortfall:
    r"""Test unions of bins for too few patterns of one of two groups, exactly however the unions overlap.

    For bins chosen without the labels equal laws make every labelling equally likely: the count in a set of t is
    hypergeometric, :math:`p_j = P(X \le x_j)`, and over relabellings the law of :math:`\min_j p_j` gives

    .. math:: \tilde p_j = \frac{1 + \#\{b : \min_k p_k^{(b)} \le p_j\}}{1 + B},

    never above Bonferroni's value; sets too small for any verdict cost nothing. Source: Westfall & Young (1993).

    Arguments:
        present: Counts of the one group in each bin.
        lacking: Counts of the group that may be too few.
        sets: Which bins form each set.
        rng: Of the relabellings.
        level: The chance of any false discovery.

    Example:
        >>> tests = shortfall(np.array([90, 10]), np.array([100, 0]), np.eye(2, dtype=bool), np.random.default_rng(0))
        >>> tests.adjusted <= 0.05
        array([False,  True])
    """
    from scipy.stats import hypergeom

    n, m, totals = int(present.sum()), int(lacking.sum()), present + lacking
    sizes, observed = sets @ totals, sets @ lacking
    draws = rng.multivariate_hypergeometric(totals, m, size=DRAWS, method="marginals")
    relabelled = np.rint(draws.astype(float) @ sets.T.astype(float)).astype(int)
    smallest, p_values = np.ones(DRAWS), np.ones(len(sets))
    for j, size in enumerate(sizes):
        law = np.cumsum(hypergeom.pmf(np.arange(size + 1), n + m, size, m))
        p_values[j] = min(1.0, law[observed[j]])
        smallest = np.minimum(smallest, law[relabelled[:, j]])
    rank = np.searchsorted(np.sort(smallest), p_values * (1 + 1e-12), side="right")
    adjusted = np.minimum((1 + rank) / (1 + DRAWS), len(sets) * p_values)  # Bonferroni where draws run out
    return Shortfall(p_values, np.minimum(adjusted, 1.0), _critical(smallest, len(sets), level))


def _critical(smallest: Float[np.ndarray, " draws"], count: int, level: float) -> float:
    """What relabelling allows; where its draws run out, Bonferroni's share of the level."""
    rank = math.floor(level * (1 + len(smallest)))
    return max(level / count, float(np.sort(smallest)[rank - 1]) if rank else 0.0)


def _none_of(sizes: Int[np.ndarray, " sets"], n: int, m: int) -> Float[np.ndarray, " sets"]:
    r"""The chance :math:`\binom{n+m-t}{m}/\binom{n+m}{m}` that of m among n + m none is in a set of t."""
    from scipy.special import gammaln

    t = np.minimum(sizes, n)
    logs = gammaln(n + m - t + 1) - gammaln(n - t + 1) - gammaln(n + m + 1) + gammaln(n + 1)
    return np.where(sizes > n, 0.0, np.exp(logs))
