"""Data from memory put beside a run, so that it can be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pushforward.data.dataset import Dataset
from pushforward.data.export import export
from pushforward.data.views import unrolled

__all__ = ["keep"]


def keep(data: Dataset, directory: Path) -> dict[str, Any]:
    """Write the data into ``directory``; returns the arguments of :func:`load`, the source relative to it."""
    if data.kind == "series":
        return _keep_steps(data, directory)
    file = "data.parquet" if data.kind == "table" else "data.npz"
    export(data, directory / file)
    origin: dict[str, Any] = {"source": file, "name": data.name, "context": list(data.context) or None}
    return origin if data.kind == "table" else {**origin, "key": "x"}


def _keep_steps(data: Dataset, directory: Path) -> dict[str, Any]:
    """A series is kept step by step, not window by window."""
    steps = {name: unrolled(data.column(name)) for name in data.columns}
    times = {name: unrolled(stamps).astype("datetime64[s]") for name, stamps in data.context.items()}
    columns = times | steps
    export(Dataset("table", columns, data.name, tuple(columns)), directory / "data.parquet")
    return {
        "source": "data.parquet",
        "name": data.name,
        "time": next(iter(times), None),
        "series": not times,
        "window": data.windows.shape[1],
    }
