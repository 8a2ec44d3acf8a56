"""The verdict: a paragraph, then four answers for each family, each figure beside its law under equal laws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pushforward.auditing.ranking import Before
from pushforward.auditing.resolution import Resolution
from pushforward.auditing.verdict import Answer, Audit
from pushforward.auditing.wording import p_text, percent
from pushforward.report.figures import frame, shown
from pushforward.report.plots import Axis
from pushforward.report.records import ReportData

__all__ = ["ranked", "view"]

HALVES = "two halves of the data"
NO_FAULTS = "None of them misses, invents or copies more than chance explains."
PARTS = ("accuracy", "missed_share", "unsupported_share", "copied_share")


def view(data: ReportData) -> dict[str, Any] | None:
    """The paragraph, and a block of four answers for each audited family."""
    audits = {family.name: family.audit for family in data.families if family.audit is not None}
    if not audits:
        return {"paragraph": "No verdict.", "blocks": [], "notes": data.notes} if data.notes else None
    only = next(iter(audits.values()))
    blocks = [*audits.items(), *([(HALVES, data.baseline)] if data.baseline is not None else [])]
    answers = [audit.answers() for _, audit in blocks]
    axes = [frame([answer.figure for answer in alike]) for alike in zip(*answers, strict=True)]
    several = len(audits) > 1
    return {
        "paragraph": _paragraph(audits, data.ranking) if several else only.verdict(),
        "blocks": [
            {"name": name, "cards": [_card(a, on, audit.level) for a, on in zip(found, axes, strict=True)]}
            for (name, audit), found in zip(blocks, answers, strict=True)
        ],
        "named": len(blocks) > 1,
        "level": f"{100 * only.level:.2g} %",
        "interval": f"{100 * (1 - only.level):.3g} %",
        "resolution": _weakest(list(audits.values())).sentence() if several else "",
        "notes": [*data.notes, *_notes(audits)],
    }


def _card(answer: Answer, on: Axis, level: float) -> dict[str, Any]:
    return {
        "question": f"{answer.question.capitalize()}?",
        "found": answer.found,
        "p": p_text(answer.p_value),
        "figure": shown(answer.figure, level, answer.question, on),
    }


def _paragraph(audits: dict[str, Audit], ranking: tuple[Before, ...]) -> str:
    """Who was told apart, who is nearer to the data, who misses, invents or copies."""
    told = [_right(name, audit) for name, audit in audits.items() if audit.distinguishable]
    equal = [f"{name} ({p_text(audit.p_value)})" for name, audit in audits.items() if not audit.distinguishable]
    sentences = [f"Told from the data: {_listed(told)}." if told else "No family was told from the data."]
    if told and equal:
        sentences.append(f"Not told from them: {_listed(equal)}.")
    if ranking:
        sentences.append(f"The nearest to the data first: {ranked(ranking)}.")
    faults = [
        _by("Groups of the data are missed by {}.", audits, 1, lambda a: f"{percent(a.missed.lost)} of the data"),
        _by("Samples far from all data come from {}.", audits, 2, lambda a: percent(a.unsupported.share.estimate)),
        _by("Copies come from {}.", audits, 3, lambda a: f"{percent(a.copying.copies.estimate)} of its samples"),
    ]
    return " ".join([*sentences, *(filter(None, faults) if any(faults) else [NO_FAULTS])])


def _by(sentence: str, audits: dict[str, Audit], question: int, share: Callable[[Audit], str]) -> str:
    """The sentence with those of whom the question is answered yes; empty if there are none."""
    those = [f"{name} ({share(audit)})" for name, audit in audits.items() if audit.answers()[question].found]
    return sentence.format(_listed(those)) if those else ""


def _right(name: str, audit: Audit) -> str:
    return f"{name} ({p_text(audit.p_value)}, a classifier was right on {percent(audit.classifier)})"


def ranked(ranking: Sequence[Before]) -> str:
    """Who comes before whom: ``flow before vae (p < .001), vae and gan in no known order (p = .40)``."""
    return ", ".join(
        f"{b.first} before {b.second} ({p_text(b.difference.p_value)})"
        if b.difference.low > 0
        else f"{b.first} and {b.second} in no known order ({p_text(b.difference.p_value)})"
        for b in ranking
    )


def _weakest(audits: Sequence[Audit]) -> Resolution:
    """What the audits would have noticed, all of them: the coarsest of each."""
    found = [audit.resolution for audit in audits]
    coarsest = {part: float(np.max([getattr(r, part) for r in found])) for part in PARTS}
    return Resolution(**coarsest, level=audits[0].level)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _notes(audits: dict[str, Audit]) -> list[str]:
    """What the audits noted, each remark once, with the families it is about where it is not about all."""
    said: dict[str, list[str]] = {}
    for name, audit in audits.items():
        for note in audit.notes:
            said.setdefault(note, []).append(name)
    return [note if len(names) == len(audits) else f"{_listed(names)}: {note}" for note, names in said.items()]
