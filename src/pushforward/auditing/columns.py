"""Which columns of a table differ: distances of marginal laws, false discoveries under control."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

__all__ = ["ColumnDifference", "cells", "column_differences", "compare_columns"]

FEW = 20
"""A column of no more values is compared value by value."""
ATOM = 0.1
"""So is one in which a single value holds more than this share: ties weaken Kolmogorov and Smirnov's test."""
EXPECTED = 5
"""Patterns of either kind expected in every cell: with fewer the χ² law is not to be trusted (Cochran 1954)."""


@dataclass(frozen=True)
class ColumnDifference:
    """How far one column's two marginal laws are apart.

    Arguments:
        column: Its name.
        index: Its position.
        distance: Between the two empirical laws, from 0 to 1, as ``statistic`` says.
        p_value: Of equal marginal laws.
        differs: Whether it is a discovery at the level that was asked.
        statistic: ``Kolmogorov–Smirnov``, or ``total variation`` where values repeat.
        adjusted: The p-value for all comparisons made together (Benjamini & Hochberg 1995).
        low: The distance of the two laws is hardly smaller: it is 0 where the p-value does not speak against equal
            laws by Kolmogorov and Smirnov's test. The interval is of this column alone, as ``p_value`` is and
            ``adjusted`` is not.
        high: It is hardly greater. The interval covers as often as asked where laws are equal and values do not repeat,
            elsewhere more often.
        most: Of a column of categories the one whose shares differ most, in words; empty for numbers.
    """

    column: str
    index: int
    distance: float
    p_value: float
    differs: bool
    statistic: str
    adjusted: float
    low: float
    high: float
    most: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def judged(self, adjusted: float, level: float) -> ColumnDifference:
        """The same, with what all comparisons together make of its p-value."""
        return replace(self, adjusted=adjusted, differs=adjusted <= level)


def compare_columns(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    columns: Sequence[str],
    level: float = 0.05,
) -> tuple[ColumnDifference, ...]:
    """Compare two tables column by column, the most different first.

    Of the columns named as different, in expectation at most a share ``level`` is not (Benjamini & Hochberg 1995).

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
    from scipy.stats import false_discovery_control

    found = column_differences(real, fake, columns, level)
    adjusted = false_discovery_control([c.p_value for c in found])
    judged = (c.judged(float(a), level) for c, a in zip(found, adjusted, strict=True))
    return tuple(sorted(judged, key=lambda c: (-c.distance, c.index)))


def column_differences(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    columns: Sequence[str],
    level: float = 0.05,
    levels: Sequence[Sequence[str]] = (),
) -> list[ColumnDifference]:
    r"""Compare two tables column by column, each column for itself.

    A column of many values is compared by :math:`\sup_t |F_n(t) - G_m(t)|` with its asymptotic p-value, any other by
    the total variation :math:`\tfrac12 \sum_c |p_c - q_c|` over its :func:`cells` with the p-value of Pearson's χ²
    test, or of Fisher's exact one where few patterns are expected in a cell. The intervals reach as far as either
    distance would of equal laws, but for a share ``level``: the former by its own law, the latter by
    :math:`\tfrac12 \sum_c |p_c - q_c| \le \tfrac12 \sqrt{(1/n + 1/m)\, \chi^2}` (Cauchy and Schwarz). Unequal laws are
    seen no less sharply: in the limit of many patterns the error of :math:`F_n - G_m`, plus an independent normal
    multiple of :math:`F - G`, has the law it has if both laws are their mixture, weighted by :math:`1/n` and
    :math:`1/m`; so it is no greater (Anderson 1955). Columns with ``levels`` hold the codes of these names.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> [c.statistic for c in column_differences(x, np.sign(x), ("a", "b"))]
        ['total variation', 'total variation']
    """
    found = [
        _difference(real[:, j], fake[:, j], name, j, level, bool(levels and levels[j]))
        for j, name in enumerate(columns)
    ]
    return [
        replace(c, most=_most(real[:, c.index], fake[:, c.index], levels[c.index])) if levels and levels[c.index] else c
        for c in found
    ]


def cells(pooled: Float[np.ndarray, " n"], most: int, fewest: int) -> Int[np.ndarray, " n"]:
    """Number about ``most`` cells of a column: its values, or its frequent ones and quantiles of the others.

    They are chosen without regard to which patterns are real. Cells of under ``fewest`` patterns become one.

    Example:
        >>> cells(np.array([0.0, 0.0, 0.0, 0.0, 0.3, 0.6, 1.2, 2.5]), 3, 2)
        array([2, 2, 2, 2, 0, 0, 1, 1])
    """
    values, counts = np.unique(pooled, return_counts=True)
    if len(values) <= most:
        return _merged(np.searchsorted(values, pooled), fewest)
    atoms = values[counts * most >= len(pooled)]
    shares = np.linspace(0, 1, most - len(atoms) + 1)[1:-1]
    cuts = np.quantile(pooled[~np.isin(pooled, atoms)], shares, method="inverted_cdf")
    edges = np.union1d(cuts, atoms)
    # below, at and above an atom are three cells: the first count steps behind it, the second at it
    return _merged(np.searchsorted(edges, pooled, "left") + np.searchsorted(atoms, pooled, "right"), fewest)


def _merged(codes: Int[np.ndarray, " n"], fewest: int) -> Int[np.ndarray, " n"]:
    """Cells numbered by size from 0, the sparse ones together and, where that is not enough, with the next."""
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.argsort(counts, kind="stable")
    sparse = int((counts < fewest).sum())
    if 0 < sparse < len(counts) - 1 and counts[order[:sparse]].sum() < fewest:
        sparse += 1
    number = np.empty(len(counts), np.int64)
    number[order] = np.maximum(np.arange(len(counts)) - max(sparse - 1, 0), 0)
    return np.asarray(number[codes])


def _difference(
    real: Float[np.ndarray, " n"], fake: Float[np.ndarray, " m"], name: str, index: int, level: float, named: bool
) -> ColumnDifference:
    from scipy.stats import chi2, ks_2samp, kstwo

    n, m = len(real), len(fake)
    pooled = np.concatenate([real, fake])
    if named or _repeats(pooled):
        codes = cells(pooled, FEW, math.ceil(EXPECTED * (n + m) / min(n, m)))
        counts = np.stack([np.bincount(part, minlength=codes.max() + 1) for part in (codes[:n], codes[n:])])
        statistic, p_value = "total variation", _homogeneity(counts)
        margin = 0.5 * math.sqrt((1 / n + 1 / m) * float(chi2.isf(level, max(1, counts.shape[1] - 1))))
        distance = float(np.abs(counts[0] / n - counts[1] / m).sum() / 2)
    else:
        test = ks_2samp(real, fake, method="asymp")
        statistic, p_value = "Kolmogorov–Smirnov", float(test.pvalue)
        margin = float(kstwo.isf(level, round(n * m / (n + m))))  # the law that scipy's p-value is of
        distance = float(test.statistic)
    low, high = max(0.0, distance - margin), min(1.0, distance + margin)
    return ColumnDifference(name, index, distance, p_value, p_value <= level, statistic, p_value, low, high)


def _most(real: Float[np.ndarray, " n"], fake: Float[np.ndarray, " m"], levels: Sequence[str]) -> str:
    """The category whose shares differ most."""
    p, q = (np.bincount(x.astype(np.int64), minlength=len(levels)) / len(x) for x in (real, fake))
    k = int(np.abs(p - q).argmax())
    return f"{levels[k]}: {100 * p[k]:.1f} % of the data, {100 * q[k]:.1f} % of the samples"


def _repeats(pooled: Float[np.ndarray, " n"]) -> bool:
    _, counts = np.unique(pooled, return_counts=True)
    return bool(len(counts) <= FEW or counts.max() > ATOM * len(pooled))


def _homogeneity(counts: Int[np.ndarray, "2 k"]) -> float:
    """The p-value of one law behind two rows of counts."""
    from scipy.stats import chi2_contingency, fisher_exact

    if counts.shape[1] == 1:
        return 1.0
    expected = counts.sum(0) * counts.sum(1, keepdims=True) / counts.sum()
    if expected.min() < EXPECTED:  # two cells: others have been merged
        return float(fisher_exact(counts)[1])
    return float(chi2_contingency(counts, correction=False)[1])
