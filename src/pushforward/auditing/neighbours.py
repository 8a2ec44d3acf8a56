"""Nearest neighbours of many patterns in many columns, exactly, and never in more memory than a block of distances."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["in_balls", "nearest"]

BLOCK = 2**23
"""Distances in memory at once: 32 MB in single precision."""
NARROW = 64
"""Up to so many columns the products are the smaller part of the work, and double precision costs little."""
TRUSTED = 0.01
"""A squared distance in single precision has some four true digits if it is this share of the squared norms."""


def nearest(x: Float[np.ndarray, "n d"], k: int) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    r"""The squared distances to the ``k`` nearest other patterns, nearest first, and their places.

    By :math:`\lVert x - y\rVert^2 = \lVert x\rVert^2 - 2 x^\top y + \lVert y\rVert^2` about the patterns' centre, in
    single precision where no digits that matter cancel, and in double precision otherwise.

    Arguments:
        x: Patterns, shape ``(n, d)``.
        k: Fewer than n.

    Example:
        >>> squared, places = nearest(np.array([[0.0], [1.0], [3.0]]), 1)
        >>> squared[:, 0], places[:, 0]
        (array([1., 1., 4.]), array([1, 0, 1]))
    """
    centred = torch.from_numpy(x - _centre(x))
    if x.shape[1] > NARROW:
        single = centred.float()
        squared, places = _nearest(single, k)
        if _trusted(single, squared[:, -1]):
            return squared.numpy().astype(np.float64), places.numpy()
    squared, places = _nearest(centred, k)
    return squared.numpy(), places.numpy()


def in_balls(
    real: Float[np.ndarray, "n d"],
    fake: Float[np.ndarray, "m d"],
    real_squared: Float[np.ndarray, " n"],
    fake_squared: Float[np.ndarray, " m"],
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], Int[np.ndarray, " m"]]:
    """What lies in whose ball, with every distance between the two sets computed once.

    Arguments:
        real: Patterns, shape ``(n, d)``.
        fake: Others, shape ``(m, d)``.
        real_squared: The squared radius of the ball about each of ``real``.
        fake_squared: The same for ``fake``.

    Returns:
        Of each real pattern, whether its ball holds a fake one and whether it lies in the ball of one; of each
        fake pattern, in how many balls of real ones it lies.

    Example:
        >>> in_balls(np.array([[0.0], [9.0]]), np.array([[1.0]]), np.array([4.0, 4.0]), np.array([0.5]))
        (array([ True, False]), array([False, False]), array([1]))
    """
    centre = _centre(real)
    rows, columns = (torch.from_numpy(x - centre) for x in (real, fake))
    of_rows, of_columns = torch.from_numpy(real_squared)[:, None], torch.from_numpy(fake_squared)
    if real.shape[1] > NARROW and _trusted(rows, of_rows[:, 0]) and _trusted(columns, of_columns):
        rows, columns, of_rows, of_columns = rows.float(), columns.float(), of_rows.float(), of_columns.float()
    covered, reached = np.zeros((2, len(real)), bool)
    balls = np.zeros(len(fake), np.int64)
    for part, squared in _strips(rows, columns):
        inside = (squared <= of_rows[part]).numpy()
        covered[part] = inside.any(1)
        balls += np.count_nonzero(inside, axis=0)
        reached[part] = (squared <= of_columns).numpy().any(1)
    return covered, reached, balls


def _centre(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """About the middle of most patterns, whatever a few others are: any centre is right, a near one exact."""
    return np.asarray(np.median(x[:: max(1, len(x) // 1000)], axis=0))


def _trusted(x: Tensor, squared: Tensor) -> bool:
    return bool((squared >= TRUSTED * x.square().sum(1)).all())


def _nearest(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Each distance serves both its ends: a strip's rows among the columns not yet done, and those among its rows."""
    squared = torch.full((len(x), k), torch.inf, dtype=x.dtype)
    places = torch.zeros(len(x), k, dtype=torch.int64)
    for part, block in _strips(x, x, halved=True):
        block[:, : len(block)].fill_diagonal_(torch.inf)
        _merge(squared[part], places[part], block, part.start)
        if part.stop < len(x):
            _merge(squared[part.stop :], places[part.stop :], block[:, len(block) :].T.contiguous(), part.start)
    return squared.clamp_(min=0), places


def _merge(squared: Tensor, places: Tensor, block: Tensor, start: int) -> None:
    """Take what a block of further columns, counted from ``start``, holds of the nearest into the lists."""
    k = squared.shape[1]
    values, found = block.topk(min(k, block.shape[1]), largest=False)
    best, kept = torch.cat([squared, values], dim=1).topk(k, largest=False)
    squared.copy_(best)
    places.copy_(torch.cat([places, found + start], dim=1).gather(1, kept))


def _strips(rows: Tensor, columns: Tensor, halved: bool = False) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of a few rows at a time to all columns, or to those from its first on, if they are the same.

    The norms ride along in the product as two more components, which saves two walks through its result.
    """
    ones = [torch.ones(len(x), 1, dtype=x.dtype) for x in (rows, columns)]
    norms = [x.square().sum(1, keepdim=True) for x in (rows, columns)]
    left = torch.cat([rows, norms[0], ones[0]], dim=1)
    right = torch.cat([-2 * columns, ones[1], norms[1]], dim=1).T
    height = min(len(rows), max(1, BLOCK // len(columns)))
    block = torch.empty(height * len(columns), dtype=rows.dtype)  # for every strip, one after another
    for start in range(0, len(rows), height):
        part, others = left[start : start + height], right[:, start if halved else 0 :]
        shape = len(part), others.shape[1]
        yield slice(start, start + len(part)), torch.mm(part, others, out=block[: math.prod(shape)].view(shape))
