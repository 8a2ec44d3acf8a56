"""In which order patterns are judged and learnt from, so that every answer is on a pattern not seen before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["Pool", "Stage", "given_parts", "one_after_another"]

BLOCKS = 4
CROWD = 0.02


@dataclass(frozen=True, eq=False)
class Pool:
    """Real and fake patterns together.

    Arguments:
        real: Which of the N are data.
        features: Their features, shape ``(N, d)``.
        pictures: The pictures themselves, shape ``(N, H, W, C)``, where that is what they are.
    """

    real: Bool[np.ndarray, " n"] = field(repr=False)
    features: Float[np.ndarray, "n d"] = field(repr=False)
    pictures: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class Stage:
    """Positions in the pool to learn from, and positions to be judged next."""

    train: Int[np.ndarray, " k"]
    test: Int[np.ndarray, " m"]


def given_parts(real: Bool[np.ndarray, " n"], learn_from: Bool[np.ndarray, " n"]) -> list[Stage]:
    """One stage: learn from the patterns that were given for it, and judge all others."""
    return [Stage(np.flatnonzero(learn_from), np.flatnonzero(~learn_from))]


def one_after_another(pool: Pool, rng: np.random.Generator) -> list[Stage]:
    """Random blocks, each judged by what was learnt from all blocks before it.

    Whatever happened in earlier blocks, the labels of the next are exchangeable under equal laws, so its
    permutation law is exact, and blocks add up like independent tests. (Cross-validation is not like this:
    each part of its answers was learnt from the others, which makes their sum wider than chance.) Rows that
    repeat one another stay in one block unless they crowd it: a repetition would be remembered, not told.
    """
    block = np.empty(len(pool.real), np.int64)
    groups = _repeats(pool.features)
    for kind in (pool.real, ~pool.real):
        places = np.flatnonzero(kind)
        block[places] = _even(len(places), rng)
    leaders = _first_of(groups)
    block = np.where(groups >= 0, block[leaders], block)
    return [Stage(np.flatnonzero(block < k), np.flatnonzero(block == k)) for k in range(1, BLOCKS)]


def _even(n: int, rng: np.random.Generator) -> Int[np.ndarray, " n"]:
    """A random block for each of n patterns, as many in each."""
    return rng.permutation(np.arange(n) % BLOCKS)


def _repeats(x: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """The group of equal rows that each row is in, or −1 where it stands alone or its group would crowd a block."""
    _, group, counts = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    kept = (counts > 1) & (counts <= max(2, CROWD * len(x)))
    return np.where(kept[group], group, -1)


def _first_of(groups: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """For each row the first position of its group."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.asarray(first[inverse.reshape(-1)])
