"""The verdict: a paragraph, and each figure beside the range where chance would have put it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pushforward.auditing.statistics import critical_count
from pushforward.auditing.verdict import Audit, p_text, percent
from pushforward.report.plots import Axis
from pushforward.report.records import ReportData

__all__ = ["view"]

SHARES = Axis(0.3, 1.0)


@dataclass(frozen=True)
class Strip:
    """Where a figure lies, and where guessing would have put it, in per cent of the strip."""

    value: float
    low: float
    high: float
    null_low: float
    null_high: float


def view(data: ReportData) -> dict[str, Any] | None:
    """The paragraph and one answer per audited family, the most distinguishable first."""
    audits = [(family.name, family.audit) for family in data.families if family.audit is not None]
    if not audits:
        return {"paragraph": "No verdict.", "answers": [], "notes": data.notes} if data.notes else None
    audits.sort(key=lambda pair: -pair[1].classifier.value)
    answers = [_answer(name, audit) for name, audit in audits]
    if data.baseline is not None:
        answers.append(_answer("two halves of the data", data.baseline))
    chance = round(100 * (1 - 2 * audits[0][1].level))
    ticks = [(SHARES.percent(share), f"{share:.0%}".replace("%", " %")) for share in (0.5, 0.75, 1.0)]
    return {
        "paragraph": audits[0][1].verdict() if len(audits) == 1 else _paragraph(audits),
        "answers": answers,
        "several": len(answers) > 1,
        "chance": chance,
        "ticks": ticks,
        "notes": [*data.notes, *(note for _, audit in audits for note in audit.notes)],
    }


def _paragraph(audits: list[tuple[str, Audit]]) -> str:
    told = [_naming(name, audit) for name, audit in audits if audit.distinguishable]
    missed = [_naming(name, audit) for name, audit in audits if not audit.distinguishable]
    sentences = [f"A classifier told samples from data for {_enumerate(told) if told else 'no family'}."]
    if missed:
        sentences.append(f"For {_enumerate(missed)} it was right no more often than chance explains.")
    sizes, shares = {a.n_test for _, a in audits}, sorted({f"{100 * a.noticeable:.0f}" for _, a in audits})
    n = f"{max(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,}–{max(sizes):,}"
    noticed = shares[0] if len(shares) == 1 else f"{shares[0]}–{shares[-1]}"
    sentences.append(
        f"With {n} held-out patterns, half of them real, it would have noticed, four times in five, "
        f"being right on {noticed} %; a smaller difference may have escaped it."
    )
    return " ".join(sentences)


def _naming(name: str, audit: Audit) -> str:
    return f"{name} (right on {percent(audit.classifier)})".replace("%", " %")


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _answer(name: str, audit: Audit) -> dict[str, Any]:
    figure, critical = audit.classifier, critical_count(audit.n_test, audit.level)
    chance = (critical - 1) / audit.n_test
    return {
        "name": name,
        "told": audit.distinguishable,
        "figure": f"{figure.value:.0%}".replace("%", " %"),
        "interval": f"[{100 * figure.low:.0f}, {100 * figure.high:.0f}]",
        "n": audit.n_test,
        "p": p_text(figure.p_value),
        "strip": Strip(*map(SHARES.percent, (figure.value, figure.low, figure.high, 1 - chance, chance))),
        "js": _divergence(audit),
        "detail": audit.verdict(),
    }


def _divergence(audit: Audit) -> str:
    """The Jensen–Shannon bound, or what it means that it is not above 0."""
    if audit.js.low <= 0:
        return "Jensen–Shannon divergence: no bound above 0"
    share = f"{audit.share_of_log2:.0%}".replace("%", " %")
    return (
        f"Jensen–Shannon divergence ≥ {audit.js.value:.3f} [{audit.js.low:.3f}, {audit.js.high:.3f}] nats, "
        f"{share} of log 2"
    )
