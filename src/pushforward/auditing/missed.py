"""Which real patterns are missed: clusters of data that the samples under-cover."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.patterns import check_features
from pushforward.auditing.shares import clopper_pearson, excess, share_ratio
from pushforward.auditing.shortfall import Shortfall, shortfall
from pushforward.evidence import Estimate

__all__ = ["EXAMPLES", "Cluster", "Missed", "missed"]

EXAMPLES = 24
MOST_FITTED = 10_000


@dataclass(frozen=True, eq=False)
class Cluster:
    """A region where the samples are too few.

    Arguments:
        real_count: How many real patterns lie there.
        fake_count: How many samples do.
        real_share: ``real_count`` as a share of the data.
        fake_share: ``fake_count`` as a share of the samples.
        ratio: ``fake_share / real_share``; the intervals of all clusters that were tested hold at once.
        p_value: Of equal shares against too few samples, for this cluster alone (Fisher's exact test).
        adjusted_p_value: The chance that equal laws show any such cluster.
        examples: Positions of real members, the most central first, at most 24.
        centre: The mean of all members, shape ``(D,)``.
    """

    real_count: int
    fake_count: int
    real_share: float
    fake_share: float
    ratio: Estimate
    p_value: float
    adjusted_p_value: float
    examples: tuple[int, ...]
    centre: Float[np.ndarray, " d"] = field(repr=False)

    @property
    def lost(self) -> float:
        """How much of the data's mass the samples lack here."""
        return self.real_share - self.fake_share

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the centre."""
        return {
            "real_count": self.real_count,
            "fake_count": self.fake_count,
            "real_share": self.real_share,
            "fake_share": self.fake_share,
            "lost": self.lost,
            "ratio": self.ratio.to_json(),
            "p_value": self.p_value,
            "adjusted_p_value": self.adjusted_p_value,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, eq=False)
class Missed:
    """What the samples miss. Intervals of shares take the missed clusters as given.

    Arguments:
        share: The share of the data in missed clusters, with the p-value of equal laws. Where none was found
            the upper end is the share that, were it missing, would have been noticed with the interval's level.
        held: The share of the samples in missed clusters.
        lost: How much less that is than the data's: the mass that the samples lack there.
        clusters: Disjoint missed clusters, the greatest loss first; with probability ``1 - level`` none is by chance.
        tested: How many clusters were tested.
        smallest_missed_share: The smallest share of the data that, forming a cluster of which the samples had
            nothing, would be noticed four times in five; ``nan`` if none would.
    """

    share: Estimate
    held: Estimate
    lost: Estimate
    clusters: tuple[Cluster, ...]
    tested: int
    smallest_missed_share: float

    @property
    def p_value(self) -> float:
        """Of equal laws."""
        return math.nan if self.share.p_value is None else self.share.p_value

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        smallest = self.smallest_missed_share
        return {
            "share": self.share.to_json(),
            "held": self.held.to_json(),
            "lost": self.lost.to_json(),
            "p_value": self.p_value,
            "clusters": [cluster.to_json() for cluster in self.clusters],
            "tested": self.tested,
            "smallest_missed_share": smallest if math.isfinite(smallest) else None,
        }


def missed(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    level: float = 0.05,
    features: str = "features",
) -> Missed:
    r"""Find clusters of data that the samples under-cover, at every scale that the sizes can resolve.

    All patterns are clustered without their labels (k-means, about twenty of the smaller set to a cluster) and
    the clusters joined by Ward's tree. Given the tree, equal laws make every way to label the patterns equally
    likely, so that the samples' count in a node is hypergeometric. The smallest p-value of all nodes is
    calibrated by relabelling (:func:`~pushforward.auditing.shortfall.shortfall`), which controls the chance of
    *any* false discovery: a cluster that is named missed will be looked at and acted on. Of nested discoveries
    the surest is kept.

    Arguments:
        real: Features of data, shape ``(n, D)``.
        fake: Features of samples, shape ``(m, D)``.
        rng: Of the clustering and the relabellings.
        level: The chance of naming any cluster if the laws are equal.
        features: The features' name.

    Raises:
        InputError: The features cannot be compared.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real = rng.normal(size=(400, 2)) + 9 * rng.integers(4, size=(400, 1))
        >>> lost = missed(real, real[real[:, 0] < 22] + 0.1, rng)
        >>> [cluster.fake_count for cluster in lost.clusters]
        [0]
    """
    check_features(real, fake)
    n, m = len(real), len(fake)
    pooled = np.concatenate([real, fake])
    leaf, nodes = _tree(pooled, max(2, min(min(n, m) // 20, 100)), rng)
    counts = [np.bincount(part, minlength=nodes.shape[1]) for part in (leaf[:n], leaf[n:])]
    tests = shortfall(counts[0], counts[1], nodes, rng, level)
    tested = len(nodes)
    clusters = [
        _cluster(pooled, n, nodes[j][leaf], tests.p_values[j], tests.adjusted[j], tests.critical)
        for j in _disjoint(tests, nodes, level)
    ]
    clusters.sort(key=lambda cluster: -cluster.lost)
    a, b = (sum(counts) for counts in ([c.real_count for c in clusters], [c.fake_count for c in clusters]))
    smallest, surely = (tests.noticeable(np.arange(1, n + 1), n, m, power) for power in (0.8, 1 - level))
    nothing = 0.0, 1.0 if math.isnan(surely) else surely
    p_value = float(tests.adjusted.min(initial=1.0))
    share, held, lost = (
        Estimate(f"{what} missed clusters ({features}, {tested} clusters)", *ends, size, "share", 1 - level, p_value=p)
        for what, ends, size, p in (
            ("data in", (a / n, *(clopper_pearson(a, n, level) if clusters else nothing)), n, p_value),
            ("samples in", (b / m, *clopper_pearson(b, m, level)), m, None),
            ("data lost in", (a / n - b / m, *(excess(a, n, b, m, level) if clusters else nothing)), n, p_value),
        )
    )
    return Missed(share, held, lost, tuple(clusters), tested, smallest)


def _tree(
    pooled: Float[np.ndarray, "n d"], leaves: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, "nodes leaves"]]:
    """Each pattern's leaf, and the leaves below each node of Ward's tree; labels and order play no part."""
    from scipy.cluster.hierarchy import linkage
    from sklearn.cluster import KMeans

    fitted = pooled[rng.permutation(len(pooled))[:MOST_FITTED]]
    leaves = min(leaves, len(np.unique(fitted, axis=0)))
    seed = int(rng.integers(2**31))
    means = KMeans(leaves, n_init=1, random_state=seed).fit(fitted)
    nodes = list(np.eye(leaves, dtype=bool))
    if leaves > 2:
        for a, b in linkage(means.cluster_centers_, "ward")[:-1, :2].astype(int):  # the root holds everything
            nodes.append(nodes[a] | nodes[b])
    return np.asarray(means.predict(pooled)), np.array(nodes)


def _disjoint(tests: Shortfall, nodes: Bool[np.ndarray, "nodes leaves"], level: float) -> list[int]:
    """The discoveries from the surest on, without those that share a leaf with a surer one."""
    kept: list[int] = []
    taken = np.zeros(nodes.shape[1], bool)
    for j in np.lexsort((tests.p_values, tests.adjusted)):
        if tests.adjusted[j] <= level and not (taken & nodes[j]).any():
            kept.append(int(j))
            taken |= nodes[j]
    return kept


def _cluster(
    pooled: Float[np.ndarray, "n_plus_m d"],
    n: int,
    member: Bool[np.ndarray, " n_plus_m"],
    p_value: float,
    adjusted: float,
    level: float,
) -> Cluster:
    a, b, m = int(member[:n].sum()), int(member[n:].sum()), len(pooled) - n
    centre = pooled[member].mean(0)
    positions = np.flatnonzero(member[:n])
    nearest = np.argsort(((pooled[positions] - centre) ** 2).sum(1), kind="stable")
    examples = tuple(int(i) for i in positions[nearest[:EXAMPLES]])
    return Cluster(
        a, b, a / n, b / m, share_ratio(b, m, a, n, level), float(p_value), float(adjusted), examples, centre
    )
