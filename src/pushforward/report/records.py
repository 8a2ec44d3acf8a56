"""What a report is told: plain records, from whatever trained or drew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pushforward.auditing.pit import PitCheck
from pushforward.auditing.ranking import Before
from pushforward.auditing.verdict import Audit
from pushforward.evidence import Estimate, LogLikelihood

__all__ = ["FamilyRecord", "Fan", "ReportData"]


@dataclass(frozen=True, eq=False)
class Fan:
    """A forecast of held-out steps.

    Arguments:
        columns: The variables' names.
        before: The steps that it went on from, ``(P, V)``, NaN where missing.
        truth: The steps that came, ``(H, V)``, idem.
        levels: Of the quantiles, symmetric around ½.
        quantiles: Of each step and variable, ``(levels, H, V)``.
    """

    columns: tuple[str, ...]
    before: np.ndarray = field(repr=False)
    truth: np.ndarray = field(repr=False)
    levels: tuple[float, ...]
    quantiles: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class FamilyRecord:
    """One generator: what it drew, how likely data are under it, how it learned.

    Arguments:
        name: The family's name, or that of the file its samples came from.
        samples: The array that was audited as ``fake``, ``(N, D)`` or pictures ``(N, H, W[, C])``, in order
            of drawing.
        likelihood: Of held-out data, where it was asked and can be answered.
        density: Whether it has one at all; ``False`` is said in so many words.
        gap: How much likelier training data are, where that could be asked.
        pit: Whether its conditionals are calibrated, where it has some.
        audit: How far its samples were told from the data.
        metrics: Rows ``{"step", "time", "losses": {player: value}, "held_out", "event"}``; the last two may
            be absent.
        configuration: Plain values that rebuild it.
        seconds: How long it trained.
        parameters: How many numbers it learnt.
        note: A sentence more.
        training: The data it learnt from, in the order in which the audit was given them, if it was.
        fan: A forecast of a series beside what came.
        unchecked: Why nobody looked whether its conditionals are calibrated, where it has some, in a sentence.
    """

    name: str
    samples: np.ndarray = field(repr=False)
    likelihood: LogLikelihood | None = None
    density: bool = True
    audit: Audit | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list, repr=False)
    configuration: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    parameters: int = 0
    note: str = ""
    gap: Estimate | None = None
    pit: PitCheck | None = None
    training: np.ndarray | None = field(default=None, repr=False)
    fan: Fan | None = field(default=None, repr=False)
    unchecked: str = ""


@dataclass(frozen=True, eq=False)
class ReportData:
    """All that one page shows.

    Arguments:
        title: What the data are called.
        data_description: One phrase, ``1,797 pictures of 8×8``.
        sizes: ``train``, ``validation``, ``test``: how many patterns of each; those that do not apply are
        absent.
        seed: Of everything that was drawn.
        real: Held-out patterns, ``(N, D)`` or pictures.
        columns: Names of the D columns; empty for pictures.
        families: At least one.
        baseline: The audit of two halves of the data themselves.
        ranking: Each audited family against the next.
        provenance: In this order: ``command``, versions, fingerprint, hardware, time. Beside these ``page``
            (its path) and ``resume`` (a command) close the terminal's table.
        json: Everything, for the button that saves it.
        notes: What else a reader should know.
        levels: For each column the names of its codes, none where it holds numbers; empty if all do.
    """

    title: str
    data_description: str
    sizes: dict[str, int]
    seed: int
    real: np.ndarray = field(repr=False)
    families: list[FamilyRecord]
    columns: tuple[str, ...] = ()
    baseline: Audit | None = None
    ranking: tuple[Before, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    json: dict[str, Any] = field(default_factory=dict, repr=False)
    notes: list[str] = field(default_factory=list)
    levels: tuple[tuple[str, ...], ...] = ()

    def levels_of(self, column: int) -> tuple[str, ...]:
        """The names of a column's codes, none where it holds numbers."""
        return self.levels[column] if self.levels else ()

    @property
    def pictures(self) -> bool:
        """Whether the patterns are pictures."""
        return self.real.ndim > 2

    @property
    def sizes_text(self) -> str:
        """The sizes as a phrase: ``1,437 to learn from, 180 to choose by, 180 kept for the verdict``."""
        phrases = {"train": "to learn from", "validation": "to choose by", "test": "kept for the verdict"}
        return ", ".join(f"{self.sizes[key]:,} {text}" for key, text in phrases.items() if self.sizes.get(key))
