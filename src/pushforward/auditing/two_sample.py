"""The audit: can the two be told apart, and in what? It knows laws only by their samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, cast

import numpy as np

from pushforward.auditing.assigned_modes import assign_modes, assigned_coverage
from pushforward.auditing.classifier_test import ClassifierTest, classifier_test
from pushforward.auditing.copying import Copying, copying
from pushforward.auditing.frechet import frechet
from pushforward.auditing.kernel import kernel_test
from pushforward.auditing.missed import Missed, missed
from pushforward.auditing.modes import ModeCoverage, mode_coverage
from pushforward.auditing.pairs import TableDifferences, compare_table
from pushforward.auditing.resolution import Resolution
from pushforward.auditing.sets import Sets, known_modes, sets_of
from pushforward.auditing.stages import Pool, given_parts, one_after_another
from pushforward.auditing.statistics import noticeable_accuracy
from pushforward.auditing.support import support
from pushforward.auditing.unsupported import Unsupported, unsupported
from pushforward.auditing.verdict import Audit, classifiers_share
from pushforward.errors import InputError

__all__ = ["audit"]

RELABELLINGS = 499
LEAST_LEVEL = 0.005
"""Hardly below it, so few relabellings leave no p-value that could reject."""
STEPS = (
    "learning to tell them apart",
    "kernel and transport distances",
    "the Fréchet distance",
    "nearest neighbours",
    "what is missed",
    "what has no support",
    "what is copied",
    "columns and pairs",
    "modes",
)
Observe = Callable[[str, int, int], None]
"""Told what comes next, how many steps are done, and how many there are."""
Part = TypeVar("Part")


def audit(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    train_real: np.ndarray | None = None,
    train_fake: np.ndarray | None = None,
    pictures: bool | None = None,
    columns: Sequence[str] | None = None,
    levels: Sequence[Sequence[str]] = (),
    features: str | None = None,
    modes: Sequence[Any] | None = None,
    fake_modes: Sequence[Any] | None = None,
    reference: str = "data",
    sources: Mapping[str, str] = MappingProxyType({}),
    seed: int = 0,
    level: float = 0.05,
    observe: Observe = lambda step, done, total: None,
) -> Audit:
    """Say whether samples can be told from data, what they miss, what they invent, and what they copy.

    Discriminators learn and are judged on patterns they have not seen; kernel and transport distances, the
    Fréchet distance, nearest neighbours and clusters speak of the patterns' features. Every figure comes
    with an interval or p-value, and the verdict with what it would have noticed.

    Arguments:
        real: Data, shape ``(N, D)``, or pictures ``(N, H, W)`` or ``(N, H, W, C)``.
        fake: Samples of the same shape but for N.
        train_real: The data that the generator learnt from, independent of ``real``: whether samples copy is
            asked of them. With ``train_fake`` the discriminators learn from both, and all of ``real`` and
            ``fake`` serves for the verdict; otherwise ``real`` and ``fake`` serve for both, block by block.
        train_fake: Samples for the discriminators to learn from; ``train_real`` must be given too.
        pictures: Whether the arrays are pictures; by default, if they have more than two axes.
        columns: Names of the D columns.
        levels: For each column the names of its codes 0, 1, …, none where it holds numbers; all do by default.
        features: One of :data:`~pushforward.auditing.features.EXTRACTORS`; by default ``columns`` for rows and
            ``convolutions`` for pictures.
        modes: The known mode of each real pattern, shape ``(N,)``; then the samples' modes are counted.
        fake_modes: The known mode of each sample, shape ``(M,)``; without them a classifier names the samples' modes.
        reference: What ``real`` is, for the figures' names.
        sources: Where ``real``, ``fake`` and ``train_real`` are from, by these names, for errors and notes.
        seed: Of every random choice.
        level: Of the tests, and one minus the intervals' coverage.
        observe: Told of every step as it begins.

    Raises:
        InputError: for unequal shapes, fewer than 50 patterns, values that are not finite, or fake identical
        to real.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = audit(rng.normal(size=(400, 2)), rng.normal(1.0, 1.0, size=(400, 2)))
        >>> result.distinguishable, result.n_test
        (True, 600)
    """
    if not LEAST_LEVEL <= level <= 0.5:
        raise InputError(f"the level of a test is between {LEAST_LEVEL} and 0.5, which {level} is not; 0.05 is usual")
    if train_real is None and train_fake is not None:
        raise InputError("train_real and train_fake go together: give train_real too, or neither")
    rng = np.random.default_rng(seed)
    notes: list[str] = []
    given = {"real": real, "fake": fake, "train_real": train_real, "train_fake": train_fake}
    called = {what: f"{what} ({sources[what]})" if what in sources else what for what in given}
    named = known_modes(modes, fake_modes, real, fake)
    there = {what: x for what, x in given.items() if x is not None}
    sets = sets_of(there, called, rng, notes, pictures=pictures, columns=columns, levels=levels, features=features)
    labels = {what: x[sets.kept[what]] for what, x in named.items()}
    return _audit(sets, labels, reference, rng, level, notes, observe)


def _audit(
    sets: Sets,
    modes: dict[str, np.ndarray],
    reference: str,
    rng: np.random.Generator,
    level: float,
    notes: list[str],
    observe: Observe,
) -> Audit:
    """Every part of the audit in turn, each with a random stream of its own."""
    real, fake, name = sets.features["real"], sets.features["fake"], sets.features_name
    train = sets.features.get("train_real")
    streams = iter(rng.spawn(len(STEPS)))

    def part(function: Callable[..., Part], *arguments: Any, **options: Any) -> Part:
        step = len(done)
        observe(STEPS[step], step, len(STEPS))
        done.append(function(*arguments, rng=next(streams), level=level, **options))
        return cast(Part, done[-1])

    done: list[Any] = []
    classifiers = part(_classify, sets, reference=reference)
    compared = f"{name}, reference: {reference}"
    sizes = f"n = {len(real):,} against {len(fake):,}"
    kernel = part(kernel_test, real, fake, features=f"{sizes}, {compared}", draws=RELABELLINGS)
    distance = part(frechet, real, fake, features=name, reference=reference)
    neighbours = part(support, real, fake, features=compared)
    missing = part(missed, real, fake, features=f"{sizes}, {compared}")
    strays = part(unsupported, real, fake, features=f"{sizes}, {compared}")
    copied = part(copying, real, fake, train=train, features=f"{len(fake):,} samples, {name}")
    table = part(_table, sets)
    covered = part(_covered, real, modes, fake, notes=notes)
    observe(STEPS[-1], len(STEPS), len(STEPS))
    return Audit(
        classifiers=classifiers,
        kernel=kernel,
        frechet=distance,
        support=neighbours,
        missed=missing,
        unsupported=strays,
        copying=copied,
        table=table,
        modes=covered,
        resolution=_resolution(sets, classifiers, missing, strays, copied, level),
        features=name,
        level=level,
        real=sets.is_real,
        n_real=len(real),
        n_fake=len(fake),
        notes=(*notes, *kernel.notes, *_of_copies(copied)),
        kept=sets.kept,
    )


def _of_copies(found: Copying) -> list[str]:
    """What the copying test presumes, where that may not hold."""
    if not (found.copied and found.denser):
        return []
    return [
        f"samples are nearest to one another more often than {found.reference} are: samples repeat one another, or the "
        "data were made unique or lie on a grid; the copying test takes the data to be independent draws"
    ]


def _classify(sets: Sets, reference: str, rng: np.random.Generator, level: float) -> ClassifierTest:
    """What the generator learnt from never enters the verdict; it serves to learn from if there are samples for it."""
    pool, learn_from = sets.pool(), sets.learn_from
    if "train_fake" in sets.patterns:
        return classifier_test(pool, given_parts(pool.real, learn_from), rng, level, reference)
    judged = Pool(
        pool.real[~learn_from],
        pool.features[~learn_from],
        None if pool.pictures is None else pool.pictures[~learn_from],
    )
    return classifier_test(judged, one_after_another(judged, rng), rng, level, reference)


def _resolution(
    sets: Sets,
    classifiers: ClassifierTest,
    missing: Missed,
    strays: Unsupported,
    copied: Copying,
    level: float,
) -> Resolution:
    judged = sets.is_real[classifiers.position]
    share = classifiers_share(sets.patterns["real"].ndim == 2)
    accuracy = noticeable_accuracy(int(judged.sum()), int((~judged).sum()), level * share)
    shares = missing.smallest_missed_share, strays.smallest_noticed_share, copied.noticeable
    if _all_alike(sets.features):
        shares = (math.nan,) * 3
    return Resolution(math.nan if _all_alike(sets.patterns) else accuracy, *shares, level)


def _all_alike(sets: Mapping[str, np.ndarray]) -> bool:
    """Whether data and samples are one pattern over and over, in which nothing can be noticed."""
    first = sets["real"][0]
    return all(bool((sets[what] == first).all()) for what in ("real", "fake"))


def _table(sets: Sets, rng: np.random.Generator, level: float) -> TableDifferences | None:
    real, fake = sets.patterns["real"], sets.patterns["fake"]
    return compare_table(real, fake, sets.columns, rng, level, sets.levels) if real.ndim == 2 else None


def _covered(
    real: np.ndarray,
    modes: dict[str, np.ndarray],
    fake: np.ndarray,
    rng: np.random.Generator,
    level: float,
    notes: list[str],
) -> ModeCoverage | None:
    """Which known modes the samples cover: by their own labels, or by a classifier that is as often wrong on both."""
    if not modes:
        return None
    if "fake" in modes:
        notes.append("the samples' modes are those that they are labelled with; whether they look it was not asked")
        return mode_coverage(modes["real"].tolist(), modes["fake"].tolist(), level)
    assigned = assign_modes(real, modes["real"].tolist(), fake, rng, level)
    wrong = f"it is wrong on {100 * assigned.error.value:.0f} % of the data"
    if not assigned.knows:
        guessing = f"{wrong} where guessing is on {100 * assigned.guessing:.0f} %"
        notes.append(
            f"which modes the samples cover is not known: a classifier hardly tells the modes apart ({guessing}); give "
            "the samples the same column of modes"
        )
        return assigned_coverage(assigned, level)
    notes.append(f"a classifier named the modes; {wrong}, and what its mistakes explain does not count as covered")
    if assigned.unnamed:
        unnamed = ", ".join(assigned.unnamed)
        notes.append(f"it recognises none of the data of {unnamed}, so whether samples cover that is not known")
    return assigned_coverage(assigned, level)
