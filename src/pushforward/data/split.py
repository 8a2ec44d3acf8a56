"""Splits by seed, with repeated rows kept on one side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pushforward.data.column import is_integral
from pushforward.data.dataset import Array, Dataset, blocks, counted
from pushforward.data.schema import FEWEST_ROWS
from pushforward.data.views import overlapping, unrolled
from pushforward.errors import InputError

__all__ = ["Splits", "split"]

Hash = NDArray[np.uint64]


@dataclass(frozen=True)
class Splits:
    """Three parts of the data.

    Arguments:
        train: To learn from.
        validation: To choose by.
        test: Kept for the verdict.
        repeated: How many rows repeat an earlier one exactly.
        note: How repeated rows were treated, in a sentence; empty if there are none.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    repeated: int
    note: str


def split(
    data: Dataset,
    seed: int = 0,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    duplicates: Literal["auto", "together", "apart"] = "auto",
) -> Splits:
    """Split into training, validation and test parts, each in the data's order.

    A series is split in time: the parts follow each other and no window lies across two. The windows of validation and
    test do not overlap, so that each step counts once; those of training do.

    A row in training that stands in the test part too is remembered, not predicted; so equal rows go
    ``together`` (one repeated so often that it would crowd the smallest part goes to training). Where all
    columns are discrete and more than a tenth of the rows are repeats, repetition is a property of the law
    itself, and ``auto`` splits such rows one by one (``apart``); so it does with a row that would crowd a part.

    Raises:
        InputError: If a part would be empty, or training smaller than 20 rows.

    Example:
        >>> parts = split(Dataset("array", np.arange(100.0)[:, None], columns=("a",)))
        >>> len(parts.train), len(parts.validation), len(parts.test), parts.repeated
        (80, 10, 10, 0)
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(f"the three fractions of a split are at least 0 and sum to 1, not {fractions}")
    if data.kind == "series":
        return _in_time(data, fractions)
    sizes = _sizes(len(data), fractions)
    if sizes[0] < FEWEST_ROWS or any(n == 0 < share for n, share in zip(sizes, fractions, strict=True)):
        raise InputError(
            f"{data.name} has {counted(len(data), data.noun)}, too few to learn from and to keep some for the verdict; "
            f"at least {_fewest(fractions)} are needed, so give more"
        )
    group, counts = _groups(_row_hashes(data))
    repeated = len(data) - len(counts)
    apart = duplicates == "apart" or (duplicates == "auto" and repeated > len(data) / 10 and _is_discrete(data))
    if apart:
        group, counts = np.arange(len(data)), np.ones(len(data), np.int64)
    elif duplicates == "auto" and data.kind != "pictures":
        group, counts = _atoms_apart(group, counts, _crowd(sizes))
    part = _parts(counts, sizes, np.random.default_rng(seed))[group]
    train, validation, test = (data.take(np.flatnonzero(part == i)) for i in range(3))
    return Splits(train, validation, test, repeated, _note(repeated, apart, len(data) - len(counts), data.noun))


def _in_time(data: Dataset, fractions: tuple[float, float, float]) -> Splits:
    """The parts of a series, one after another."""
    if not overlapping(data.windows):
        raise InputError(f"{data.name} holds separate windows, which have no order in time; give the series itself")
    window = data.windows.shape[1]
    steps = len(data) + window - 1
    train, validation, test = sizes = _sizes(steps, fractions)
    if train < window + FEWEST_ROWS - 1 or any(0 < n < window for n in sizes[1:]):
        needed = max(round((window + FEWEST_ROWS) / fractions[0]), *(round(window / f) for f in fractions[1:] if f))
        most = min(train - FEWEST_ROWS + 1, *(n for n, share in zip(sizes[1:], fractions[1:], strict=True) if share))
        smaller = f"--window {most} at most" if most > 1 else "a longer series"
        raise InputError(
            f"{data.name} has {steps:,} steps, too few to learn from and to keep some for the verdict in windows of "
            f"{window}; about {needed:,} are needed, or {smaller}"
        )
    parts = (
        data.take(slice(0, train - window + 1)),
        data.take(slice(train, train + max(0, validation - window + 1), window)),
        data.take(slice(train + validation, train + validation + max(0, test - window + 1), window)),
    )
    missing = float(np.isnan(unrolled(data.windows)).mean())
    note = f"{100 * missing:.3g} % of the values are missing" if missing else ""
    return Splits(*parts, repeated=0, note=note)


def _groups(hashes: Hash) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The group of equal rows that each row is in, and the groups' sizes, in the order of their first rows.

    That order does not depend on values, so neither does the split of rows that are all different.
    """
    _, first, group, counts = np.unique(hashes, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[group], counts[order]


def _crowd(sizes: tuple[int, int, int]) -> int:
    """The most equal rows that the smallest part can hold without being about little else."""
    return max(1, min(n for n in sizes if n) // 2)


def _atoms_apart(
    group: NDArray[np.int64], counts: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The groups, but for those larger than ``most``: such rows are an atom of the law, and each is its own group.

    Kept on one side, the zeros of rainfall would make the parts differ in law, and every verdict false.
    """
    atom = counts[group] > most
    if not atom.any():
        return group, counts
    single = group.copy()
    single[atom] = len(counts) + np.arange(int(atom.sum()))
    _, again, sizes = np.unique(single, return_inverse=True, return_counts=True)
    return again, sizes


def _sizes(n: int, fractions: tuple[float, float, float]) -> tuple[int, int, int]:
    validation, test = (round(n * share) for share in fractions[1:])
    return n - validation - test, validation, test


def _fewest(fractions: tuple[float, float, float]) -> int:
    n = FEWEST_ROWS
    while any(
        size < (FEWEST_ROWS if i == 0 else share > 0)
        for i, (size, share) in enumerate(zip(_sizes(n, fractions), fractions, strict=True))
    ):
        n += 1
    return n


def _parts(counts: NDArray[np.int64], sizes: tuple[int, int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """The part of each group of equal rows, at random, so that the parts come out as large as asked for."""
    order = rng.permutation(len(counts))
    crowding = counts[order] > _crowd(sizes)
    order = order[np.argsort(~crowding, kind="stable")]  # to training
    middle = np.cumsum(counts[order]) - counts[order] / 2
    part = np.empty(len(counts), np.int64)
    part[order] = np.searchsorted([sizes[0], sizes[0] + sizes[1]], middle, side="right")
    return part


def _note(repeated: int, apart: bool, together: int, noun: str) -> str:
    if not repeated:
        return ""
    those = f"{counted(repeated, noun)} {'repeat' if repeated > 1 else 'repeats'} another exactly"
    if apart:
        return f"{those}; repetition is a property of the law, so they were split one by one"
    if together < repeated:
        return f"{those}; equal {noun}s were kept on one side, but for those so frequent that they belong to the law"
    return f"{those}; equal {noun}s were kept on one side"


def _is_discrete(data: Dataset) -> bool:
    """Whether all columns are whole numbers; a repeated picture is a copy, whatever its pixels are."""
    return data.kind != "pictures" and all(is_integral(data.column(name)) for name in data.columns)


def _row_hashes(data: Dataset) -> Hash:
    """64 bits of each row, equal for equal rows."""
    if data.kind == "pictures":
        return np.concatenate([_mixed(_bytes_as_words(block)) for block in blocks(data.pictures)])
    h = np.zeros(len(data), np.uint64)
    for name in data.columns:
        _mix(h, _column_as_words(data.column(name)))
    return h


def _mixed(words: NDArray[np.uint64]) -> Hash:
    h = np.zeros(len(words), np.uint64)
    for j in range(words.shape[1]):
        _mix(h, words[:, j])
    return h


def _mix(h: Hash, word: NDArray[np.uint64]) -> None:
    """Fold a word into the hashes in place, by the finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    h += word + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        h ^= h >> np.uint64(shift)
        h *= np.uint64(factor)
    h ^= h >> np.uint64(31)


def _column_as_words(x: Array) -> NDArray[np.uint64]:
    if x.dtype.kind in "biu":
        return x.astype(np.int64).view(np.uint64)
    return (x.astype(np.float64) + 0.0).view(np.uint64)  # −0 is 0


def _bytes_as_words(block: Array) -> NDArray[np.uint64]:
    flat = block.reshape(len(block), -1)
    padded = np.pad(flat, ((0, 0), (0, -flat.shape[1] % 8)))
    return np.ascontiguousarray(padded).view(np.uint64)
