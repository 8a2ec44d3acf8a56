"""The audit: can the two be told apart? It knows laws only by their samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pushforward.auditing.columns import compare_columns
from pushforward.auditing.convolutional import convolutions
from pushforward.auditing.discriminator import trees
from pushforward.auditing.patterns import Part, check_comparable, checked, copies, divide, thinned
from pushforward.auditing.statistics import js_lower_bound, noticeable_accuracy, two_sample_accuracy
from pushforward.auditing.verdict import Audit
from pushforward.errors import InputError

__all__ = ["audit"]


def audit(
    real: np.ndarray,
    fake: np.ndarray,
    *,
    train_real: np.ndarray | None = None,
    train_fake: np.ndarray | None = None,
    pictures: bool | None = None,
    columns: Sequence[str] | None = None,
    seed: int = 0,
    level: float = 0.05,
) -> Audit:
    """Learn to tell samples from data, and report how well that goes on patterns not seen before.

    The discriminator is gradient-boosted trees for rows and a small convolutional network for pictures. It
    learns from as many real as fake patterns (8) and answers on as many of both.

    Arguments:
        real: Data, shape ``(N, D)``, or pictures ``(N, H, W)`` or ``(N, H, W, C)``.
        fake: Samples of the same shape but for N.
        train_real: Data for the discriminator to learn from; then all of ``real`` serves for the verdict.
            They must be independent of ``real``. Without them both ``real`` and ``fake`` are split in halves.
        train_fake: Samples for the discriminator to learn from, given together with ``train_real``.
        pictures: Whether the arrays are pictures; by default, if they have more than two axes.
        columns: Names of the D columns.
        seed: Of the random parts and of the discriminator.
        level: Of the test, and one minus the intervals' coverage.

    Raises:
        InputError: for unequal shapes, fewer than 50 patterns, values that are not finite, or fake identical
        to real.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> result = audit(rng.normal(size=(400, 2)), rng.normal(1.0, 1.0, size=(400, 2)))
        >>> result.distinguishable, result.n_test
        (True, 400)
    """
    given = {"real": real, "fake": fake}
    if not 1e-6 <= level <= 0.5:
        raise InputError(f"the level of a test is between 0.000001 and 0.5, which {level} is not; 0.05 is usual")
    if (train_real is None) != (train_fake is None):
        raise InputError("train_real and train_fake go together: give both, or neither")
    if train_real is not None and train_fake is not None:
        given |= {"train_real": train_real, "train_fake": train_fake}
    rng = np.random.default_rng(seed)
    notes: list[str] = []
    sets = {what: checked(what, x, pictures, columns) for what, x in given.items()}
    for what, x in sets.items():
        check_comparable(("real", sets["real"]), (what, x))
    names = _names(columns, sets["real"])
    notes += _notes(sets["real"], sets["fake"], names)
    sets = {what: thinned(what, x, rng, notes) for what, x in sets.items()}
    train, test = _parts(sets, rng)
    return _judge(sets, names, train, test, notes, seed, level)


def _judge(
    sets: dict[str, np.ndarray],
    names: tuple[str, ...],
    train: Part,
    test: Part,
    notes: list[str],
    seed: int,
    level: float,
) -> Audit:
    is_table = test.real.ndim == 2
    log_odds = (trees if is_table else convolutions)(train.real, train.fake, seed % 2**32)  # scikit-learn's limit
    answers_real, answers_fake = log_odds(test.real), log_odds(test.fake)
    # An exact tie counts as "fake" whatever the pattern is, so it is as often wrong as right.
    correct = int((answers_real > 0).sum() + (answers_fake <= 0).sum())
    n = len(answers_real) + len(answers_fake)
    accuracy = two_sample_accuracy(correct, n, level)
    return Audit(
        classifier=accuracy,
        js=js_lower_bound(answers_real, answers_fake, level),
        distinguishable=accuracy.p_value is not None and accuracy.p_value <= level,
        noticeable=noticeable_accuracy(n, level),
        level=level,
        classifier_name="gradient-boosted trees" if is_table else "a small convolutional network",
        n_train=2 * len(train.real),
        n_test=n,
        log_odds_real=answers_real,
        log_odds_fake=answers_fake,
        index_real=test.index_real,
        index_fake=test.index_fake,
        columns=compare_columns(sets["real"], sets["fake"], names, level) if is_table else (),
        notes=tuple(notes),
    )


def _parts(sets: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[Part, Part]:
    """What the discriminator learns from, and what it is judged on."""
    if "train_real" not in sets:
        train, test = divide(sets["real"], sets["fake"], rng, halves=True)
        return train, test
    (train,) = divide(sets["train_real"], sets["train_fake"], rng, halves=False)
    (test,) = divide(sets["real"], sets["fake"], rng, halves=False)
    return train, test


def _names(columns: Sequence[str] | None, real: np.ndarray) -> tuple[str, ...]:
    if real.ndim != 2:
        return ()
    names = tuple(f"x{j}" for j in range(real.shape[1])) if columns is None else tuple(columns)
    if len(names) != real.shape[1]:
        raise InputError(f"{len(names)} column names were given for {real.shape[1]} columns: name each column once")
    return names


def _notes(real: np.ndarray, fake: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """What would decide the verdict for a reason that is not the generator's merit."""
    notes = [note] if (note := copies(real, fake)) else []
    fractions = [name for j, name in enumerate(names) if _is_whole(real[:, j]) and not _is_whole(fake[:, j])]
    if fractions:
        notes.append(
            f"in {', '.join(fractions[:5])}{' …' if len(fractions) > 5 else ''} the data are whole numbers "
            "and the samples are not, which alone tells them apart: round the samples"
        )
    return notes


def _is_whole(x: np.ndarray) -> bool:
    return bool((x == np.round(x)).all())
