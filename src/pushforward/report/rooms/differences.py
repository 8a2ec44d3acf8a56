"""Where it differs: columns by their distance; samples by how easily they were found out."""

from __future__ import annotations

from typing import Any

import numpy as np

from pushforward.auditing.columns import ColumnDifference
from pushforward.auditing.verdict import Audit
from pushforward.evidence import minus
from pushforward.report.pictures import Grey, png
from pushforward.report.plots import number
from pushforward.report.records import FamilyRecord, ReportData

__all__ = ["view"]

COLUMNS = 20
EXAMPLES = 12


def view(data: ReportData) -> dict[str, Any] | None:
    """For tables the columns, for pictures the samples, worst first."""
    audited = [(family, family.audit) for family in data.families if family.audit is not None]
    if data.pictures:
        grey = Grey.of(data.real)
        examples = [_found_out(family, audit, grey) for family, audit in audited]
        return {"columns": [], "examples": examples} if examples else None
    compared = [(family.name, {c.index: c for c in audit.columns}) for family, audit in audited if audit.columns]
    if not compared:
        return None
    level = audited[0][1].level
    return {
        "examples": [],
        "names": [name for name, _ in compared],
        "columns": _rows([by_column for _, by_column in compared]),
        "hidden": max(0, len(compared[0][1]) - COLUMNS),
        "level": f"{100 * level:.0f} %",
    }


def _rows(compared: list[dict[int, ColumnDifference]]) -> list[dict[str, Any]]:
    """One row per column with every family's distance, the greatest first."""
    order = sorted(compared[0], key=lambda j: -max(by_column[j].distance for by_column in compared))
    return [
        {
            "name": compared[0][j].column,
            "cells": [
                {"width": round(100 * c.distance, 1), "text": f"{c.distance:.3f}", "differs": c.differs}
                for c in (by_column[j] for by_column in compared)
            ],
        }
        for j in order[:COLUMNS]
    ]


def _found_out(family: FamilyRecord, audit: Audit, grey: Grey) -> dict[str, Any]:
    """The held-out samples that the discriminator took for samples with the greatest confidence."""
    worst = np.argsort(audit.log_odds_fake, kind="stable")[:EXAMPLES]
    pictures = grey.bytes(family.samples[audit.index_fake[worst]])
    odds = [minus(number(float(audit.log_odds_fake[i]), 1)) for i in worst]
    return {
        "name": family.name,
        "told": audit.distinguishable,
        "pictures": [{"source": png(p), "odds": o} for p, o in zip(pictures, odds, strict=True)],
    }
