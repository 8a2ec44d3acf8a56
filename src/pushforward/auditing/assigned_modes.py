"""Modes of samples that a classifier names, where they carry no labels, and what its mistakes explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pushforward.auditing.modes import ModeCoverage, compared_modes
from pushforward.auditing.patterns import check_features
from pushforward.auditing.reverse_kl import reverse_kl
from pushforward.auditing.shares import clopper_pearson
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["AssignedModes", "assign_modes", "assigned_coverage"]

FOLDS = 5


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
    modes = compared_modes([str(name) for name in names], a.tolist(), a / n, b, b >= least, p_values, level)
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
