"""What an audit found, in figures and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from pushforward.auditing.columns import ColumnDifference
from pushforward.evidence import Estimate

__all__ = ["Audit", "p_text", "percent"]


@dataclass(frozen=True, eq=False)
class Audit:
    """Whether, and how far, samples can be told from data.

    Arguments:
        classifier: The share of held-out patterns that a discriminator named rightly, with the test's
            p-value.
        js: The Jensen–Shannon divergence's lower bound from the same answers, in nats.
        distinguishable: Whether the test rejects equal laws at ``level``.
        noticeable: The smallest accuracy that this many answers would have revealed four times in five.
        level: Of the test; one minus the intervals' coverage.
        classifier_name: What the discriminator was.
        n_train: How many patterns it learnt from, half of them real.
        n_test: How many it answered on, half of them real.
        log_odds_real: Its calibrated log-odds of being real, for each held-out real pattern.
        log_odds_fake: The same for each held-out fake pattern.
        index_real: Where each held-out real pattern stands in what was given.
        index_fake: Where each held-out fake pattern stands in what was given.
        columns: For tables, the columns by their distance.
        notes: What else a reader should know.
    """

    classifier: Estimate
    js: Estimate
    distinguishable: bool
    noticeable: float
    level: float
    classifier_name: str
    n_train: int
    n_test: int
    log_odds_real: Float[np.ndarray, " n"] = field(repr=False)
    log_odds_fake: Float[np.ndarray, " n"] = field(repr=False)
    index_real: Int[np.ndarray, " n"] = field(repr=False)
    index_fake: Int[np.ndarray, " n"] = field(repr=False)
    columns: tuple[ColumnDifference, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def share_of_log2(self) -> float:
        """The bound as a share of log 2, the divergence of laws that never overlap."""
        return self.js.value / math.log(2.0)

    def verdict(self) -> str:
        """One paragraph: told apart or not, by how much, and what would have been noticed."""
        right = (
            f"A classifier ({self.classifier_name}) was right on {percent(self.classifier)} "
            f"of {self.n_test:,} held-out patterns"
        )
        p = p_text(self.classifier.p_value)
        power = f"With this many it would have noticed, four times in five, being right on {self.noticeable:.0%}"
        if self.distinguishable:
            found = f"where guessing gives 50% ({p}): the samples can be told from the data"
            text = f"{right}, {found}. {self._divergence()} {power}."
        else:
            found = f"which chance explains ({p}): it did not tell the samples from the data"
            text = f"{right}, {found}. {power}; a smaller difference may have escaped it."
        return text.replace("%", " %")

    def _divergence(self) -> str:
        if self.js.low <= 0:
            return "How far apart these answers do not say: the divergence's lower bound includes 0."
        interval = f"[{self.js.low:.3f}, {self.js.high:.3f}]"
        return (
            f"The Jensen–Shannon divergence of the two laws has the lower bound {self.js.value:.3f} "
            f"{interval} nats, {self.share_of_log2:.0%} of its greatest value log 2."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values: the figures, the verdict and what they rest on."""
        accuracy, js = self.classifier.to_json(), self.js.to_json()
        return {
            "classifier": {
                "name": self.classifier_name,
                "accuracy": accuracy["value"],
                **{key: accuracy[key] for key in ("low", "high", "p_value", "n")},
            },
            "js_lower_bound": {
                "nats": js["value"],
                **{key: js[key] for key in ("low", "high", "n")},
                "share_of_log2": self.share_of_log2,
            },
            "distinguishable": self.distinguishable,
            "noticeable": self.noticeable,
            "level": self.level,
            "n_train": self.n_train,
            "n_test": self.n_test,
            "columns": [column.to_json() for column in self.columns],
            "notes": list(self.notes),
            "verdict": self.verdict(),
        }

    def __str__(self) -> str:
        return "\n".join([self.verdict(), *self.notes])


def percent(share: Estimate) -> str:
    """A share with its interval, as a person writes it: ``58% [53, 63]``."""
    return f"{share.value:.0%} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def p_text(p_value: float | None) -> str:
    """A p-value as papers write it.

    Example:
        >>> p_text(0.3012), p_text(0.041), p_text(1e-9)
        ('p = .30', 'p = .041', 'p < .001')
    """
    if p_value is None:
        return "p unknown"
    if p_value < 0.001:
        return "p < .001"
    return f"p = {p_value:.3f}".replace("0.", ".") if p_value < 0.1 else f"p = {p_value:.2f}".replace("0.", ".")
