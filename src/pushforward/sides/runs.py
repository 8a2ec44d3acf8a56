"""A run's samples as one side of an audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pushforward.data import Dataset, Splits, split
from pushforward.data.apart import apart, thinned
from pushforward.data.views import overlapping
from pushforward.errors import InputError, PushforwardError, options_of_model
from pushforward.run import Run
from pushforward.sides.compared import FEWEST, Sides
from pushforward.sides.modes import loaded_with, parts_with, unknown_to

__all__ = ["PATTERNS_AT_MOST", "beside_run", "most", "real_side", "sides_of_run", "sides_with_run"]

NUMBERS_AT_MOST = 1_000_000
"""Numbers drawn from a model for one part of an audit."""
PATTERNS_AT_MOST = 10_000
"""Patterns in one part of an audit of a model."""


def real_side(parts: Splits, run: Run) -> Dataset:
    """The held-out patterns that a run's samples are judged against."""
    return parts.test.thinned(most(run), run.seed)


def sides_of_run(run: Run, parts: Splits, seed: int) -> Sides:
    """What a run kept for the verdict against its samples."""
    real, reference = real_side(parts, run), "test part"
    if len(real) < FEWEST:  # no discriminator will learn from the others
        return Sides(real, _fake(run, real, seed), reference=reference)
    train = parts.train.thinned(most(run), seed)
    return Sides(real, _fake(run, real, seed), train, _fake(run, train, seed + 1), reference=reference)


def sides_with_run(
    real: Any, run_real: Run | None, run: Run, seed: int, reading: dict[str, Any], modes: str | None
) -> Sides:
    """Data, or what another run kept, against a run's samples."""
    if run_real is None:
        as_learnt = {"context": run.context_names or None, **beside_run(run, reading)}
        with options_of_model():
            dataset = loaded_with(real, as_learnt, unknown_to(run, modes))
        _check_times(dataset, run)
        dataset = run.schema.conform(dataset)
        if run.learns_from(dataset):
            return sides_of_run(run, split(dataset, seed=run.seed), seed)
        (real,), notes = thinned([apart(dataset, FEWEST)], FEWEST)
        both = _held_out(run, real, "held-out data", seed)
        return replace(both, notes=(*both.notes, *notes))
    parts = parts_with(run_real, modes)
    run.schema.check(parts.test)
    same_data = run_real.record["data"]["fingerprint"] == run.record["data"]["fingerprint"]
    if not same_data or run_real.seed != run.seed:
        both = _held_out(run, parts.test, "test part", seed)
        kept = f"some of what {run_real.directory} kept for the verdict"
        mixed = f"{run.directory} learnt from {kept}: the same data, divided by another seed"
        return replace(both, notes=(*both.notes, mixed)) if same_data else both
    return Sides(
        parts.test,
        _fake(run, parts.test, seed),
        parts.train,
        _fake(run, parts.train, seed + 1),
        reference="test part",
    )


def _held_out(run: Run, real: Dataset, reference: str, seed: int) -> Sides:
    """Other data than a run's against its samples; copies are looked for in what it learnt from, if that is there."""
    train, fake = _learnt_from(run, seed), _fake(run, real, seed)
    if train is not None:
        return Sides(real, fake, train, reference=reference)
    gone = f"what {run.directory} learnt from is not there any more, so copies were looked for in {real.name}"
    return Sides(real, fake, reference="data", notes=(gone,))


def _learnt_from(run: Run, seed: int) -> Dataset | None:
    """The data that a run's model learnt from, where copies are looked for; none if they are gone or others now."""
    try:
        return run.splits().train.thinned(most(run), seed)
    except PushforwardError:
        return None


def _fake(run: Run, real: Dataset, seed: int) -> Dataset:
    """Samples under the contexts of data, and with their gaps, lest these tell the two apart."""
    fake = replace(run.sample_like(real, seed), name=f"samples of {run.directory}")
    return fake.with_gaps_of(real) if real.has_missing else fake


def _check_times(real: Dataset, run: Run) -> None:
    """Refuse windows without times beside a run whose samples are drawn for given times."""
    if real.kind == "series" and not overlapping(real.windows) and not real.context and run.schema.context:
        without = f"{real.name} holds windows without times, and {run.directory} draws samples for the times of data"
        raise InputError(f"{without}; give a series or a run as REAL, and {real.name} as FAKE")


def beside_run(run: Run, reading: dict[str, Any]) -> dict[str, Any]:
    """How to read a source beside a run: a series by the run's stamps, unless ``series`` says that it has none."""
    stamps = {"time": None} if reading.get("series") else {}
    return {**run.reading_of_series(), **stamps, **reading}


def most(run: Run) -> int:
    """Patterns in one part of an audit of a run."""
    return min(PATTERNS_AT_MOST, max(1000, NUMBERS_AT_MOST // run.schema.event.size))
