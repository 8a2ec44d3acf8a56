"""Row by row: how likely each pattern is under a run's model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.data import Dataset, export
from pushforward.data.dataset import counted
from pushforward.errors import InputError
from pushforward.evidence import LogLikelihood
from pushforward.run import Run
from pushforward.storage import refuse_existing

__all__ = ["Scores", "score"]

BENEATH = "the model's probability of it is below what single precision holds"


@dataclass(frozen=True)
class Scores:
    """How likely the patterns of a source are, and which of them are impossible.

    Arguments:
        likelihood: The mean.
        noun: What one pattern is called.
        impossible: How many have the log-likelihood −∞.
        first: The first of these, counted from 1.
        why: What makes it impossible.

    Example:
        >>> from pushforward.evidence import Kind
        >>> mean = LogLikelihood.of([-1.5, -np.inf], Kind.EXACT, dims=2)
        >>> print(Scores(mean, "row", 1, 2, "column 'a' holds 2, and training had 0 or 1"))
        −∞ nats, ∞ bits/dim (exact, n = 2)
        1 of 2 rows is impossible under the model, row 2: column 'a' holds 2, and training had 0 or 1
    """

    likelihood: LogLikelihood
    noun: str = "row"
    impossible: int = 0
    first: int | None = None
    why: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "log_likelihood": self.likelihood.to_json(),
            "impossible": self.impossible,
            "first_impossible": self.first,
            "why": self.why,
        }

    def __str__(self) -> str:
        if not self.impossible:
            return str(self.likelihood)
        among = f"{self.impossible:,} of {counted(self.likelihood.n, self.noun)}"
        are, which = ("are", "; the first is") if self.impossible > 1 else ("is", ",")
        which = f"{which} {self.noun} {self.first}: {self.why}"
        return f"{self.likelihood}\n{among} {are} impossible under the model{which}"


def score(
    directory: str | Path,
    source: Any,
    out: Path | None = None,
    k: int = 100,
    seed: int = 0,
    force: bool = False,
    **reading: Any,
) -> Scores:
    """Score every pattern of a source; writes one figure a row where a place is given, and returns what they say.

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
    dataset = run.schema.conform(run.read(source, **{**run.reading(source), **reading}))
    values, kind = run.score_samples(dataset, k, seed)
    if out is not None:
        name = "log_prob" if kind == "exact" else "log_prob_lower_bound"
        export(Dataset("table", {name: values}, columns=(name,), name=dataset.name), out, force=force)
    likelihood = run.summary(values, kind, k)
    impossible = np.flatnonzero(values == -np.inf)
    if not len(impossible):
        return Scores(likelihood, dataset.noun)
    first = int(impossible[0])
    why = run.schema.contradiction(dataset, first) or BENEATH
    return Scores(likelihood, dataset.noun, len(impossible), first + 1, why)
