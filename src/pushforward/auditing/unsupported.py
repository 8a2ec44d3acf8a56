"""Which samples lie where the data have no support."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.missed import EXAMPLES
from pushforward.auditing.patterns import check_features
from pushforward.auditing.shares import excess
from pushforward.auditing.shortfall import DRAWS, shortfall
from pushforward.evidence import Estimate

__all__ = ["Stray", "Unsupported", "unsupported"]

TAILS = 60


@dataclass(frozen=True)
class Stray:
    """A sample beyond the support.

    Arguments:
        position: Its position among the samples.
        score: How far it lies from the reference, as a multiple of the limit.
        p_value: Of being one more real pattern, alone: the share of calibrating ones that lie as far.
        nearest: The position of its nearest neighbour in the reference if one was given, else in the data.
    """

    position: int
    score: float
    p_value: float
    nearest: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Unsupported:
    """The samples without support.

    Arguments:
        share: The share of samples beyond the limit in excess of that of real patterns, with its null law and
            the p-value of equal laws against more samples at any of the furthest distances.
        samples: Those beyond the limit, the furthest first, at most 24; of any law about one in a hundred is.
        beyond: How many samples are beyond the limit.
        real_beyond: How many calibrating real patterns are.
        smallest_noticed_share: The smallest share of samples further out than all data that would be noticed
            four times in five; ``nan`` if none would.
    """

    share: Figure
    samples: tuple[Stray, ...]
    beyond: int
    real_beyond: int
    smallest_noticed_share: float

    @property
    def p_value(self) -> float:
        """Of equal laws."""
        return math.nan if self.share.p_value is None else self.share.p_value

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        smallest = self.smallest_noticed_share
        return {
            "share": self.share.to_json(),
            "samples": [sample.to_json() for sample in self.samples],
            "beyond": self.beyond,
            "real_beyond": self.real_beyond,
            "smallest_noticed_share": smallest if math.isfinite(smallest) else None,
        }


def unsupported(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    level: float = 0.05,
    features: str = "features",
    reference: Float[np.ndarray, "r d"] | None = None,
    k: int = 5,
) -> Unsupported:
    r"""Find samples further from data than data are from each other.

    A random half R of the data is the reference and the other calibrates, so that samples and calibrating
    patterns are measured alike. With :math:`d_j(x)` the distance to the j-th nearest pattern of R and
    :math:`\rho(r)` the mean distance of r to its k nearest others, the score is

    .. math:: s(x) = \max\Bigl\{\frac{d_k(x)}{\tau_1},\;
        \frac1{\tau_2} \frac{\sum_j d_j(x)}{\sum_j \rho(r_j(x))}\Bigr\},

    far in all or far for its neighbourhood (Breunig et al. 2000, simplified); each τ is exceeded by one in a
    hundred of R itself. Of both groups' scores the highest t, for up to 60 values of t, are tested for more
    samples than equal laws put there, exactly (:func:`~pushforward.auditing.shortfall.shortfall`). The excess of the
    share beyond 1 has Miettinen and Nurminen's (1985) interval, given R.

    Arguments:
        real: Features of data, shape ``(n, D)``.
        fake: Features of samples, shape ``(m, D)``.
        rng: Of the halves and the relabellings.
        level: Of the test, and one minus the interval's coverage.
        features: The features' name.
        reference: Other features of data, shape ``(r, D)``; then all of ``real`` calibrates.
        k: How many neighbours.

    Raises:
        InputError: The features cannot be compared.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> fake = rng.normal(size=(400, 2))
        >>> fake[:20] += 9.0
        >>> strays = unsupported(rng.normal(size=(400, 2)), fake, rng)
        >>> strays.p_value < 0.05, all(stray.position < 20 for stray in strays.samples[:15])
        (True, True)
    """
    check_features(real, fake)
    if reference is None:
        order = rng.permutation(len(real))
        kept, calibrating = order[: len(real) // 2], order[len(real) // 2 :]
        reference, real = real[kept], real[calibrating]
    else:
        check_features(reference, fake)
        kept = np.arange(len(reference))
    scores = _scores(reference, k)
    (of_real, _), (of_fake, nearest) = scores(real), scores(fake)
    p_value, smallest = _more_samples_far_out(of_real, of_fake, rng, level)
    a, b = int((of_real > 1).sum()), int((of_fake > 1).sum())
    name = f"samples beyond the support ({features}, k = {k}, n = {len(reference):,} reference)"
    n, m = len(real), len(fake)
    beyond = Estimate(name, b / m - a / n, *excess(b, m, a, n, level), n + m, "share", 1 - level, p_value=p_value)
    share = Figure(beyond, _null(b, m, a, n, rng))
    furthest = np.argsort(-of_fake, kind="stable")[: min(b, EXAMPLES)]
    samples = tuple(
        Stray(int(i), float(of_fake[i]), _rank(of_fake[i], of_real), int(kept[nearest[i]])) for i in furthest
    )
    return Unsupported(share, samples, b, a, smallest)


def _scores(
    reference: Float[np.ndarray, "r d"], k: int
) -> Callable[[Float[np.ndarray, "n d"]], tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]]:
    """The function from patterns to their scores and their nearest reference."""
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(k, len(reference) - 1)).fit(reference)
    own, neighbours = index.kneighbors()  # without the pattern itself
    spacing = own.mean(1)
    spacing = np.maximum(spacing, max(1e-3 * float(spacing.mean()), 1e-100))  # where values repeat it is 0

    def parts(distances: np.ndarray, nearest: np.ndarray) -> np.ndarray:
        return np.stack([distances[:, -1], distances.mean(1) / spacing[nearest].mean(1)])

    limits = np.maximum(np.quantile(parts(own, neighbours), 0.99, axis=1, keepdims=True), 1e-100)

    def scores(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distances, nearest = index.kneighbors(x)
        return (parts(distances, nearest) / limits).max(0), nearest[:, 0]

    return scores


def _more_samples_far_out(
    of_real: Float[np.ndarray, " n"], of_fake: Float[np.ndarray, " m"], rng: np.random.Generator, level: float
) -> tuple[float, float]:
    """The p-value of equal laws and the smallest share that would be noticed, over tails of the pooled scores."""
    n, m = len(of_real), len(of_fake)
    falling = np.sort(np.concatenate([of_real, of_fake]))[::-1]
    tails = np.unique(np.rint(np.geomspace(1, (n + m) / 3, TAILS)).astype(int))
    limits = -falling[tails - 1]  # ascending
    counts = [np.bincount(np.searchsorted(limits, -s), minlength=len(tails) + 1) for s in (of_fake, of_real)]
    nested: Bool[np.ndarray, "tails bins"] = np.tri(len(tails), len(tails) + 1, dtype=bool)
    tests = shortfall(counts[0], counts[1], nested, rng, level)
    return float(tests.adjusted.min()), tests.noticeable(tails, m, n)


def _null(b: int, m: int, a: int, n: int, rng: np.random.Generator) -> Null:
    """The excess where the same patterns are beyond, whosever they are."""
    draws = rng.hypergeometric(m, n, a + b, size=DRAWS) if a + b else np.zeros(DRAWS, int)
    return Null(draws / m - (a + b - draws) / n)


def _rank(score: float, of_real: Float[np.ndarray, " n"]) -> float:
    return float((1 + (of_real >= score).sum()) / (1 + len(of_real)))
