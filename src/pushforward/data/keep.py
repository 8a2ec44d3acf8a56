"""Data from memory put beside a run, so that it can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pushforward.data.dataset import Dataset
from pushforward.data.export import export

__all__ = ["keep"]


def keep(data: Dataset, directory: Path) -> dict[str, Any]:
    """Write the data into ``directory``; returns the arguments of :func:`load`, the source relative to it."""
    file = "data.parquet" if data.kind == "table" else "data.npz"
    export(data, directory / file)
    origin: dict[str, Any] = {"source": file, "name": data.name, "context": list(data.context) or None}
    return origin if data.kind == "table" else {**origin, "key": "x"}
