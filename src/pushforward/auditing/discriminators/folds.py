"""Answers on training patterns by models that were fitted without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["FOLDS", "cross_fitted", "folds", "subset"]

FOLDS = 3


def folds(
    real: Bool[np.ndarray, " n"], seed: int
) -> Iterator[tuple[Int[np.ndarray, " inside"], Int[np.ndarray, " outside"]]]:
    """Positions inside and outside of each fold, every fold with its share of both kinds."""
    from sklearn.model_selection import StratifiedKFold

    yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(np.zeros(len(real)), real)


def cross_fitted(
    fit: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]],
    x: Float[np.ndarray, "n d"],
    real: Bool[np.ndarray, " n"],
    seed: int,
) -> Float[np.ndarray, "... n"]:
    """What ``fit(x, real)`` answers on each pattern when it was fitted on the folds without it."""
    parts = list(folds(real, seed))
    answers = [fit(x[inside], real[inside])(x[outside]) for inside, outside in parts]
    held_out = np.empty((*answers[0].shape[:-1], len(x)))
    for (_, outside), answer in zip(parts, answers, strict=True):
        held_out[..., outside] = answer
    return held_out


def subset(real: Bool[np.ndarray, " n"], most: int, seed: int) -> Int[np.ndarray, " k"]:
    """Positions of at most ``most`` patterns, of both kinds in their proportion."""
    if len(real) <= most:
        return np.arange(len(real))
    rng = np.random.default_rng(seed)
    kinds = (np.flatnonzero(real), np.flatnonzero(~real))
    chosen = [rng.choice(kind, max(1, most * len(kind) // len(real)), replace=False) for kind in kinds]
    return np.sort(np.concatenate(chosen))
