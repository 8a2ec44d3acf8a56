"""Row by row: how likely each pattern is under a run's model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pushforward.data import Dataset, export
from pushforward.errors import InputError
from pushforward.evidence import LogLikelihood
from pushforward.run import Run
from pushforward.storage import refuse_existing

__all__ = ["score"]


def score(
    directory: str | Path,
    source: Any,
    out: Path | None = None,
    k: int = 100,
    seed: int = 0,
    force: bool = False,
    **reading: Any,
) -> LogLikelihood:
    """Score every pattern of a source; writes one figure a row where a place is given, and returns their mean.

    Raises:
        NoDensityError: If the model has no density.
        InputError: If the source has other columns than the model learnt, or the place cannot be written.
    """
    if k < 1:
        raise InputError(f"a bound needs at least one importance sample, not --k {k}")
    if out is not None:
        refuse_existing(out, force)
    run = Run(directory)
    run.require_density()
    dataset = run.read(source, **{**run.reading(source), **reading})
    values, kind = run.score_samples(dataset, k, seed)
    if out is not None:
        name = "log_prob" if kind == "exact" else "log_prob_lower_bound"
        export(Dataset("table", {name: values}, columns=(name,), name=dataset.name), out, force=force)
    return run.summary(values, kind, k)
