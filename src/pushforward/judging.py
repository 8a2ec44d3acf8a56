"""The audit's door: any two of data, samples and runs against each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pushforward.auditing import Audit
from pushforward.data import Splits
from pushforward.run import Run
from pushforward.sides import FEWEST, PATTERNS_AT_MOST, Sides, sides, sides_of_run
from pushforward.training.stream import seed_of

__all__ = ["audit", "audit_halves", "audit_run"]


def audit(
    real: Any,
    fake: Any,
    *,
    train: Any = None,
    modes: str | None = None,
    features: str | None = None,
    seed: int = 0,
    level: float = 0.05,
    **reading: Any,
) -> Audit:
    """How far samples can be told from data, what they miss, what they invent and what they copy.

    Arguments:
        real: Anything :func:`pushforward.load` takes, or a run, which stands for the data it kept for the verdict.
        fake: Samples in the same form, or a run, which stands for its model's.
        train: The data that the generator learnt from, where ``real`` is other data: copies are looked for there.
        modes: A column of ``real`` that names each pattern's mode; it is not compared. Where ``fake`` has it too, it
            names the samples' modes, else a classifier does. A run's model may have learnt it like any other column:
            then it names both's modes, and is compared.
        features: What distances are of: ``columns`` for rows; ``pixels``, ``pca``, ``convolutions``,
            ``efficientnet-lite0`` or ``onnx:PATH`` for pictures.
        seed: Of samples drawn, of the order of patterns and of the discriminators.
        level: Of the tests, and one minus the intervals' coverage.
        reading: Further arguments of :func:`pushforward.load`, for all.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> audit(rng.normal(size=(300, 2)), rng.normal(size=(300, 2))).distinguishable
        False
    """
    return sides(real, fake, train=train, modes=modes, seed=seed, **reading).audit(seed, level, features)


def audit_run(run: Run, parts: Splits, seed: int = 0) -> tuple[Audit | None, Sides]:
    """A run's samples against the data it kept for the verdict, and both.

    The discriminator learns from the part the model learnt from. That part never enters the verdict, so the test keeps
    its level whatever the model has memorised.
    """
    both = sides_of_run(run, parts, seed)
    if len(both.real) < FEWEST:
        return None, both
    found = both.audit(seed)
    if run.context_names:
        names = ", ".join(run.context_names)
        blind = f"the classifier does not see {names}: it judges the patterns, not whether each suits its condition"
        found = replace(found, notes=(*found.notes, blind))
    return found, both


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
