"""What networks are fed."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import hardtanh

__all__ = ["FARTHEST", "tame"]

FARTHEST = 1e6
"""In the standardised units of patterns, where nothing else lies; a few layers' products of it do not overflow."""


def tame(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The inputs, with those farther out than ``FARTHEST`` moved there: what a network says must be finite.

    A law stays exact by it: what a conditional makes of the components before it is its own affair.

    Example:
        >>> import torch
        >>> tame(torch.tensor([0.5, -1e30]))
        tensor([ 5.0000e-01, -1.0000e+06])
    """
    return hardtanh(x, -FARTHEST, FARTHEST)  # a clamp whose gradient is one operation
