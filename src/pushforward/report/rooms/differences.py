"""Where it differs: for tables columns and pairs; groups that are missed, samples without support, copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pushforward.auditing.columns import ColumnDifference
from pushforward.auditing.missed import Cluster
from pushforward.auditing.pairs import PairDifference
from pushforward.auditing.verdict import Audit
from pushforward.auditing.wording import p_text
from pushforward.evidence import minus
from pushforward.report.columns import marginals, pairs_by_distance, worst_columns
from pushforward.report.examples import Examples, Pictures, examples_of
from pushforward.report.figures import value_text
from pushforward.report.plots import number
from pushforward.report.records import FamilyRecord, ReportData

__all__ = ["view"]

COLUMNS = 20
PAIRS = 12
GROUPS = 4
EXAMPLES = 12


def view(data: ReportData) -> dict[str, Any] | None:
    """What differs in law, family beside family, and then the patterns of each."""
    audited = [(family, family.audit) for family in data.families if family.audit is not None]
    if not audited:
        return None
    show = examples_of(data)
    return {
        "table": _table(data, audited) if all(audit.table is not None for _, audit in audited) else None,
        "families": [_family(data, family, audit, show) for family, audit in audited],
        "several": len(audited) > 1,
        "pictures": data.pictures,
    }


def _table(data: ReportData, audited: list[tuple[FamilyRecord, Audit]]) -> dict[str, Any]:
    columns = [{c.index: c for c in audit.columns} for _, audit in audited]
    order, pairs = worst_columns(data), pairs_by_distance(data)
    return {
        "names": [family.name for family, _ in audited],
        "columns": [_row([by_column[j] for by_column in columns]) for j in order[:COLUMNS]],
        "hidden": max(0, len(order) - COLUMNS),
        "level": f"{100 * audited[0][1].level:.0f} %",
        "multiples": marginals(data),
        "pairs": [_pair(found) for found in list(pairs.values())[:PAIRS]],
        "n_pairs": len(pairs),
    }


def _row(found: list[ColumnDifference]) -> dict[str, Any]:
    """One column with every family's distance."""
    return {
        "name": found[0].column,
        "statistic": found[0].statistic,
        "cells": [_distance(c) for c in found],
    }


def _distance(c: ColumnDifference) -> dict[str, Any]:
    return {
        "width": round(100 * c.distance, 1),
        "text": f"{c.distance:.3f}",
        "interval": f"[{c.low:.2f}, {c.high:.2f}]",
        "p": p_text(c.adjusted),
        "differs": c.differs,
        "most": c.most if c.differs else "",
    }


def _pair(found: list[PairDifference]) -> dict[str, Any]:
    cells = [
        {"real": _rank(p.rank_real), "fake": _rank(p.rank_fake), "p": p_text(p.adjusted), "differs": p.differs}
        if p.rank_real is not None and p.rank_fake is not None
        else {"real": "", "fake": f"{_rank(p.distance)} apart", "p": p_text(p.adjusted), "differs": p.differs}
        for p in found
    ]
    return {"name": f"{found[0].first} and {found[0].second}", "cells": cells}


def _rank(correlation: float) -> str:
    return minus(f"{round(correlation, 2) + 0.0:.2f}").replace("0.", ".")


def _family(data: ReportData, family: FamilyRecord, audit: Audit, show: Examples) -> dict[str, Any]:
    return {
        "name": family.name,
        "groups": [_missed(c, data.real, show) for c in audit.missed.clusters[:GROUPS]],
        "more_groups": max(0, len(audit.missed.clusters) - GROUPS),
        "strays": _strays(data, family, audit, show),
        "copies": _copies(data, family, audit, show),
        "found_out": _found_out(family, audit, show) if isinstance(show, Pictures) and audit.distinguishable else None,
    }


def _missed(cluster: Cluster, real: np.ndarray, show: Examples) -> dict[str, Any]:
    ratio, interval = value_text(cluster.ratio)
    return {
        "data": f"{100 * cluster.real_share:.1f} % of the data ({cluster.real_count:,})",
        "samples": f"{100 * cluster.fake_share:.1f} % of the samples ({cluster.fake_count:,})",
        "ratio": f"{ratio} {interval}",
        "p": p_text(cluster.adjusted_p_value),
        "examples": show.group(real[list(cluster.examples)]),
    }


def _strays(data: ReportData, family: FamilyRecord, audit: Audit, show: Examples) -> dict[str, Any] | None:
    """The samples furthest out, each with its nearest real pattern, where there are more than chance explains."""
    found = audit.unsupported
    if found.p_value > audit.level or not found.samples:
        return None
    pairs = [(s.position, s.nearest) for s in found.samples]
    return {
        "share": " ".join(value_text(found.share.estimate)),
        "p": p_text(found.p_value),
        "beyond": found.beyond,
        "examples": _beside(show, pairs, family.samples, data.real),
    }


def _copies(data: ReportData, family: FamilyRecord, audit: Audit, show: Examples) -> dict[str, Any] | None:
    """The closest pairs if there are copies; for pictures, what the first samples resemble most in any case."""
    found = audit.copying
    known = data.real if found.reference == "data" else family.training
    if known is None:
        return None
    pairs = [(p.sample, p.training) for p in found.duplicates]
    first = found.neighbours
    names = ("sample", "nearest", *("next",) * (first.shape[1] - 1))
    return {
        "share": " ".join(value_text(found.copies.estimate)),
        "p": p_text(found.p_value),
        "reference": found.reference,
        "pairs": _beside(show, pairs, family.samples, known) if found.copied else None,
        "neighbours": show.matched(names, [family.samples[: len(first)], *(known[k] for k in first.T)])
        if data.pictures
        else None,
    }


def _beside(show: Examples, pairs: Sequence[tuple[int, int]], samples: np.ndarray, known: np.ndarray) -> dict[str, Any]:
    """Samples, and under each the pattern it is nearest to."""
    left, right = (list(places) for places in zip(*pairs, strict=True))
    return show.matched(("sample", "nearest"), (samples[left], known[right]))


def _found_out(family: FamilyRecord, audit: Audit, show: Pictures) -> dict[str, Any]:
    """The held-out samples that the discriminator took for samples with the greatest confidence."""
    worst = np.argsort(audit.log_odds_fake, kind="stable")[:EXAMPLES]
    odds = [number(float(audit.log_odds_fake[i]), 1) for i in worst]
    return {**show.group(family.samples[audit.index_fake[worst]]), "odds": odds}
