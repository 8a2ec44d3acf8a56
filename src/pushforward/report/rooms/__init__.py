"""The rooms of the page, from top to bottom.

A room is a function from the report's data to what its template of the same name needs, or ``None`` where it
has nothing to show; then it is left out. To add one: a module here, a template beside the others, a line in
``ROOMS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pushforward.report.records import ReportData
from pushforward.report.rooms import (
    calibration,
    differences,
    evidence,
    forecast,
    ladder,
    learning,
    look,
    provenance,
    verdict,
)

__all__ = ["ROOMS", "Room"]


@dataclass(frozen=True)
class Room:
    """One section of the page: its template's name, and what it shows."""

    name: str
    view: Callable[[ReportData], dict[str, Any] | None]


ROOMS = (
    Room("verdict", verdict.view),
    Room("evidence", evidence.view),
    Room("look", look.view),
    Room("ladder", ladder.view),
    Room("forecast", forecast.view),
    Room("calibration", calibration.view),
    Room("differences", differences.view),
    Room("learning", learning.view),
    Room("provenance", provenance.view),
)
