"""Provenance: what reproduces the page."""

from __future__ import annotations

import json
from typing import Any

from pushforward.report.records import FamilyRecord, ReportData
from pushforward.report.rooms.learning import duration

__all__ = ["view"]

ELSEWHERE = {"command", "page", "resume"}


def view(data: ReportData) -> dict[str, Any]:
    """The command, the facts, and every family's configuration."""
    facts = {"seed": data.seed, "patterns": data.sizes_text or data.data_description} | data.provenance
    return {
        "command": str(data.provenance.get("command", "")),
        "facts": [(key.replace("_", " "), _text(value)) for key, value in facts.items() if key not in ELSEWHERE],
        "families": [_family(family) for family in data.families if family.configuration],
        "has_json": bool(data.json),
    }


def _family(family: FamilyRecord) -> dict[str, str]:
    return {
        "name": family.name,
        "summary": f"{family.parameters:,} parameters, trained for {duration(family.seconds)}",
        "configuration": json.dumps(family.configuration, indent=2, ensure_ascii=False, default=str),
    }


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)
