"""What an audit of this many patterns would have noticed: without it, finding nothing says nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Resolution"]


@dataclass(frozen=True)
class Resolution:
    """The smallest differences that would have been revealed four times in five, each at the audit's level.

    Arguments:
        accuracy: Of a discriminator, on as many held-out patterns.
        missed_share: Of the data, forming a cluster of its own without a sample.
        unsupported_share: Of the samples, further out than all data.
        copied_share: Of the samples, being copies.
        level: Of each test.

    A share is ``nan`` where none, not even all, would have been noticed: of too few patterns, or of patterns all alike.
    """

    accuracy: float
    missed_share: float
    unsupported_share: float
    copied_share: float
    level: float

    @property
    def js(self) -> float:
        r"""The Jensen–Shannon divergence that this accuracy implies at least, in nats.

        An answer that is right with probability a carries :math:`\log 2 - H(a)` nats about which of the two
        laws a pattern is from, and no more than the pattern itself.

        Example:
            >>> round(Resolution(0.6, 0.01, 0.01, 0.01, 0.05).js, 4)
            0.0201
        """
        a = self.accuracy
        if math.isnan(a) or a >= 1:
            return math.nan if math.isnan(a) else math.log(2.0)
        return math.log(2.0) + a * math.log(a) + (1 - a) * math.log(1 - a)

    def sentence(self) -> str:
        """In words, for the end of a verdict."""
        found = {
            "a classifier right on {}": self.accuracy,
            "a separate group of {} of the data without a sample": self.missed_share,
            "{} of the samples far from all data": self.unsupported_share,
            "{} of them copied": self.copied_share,
        }
        known = [words.format(_percent(share)) for words, share in found.items() if math.isfinite(share)]
        if not known:
            return "Nothing would have been noticed four times in five: the patterns are too few, or all alike."
        listed = known[0] if len(known) == 1 else f"{', '.join(known[:-1])}, or {known[-1]}"
        return f"With this many patterns it would have noticed, four times in five, {listed}; less may have escaped it."

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``None`` where nothing would have been noticed."""
        values = {
            "accuracy": self.accuracy,
            "js_nats": self.js,
            "missed_share": self.missed_share,
            "unsupported_share": self.unsupported_share,
            "copied_share": self.copied_share,
        }
        known = {name: value if math.isfinite(value) else None for name, value in values.items()}
        return {**known, "power": 0.8, "level": self.level}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
