"""What a run begins with: the parts of its record, and the checkpoint that training starts from."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from pushforward.data import Dataset, Splits
from pushforward.data.keep import keep
from pushforward.errors import InputError
from pushforward.feeding import batch_of
from pushforward.run import Run
from pushforward.training.game import compiled
from pushforward.training.loop import Settings, isolated_randomness
from pushforward.training.state import Match
from pushforward.training.stream import seed_of

__all__ = ["described", "first_checkpoint", "match_of", "python_command", "save", "versions"]

PREPARED_WITH = 4096
"""Patterns that data-dependent initialisation sees."""


def match_of(run: Run, settings: Settings) -> Match:
    """The game of a run, at its start."""
    game = run.family.game(run.fresh_model(), **run.record["game"])
    return Match(compiled(game) if settings.compile else game)


def save(run: Run, match: Match) -> None:
    """Put where the match stands into a checkpoint."""
    run.checkpoints.save(match.tensors(), match.record())


def first_checkpoint(run: Run, parts: Splits) -> None:
    """What training starts from, so that a run can be resumed from the moment it exists."""
    run.checkpoints.directory.mkdir()
    try:
        model = run.fresh_model()
        Match(run.family.game(model, **run.record["game"]))
    except (ValueError, RuntimeError) as error:
        raise InputError(f"the {run.name} cannot be built: {error}; mend the options given by --set") from None
    batch = batch_of(run, parts.train.thinned(PREPARED_WITH, run.seed))
    with isolated_randomness(run.device), torch.no_grad():
        torch.manual_seed(seed_of(run.seed, "prepare"))
        model.prepare(batch.x, batch.context)
    save(run, Match(run.family.game(model, **run.record["game"])))


def described(dataset: Dataset, parts: Splits, directory: Path) -> dict[str, Any]:
    """What a run knows of its data; those from memory, which could not be read again, are kept in its directory."""
    inside = dataset.origin is None
    return {
        "origin": keep(dataset, directory) if inside else dataset.origin,
        "inside": inside,
        "fingerprint": dataset.fingerprint(),
        "name": dataset.name,
        "description": dataset.describe(),
        "skipped": dataset.skipped,
        "train": len(parts.train),
        "validation": len(parts.validation),
        "test": len(parts.test),
        "repeated": parts.repeated,
        "note": parts.note,
    }


def python_command(source: Any, model: str, steps: int | None, budget: Any, seed: int) -> str:
    """The call that reproduces a run."""
    length = f"steps={steps}" if steps is not None else f"budget={budget!r}"
    what = repr(str(source)) if isinstance(source, (str, Path)) else "data"
    return f"pushforward.fit({what}, {model!r}, {length}, seed={seed})"


def versions() -> dict[str, str]:
    """What a run is made with."""
    packages = {name: version(name) for name in ("pushforward", "torch", "numpy", "scikit-learn")}
    return {
        **packages,
        "python": platform.python_version(),
        "platform": f"{sys.platform} {platform.machine()}",
    }
