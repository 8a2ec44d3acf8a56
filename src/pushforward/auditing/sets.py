"""What an audit is given: patterns, checked, thinned and in features, and the labels of their modes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from pushforward.auditing.features import extract
from pushforward.auditing.patterns import check_comparable, checked, copies, equals, fractions, repeated, thinned
from pushforward.auditing.stages import Pool
from pushforward.errors import InputError

__all__ = ["Sets", "known_modes", "sets_of"]


@dataclass(frozen=True, eq=False)
class Sets:
    """Checked patterns by what they are, in the order real, fake, then those to learn from.

    Arguments:
        patterns: Rows ``(n, D)`` or pictures ``(n, H, W, C)``.
        features: Their features, shape ``(n, d)``.
        features_name: What the features are.
        columns: The names of the D columns.
        levels: For each column the names of its codes, none where it holds numbers.
        kept: Positions, in what was given, of the patterns.
    """

    patterns: dict[str, np.ndarray]
    features: dict[str, np.ndarray]
    features_name: str
    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    kept: dict[str, Int[np.ndarray, " n"]]

    @property
    def is_real(self) -> Bool[np.ndarray, " n"]:
        """Which of all patterns, one set after the other, are data."""
        return np.repeat([what.endswith("real") for what in self.patterns], self._sizes)

    @property
    def learn_from(self) -> Bool[np.ndarray, " n"]:
        """Which of them serve to learn from alone."""
        return np.repeat([what.startswith("train") for what in self.patterns], self._sizes)

    @property
    def _sizes(self) -> list[int]:
        return [len(x) for x in self.patterns.values()]

    def pool(self) -> Pool:
        """All patterns as one pool."""
        every = np.concatenate(list(self.patterns.values()))
        features = np.concatenate(list(self.features.values()))
        return Pool(self.is_real, features, every if every.ndim == 4 else None)


def sets_of(
    given: Mapping[str, np.ndarray],
    called: Mapping[str, str],
    rng: np.random.Generator,
    notes: list[str],
    *,
    pictures: bool | None = None,
    columns: Sequence[str] | None = None,
    levels: Sequence[Sequence[str]] = (),
    features: str | None = None,
) -> Sets:
    """Check patterns, thin them if they are very many, and take their features.

    Arguments:
        given: Patterns by what they are, in the order real, fake, then those to learn from.
        called: What to call each of them in errors and notes.
        rng: Of the thinning.
        notes: What a reader should know is added here.
        pictures: Whether they are pictures; by default, if they have more than two axes.
        columns: Names of the columns.
        levels: For each column the names of its codes.
        features: Which features; by default ``columns`` for rows and ``convolutions`` for pictures.

    Raises:
        InputError: The patterns are no patterns, or do not belong together.
    """
    kept = {what: checked(called[what], x, pictures, columns) for what, x in given.items()}
    for what, x in kept.items():
        check_comparable((called["real"], kept["real"]), (called[what], x))
    names = _names(columns, kept["real"])
    notes += _notes(kept, called, names)
    chosen = {what: thinned(called[what], x, rng, notes) for what, x in kept.items()}
    patterns = {what: x[chosen[what]] for what, x in kept.items()}
    found = extract(
        features or _default(patterns["real"]), *patterns.values(), categories=[len(names) for names in levels]
    )
    notes += found.notes
    of_columns = tuple(tuple(each) for each in levels)
    of_features = dict(zip(patterns, found.sets, strict=True))
    return Sets(patterns, of_features, found.name, names, of_columns, chosen)


def known_modes(
    modes: Sequence[Any] | None, fake_modes: Sequence[Any] | None, real: np.ndarray, fake: np.ndarray
) -> dict[str, np.ndarray]:
    """The labels of modes that were given, by whose they are.

    Raises:
        InputError: There is not one for each pattern, or they name fewer than two modes or too many.
    """
    if modes is None and fake_modes is not None:
        raise InputError("fake_modes are counted against the data's: give modes too, or neither")
    named = {} if modes is None else {"real": _modes(modes, len(real))}
    if fake_modes is not None:
        named["fake"] = _one_each("fake_modes", fake_modes, "fake", len(fake))
    return named


def _default(real: np.ndarray) -> str:
    return "columns" if real.ndim == 2 else "convolutions"


def _names(columns: Sequence[str] | None, real: np.ndarray) -> tuple[str, ...]:
    if real.ndim != 2:
        return ()
    names = tuple(f"x{j}" for j in range(real.shape[1])) if columns is None else tuple(columns)
    if len(names) != real.shape[1]:
        raise InputError(f"{len(names)} column names were given for {real.shape[1]} columns: name each column once")
    return names


def _modes(modes: Sequence[Any], n: int) -> np.ndarray:
    labels = _one_each("modes", modes, "real", n)
    several = len(np.unique(labels))
    if several < 2 or several > n / 5:
        counted = f"{several:,} different mode{'s' * (several > 1)} for {n:,} patterns"
        raise InputError(f"modes names {counted}: name two or more, with five or more patterns each on average")
    return labels


def _one_each(name: str, modes: Sequence[Any], what: str, n: int) -> np.ndarray:
    labels = np.asarray(modes)
    if labels.shape != (n,):
        raise InputError(f"{name} has shape {labels.shape}, but {what} has {n} patterns: give one mode for each")
    return labels


def _notes(kept: dict[str, np.ndarray], called: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """What would decide the verdict for a reason that is not the generator's merit."""
    real, fake, train = kept["real"], kept["fake"], kept.get("train_real")
    copied = copies((called["real"], real), (called["fake"], fake))
    if copied is None:
        copied = equals(real, fake, "real patterns") if train is None else equals(train, fake, "training patterns")
    twice = (repeated(called[what], kept[what]) for what in ("real", "fake"))
    found = (copied, fractions(real, fake, names), *twice)
    return [note for note in found if note]
