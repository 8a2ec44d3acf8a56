"""The audit's door: any two of data, samples and runs against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.auditing import Audit
from pushforward.auditing import audit as audit_arrays
from pushforward.data import Dataset, Splits, load
from pushforward.errors import InputError
from pushforward.run import Run
from pushforward.training.stream import seed_of

__all__ = ["FEWEST", "Sides", "audit", "audit_halves", "audit_run", "real_side", "sides"]

FEWEST = 50
"""Held-out patterns below which no verdict is given."""
NUMBERS_AT_MOST = 1_000_000
"""Numbers drawn from a model for one part of an audit."""
PATTERNS_AT_MOST = 10_000
"""Patterns in one part of an audit of a model."""


@dataclass(frozen=True)
class Sides:
    """What an audit compares, and what its discriminator may learn from besides."""

    real: Dataset
    fake: Dataset
    train_real: Dataset | None = None
    train_fake: Dataset | None = None

    def audit(self, seed: int = 0, level: float = 0.05) -> Audit:
        """The audit of the two."""
        real, fake = self.real, self.fake
        return audit_arrays(
            real.numeric(),
            fake.numeric(),
            train_real=None if self.train_real is None else self.train_real.numeric(),
            train_fake=None if self.train_fake is None else self.train_fake.numeric(),
            pictures=real.kind == "pictures",
            columns=real.columns or None,
            seed=seed,
            level=level,
        )


def audit(real: Any, fake: Any, *, seed: int = 0, level: float = 0.05, **reading: Any) -> Audit:
    """How far samples can be told from data.

    Arguments:
        real: Anything :func:`pushforward.load` takes, or a run, which stands for the data it kept for the verdict.
        fake: Samples in the same form, or a run, which stands for its model's.
        seed: Of samples drawn, of the division in halves and of the discriminator.
        level: Of the test, and one minus the intervals' coverage.
        reading: Further arguments of :func:`pushforward.load`, for both.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> audit(rng.normal(size=(300, 2)), rng.normal(size=(300, 2))).distinguishable
        False
    """
    return sides(real, fake, seed=seed, **reading).audit(seed, level)


def sides(real: Any, fake: Any, *, seed: int = 0, **reading: Any) -> Sides:
    """Two sources as data sets in one form."""
    run_real, run_fake = _as_run(real), _as_run(fake)
    if run_fake is None:
        data = _load(real, reading) if run_real is None else run_real.splits().test
        return Sides(data, _in_form_of(data, _load(fake, reading)))
    if run_real is None:
        dataset = _load(real, {"context": run_fake.context_names or None, **reading})
        dataset = run_fake.schema.conform(dataset)
        if dataset.fingerprint() == run_fake.record["data"]["fingerprint"]:
            return _sides_of_run(run_fake, run_fake.splits(), seed)
        return Sides(dataset, run_fake.sample_like(dataset, seed))
    parts = run_real.splits()
    run_fake.schema.check(parts.test)
    return Sides(
        parts.test,
        run_fake.sample_like(parts.test, seed),
        parts.train,
        run_fake.sample_like(parts.train, seed + 1),
    )


def audit_run(run: Run, parts: Splits, seed: int = 0) -> tuple[Audit | None, Dataset]:
    """A run's samples against the data it kept for the verdict, and the samples.

    The discriminator learns from the part the model learnt from. That part never enters the verdict, so the test keeps
    its level whatever the model has memorised.
    """
    both = _sides_of_run(run, parts, seed)
    if len(both.real) < FEWEST:
        return None, both.fake
    found = both.audit(seed)
    if run.context_names:
        names = ", ".join(run.context_names)
        blind = f"the classifier does not see {names}: it judges the patterns, not whether each suits its condition"
        found = replace(found, notes=(*found.notes, blind))
    return found, both.fake


def audit_halves(parts: Splits, seed: int = 0) -> Audit | None:
    """The data against themselves, as a yardstick: the validation part as if it were samples of the test part's law."""
    n = min(len(parts.validation), len(parts.test))
    if n < FEWEST:
        return None
    train = parts.train.thinned(2 * PATTERNS_AT_MOST, seed)
    side = np.random.default_rng(seed_of(seed, "halves")).permutation(len(train)) % 2
    one, other = (train.take(np.flatnonzero(side == i)) for i in (0, 1))
    most = PATTERNS_AT_MOST
    halves = Sides(parts.test.thinned(most, seed), parts.validation.thinned(most, seed), one, other)
    return halves.audit(seed)


def real_side(parts: Splits, run: Run) -> Dataset:
    """The held-out patterns that a run's samples are judged against."""
    return parts.test.thinned(_most(run), run.seed)


def _most(run: Run) -> int:
    return min(PATTERNS_AT_MOST, max(1000, NUMBERS_AT_MOST // run.schema.event.size))


def _sides_of_run(run: Run, parts: Splits, seed: int) -> Sides:
    real, train = real_side(parts, run), parts.train.thinned(_most(run), seed)
    return Sides(real, run.sample_like(real, seed), train, run.sample_like(train, seed + 1))


def _as_run(source: Any) -> Run | None:
    if isinstance(source, Run):
        return source
    if isinstance(source, (str, Path)) and (Path(source) / "run.json").is_file():
        return Run(source)
    return None


def _load(source: Any, reading: dict[str, Any]) -> Dataset:
    return source if isinstance(source, Dataset) else load(source, **reading)


def _in_form_of(real: Dataset, fake: Dataset) -> Dataset:
    """``fake`` with the order of columns and the levels of pictures that ``real`` has; refused where it cannot be."""
    if (real.kind == "pictures") != (fake.kind == "pictures"):
        raise InputError(f"cannot compare {real.name} ({real.describe()}) with {fake.name} ({fake.describe()})")
    if real.kind == "pictures":
        return fake if real.levels is None else fake.on_levels(real.levels)
    if "array" in (real.kind, fake.kind) and len(real.columns) == len(fake.columns):
        return fake  # an array's columns go by their place
    missing = [c for c in real.columns if c not in fake.columns]
    extra = [c for c in fake.columns if c not in real.columns]
    if missing or extra:
        parts = [f"{what} {', '.join(names[:5])}" for what, names in (("lacks", missing), ("also has", extra)) if names]
        raise InputError(f"{fake.name} {' and '.join(parts)}, unlike {real.name}; give both the same columns")
    return replace(fake, columns=real.columns)
