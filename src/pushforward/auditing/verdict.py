"""What an audit found, in figures and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.classifier_test import ClassifierTest
from pushforward.auditing.columns import ColumnDifference
from pushforward.auditing.copying import Copying
from pushforward.auditing.figure import Figure
from pushforward.auditing.frechet import Frechet
from pushforward.auditing.kernel import KernelTests
from pushforward.auditing.missed import Missed
from pushforward.auditing.modes import ModeCoverage
from pushforward.auditing.pairs import TableDifferences
from pushforward.auditing.resolution import Resolution
from pushforward.auditing.support import Support
from pushforward.auditing.unsupported import Unsupported
from pushforward.auditing.wording import (
    copying_sentence,
    missed_sentence,
    modes_sentence,
    p_text,
    percent,
    unsupported_sentence,
)
from pushforward.evidence import Estimate

__all__ = ["Answer", "Audit", "classifiers_share"]


@dataclass(frozen=True, eq=False)
class Answer:
    """One of the four questions, answered.

    Arguments:
        question: In a few words.
        found: Whether there is such a difference, at the audit's level.
        figure: The figure that answers it.
        p_value: Of no such difference.
        sentence: The answer in words.
    """

    question: str
    found: bool
    figure: Figure
    p_value: float
    sentence: str


@dataclass(frozen=True, eq=False)
class Audit:
    """Whether samples can be told from data, what they miss, what they invent, and what they copy.

    Arguments:
        classifiers: The classifier two-sample test.
        kernel: Kernel and transport distances, as one test and each alone.
        frechet: The Fréchet distance of the features.
        support: Precision, recall, density and coverage.
        missed: Clusters of data that the samples under-cover.
        unsupported: Samples where the data have no support.
        copying: Whether samples are copied.
        table: For tables, the columns and pairs of columns that differ.
        modes: Where the data's modes are known, which of them the samples cover.
        features: What the features are.
        level: Of each test; one minus the intervals' coverage.
        real: Which patterns of the classifiers' pool are real.
        n_real: How many real patterns were judged or served otherwise.
        n_fake: How many samples.
        notes: What else a reader should know.
        kept: Positions, in what was given, of the patterns that were audited: ``real``, ``fake``, ``train_real`` …;
            every other position counts these.
    """

    classifiers: ClassifierTest
    kernel: KernelTests
    frechet: Frechet
    support: Support
    missed: Missed
    unsupported: Unsupported
    copying: Copying
    table: TableDifferences | None
    modes: ModeCoverage | None
    resolution: Resolution
    features: str
    level: float
    real: Bool[np.ndarray, " n"] = field(repr=False)
    n_real: int
    n_fake: int
    notes: tuple[str, ...] = ()
    kept: Mapping[str, Int[np.ndarray, " n"]] = field(default_factory=dict, repr=False)

    @property
    def p_value(self) -> float:
        """Of equal laws: of two tests, each with its share of the level (weighted Bonferroni, Holm 1979)."""
        return min(1.0, *self._weighted)

    @property
    def _weighted(self) -> tuple[float, float]:
        """The classifiers' p-value and the distances', each over its share of the level."""
        share = classifiers_share(self.table is not None)
        return self.classifiers.p_value / share, self.kernel.p_value / (1 - share)

    @property
    def distinguishable(self) -> bool:
        """Whether equal laws are rejected at the level."""
        return self.p_value <= self.level

    @property
    def classifier(self) -> Estimate:
        """The combined discriminator's accuracy, with the p-value of all that were tried."""
        return self.classifiers.accuracy.estimate

    @property
    def js(self) -> Estimate:
        """The Jensen–Shannon divergence's lower bound, in nats."""
        return self.classifiers.js.estimate

    @property
    def share_of_log2(self) -> float:
        """The bound as a share of log 2, the divergence of laws that never overlap."""
        return self.js.value / math.log(2.0)

    @property
    def n_test(self) -> int:
        """How many patterns the discriminators answered on."""
        return self.classifiers.n_test

    @property
    def columns(self) -> tuple[ColumnDifference, ...]:
        """For tables, the columns by their distance."""
        return () if self.table is None else self.table.columns

    @property
    def log_odds_real(self) -> Float[np.ndarray, " n"]:
        """The combined log-odds of being real, for each held-out real pattern."""
        return np.asarray(self.classifiers.log_odds[self._judged_real])

    @property
    def log_odds_fake(self) -> Float[np.ndarray, " n"]:
        """The same for each held-out fake pattern."""
        return np.asarray(self.classifiers.log_odds[~self._judged_real])

    @property
    def index_real(self) -> Int[np.ndarray, " n"]:
        """Where each held-out real pattern stands among those audited."""
        return np.asarray(self.classifiers.position[self._judged_real])

    @property
    def index_fake(self) -> Int[np.ndarray, " n"]:
        """Where each held-out fake pattern stands among those audited."""
        return np.asarray(self.classifiers.position[~self._judged_real]) - self.n_real

    @property
    def _judged_real(self) -> Bool[np.ndarray, " n"]:
        return np.asarray(self.real[self.classifiers.position])

    def answers(self) -> tuple[Answer, ...]:
        """The four questions: told apart, missed, invented, copied; each at the audit's level."""
        return (
            Answer("told apart", self.distinguishable, self.classifiers.accuracy, self.p_value, self._told()),
            Answer(
                "missed",
                bool(self.missed.clusters),
                Figure(self.missed.lost),
                self.missed.p_value,
                missed_sentence(self.missed),
            ),
            Answer(
                "without support",
                self.unsupported.p_value <= self.level,
                self.unsupported.share,
                self.unsupported.p_value,
                unsupported_sentence(self.unsupported, self.level),
            ),
            Answer(
                "copied", self.copying.copied, self.copying.copies, self.copying.p_value, copying_sentence(self.copying)
            ),
        )

    def verdict(self) -> str:
        """One paragraph: told apart or not, at which level, by which evidence, and what would have been noticed."""
        told, *others = (answer.sentence for answer in self.answers())
        modes = "" if self.modes is None else modes_sentence(self.modes)
        return " ".join(filter(None, [told, modes, *others, self.resolution.sentence()]))

    def strongest(self) -> str:
        """What speaks most clearly against equal laws: the best of the test that decides the p-value, or of both.

        Both where neither classifiers nor distances are outdone by a relabelling, for their p-values are then as small
        as relabelling can make them and say no more.
        """
        best = self.classifiers.strongest
        classifier = f"a classifier ({best}, right on {percent(self.classifiers.each[best].estimate)})"
        if self.classifiers.clear and self.kernel.clear:
            return f"{classifier} and {self.kernel.strongest}, alike: no relabelling goes as far in either"
        of_classifiers, of_distances = self._weighted
        return classifier if of_classifiers < of_distances else self.kernel.strongest

    def _told(self) -> str:
        right = (
            f"a classifier was right on {percent(self.classifier)} of {self.n_test:,} held-out patterns "
            "where guessing gives 50 %"
        )
        if not self.distinguishable:
            return (
                f"At the {100 * self.level:.2g} % level the samples were not told from the data "
                f"({p_text(self.p_value)}): {right}, and kernel distances do not tell them apart either."
            )
        return (
            f"The samples can be told from the data ({p_text(self.p_value)}): {right}. {self._divergence()} "
            f"The strongest evidence is {self.strongest()}."
        )

    def _divergence(self) -> str:
        if self.js.low <= 0:
            return "How far apart these answers do not say: the divergence's lower bound includes 0."
        bound = f"{self.js.value:.3f} [{self.js.low:.3f}, {self.js.high:.3f}] nats"
        return (
            f"The Jensen–Shannon divergence of the two laws has the lower bound {bound}, "
            f"{100 * self.share_of_log2:.0f} % of its greatest value log 2."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values: the figures, the verdict and what they rest on."""
        accuracy, js = self.classifiers.accuracy.to_json(), self.classifiers.js.to_json()
        return {
            "verdict": self.verdict(),
            "distinguishable": self.distinguishable,
            "p_value": self.p_value,
            "level": self.level,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "n_test": self.n_test,
            "n_train": self.classifiers.n_train,
            "features": self.features,
            "classifier": {**accuracy, "accuracy": accuracy["value"], **self.classifiers.to_json()},
            "js_lower_bound": {**js, "nats": js["value"], "share_of_log2": self.share_of_log2},
            "kernel": self.kernel.to_json(),
            "frechet": self.frechet.to_json(),
            "support": self.support.to_json(),
            "missed": self.missed.to_json(),
            "unsupported": self.unsupported.to_json(),
            "copying": self.copying.to_json(),
            "modes": None if self.modes is None else self.modes.to_json(),
            "table": None if self.table is None else self.table.to_json(),
            "resolution": self.resolution.to_json(),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return "\n".join([self.verdict(), *self.notes])


def classifiers_share(rows: bool) -> float:
    """The classifiers' share of the level; the kernels have the rest.

    On rows kernels see more with the same patterns, on pictures the network that learns its own features does.
    """
    return 0.1 if rows else 0.8
