"""Checkpoints: sealed files of which there is always a good one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from pushforward.errors import RunError
from pushforward.storage import read_tensors, write_tensors

__all__ = ["Checkpoints"]

KEPT = 2


class Checkpoints:
    """The checkpoints of a run, newest last.

    Arguments:
        directory: Where they lie.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def files(self) -> list[Path]:
        """The checkpoints there are, oldest first."""
        return sorted(self.directory.glob("step-*.safetensors"))

    def save(self, tensors: dict[str, Tensor], record: dict[str, Any]) -> Path:
        """Write a checkpoint, then let go of all but the last two."""
        path = self.directory / f"step-{record['step']:010d}.safetensors"
        write_tensors(path, tensors, record)
        for old in self.files[:-KEPT]:
            old.unlink(missing_ok=True)
        return path

    def latest(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The newest checkpoint that is whole; a damaged newer one is named in a warning.

        Raises:
            RunError: If none is.
        """
        damaged: list[tuple[Path, RunError]] = []
        for path in reversed(self.files):
            try:
                found = read_tensors(path)
            except RunError as error:
                damaged.append((path, error))
                continue
            for bad, reason in damaged:
                bad.replace(bad.with_suffix(".damaged"))  # kept for whoever wants to look, and out of the way
                warnings.warn(f"{reason}; going on from {path.name}", stacklevel=2)
            return found
        damage = damaged[0][1] if damaged else None
        raise damage or RunError(f"{self.directory} holds no checkpoint: the run cannot go on; fit again")
