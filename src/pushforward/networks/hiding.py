"""What training hides, so that a model learns to do without."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["VariableDropout"]


class VariableDropout(nn.Module):
    r"""In training, hides variables from whole windows of a series, NaN in their place; else the identity.

    Each variable is hidden with a probability that is uniform on :math:`[0, r)` for each window, but for windows that
    would be left with nothing observed, which stay whole. Between windows that lack nothing and windows that lack much,
    a model learns the law of what is observed from any part of it, and leans less on what few windows say of how one
    variable follows another.

    Arguments:
        most: The largest probability r.

    Raises:
        ValueError: If r is not in [0, 1].

    Example:
        >>> _ = torch.manual_seed(0)
        >>> dropout, x = VariableDropout(0.5), torch.zeros(2, 3, 4)
        >>> dropout(x).isnan().all(1)
        tensor([[ True,  True, False, False],
                [False, False, False, False]])
        >>> bool(dropout.eval()(x).isnan().any())
        False
    """

    def __init__(self, most: float) -> None:
        super().__init__()
        if not 0 <= most <= 1:
            raise ValueError(f"the probability of hiding a variable in training is from 0 to 1, not {most}")
        self.most = most

    def forward(self, x: Float[Tensor, "*batch t v"]) -> Float[Tensor, "*batch t v"]:
        """The windows, some of their variables missing."""
        if not self.training or self.most == 0:
            return x
        probability = self.most * torch.rand_like(x[..., :1, :1])
        hidden = torch.rand_like(x[..., :1, :]) < probability
        left = ~hidden & ~x.isnan().all(-2, keepdim=True)
        return x.masked_fill(hidden & left.any(-1, keepdim=True), torch.nan)
