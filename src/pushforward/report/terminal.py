"""The end of a run in the terminal: one row a family, every figure with its uncertainty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pushforward.auditing.verdict import Audit
from pushforward.auditing.wording import p_text, percent
from pushforward.evidence import Kind
from pushforward.report.records import FamilyRecord, ReportData
from pushforward.report.rooms.verdict import ranked

if TYPE_CHECKING:
    from rich.console import Group

__all__ = ["table"]

NAMED = 2


def table(data: ReportData) -> Group:
    """A header, the table, and what a reader needs to weigh it, for ``rich.print``."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    columns = {
        "held-out log p(x), nats": [(_likelihood(f), _kind(f)) for f in data.families],
        "told apart": [_share(f.audit, 0) for f in data.families],
        "missed": [_missed(f.audit) for f in data.families],
        "without support": [_share(f.audit, 2) for f in data.families],
    }
    if any(f.audit is not None and f.audit.copying.copied for f in data.families):
        columns["copied"] = [_share(f.audit, 3) for f in data.families]
    shown = {title: _aligned(cells) for title, cells in columns.items() if any(map(any, cells))}
    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    grid.add_column("", no_wrap=True, min_width=max((len(f.name) for f in data.families), default=0))
    for title in shown:
        grid.add_column(Text(title), no_wrap=True)
    for i, family in enumerate(data.families):
        grid.add_row(Text(family.name, style="bold"), *(Text(cells[i]) for cells in shown.values()))
    return Group(Text(_header(data)), Text(), grid, Text(), *map(Text, _closing(data)))


def _aligned(cells: list[tuple[str, str]]) -> list[str]:
    """Figures and what follows them, the latter under one another."""
    width = max(len(figure) for figure, _ in cells)
    return [f"{figure:<{width}} {rest}".rstrip() for figure, rest in cells]


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
        return "" if family.density else "no density"
    if figure.kind is Kind.LOWER_BOUND:
        return f"bound, k={figure.k}" if figure.k else "bound"
    return str(figure.kind)


def _share(audit: Audit | None, question: int) -> tuple[str, str]:
    """The figure that answers one of the four questions."""
    if audit is None:
        return "", ""
    share, interval = percent(audit.answers()[question].figure.estimate).split(" [")
    return share.rjust(5), f"[{interval}"


def _missed(audit: Audit | None) -> tuple[str, str]:
    """The share of the data that is missed, or the modes by name where they are known."""
    if audit is None:
        return "", ""
    modes = () if audit.modes is None else audit.modes.under_covered
    if modes:
        return f"mode{'s' * (len(modes) > 1)} {', '.join(modes[:NAMED])}{' …' * (len(modes) > NAMED)}", ""
    return _share(audit, 1)


def _closing(data: ReportData) -> list[str]:
    audits = [family.audit for family in data.families if family.audit is not None]
    lines = [_told(data.families)] if len(audits) > 1 else []
    if data.ranking:
        lines.append(f"Nearer to the data: {ranked(data.ranking)}.")
    if data.baseline is not None:
        halves = f"Of two halves of the data themselves a classifier tells {percent(data.baseline.classifier)} apart"
        lines.append(f"{halves}; {_power(data.baseline)}.")
    elif len(audits) == 1:
        lines.append(audits[0].verdict())
    elif audits:
        lines.append(f"Guessing is right on 50 %; {_power(audits[0], 'the classifier')}.")
    if len(audits) > 1:
        lines += _groups(audits)
    lines += [f"Note: {note}" for note in data.notes]
    if "page" in data.provenance:
        lines.append(f"The page: {data.provenance['page']}")
    if "resume" in data.provenance:
        lines.append(f"To take one further: {data.provenance['resume']}")
    return lines


def _told(families: list[FamilyRecord]) -> str:
    """Whose samples can be told from the data, each with its p-value."""
    audits = [(family.name, family.audit) for family in families if family.audit is not None]
    named = [[f"{n} ({p_text(a.p_value)})" for n, a in audits if a.distinguishable is told] for told in (True, False)]
    parts = [f"{what}: {', '.join(n)}" for what, n in zip(("Told from the data", "Not told"), named, strict=True) if n]
    return f"{'. '.join(parts)}."


def _groups(audits: list[Audit]) -> list[str]:
    """Which group, without a sample, none of the audits would have overlooked."""
    least = max(audit.resolution.missed_share for audit in audits)
    noticed = "would have been noticed in each family's samples, four times in five"
    return [] if math.isnan(least) else [f"A group of {100 * least:.1f} % of the data without a sample {noticed}."]


def _power(audit: Audit, subject: str = "it") -> str:
    least = audit.resolution.accuracy
    noticed = "nothing" if math.isnan(least) else f"{100 * least:.0f} %"
    return f"with {audit.n_test:,} {subject} would have noticed {noticed}"
