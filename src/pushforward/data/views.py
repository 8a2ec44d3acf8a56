"""Windows of a series as views of it, and the series again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["carried", "overlapping", "unrolled", "windows_of"]

Array = NDArray[Any]


def windows_of(x: Array, window: int) -> Array:
    """Every run of ``window`` consecutive rows of ``(n, …)``, as a view ``(n − window + 1, window, …)``.

    Example:
        >>> windows_of(np.arange(4), 3).tolist()
        [[0, 1, 2], [1, 2, 3]]
    """
    shape = (len(x) - window + 1, window, *x.shape[1:])
    return np.lib.stride_tricks.as_strided(x, shape, (x.strides[0], *x.strides), writeable=False)


def overlapping(x: Array) -> bool:
    """Whether windows ``(N, T, …)`` are all those of one run of rows, each a row later than the one before it.

    Example:
        >>> every = windows_of(np.arange(9), 3)
        >>> overlapping(every), overlapping(every[::3])
        (True, False)
    """
    return x.strides[0] == x.strides[1]


def unrolled(x: Array) -> Array:
    """The rows that windows ``(N, T, …)`` were cut from, each once if the windows follow each other.

    Example:
        >>> unrolled(windows_of(np.arange(4), 3)).tolist()
        [0, 1, 2, 3]
    """
    if len(x) and overlapping(x):
        return np.concatenate([x[:, 0], x[-1, 1:]])
    return x.reshape(-1, *x.shape[2:])


def carried(x: Array) -> Array:
    """``(…, T, V)`` with each missing value replaced by the last one before it, or by 0 where there is none.

    Example:
        >>> carried(np.array([[np.nan], [2.0], [np.nan]])).ravel().tolist()
        [0.0, 2.0, 2.0]
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    place = np.where(missing, -1, np.arange(x.shape[-2])[:, None])
    last = np.maximum.accumulate(place, axis=-2)
    filled = np.take_along_axis(x, last.clip(0), axis=-2)
    return np.where(last < 0, 0.0, filled)
