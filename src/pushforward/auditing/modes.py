"""Modes covered of how many, where the modes are known: by labels, or as the centres of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.patterns import check_features
from pushforward.auditing.reverse_kl import reverse_kl, reverse_kl_from
from pushforward.auditing.shares import clopper_pearson, wilson
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = [
    "AssignedModes",
    "Mode",
    "ModeCoverage",
    "assign_modes",
    "assigned_coverage",
    "mixture_modes",
    "mode_coverage",
]

FOLDS = 5


@dataclass(frozen=True)
class Mode:
    """One mode's counts.

    Arguments:
        name: Its label.
        real_count: How many real patterns it holds; ``None`` where its weight is known instead.
        fake_count: How many samples it holds.
        real_share: Its share of the data.
        fake_share: Its share of the samples.
        covered: Whether it has a sample; in a mixture, one of high quality; where a classifier named the modes, more
            samples than its mistakes explain.
        p_value: Of a fair share against too few samples, alone: Fisher's exact, or binomial for a known weight.
        adjusted_p_value: The same for all modes at once (Holm 1979).
        under_covered: Whether it is a discovery.
    """

    name: str
    real_count: int | None
    fake_count: int
    real_share: float
    fake_share: float
    covered: bool
    p_value: float
    adjusted_p_value: float
    under_covered: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class ModeCoverage:
    r"""How the samples spread over known modes.

    Arguments:
        modes: All modes of either set, in order.
        of: How many of them the data have.
        expected: How many of those equal laws would cover on average with this many samples.
        reverse_kl: :math:`\mathrm{KL}(q \| p)` of the samples' shares q from the data's p, in nats.
        high_quality: The share of samples close to a centre, where the modes are a mixture's.
        counted: Whether it is known which modes are covered.

    Example:
        >>> print(mode_coverage(["a", "b"] * 50, ["a"] * 100))
        1 of 2 modes (equal laws: 2.0); reverse KL 0.688 [0.518, 0.913] nats (estimate, n = 200)
    """

    modes: tuple[Mode, ...]
    of: int
    expected: float
    reverse_kl: Estimate
    high_quality: Figure | None = None
    counted: bool = True

    @property
    def covered(self) -> int:
        """How many of the data's modes are covered."""
        return sum(mode.covered for mode in self.modes if mode.real_share > 0)

    @property
    def missing(self) -> tuple[str, ...]:
        """The data's modes that are not covered, but for those that no pattern was given to."""
        return tuple(mode.name for mode in self.modes if mode.real_share > 0 and not mode.covered)

    @property
    def under_covered(self) -> tuple[str, ...]:
        """Modes with too few samples; with probability ``1 - level`` none is named by chance."""
        return tuple(mode.name for mode in self.modes if mode.under_covered)

    @property
    def p_value(self) -> float:
        """Of fair shares in all modes."""
        return min(mode.adjusted_p_value for mode in self.modes)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "covered": self.covered if self.counted else None,
            "of": self.of,
            "expected": self.expected,
            "missing": list(self.missing) if self.counted else None,
            "under_covered": list(self.under_covered),
            "p_value": self.p_value,
            "reverse_kl": self.reverse_kl.to_json(),
            "high_quality": None if self.high_quality is None else self.high_quality.to_json(),
            "modes": [mode.to_json() for mode in self.modes],
        }

    def __str__(self) -> str:
        quality = "" if self.high_quality is None else f"; {self.high_quality}"
        return f"{self.covered} of {self.of} modes (equal laws: {self.expected:.1f}); {self.reverse_kl}{quality}"


def mode_coverage(real_modes: Sequence[Any], fake_modes: Sequence[Any], level: float = 0.05) -> ModeCoverage:
    """Compare two sets of labels.

    The tests are exact but conservative: counts are discrete, and Holm allows for any dependence.

    Arguments:
        real_modes: Each real pattern's mode, shape ``(n,)``.
        fake_modes: Each sample's mode, shape ``(m,)``; if a classifier gave it, see :func:`assigned_coverage`.
        level: The chance of naming any mode under-covered if the laws are equal.

    Raises:
        InputError: There are no labels.

    Example:
        >>> mode_coverage([0, 1, 2] * 40, [0, 1] * 60).missing
        ('2',)
    """
    from scipy.stats import hypergeom

    if min(len(real_modes), len(fake_modes)) == 0:
        raise InputError("there are no labels of modes: give one for each pattern, real and fake")
    n, m = len(real_modes), len(fake_modes)
    names, index = np.unique(np.concatenate([np.asarray(real_modes), np.asarray(fake_modes)]), return_inverse=True)
    a, b = (np.bincount(part, minlength=len(names)) for part in (index[:n], index[n:]))
    p_values = hypergeom.cdf(b, n + m, a + b, m)
    expected = float(np.sum(1 - (1 - a / n) ** m))
    modes = _modes([str(name) for name in names], a.tolist(), a / n, b, b > 0, p_values, level)
    return ModeCoverage(modes, int((a > 0).sum()), expected, reverse_kl(b, a, level))


def mixture_modes(
    fake: Float[np.ndarray, "m d"],
    centres: Float[np.ndarray, "k d"],
    sd: float,
    level: float = 0.05,
    weights: Float[np.ndarray, " k"] | None = None,
) -> ModeCoverage:
    """Which components of a known mixture of spherical normals the samples cover.

    A sample belongs to the nearest centre and is of high quality within three standard deviations of it; a mode
    is covered if it has one of those (Srivastava et al. 2017; Lin et al. 2018).

    Arguments:
        fake: Samples, shape ``(m, D)``.
        centres: The components' means, shape ``(K, D)``.
        sd: Their standard deviation.
        level: The chance of naming any mode under-covered if the laws are equal.
        weights: Their weights, shape ``(K,)``; equal if not given.

    Raises:
        InputError: The widths differ.

    Example:
        >>> centres = np.array([[-4.0, 0.0], [4.0, 0.0]])
        >>> coverage = mixture_modes(centres[[0] * 100] + 0.1, centres, 0.1)
        >>> coverage.missing, coverage.high_quality.value
        (('1',), 1.0)
    """
    from scipy.spatial.distance import cdist
    from scipy.stats import binom, chi2

    if fake.ndim != 2 or len(fake) == 0 or fake.shape[1] != centres.shape[1]:
        raise InputError(
            f"the samples have shape {fake.shape}: give rows of {centres.shape[1]} columns, as the centres"
        )
    m, count = len(fake), len(centres)
    weights = np.full(count, 1 / count) if weights is None else weights / weights.sum()
    if len(weights) != count or not (weights > 0).all() or not sd > 0:
        raise InputError(f"sd = {sd} with {len(weights)} weights for {count} centres: give a positive sd and weights")
    distances = cdist(fake, centres)
    nearest, good = distances.argmin(1), distances.min(1) <= 3 * sd
    b = np.bincount(nearest, minlength=count)
    covered = np.bincount(nearest[good], minlength=count) > 0
    within = float(chi2.cdf(9, fake.shape[1]))
    modes = _modes([str(j) for j in range(count)], [None] * count, weights, b, covered, binom.cdf(b, m, weights), level)
    quality = Estimate(
        "samples within 3 sd of a mode", int(good.sum()) / m, *wilson(int(good.sum()), m, level), m, "share", 1 - level
    )
    null = Null(binom.ppf((np.arange(400) + 0.5) / 400, m, within) / m)
    expected = float(np.sum(1 - (1 - weights * within) ** m))
    return ModeCoverage(modes, count, expected, reverse_kl_from(b, weights, level), Figure(quality, null))


@dataclass(frozen=True, eq=False)
class AssignedModes:
    """Labels that a classifier gave, to data and samples alike.

    Arguments:
        real: For each real pattern, by a classifier that did not learn from it, shape ``(n,)``.
        fake: For each sample, by one of the same classifiers, shape ``(m,)``.
        error: The share of real patterns whose label it got wrong.
        true: The data's own labels, shape ``(n,)``.
    """

    real: np.ndarray
    fake: np.ndarray
    error: Estimate
    true: np.ndarray

    @property
    def guessing(self) -> float:
        """The share of labels that would be wrong if each were drawn by the modes' shares."""
        return float(1 - np.sum((np.unique(self.true, return_counts=True)[1] / len(self.true)) ** 2))

    @property
    def knows(self) -> bool:
        """Whether the classifier is less than half as often wrong as guessing: else the features do not show modes."""
        return self.error.value < self.guessing / 2

    @property
    def unnamed(self) -> tuple[str, ...]:
        """The modes that the classifier names none of the data."""
        return tuple(sorted(map(str, set(self.true.tolist()) - set(self.real.tolist()))))


def assign_modes(
    real: Float[np.ndarray, "n d"],
    real_modes: Sequence[Any],
    fake: Float[np.ndarray, "m d"],
    rng: np.random.Generator,
    level: float = 0.05,
) -> AssignedModes:
    """Label samples by logistic regression on features, and label the data in the same way.

    Real patterns are labelled by the classifier of the other four folds and each sample by that of a random
    fold, so that under equal laws both have the same errors. Compare the two labellings (:func:`assigned_coverage`),
    not the data's own with the samples': a class that is often mistaken would seem under-covered.

    Arguments:
        real: Features of data, shape ``(n, D)``.
        real_modes: Their modes, shape ``(n,)``.
        fake: Features of samples, shape ``(m, D)``.
        rng: Of the folds.
        level: One minus the coverage of the error's interval.

    Raises:
        InputError: The features cannot be compared, or there are fewer than two modes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> modes = np.repeat(["low", "high"], 50)
        >>> x = rng.normal(size=(100, 2)) + 8.0 * (modes == "high")[:, None]
        >>> assigned = assign_modes(x, modes, x[:40], rng)
        >>> assigned_coverage(assigned).missing
        ('high',)
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check_features(real, fake)
    labels = np.asarray(real_modes)
    if len(labels) != len(real) or len(np.unique(labels)) < 2:
        raise InputError(f"{len(labels)} labels of modes for {len(real)} real patterns: give one each, of two or more")
    fold, fold_of_fake = (rng.permutation(np.arange(count) % FOLDS) for count in (len(real), len(fake)))
    of_real, of_fake = labels.copy(), np.empty(len(fake), labels.dtype)
    for f in range(FOLDS):
        several = len(np.unique(labels[fold != f])) > 1  # not so if the fold holds all of the rarer of two
        learner = LogisticRegression(max_iter=1000) if several else DummyClassifier()
        classifier = make_pipeline(StandardScaler(), learner)
        classifier.fit(real[fold != f], labels[fold != f])
        of_real[fold == f] = classifier.predict(real[fold == f])
        if (fold_of_fake == f).any():
            of_fake[fold_of_fake == f] = classifier.predict(fake[fold_of_fake == f])
    wrong = int((of_real != labels).sum())
    low, high = clopper_pearson(wrong, len(labels), level)
    name = f"labels that logistic regression gets wrong ({FOLDS} folds)"
    return AssignedModes(
        of_real, of_fake, Estimate(name, wrong / len(labels), low, high, len(labels), "share", 1 - level), labels
    )


def assigned_coverage(assigned: AssignedModes, level: float = 0.05) -> ModeCoverage:
    r"""Compare labels that a classifier gave, and count as covered what its mistakes do not explain.

    Samples without mode k would be called k as often as the data of the other modes are, mixed as the samples are:

    .. math:: f_k = \sum_{j \ne k} \frac{b_j}{m - b_k} \frac{C_{jk}}{n_j},

    with :math:`b` the samples' labels, :math:`m` their number, and :math:`C_{jk}` of the :math:`n_j` data of mode j
    called k by a classifier that did not learn from them. Mode k is covered if :math:`b_k` of m is more than
    :math:`f_k (n - n_k)` of :math:`n - n_k` by Fisher's exact test at the level, each mode alone. Modes that the
    classifier never names count among those that the data have, and are not covered. Of a classifier that hardly knows
    the modes nothing is counted; that too few samples are called by a name remains a test, as its mistakes are the
    same on both sides under equal laws.

    Arguments:
        assigned: Labels of data and samples.
        level: Of each test of coverage; the chance of naming any mode under-covered if the laws are equal.

    Example:
        >>> true = np.repeat(["a", "b"], 50)
        >>> called = np.where(np.arange(100) < 10, "b", true)  # a fifth of a
        >>> error = Estimate("wrong", 0.1, 0.05, 0.18, 100, "share")
        >>> assigned_coverage(AssignedModes(called, called[:50], error, true)).covered
        1
    """
    from scipy.stats import binom, hypergeom

    names, true = np.unique(assigned.true, return_inverse=True)
    called, of_fake = (np.searchsorted(names, labels) for labels in (assigned.real, assigned.fake))
    n, m, count = len(true), len(of_fake), len(names)
    a, b = (np.bincount(labels, minlength=count) for labels in (called, of_fake))
    others = n - np.bincount(true, minlength=count)
    mistaken = np.ceil(_mistaken_share(true, called, b) * others - 1e-9).astype(int)
    least = _least_covered(mistaken, others, m, level)
    expected = float(np.sum(binom.sf(least - 1, m, a / n)))
    p_values = hypergeom.cdf(b, n + m, a + b, m)
    modes = _modes([str(name) for name in names], a.tolist(), a / n, b, b >= least, p_values, level)
    named = a + b > 0
    return ModeCoverage(modes, count, expected, reverse_kl(b[named], a[named], level), counted=assigned.knows)


def _mistaken_share(
    true: Int[np.ndarray, " n"], called: Int[np.ndarray, " n"], b: Int[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """How often each mode's name would be given to patterns of the others, mixed as the samples ``b`` are."""
    confused = np.zeros((len(b), len(b)))
    np.add.at(confused, (true, called), 1.0)
    confused /= confused.sum(1, keepdims=True)
    right = np.diag(confused)
    return np.asarray((b @ confused - b * right) / np.maximum(1, b.sum() - b))


def _least_covered(
    mistaken: Int[np.ndarray, " k"], others: Int[np.ndarray, " k"], m: int, level: float
) -> Int[np.ndarray, " k"]:
    """The fewest of m samples that are more than ``mistaken`` of ``others`` data explain; m + 1 if none are enough."""
    from scipy.stats import hypergeom

    low, high = np.zeros_like(others), np.full_like(others, m + 1)
    while bool((high - low > 1).any()):
        middle = (low + high) // 2
        enough = hypergeom.sf(middle - 1, m + others, middle + mistaken, m) <= level
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _modes(
    names: list[str],
    real_counts: list[int] | list[None],
    real_shares: Float[np.ndarray, " k"],
    fake_counts: Int[np.ndarray, " k"],
    covered: Bool[np.ndarray, " k"],
    p_values: Float[np.ndarray, " k"],
    level: float,
) -> tuple[Mode, ...]:
    adjusted = _holm(p_values)
    m = int(fake_counts.sum())
    return tuple(
        Mode(
            name, real_counts[j], int(fake_counts[j]), float(real_shares[j]), int(fake_counts[j]) / m,
            bool(covered[j]), float(p_values[j]), float(adjusted[j]), bool(adjusted[j] <= level),
        )
        for j, name in enumerate(names)
    )  # fmt: skip


def _holm(p_values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Holm's (1979) adjusted p-values: the i-th smallest of K times K − i + 1, made rising."""
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
