"""Two sides of an audit in one form, and what else is known of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pushforward.auditing import Audit
from pushforward.auditing import audit as audit_arrays
from pushforward.auditing.two_sample import Observe
from pushforward.data import Dataset
from pushforward.data.apart import closest, gaps
from pushforward.data.dataset import Array

__all__ = ["FEWEST", "Sides", "ignore"]

FEWEST = 50
"""Held-out patterns below which no verdict is given."""


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
