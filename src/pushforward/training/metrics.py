"""``metrics.jsonl``: one row of JSON per mark, and TensorBoard's files beside it where it is wanted."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from pushforward.errors import InputError
from pushforward.storage import write_bytes

__all__ = ["MetricsFile"]


class MetricsFile:
    """Appends rows, after dropping those later than ``step``, which a killed run wrote and will write again.

    Arguments:
        path: The file.
        step: The step training is taken up at.
        tensorboard: Whether to write TensorBoard's event files too (the ``tensorboard`` extra).
    """

    def __init__(self, path: Path, step: int, tensorboard: bool = False) -> None:
        write_bytes(path, "".join(_rows_until(path, step)).encode())
        self._file = path.open("a", encoding="utf-8")
        self._board = _board(path.parent / "tensorboard") if tensorboard else None

    def __call__(self, row: dict[str, Any]) -> None:
        """Append one row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._board is not None:
            figures = {f"loss/{name}": value for name, value in row["losses"].items()}
            if row["held_out"] is not None:
                figures["held-out log-likelihood"] = row["held_out"]
            for name, value in figures.items():
                self._board.add_scalar(name, value, row["step"])

    def __enter__(self) -> MetricsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def _rows_until(path: Path, step: int) -> list[str]:
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            if json.loads(line)["step"] > step:
                break
        except (ValueError, KeyError, TypeError):  # cut off by a kill
            break
        rows.append(line + "\n")
    return rows


def _board(directory: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("TensorBoard is not installed: pip install 'pushforward[tensorboard]'") from None
    return SummaryWriter(str(directory))
