"""Which columns of a table differ: Kolmogorov–Smirnov distances, false discoveries under control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["ColumnDifference", "compare_columns"]


@dataclass(frozen=True)
class ColumnDifference:
    """How far one column's two marginal laws are apart.

    Arguments:
        column: Its name.
        index: Its position.
        distance: The largest gap between the two empirical distribution functions.
        p_value: Of equal marginal laws; conservative where values repeat.
        differs: Whether it is a discovery at the level that was asked.
    """

    column: str
    index: int
    distance: float
    p_value: float
    differs: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def compare_columns(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    columns: Sequence[str],
    level: float = 0.05,
) -> tuple[ColumnDifference, ...]:
    r"""Compare two tables column by column, the most different first.

    .. math:: D = \sup_t |F_n(t) - G_m(t)|

    with the two-sample Kolmogorov–Smirnov p-value; of the columns named as different, in expectation at most
    a share ``level`` is not (Benjamini & Hochberg 1995).

    Arguments:
        real: Shape ``(n, D)``.
        fake: Shape ``(m, D)``.
        columns: D names.
        level: The false discovery rate.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 2))
        >>> [c.column for c in compare_columns(x, x + [0.0, 1.0], ("same", "shifted")) if c.differs]
        ['shifted']
    """
    from scipy.stats import ks_2samp

    tests = [ks_2samp(real[:, j], fake[:, j], method="asymp") for j in range(len(columns))]
    p_values = np.array([float(t.pvalue) for t in tests])
    found = _discoveries(p_values, level)
    differences = (
        ColumnDifference(name, j, float(tests[j].statistic), float(p_values[j]), bool(found[j]))
        for j, name in enumerate(columns)
    )
    return tuple(sorted(differences, key=lambda c: (-c.distance, c.index)))


def _discoveries(p_values: Float[np.ndarray, " d"], level: float) -> np.ndarray:
    """Benjamini and Hochberg's rule: reject all up to the last p₍ᵢ₎ ≤ i·level/D."""
    ordered = np.sort(p_values)
    passing = np.flatnonzero(ordered <= level * np.arange(1, len(ordered) + 1) / len(ordered))
    if len(passing) == 0:
        return np.zeros(len(p_values), bool)
    return np.asarray(p_values <= ordered[passing[-1]])
