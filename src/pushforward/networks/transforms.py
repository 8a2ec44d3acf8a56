"""Whether a function of tensors is being transformed, so that only plain operations on them will do."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad

__all__ = ["transformed"]


def transformed() -> bool:
    """Whether ``torch.func`` or forward-mode differentiation is at work.

    Its tensors stand for many, or carry a derivative along: loops over memory would not see it, and a gradient by hand
    is not a rule for it.

    Example:
        >>> seen = []
        >>> _ = torch.func.grad(lambda x: seen.append(transformed()) or x)(torch.tensor(1.0))
        >>> seen, transformed()
        ([True], False)
    """
    if torch.compiler.is_compiling():
        return False
    # torch has no public names for either; torch.autograd.Function itself asks by the first.
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
