"""The end of a run in the terminal: one row a family, every figure with its uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pushforward.auditing.verdict import Audit, p_text, percent
from pushforward.evidence import Kind
from pushforward.report.records import FamilyRecord, ReportData

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["table"]


def table(data: ReportData) -> Group:
    """A header, the table, and what a reader needs to weigh it, for ``rich.print``."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    columns = {
        "held-out log p(x), nats": [(_likelihood(f), _kind(f)) for f in data.families],
        "told apart": [_told_apart(f.audit) for f in data.families],
    }
    shown = {title: _aligned(cells) for title, cells in columns.items() if any(map(any, cells))}
    grid = Table(box=None, pad_edge=False, padding=(0, 4, 0, 0))
    grid.add_column("")
    for title in shown:
        grid.add_column(Text(title), no_wrap=True)
    for i, family in enumerate(data.families):
        grid.add_row(Text(family.name, style="bold"), *(Text(cells[i]) for cells in shown.values()))
    return Group(Text(_header(data)), Text(), grid, Text(), *map(Text, _closing(data)))


def _aligned(cells: list[tuple[str, str]]) -> list[str]:
    """Figures and what follows them, the latter under one another."""
    width = max(len(figure) for figure, _ in cells)
    return [f"{figure:<{width}}  {rest}".rstrip() for figure, rest in cells]


def _header(data: ReportData) -> str:
    parts = [data.title, data.data_description, data.sizes_text, f"seed {data.seed}"]
    return " · ".join(part for part in parts if part)


def _likelihood(family: FamilyRecord) -> str:
    if family.likelihood is not None:
        # Figures stand under one another: the sign of a bound takes the place of two blanks.
        indent = "" if family.likelihood.kind is Kind.LOWER_BOUND else "  "
        return indent + family.likelihood.figure
    return "" if family.density else "  none"


def _kind(family: FamilyRecord) -> str:
    figure = family.likelihood
    if figure is None:
        return "" if family.density else "it has no density"
    if figure.kind is Kind.LOWER_BOUND:
        return f"bound, k={figure.k}" if figure.k else "bound"
    return str(figure.kind)


def _told_apart(audit: Audit | None) -> tuple[str, str]:
    if audit is None:
        return "", ""
    share, interval = percent(audit.classifier).split(" ", 1)
    return share.replace("%", " %").rjust(5), interval


def _closing(data: ReportData) -> list[str]:
    audits = [family.audit for family in data.families if family.audit is not None]
    lines = []
    if len(audits) > 1:
        lines += [_sentence(family) for family in data.families if family.audit is not None]
    if data.baseline is not None:
        told = percent(data.baseline.classifier).replace("%", " %")
        halves = f"Of two halves of the data themselves a classifier tells {told} apart"
        lines.append(f"{halves}; {_power(data.baseline)}.")
    elif len(audits) == 1:
        lines.append(audits[0].verdict())
    elif audits:
        lines.append(f"Guessing is right on 50 %; {_power(audits[0], 'the classifier')}.")
    lines += [f"Note: {note}" for note in data.notes]
    if "page" in data.provenance:
        lines.append(f"The page: {data.provenance['page']}")
    if "resume" in data.provenance:
        lines.append(f"To take one further: {data.provenance['resume']}")
    return lines


def _sentence(family: FamilyRecord) -> str:
    audit = family.audit
    told = audit is not None and audit.distinguishable
    p = p_text(audit.classifier.p_value) if audit is not None else ""
    return f"{family.name}: {'its samples can be told from the data' if told else 'not told from the data'} ({p})."


def _power(audit: Audit, subject: str = "it") -> str:
    noticed = "nothing" if math.isnan(audit.noticeable) else f"{100 * audit.noticeable:.0f} %"
    return f"with {audit.n_test:,} {subject} would have noticed {noticed}"
