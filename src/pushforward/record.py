"""The format of a run's record: its version, how older ones become it, and what it must hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pushforward.errors import RunError
from pushforward.families import FAMILIES

__all__ = ["FORMAT", "MIGRATIONS", "migrated"]

FORMAT = 6
"""The version of the directory's format."""


def _from_1(record: dict[str, Any]) -> dict[str, Any]:
    """Each family had one architecture; the masked networks' hidden units saw other inputs than they do now."""
    if record.get("family") == "autoregressive":
        raise RunError("an autoregressive run of format 1 has another network than this version builds; fit again")
    architecture = "vector" if record.get("family") == "flow" else "perceptron"
    return {"architecture": architecture, **record, "format": 2}


def _from_2(record: dict[str, Any]) -> dict[str, Any]:
    """The network of series had no usual sizes of its features and no direct way from one variable to the next."""
    if record.get("architecture") == "steps":
        raise RunError(
            "a run of the architecture 'steps' of format 2 has another network than this version builds; fit again"
        )
    return {**record, "format": 3}


def _from_3(record: dict[str, Any]) -> dict[str, Any]:
    """Flows of vectors had no limits where discrete components have them."""
    if record.get("family") == "flow" and record.get("architecture") == "vector":
        blocks = record["model"]["event"]["blocks"]
        if any(block["kind"] != "continuous" and block["low"] is not None for block in blocks):
            raise RunError(
                "a flow of discrete columns or pixels of format 3 has another law than this version builds; fit again"
            )
    return {**record, "format": 4}


def _from_4(record: dict[str, Any]) -> dict[str, Any]:
    """A model of series had one network, whose weights had other names."""
    if record.get("architecture") == "steps":
        raise RunError("a run of the architecture 'steps' of format 4 keeps its weights under other names; fit again")
    return {**record, "format": 5}


def _from_5(record: dict[str, Any]) -> dict[str, Any]:
    """Columns did not know of a value that many share; then none is spoken of."""
    return {**record, "format": 6}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: _from_4,
    5: _from_5,
}
"""From each older format to the next: what ``run.json`` must become."""

KEYS = (
    "status",
    "family",
    "architecture",
    "model",
    "game",
    "batch",
    "settings",
    "legs",
    "seed",
    "schema",
    "data",
    "results",
)
"""What ``run.json`` holds at least."""


def migrated(record: dict[str, Any], directory: Path) -> dict[str, Any]:
    """A record as this version writes it; a ``RunError`` if it cannot become that."""
    version = record.get("format")
    if not isinstance(version, int) or version < 1:
        raise RunError(f"{directory}/run.json names no format: it is not a run of pushforward; fit a model")
    if version > FORMAT:
        raise RunError(
            f"{directory} has run format {version}, newer than the {FORMAT} this version reads; upgrade pushforward"
        )
    for older in range(version, FORMAT):
        record = MIGRATIONS[older](record)
    missing = [key for key in KEYS if key not in record]
    if missing or record["family"] not in FAMILIES:
        what = f"lacks {', '.join(missing)}" if missing else f"is of an unknown family, {record['family']!r}"
        raise RunError(f"{directory}/run.json {what}; fit again, or upgrade pushforward")
    return record
