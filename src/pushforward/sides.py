"""What an audit compares: any two of data, samples and runs, as data sets in one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.auditing import Audit
from pushforward.auditing import audit as audit_arrays
from pushforward.auditing.two_sample import Observe
from pushforward.data import Dataset, Splits, load, split
from pushforward.data.alike import alike
from pushforward.data.apart import apart, closest, gaps, in_phase, thinned
from pushforward.data.columns import Columns
from pushforward.data.comparable import in_form_of
from pushforward.data.dataset import Array
from pushforward.data.views import overlapping
from pushforward.errors import InputError, PushforwardError, options_of_model
from pushforward.run import Run

__all__ = ["FEWEST", "PATTERNS_AT_MOST", "Sides", "real_side", "sides", "sides_of_run"]

FEWEST = 50
"""Held-out patterns below which no verdict is given."""
NUMBERS_AT_MOST = 1_000_000
"""Numbers drawn from a model for one part of an audit."""
PATTERNS_AT_MOST = 10_000
"""Patterns in one part of an audit of a model."""


def ignore(step: str, done: int, total: int) -> None:
    """Watch an audit without a word."""


@dataclass(frozen=True)
class Sides:
    """What an audit compares, and what its discriminators may learn from besides.

    Arguments:
        real: The data.
        fake: The samples.
        train_real: The data that the generator learnt from.
        train_fake: Samples for the discriminators to learn from.
        modes: The known mode of each real pattern.
        fake_modes: The known mode of each sample.
        reference: What ``real`` is.
        notes: What else a reader should know of the sources.
    """

    real: Dataset
    fake: Dataset
    train_real: Dataset | None = None
    train_fake: Dataset | None = None
    modes: Array | None = None
    fake_modes: Array | None = None
    reference: str = "data"
    notes: tuple[str, ...] = ()

    def audit(
        self, seed: int = 0, level: float = 0.05, features: str | None = None, observe: Observe = ignore
    ) -> Audit:
        """The audit of the two."""
        real, fake = self.real, self.fake
        found = audit_arrays(
            real.numeric(),
            fake.numeric(),
            train_real=None if self.train_real is None else self.train_real.numeric(),
            train_fake=None if self.train_fake is None else self.train_fake.numeric(),
            pictures=real.kind == "pictures",
            columns=real.components or None,
            levels=real.names,
            features=features,
            modes=None if self.modes is None else list(self.modes),
            fake_modes=None if self.fake_modes is None else list(self.fake_modes),
            reference=self.reference,
            sources=self._sources(),
            seed=seed,
            level=level,
            observe=observe,
        )
        return replace(found, notes=(*found.notes, *self.notes, *self._of_series(), *self._left_out()))

    def _sources(self) -> dict[str, str]:
        """What a person calls the sets that have a name of their own, by their roles."""
        sets = {"real": self.real, "fake": self.fake, "train_real": self.train_real}
        named = {role: x.name for role, x in sets.items() if x is not None and x.name not in (role, Dataset.name)}
        return named | ({"real": f"the test part of {self.real.name}"} if self.reference == "test part" else {})

    def _of_series(self) -> tuple[str, ...]:
        """What of series makes the tests say too much: gaps, and windows that depend on each other."""
        if self.real.kind != "series":
            return ()
        ordered = [data for data in (self.real, self.fake) if bool(data.context) == bool(self.real.context)]
        found = closest(ordered)
        told = f"the windows that were compared depend on their neighbours ({found})"
        independent = "the tests take them to be independent, so their p-values are too small"
        remedy = "give longer series, or longer windows with --window"
        return (*gaps([self.real, self.fake]), *((f"{told}: {independent}; {remedy}",) if found else ()))

    def _left_out(self) -> tuple[str, ...]:
        """How many corrupt pictures of each source were."""
        sources = {data.name: data.skipped for data in (self.real, self.fake, self.train_real) if data is not None}
        return tuple(f"{name}: corrupt pictures left out: {n:,}" for name, n in sources.items() if n)


def sides(real: Any, fake: Any, *, train: Any = None, modes: str | None = None, seed: int = 0, **reading: Any) -> Sides:
    """Two sources as data sets in one form, and what else an audit of them uses."""
    run_real, run_fake = _as_run(real), _as_run(fake)
    if run_fake is not None:
        if train is not None:
            raise InputError(f"{fake} is a run and knows what it learnt from; leave --train out")
        both = _sides_with_run(real, run_real, run_fake, seed, reading, modes)
    elif run_real is not None:
        parts, samples = _parts(run_real, modes), _without(fake, _beside_run(run_real, reading), modes)
        # whoever made the samples may have learnt from the same part
        learnt = parts.train.thinned(_most(run_real), seed)
        both = replace(_independent(parts.test, samples), train_real=learnt, reference="test part")
    else:
        both = _independent(_with(real, _beside(reading, modes), modes), _without(fake, reading, modes))
    if train is not None:
        both = replace(both, train_real=_load(train, reading, "train"), reference="held-out data")
    both = _named_alike(_in_one_form(both))
    if train is not None:
        _check_held_out(both)
    return both if modes is None else _with_modes(both, modes, drawn=run_fake is not None)


def _check_held_out(both: Sides) -> None:
    """Refuse training data that are the data themselves: these would pass for held-out data."""
    if both.train_real is None:
        return
    real, learnt = _patterns(both.real), _patterns(both.train_real)
    # Of a series some windows were taken, and training data have them at every step.
    if real == learnt or (both.real.kind == "series" and set(real) <= set(learnt)):
        raise InputError(
            f"the training data ({both.train_real.name}) are the data themselves ({both.real.name}), so nothing was "
            "held out: leave --train out, or give as REAL data that the generator did not learn from"
        )


def _patterns(data: Dataset) -> list[bytes]:
    """The patterns, in an order that does not depend on how they were given."""
    return sorted(np.ascontiguousarray(x).tobytes() for x in data.numeric())


def _named_alike(both: Sides) -> Sides:
    """With one code for each name of a category, whichever set has it."""
    sets = [data for data in (both.real, both.fake, both.train_real, both.train_fake) if data is not None]
    named = iter(alike(sets))
    real, fake = next(named), next(named)
    train_real = None if both.train_real is None else next(named)
    return replace(both, real=real, fake=fake, train_real=train_real, train_fake=next(named, None))


def _sides_with_run(
    real: Any, run_real: Run | None, run: Run, seed: int, reading: dict[str, Any], modes: str | None
) -> Sides:
    """Data, or what another run kept, against a run's samples."""
    if run_real is None:
        context = [*run.context_names, *filter(None, [_unknown(run, modes)])] or None
        with options_of_model():
            dataset = _with(real, {"context": context, **_beside_run(run, reading)}, _unknown(run, modes))
        _check_times(dataset, run)
        dataset = run.schema.conform(dataset)
        if run.learns_from(dataset):
            return sides_of_run(run, split(dataset, seed=run.seed), seed)
        (real,), notes = thinned([apart(dataset, FEWEST)], FEWEST)
        both = _held_out(run, real, "held-out data", seed)
        return replace(both, notes=(*both.notes, *notes))
    parts = _parts(run_real, modes)
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


def _independent(real: Dataset, fake: Dataset) -> Sides:
    """Both, of series the windows that begin in step with the calendar and that tests may take as independent."""
    if (real.kind, fake.kind) != ("series", "series"):
        return Sides(real, fake)
    fake, begun = in_phase(real, fake, FEWEST)
    separate = not overlapping(fake.windows)  # draws, which depend on nothing
    real, fake = apart(real, FEWEST), apart(fake, FEWEST)
    kept, left_out = thinned([real] if separate else [real, fake], FEWEST)
    return Sides(kept[0], fake if separate else kept[1], notes=(*begun, *left_out))


def _check_times(real: Dataset, run: Run) -> None:
    """Refuse windows without times beside a run whose samples are drawn for given times."""
    if real.kind == "series" and not overlapping(real.windows) and not real.context and run.schema.context:
        without = f"{real.name} holds windows without times, and {run.directory} draws samples for the times of data"
        raise InputError(f"{without}; give a series or a run as REAL, and {real.name} as FAKE")


def _beside_run(run: Run, reading: dict[str, Any]) -> dict[str, Any]:
    """How to read a source beside a run: a series by the run's stamps, unless ``series`` says that it has none."""
    stamps = {"time": None} if reading.get("series") else {}
    return {**run.reading_of_series(), **stamps, **reading}


def _learnt_from(run: Run, seed: int) -> Dataset | None:
    """The data that a run's model learnt from, where copies are looked for; none if they are gone or others now."""
    try:
        return run.splits().train.thinned(_most(run), seed)
    except PushforwardError:
        return None


def real_side(parts: Splits, run: Run) -> Dataset:
    """The held-out patterns that a run's samples are judged against."""
    return parts.test.thinned(_most(run), run.seed)


def _most(run: Run) -> int:
    return min(PATTERNS_AT_MOST, max(1000, NUMBERS_AT_MOST // run.schema.event.size))


def sides_of_run(run: Run, parts: Splits, seed: int) -> Sides:
    """What a run kept for the verdict against its samples."""
    real, reference = real_side(parts, run), "test part"
    if len(real) < FEWEST:  # no discriminator will learn from the others
        return Sides(real, _fake(run, real, seed), reference=reference)
    train = parts.train.thinned(_most(run), seed)
    return Sides(real, _fake(run, real, seed), train, _fake(run, train, seed + 1), reference=reference)


def _fake(run: Run, real: Dataset, seed: int) -> Dataset:
    """Samples under the contexts of data, and with their gaps, lest these tell the two apart."""
    fake = replace(run.sample_like(real, seed), name=f"samples of {run.directory}")
    return fake.with_gaps_of(real) if real.has_missing else fake


def _as_run(source: Any) -> Run | None:
    if isinstance(source, Run):
        return source
    if isinstance(source, (str, Path)) and (Path(source) / "run.json").is_file():
        return Run(source)
    return None


def _beside(reading: dict[str, Any], modes: str | None) -> dict[str, Any]:
    """How to read patterns with a column of modes beside them."""
    return reading if modes is None else {**reading, "context": [modes]}


def _unknown(run: Run, modes: str | None) -> str | None:
    """The column of modes, if a run's model knows it neither as a column of patterns nor as a condition."""
    patterns = run.schema.patterns
    columns = patterns.columns if isinstance(patterns, Columns) else ()
    known = {column.name for column in (*run.schema.context, *columns)}
    return None if modes in known else modes


def _with(source: Any, reading: dict[str, Any], modes: str | None) -> Dataset:
    """Patterns with the column of modes beside them."""
    with _said_of_modes(modes):
        return _load(source, reading, "real")


def _parts(run: Run, modes: str | None) -> Splits:
    """A run's data with the column of modes beside them, as they were divided."""
    unknown = _unknown(run, modes)
    with _said_of_modes(unknown):
        return run.splits(unknown)


@contextmanager
def _said_of_modes(modes: str | None) -> Iterator[None]:
    """What is wrong with the column of modes, which is read as a condition is, is said of ``--modes``."""
    try:
        yield
    except InputError as error:
        if modes is None:
            raise
        raise InputError(str(error).replace("--context", "--modes")) from error


def _without(source: Any, reading: dict[str, Any], modes: str | None) -> Dataset:
    """Samples with the column of modes beside them or, where they have none, without."""
    if modes is None:
        return _load(source, reading, "fake")
    try:
        return _load(source, _beside(reading, modes), "fake")
    except InputError:
        return _load(source, reading, "fake")


def _with_modes(both: Sides, name: str, drawn: bool) -> Sides:
    """With each pattern's mode, and each sample's where a column of its own says so.

    The conditions under which a model's samples were ``drawn`` are those of the data, and say nothing of the samples.
    """
    if name in both.real.columns:
        compared = f"{name!r}, which names the modes, is also one of the columns that were compared"
        modes = both.real.entries(name), both.fake.entries(name)
        return replace(both, modes=modes[0], fake_modes=modes[1], notes=(*both.notes, compared))
    if name not in both.real.context:
        raise InputError(
            f"{both.real.name} has no {name!r} to name its patterns' modes; give --modes one of its columns, or leave "
            "it out"
        )
    labelled = name in both.fake.context and not drawn
    return replace(both, modes=both.real.entries(name), fake_modes=both.fake.entries(name) if labelled else None)


def _load(source: Any, reading: dict[str, Any], role: str) -> Dataset:
    """A source as a data set, under its role where it has no name of its own."""
    if isinstance(source, Dataset):
        return replace(source, name=role) if source.name == Dataset.name else source
    return load(source, **({} if isinstance(source, (str, Path)) else {"name": role}) | reading)


def _in_one_form(both: Sides) -> Sides:
    """With every set in the form of the data."""
    train_real, train_fake = (
        None if x is None else in_form_of(both.real, x, what)
        for x, what in ((both.train_real, "training data"), (both.train_fake, "samples"))
    )
    fake = in_form_of(both.real, both.fake, "samples")
    return replace(both, fake=fake, train_real=train_real, train_fake=train_fake)
