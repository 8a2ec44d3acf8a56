"""Which columns of a table depend on each other otherwise than in the data: all pairs, and the whole table's result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.columns import ColumnDifference, cells, column_differences
from pushforward.errors import InputError

__all__ = ["PairDifference", "TableDifferences", "compare_table"]

MOST_COLUMNS = 200
"""Of more columns this many are drawn at random and paired: 19,900 pairs."""
MOST_CELLS = 6
PER_CELL = 8
"""Patterns of either kind that a cell of a pair would hold on average, at least."""
ROWS = 4096
"""One-hot rows held in memory at once; sums of so few ones are exact in float32."""
SHOWN = 100
"""Pairs that the JSON lists."""


@dataclass(frozen=True)
class PairDifference:
    """How far the dependence of two columns differs, given their marginal laws.

    Arguments:
        first: One column's name.
        second: The other's.
        distance: Half the summed difference of the two tables of :math:`p_{ab} - p_a p_b`.
        rank_real: The rank correlation in the data, of ranks among both sets; ``None`` where categories have no order.
        rank_fake: The same in the samples.
        p_value: Of equal joint laws.
        adjusted: For all comparisons made together (Benjamini & Hochberg 1995).
        differs: Whether it is a discovery at the level that was asked.
    """

    first: str
    second: str
    distance: float
    rank_real: float | None
    rank_fake: float | None
    p_value: float
    adjusted: float
    differs: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def __str__(self) -> str:
        if self.rank_real is None or self.rank_fake is None:
            return f"{self.first} and {self.second}: dependence apart by {self.distance:.2f}".replace("0.", ".")
        ranks = f"data {self.rank_real:.2f}, samples {self.rank_fake:.2f}".replace("-", "−").replace("0.", ".")
        return f"{self.first} and {self.second}: rank correlation {ranks}"


@dataclass(frozen=True)
class TableDifferences:
    """What differs between two tables; discoveries among columns and pairs are controlled together.

    Arguments:
        columns: The most distant first.
        pairs: Discoveries first, then the most distant.
        n_columns: How many columns the pairs were made of: all, or as many as were drawn of too many.
        level: The false discovery rate.
    """

    columns: tuple[ColumnDifference, ...]
    pairs: tuple[PairDifference, ...]
    n_columns: int
    level: float

    def to_json(self) -> dict[str, Any]:
        """Plain values; of the pairs the first hundred."""
        return {
            "level": self.level,
            "intervals": "of each column alone, while adjusted p-values are for all columns and pairs together",
            "columns": [c.to_json() for c in self.columns],
            "pairs": [p.to_json() for p in self.pairs[:SHOWN]],
            "n_pairs": len(self.pairs),
            "n_columns_paired": self.n_columns,
            "columns_differ": sum(c.differs for c in self.columns),
            "pairs_differ": sum(p.differs for p in self.pairs),
        }


def compare_table(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    names: Sequence[str],
    rng: np.random.Generator,
    level: float = 0.05,
    levels: Sequence[Sequence[str]] = (),
) -> TableDifferences:
    r"""Compare two tables by every column and every pair of columns.

    A pair's dependence is the table of :math:`c_{ab} = p_{ab} - p_a p_b` over cells of pooled quantiles or values.
    Two tests are made of it and the smaller p-value doubled: Pearson's :math:`\sum_{ab} (c_{ab} - c'_{ab})^2 / (\pi_a
    \pi_b)` against a multiple of a χ² law that has the null law's mean and variance (Satterthwaite 1946), and
    the difference of rank correlations against a normal law. Of all columns and pairs named as different, in
    expectation at most a share ``level`` is not (Benjamini & Hochberg 1995).

    Arguments:
        real: Shape ``(n, D)``.
        fake: Shape ``(m, D)``.
        names: D names.
        rng: Draws the columns to pair where there are more than 200.
        level: The false discovery rate.
        levels: For each column the names of its codes, none where it holds numbers; all do by default. Codes have no
            order, so of their pairs only the first test is made.

    Raises:
        InputError: if the tables and the names disagree on the number of columns.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(500, 3))
        >>> x[:, 2] += x[:, 0]
        >>> table = compare_table(x, rng.permuted(x, axis=0), ("a", "b", "c"), rng)
        >>> [c.column for c in table.columns if c.differs], [str(p) for p in table.pairs if p.differs]
        ([], ['a and c: rank correlation data .66, samples −.05'])
    """
    from scipy.stats import false_discovery_control

    if not real.shape[1] == fake.shape[1] == len(names):
        raise InputError(
            f"the data have {real.shape[1]} columns, the samples {fake.shape[1]} and {len(names)} are named: "
            "give both the same columns and name each once"
        )
    columns = column_differences(real, fake, names, level, levels)
    drawn = np.arange(len(names))
    if len(names) > MOST_COLUMNS:
        drawn = np.sort(rng.choice(len(names), MOST_COLUMNS, replace=False))
    first, second = np.triu_indices(len(drawn), 1)
    ordered = np.array([not (levels and levels[j]) for j in drawn.tolist()])
    ranked = (ordered[first] & ordered[second]).tolist()
    found = _dependence(real[:, drawn], fake[:, drawn], ordered)[:, first, second]
    p_values = np.concatenate([[c.p_value for c in columns], found[3]])
    adjusted = false_discovery_control(p_values)
    judged = [c.judged(float(a), level) for c, a in zip(columns, adjusted, strict=False)]
    pairs = [
        PairDifference(
            names[drawn[i]],
            names[drawn[j]],
            distance,
            rank_real if has_ranks else None,
            rank_fake if has_ranks else None,
            p,
            a,
            a <= level,
        )
        for i, j, has_ranks, (distance, rank_real, rank_fake, p), a in zip(
            first, second, ranked, found.T.tolist(), adjusted[len(columns) :].tolist(), strict=True
        )
    ]
    return TableDifferences(
        tuple(sorted(judged, key=lambda c: (-c.distance, c.index))),
        tuple(sorted(pairs, key=lambda p: (not p.differs, -p.distance))),
        len(drawn),
        level,
    )


def _dependence(
    real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], ordered: Bool[np.ndarray, " d"]
) -> Float[np.ndarray, "4 d d"]:
    """Of every pair the distance, the two rank correlations and the p-value."""
    from scipy.stats import norm, rankdata

    n, m = len(real), len(fake)
    pooled = np.concatenate([real, fake])
    most = int(np.clip(math.isqrt(min(n, m) // PER_CELL), 2, MOST_CELLS))
    codes = np.stack([cells(column, most, (n + m) // (2 * most)) for column in pooled.T], axis=1)
    width = int(codes.max()) + 1
    distance, p_cells = _cells_test(_joint(codes[:n], width), _joint(codes[n:], width), n, m)
    ranks = rankdata(pooled, axis=0)
    rank_real, rank_fake = _correlations(ranks[:n])[0], _correlations(ranks[n:])[0]
    se = np.sqrt(np.maximum(_correlations(ranks)[1] * (1 / n + 1 / m), 1e-24))
    p_ranks = 2 * norm.sf(np.abs(rank_real - rank_fake) / se)
    p_both = np.minimum(1.0, 2 * np.minimum(p_cells, p_ranks))
    p = np.where(np.logical_and.outer(ordered, ordered), p_both, p_cells)
    return np.stack([distance, rank_real, rank_fake, p])


def _joint(codes: Int[np.ndarray, "n d"], width: int) -> Float[np.ndarray, "d k d k"]:
    """The joint frequencies of all pairs of columns: one matrix product of one-hot rows."""
    n, d = codes.shape
    total = np.zeros((d * width, d * width))
    places = codes + width * np.arange(d)
    for start in range(0, n, ROWS):
        block = places[start : start + ROWS]
        hot = np.zeros((len(block), d * width), np.float32)
        np.put_along_axis(hot, block, 1.0, axis=1)
        total += hot.T @ hot
    return np.asarray(total.reshape(d, width, d, width) / n)


def _cells_test(
    real: Float[np.ndarray, "d k d k"], fake: Float[np.ndarray, "d k d k"], n: int, m: int
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    r"""The distance of two tables of dependence, and the p-value of Pearson's.

    With :math:`h = (1_a - \pi_a)(1_b - \pi_b)` the statistic is :math:`|\bar h_n - \bar h'_m|^2` in the metric
    :math:`1 / \pi_a \pi_b`; its null law has the mean :math:`(1/n + 1/m) \operatorname{tr} \Sigma` and the variance
    :math:`2 (1/n + 1/m)^2 \operatorname{tr} \Sigma^2`. Both traces are sums over the pooled table, because
    :math:`h(a, b) \cdot h(a', b') = (\delta_{aa'} / \pi_a - 1)(\delta_{bb'} / \pi_b - 1)`.
    """
    from scipy.stats import chi2

    pooled = (n * real + m * fake) / (n + m)
    c_real, c_fake, c = (x - np.multiply.outer(_marginal(x), _marginal(x)) for x in (real, fake, pooled))
    pi = _marginal(pooled)
    inverse = np.divide(1.0, pi, out=np.zeros_like(pi), where=pi > 0)
    weight = np.multiply.outer(inverse, inverse)
    own, cross = inverse - 1, inverse * (inverse - 2)
    present = (pi > 0).sum(1) - 2.0  # Σ π²·cross
    norm2 = _sum(c**2 * weight)
    trace = _sum(pooled * np.multiply.outer(own, own)) - norm2
    trace2 = _sum(pooled**2 * np.multiply.outer(cross, cross)) + np.add.outer(present, present) + 1
    trace2 += norm2**2 - 2 * _sum(pooled * (c * weight) ** 2)
    statistic = _sum((n / (n - 1) * c_real - m / (m - 1) * c_fake) ** 2 * weight) / (1 / n + 1 / m)
    rarest = np.where(pi > 0, pi, 1.0).min(1)
    random = (trace > 1e-9) & (trace2 > 1e-9)  # not so if a column is constant
    random &= np.multiply.outer(rarest, rarest) * min(n, m) >= 1  # else single patterns decide
    trace, trace2 = np.where(random, trace, 1.0), np.where(random, trace2, 1.0)
    p = np.where(random, chi2.sf(statistic * trace / trace2, trace**2 / trace2), 1.0)
    return _sum(np.abs(c_real - c_fake)) / 2, p


def _marginal(joint: Float[np.ndarray, "d k d k"]) -> Float[np.ndarray, "d k"]:
    d, k = joint.shape[:2]
    return np.asarray(np.diagonal(joint.reshape(d * k, d * k)).reshape(d, k))


def _sum(x: Float[np.ndarray, "d k d k"]) -> Float[np.ndarray, "d d"]:
    return np.asarray(x.sum((1, 3)))


def _correlations(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, "d d"]]:
    r"""Correlations, and n times their variances by the delta method, whatever the law.

    The influence of a pattern on :math:`\rho` is :math:`z_1 z_2 - \tfrac12 \rho (z_1^2 + z_2^2)`.
    """
    spread = x.std(0)
    z = np.divide(x - x.mean(0), spread, out=np.zeros_like(x), where=spread > 1e-9)
    n = len(x)
    rho = np.clip(z.T @ z / n, -1, 1)
    a, b = (z**2).T @ z**2 / n, (z**3).T @ z / n
    fourth = np.add.outer(np.diag(a), np.diag(a))
    return rho, np.maximum(a - rho * (b + b.T) + rho**2 * (fourth + 2 * a) / 4, 0.0)
