"""Are samples copied from the training data? Closer than held-out data are; near-duplicates beyond chance."""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.near_duplicates import SPACING, nearest, relative_distance, scan
from pushforward.auditing.repeated_copies import RepeatedCopies, repeated_copies
from pushforward.auditing.shares import clopper_pearson
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["Copying", "NearDuplicate", "copying"]

FEWEST = 20
"""Patterns of either kind, in a set and in a cell of the partition (Meehan et al. 2020)."""
MOST = 10_000
"""Of either kind in the tests; more are thinned at random. All training data are searched for near-duplicates."""
LISTED = 50
PICTURED = 12
NEIGHBOURS = 3


@dataclass(frozen=True)
class NearDuplicate:
    """A sample and its nearest training pattern.

    Arguments:
        sample: The sample's position.
        training: The training pattern's position.
        distance: Euclidean, between their features.
        relative: The same as a share of the distance to the tenth nearest training pattern.
    """

    sample: int
    training: int
    distance: float
    relative: float


@dataclass(frozen=True, eq=False)
class Copying:
    """Whether samples are copied from the training data.

    Arguments:
        closeness: Meehan's :math:`C_T`, below 0 where samples lie closer to training data than held-out data do.
            Its p-value is of that side. Copying does so, but so do blur and lack of variety.
        copies: The share of samples that are copies beyond chance, with the p-value of none.
        denser: Whether samples are nearest to one another more often than data are to data. Then samples repeat one
            another, or the data are no independent draws, of which alone the test of copies speaks.
        noticeable: The smallest share of copies that would have been noticed four times in five; ``nan`` if none would.
        duplicates: The closest pairs, by relative distance.
        neighbours: Of each of the first dozen samples the three nearest training patterns, nearest first.
        reference: ``training data``, or ``data`` where no training data were given.
        level: Of the tests.
    """

    closeness: Figure
    copies: Figure
    denser: bool
    noticeable: float
    duplicates: tuple[NearDuplicate, ...] = field(repr=False)
    neighbours: Int[np.ndarray, "samples k"] = field(repr=False)
    reference: str
    level: float

    @property
    def p_value(self) -> float:
        """Of no copies: that of :attr:`copies`, since :attr:`closeness` need not come from copying."""
        return 1.0 if self.copies.p_value is None else self.copies.p_value

    @property
    def copied(self) -> bool:
        """Whether there are more near-duplicates than independent samples of any law would have."""
        return self.p_value <= self.level

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "copied": self.copied,
            "p_value": self.p_value,
            "closeness": self.closeness.to_json(),
            "copies": self.copies.to_json(),
            "denser": self.denser,
            "noticeable": self.noticeable if math.isfinite(self.noticeable) else None,
            "reference": self.reference,
            "level": self.level,
            "duplicates": [asdict(pair) for pair in self.duplicates],
            "neighbours": self.neighbours.tolist(),
        }


def copying(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    train: Float[np.ndarray, "t d"] | None = None,
    level: float = 0.05,
    features: str = "columns",
) -> Copying:
    r"""Ask whether samples are copied from the training data.

    **Closeness** compares distances to the nearest training pattern, of samples and of held-out data, by Mann and
    Whitney's z in every cell of a k-means partition of the training data, averaged with the held-out data's shares:

    .. math:: C_T = \sum_\pi P_n(\pi) Z_U(\pi) \Big/ \sum_\pi P_n(\pi)

    over cells with enough of both (Meehan, Chaudhuri & Dasgupta 2020). Without ``train`` two random halves of ``real``
    serve as training and held-out data.

    **Copies** are counted among the closest pairs of pooled training patterns and samples, close in relation to local
    spacing: with label scores :math:`s` of mean 0 and variance 1, :math:`-\sum_{\text{pairs}} s_i s_j` is the number
    of pairs that join both kinds less what the pairs of one kind lead to expect. Independent samples of *any* law
    have at most 0 in expectation, since :math:`2pq \le p^2 + q^2`, so neither blur nor repeated rows pass for
    copying. The test is the largest :math:`z` over growing numbers of pairs, against relabellings; it is exact for
    equal laws and needs no held-out data. The share is the largest c, of any number of pairs, beside which the rest
    would join as relabelled ones typically do where they do so most: half of all independent samples show none.

    Samples that are the same, or nearly, are each other's nearest, and pairs of them count against the share. Half of
    the level is then spent on asking whether these are training patterns
    (:func:`~pushforward.auditing.repeated_copies.repeated_copies`). If they are, the share is that of these, all of
    them, and of the copies counted among the others. If they are not seen to be, but samples are nearest to one
    another more often than data are, the interval ends at 1: its lower end alone is then a limit.

    Arguments:
        real: Held-out features, shape ``(n, d)``, or all data there are.
        fake: Features of samples, shape ``(m, d)``.
        rng: Of the halves, the partition, the thinning and the relabellings.
        train: Features of the training data, shape ``(t, d)``.
        level: Of the tests; one minus the intervals' coverage.
        features: What the features are, for the figures' names.

    Raises:
        InputError: for fewer than 20 patterns, unequal widths or values that are not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> train, fake = rng.normal(size=(2, 400, 8))
        >>> fake[:40] = train[:40] + 0.01 * fake[:40]
        >>> result = copying(rng.normal(size=(400, 8)), fake, rng, train)
        >>> result.copied, sum(pair.sample < 40 for pair in result.duplicates[:40])
        (True, 40)
    """
    _check(real, fake, train)
    known = real if train is None else train
    reference = "data" if train is None else "training data"
    held_out, trained = (real, train) if train is not None else np.array_split(real[rng.permutation(len(real))], 2)
    tried, places = _thinned(fake, rng)
    duplicates, neighbours = _duplicates(known, fake, places)
    searched, _ = _thinned(known, rng)
    repeated = repeated_copies(searched, tried, SPACING)
    found = scan(searched, tried, rng, level if repeated is None else level / 2)
    one = len(known) / len(searched) / len(tried)  # a pair's share of the samples: thinning breaks pairs
    name = f"copies ({features}, nearest of {SPACING} neighbours, {reference} of {len(known):,})"
    p_value = found.p_value if repeated is None else min(1.0, 2 * min(found.p_value, repeated.p_value))
    counts = np.array([found.copies, found.low, found.high])
    if repeated is not None and repeated.p_value <= level / 2:
        counts = _with_repeated(searched, tried, repeated, rng, level)
    share, low, high = np.clip(counts * one, -1, 1).tolist()
    copies = Estimate(name, share, low, high, len(tried), "share", 1 - level, p_value=p_value)
    return Copying(
        closeness=closeness(_thinned(trained, rng)[0], _thinned(held_out, rng)[0], tried, rng, level, features),
        copies=Figure(copies, Null(found.null * one)),
        denser=found.denser,
        noticeable=found.noticeable * one if found.noticeable * one <= 1 else math.nan,
        duplicates=duplicates,
        neighbours=neighbours,
        reference=reference,
        level=level,
    )


def _with_repeated(
    known: Float[np.ndarray, "t d"],
    fake: Float[np.ndarray, "m d"],
    repeated: RepeatedCopies,
    rng: np.random.Generator,
    level: float,
) -> Float[np.ndarray, " ends"]:
    """How many samples are copies, at least and at most: those that repeat training patterns and those among others."""
    alone, m = fake[repeated.alone], len(fake)
    beside = np.array([0, 0, len(alone)])
    if len(alone) >= FEWEST:
        found = scan(known, alone, rng, level / 2)
        beside = np.clip([found.copies if found.low > 0 else 0, found.low, found.high], 0, len(alone))
    value, least, most = np.minimum(repeated.samples + beside + [0, 0, repeated.blurred], m)
    return np.array([value, m * clopper_pearson(least, m, level)[0], m * clopper_pearson(most, m, level)[1]])


def _check(real: np.ndarray, fake: np.ndarray, train: np.ndarray | None) -> None:
    sets = {"real": real, "fake": fake} | ({} if train is None else {"train": train})
    for what, x in sets.items():
        if x.ndim != 2 or x.shape[1] != real.shape[1]:
            raise InputError(
                f"{what} has features of shape {x.shape}, but real of {real.shape}: give all the same features, (N, d)"
            )
        fewest = 2 * FEWEST if what == "real" and train is None else FEWEST
        if len(x) < fewest:
            raise InputError(f"{what} has {len(x)} patterns, but a copying test needs {fewest}: draw or collect more")
        if not np.isfinite(x).all():
            raise InputError(f"the features of {what} hold values that are not finite: drop or fill them first")


def _thinned(x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Int[np.ndarray, " n"]]:
    """At most :data:`MOST` patterns, and their places."""
    places = np.arange(len(x)) if len(x) <= MOST else np.sort(rng.choice(len(x), MOST, replace=False))
    return x[places], places


def _duplicates(
    known: Float[np.ndarray, "t d"], fake: Float[np.ndarray, "m d"], places: Int[np.ndarray, " tried"]
) -> tuple[tuple[NearDuplicate, ...], Int[np.ndarray, "samples k"]]:
    """The closest pairs of the samples that are tried with all training data; the first samples' neighbours."""
    distance, index = nearest(fake[places], known, SPACING)
    relative = relative_distance(distance[:, 0], distance[:, -1])
    first = np.lexsort((distance[:, 0], relative))[:LISTED]
    listed = (NearDuplicate(int(places[i]), int(index[i, 0]), float(distance[i, 0]), float(relative[i])) for i in first)
    return tuple(listed), nearest(fake[:PICTURED], known, NEIGHBOURS)[1]


def closeness(
    train: Float[np.ndarray, "t d"],
    held_out: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    level: float,
    features: str,
) -> Figure:
    """C_T with the interval of its cells' Mann–Whitney statistics; its null law is normal."""
    from scipy.stats import norm

    cell_p, cell_q = _partition(train, held_out, fake, rng)
    to_p, to_q = nearest(held_out, train, 1)[0][:, 0], nearest(fake, train, 1)[0][:, 0]
    cells = [c for c in np.unique(cell_p) if min((cell_p == c).sum(), (cell_q == c).sum()) >= FEWEST]
    if not cells:  # samples and data share no region: one cell
        cell_p, cell_q, cells = np.zeros_like(cell_p), np.zeros_like(cell_q), [0]
    z, var = np.array([_mann_whitney(to_p[cell_p == c], to_q[cell_q == c]) for c in cells]).T
    weight = np.array([(cell_p == c).mean() for c in cells])
    weight /= weight.sum()
    value, sd, se = float(weight @ z), math.sqrt(weight @ weight), math.sqrt(weight**2 @ var)
    margin = _quantile(1 - level / 2) * se
    name = f"C_T ({features}, {len(cells)} cells, {len(train):,} to train, {len(held_out):,} held out)"
    estimate = Estimate(
        name, value, value - margin, value + margin, len(fake), level=1 - level, p_value=float(norm.cdf(value / sd))
    )
    return Figure(estimate, Null(norm.ppf((np.arange(999) + 0.5) / 999) * sd))


def _partition(
    train: Float[np.ndarray, "t d"],
    held_out: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """Cells of about a hundred patterns, from the training data alone."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    count = int(np.clip(min(len(train), len(held_out), len(fake)) // (5 * FEWEST), 1, FEWEST))
    means = KMeans(count, n_init=1, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than cells: fewer cells
        means.fit(train)
    return means.predict(held_out), means.predict(fake)


def _mann_whitney(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """The z of how often ``q`` exceeds ``p``, ties corrected, and its variance whatever the laws (DeLong 1988)."""
    from scipy.stats import rankdata

    n, m = len(p), len(q)
    ranks = rankdata(np.concatenate([p, q]))
    over_p = (ranks[n:] - rankdata(q)) / n  # the share of p below each of q
    below_q = 1 - (ranks[:n] - rankdata(p)) / m
    null = ranks.var(ddof=1) / (n * m * (n + m))
    area = over_p.mean() - 0.5
    if null == 0:
        return 0.0, 1.0
    return area / math.sqrt(null), (over_p.var(ddof=1) / m + below_q.var(ddof=1) / n) / null


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)
