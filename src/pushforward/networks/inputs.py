"""What networks are fed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import hardtanh

__all__ = ["farthest", "tame"]

FARTHEST = 1e6
"""In the standardised units of patterns, where nothing else lies; a few layers' products of it do not overflow."""


def farthest(dtype: torch.dtype) -> float:
    """``FARTHEST``, or the largest number of a type that does not reach so far."""
    return min(FARTHEST, torch.finfo(dtype).max)


def tame(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inputs, with those farther out than ``FARTHEST`` moved there: what a network says must be finite.

    A law stays exact by it: what a conditional makes of the components before it is its own affair.

    Example:
        >>> tame(torch.tensor([0.5, -1e30]))
        tensor([ 5.0000e-01, -1.0000e+06])
    """
    most = farthest(x.dtype)
    return hardtanh(x, -most, most)  # a clamp whose gradient is one operation
