"""Pictures as the extractors take them: blocks of float32 in bounded memory, of the size and channels asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from pushforward.errors import InputError

__all__ = ["BATCH", "Pictures", "blocks", "feature_rows", "resized", "unit_scale", "with_channels"]

Pictures = Float[np.ndarray, "n h w c"]

BATCH = 32  # pictures at once through a large network
BLOCK_VALUES = 2**20  # pixel values in a block: 4 MiB, which the processor's cache nearly holds
LUMINANCE = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's "L"


def blocks(sets: Sequence[Pictures], batch: int | None = None) -> Iterator[Float[np.ndarray, "b h w c"]]:
    """The sets one after the other, as float32 blocks of ``batch`` pictures or of what the cache holds."""
    for x in sets:
        step = batch or max(1, BLOCK_VALUES // int(np.prod(x.shape[1:])))
        for start in range(0, len(x), step):
            yield x[start : start + step].astype(np.float32)


def feature_rows(
    features: Callable[[Float[Tensor, "b c h w"]], Tensor], sets: Sequence[Pictures], batch: int | None = None
) -> Float[np.ndarray, "N d"]:
    """Features of all pictures, ``(N, d)``, from a function of one block ``(b, C, H, W)``."""
    with torch.inference_mode():
        rows = [features(torch.from_numpy(b).movedim(-1, 1)).numpy() for b in blocks(sets, batch)]
    return np.concatenate(rows).astype(np.float64)


def unit_scale(sets: Sequence[Pictures]) -> float:
    """What brings pixel values to 0…1: 1/255 for bytes, 1 for what is already there (or nearly, as samples are)."""
    return 1 / 255 if max(float(x.max()) for x in sets) > 2 else 1.0


def with_channels(x: Float[Tensor, "b c h w"], channels: int) -> Float[Tensor, "b channels h w"]:
    """Grey pictures as colour ones, or colour ones as grey."""
    has = x.shape[1]
    if has == channels:
        return x
    if (has, channels) == (1, 3):
        return x.expand(-1, 3, -1, -1)
    if (has, channels) == (3, 1):
        return (x * LUMINANCE[:, None, None]).sum(1, keepdim=True)
    raise InputError(f"the pictures have {has} channels but the extractor needs {channels}: give grey or RGB pictures")


def resized(x: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c height width"]:
    """Pictures of another size by an antialiased cubic filter, without which small ones would show moiré."""
    if tuple(x.shape[-2:]) == size:
        return x
    return functional.interpolate(x, size, mode="bicubic", antialias=True).clamp(0, 1)
