"""The page: one HTML file that needs nothing but itself."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pushforward.report.records import ReportData
from pushforward.report.rooms import ROOMS
from pushforward.storage import write_bytes

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["environment", "render", "script_json", "write"]


def render(data: ReportData) -> str:
    """The report as HTML: every room that has something to show, from the verdict down to the provenance."""
    rooms = [(room.name, view) for room in ROOMS if (view := room.view(data)) is not None]
    return environment().get_template("page.html.j2").render(data=data, rooms=rooms, json=script_json(data.json))


def write(data: ReportData, path: str | Path) -> Path:
    """Write the report, whole or not at all.

    Raises:
        InputError: If the place cannot be written or the disk is full.
    """
    write_bytes(Path(path), render(data).encode())
    return Path(path)


@cache
def environment() -> Environment:
    """The templates, filled in by jinja2."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    jinja = Environment(
        loader=PackageLoader("pushforward.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["tight"] = lambda text: text.replace(" %", "\u00a0%")  # a figure keeps its sign
    return jinja


def script_json(value: dict[str, Any]) -> str:
    """JSON that cannot close the script element it stands in; what is not finite becomes ``null``."""
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
