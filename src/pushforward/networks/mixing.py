"""What training adds to a window of a series: another window."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["WindowMixing"]

MOST = 0.5
"""The largest weight of the other window."""
CHANCE = 0.3
"""How much farther off, at most, chance makes a window: of several that begin nearly alike, any is chosen."""


class WindowMixing(nn.Module):
    r"""In training, mixes windows of standardised series: :math:`x \leftarrow \sqrt{1 - w}\,x + \sqrt w\,x'`.

    x' is the window of the batch that begins at the time of the calendar nearest to that of x, and w is uniform on
    [0, ½). The sum of two independent windows of one linear Gaussian process of mean 0, so weighed, is a window of that
    process: mixing shows a model more of what is linear in a series than its few windows hold. Of what is not, the
    windows that stay as they are tell. Variables that are counts, bits or names stay as they are in all of them.

    Source: Zhang et al. (2018), "mixup: Beyond Empirical Risk Minimization", with weights that keep second moments;
    Ansari et al. (2024), "Chronos", mix series of different origins.

    Arguments:
        share: The share of windows that are mixed.
        continuous: Which variables are.

    Raises:
        ValueError: If the share is not in [0, 1].

    Example:
        >>> _ = torch.manual_seed(0)
        >>> mixing, x = WindowMixing(1.0, [True, False]), torch.randn(1000, 3, 2)
        >>> bool((mixing(x)[..., 1] == x[..., 1]).all()), round(mixing(x)[..., 0].std().item(), 1)
        (True, 1.0)
    """

    continuous: Tensor

    def __init__(self, share: float, continuous: Sequence[bool]) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise ValueError(f"the share of windows that training mixes is from 0 to 1, not {share}")
        self.share = share
        self.register_buffer("continuous", torch.tensor(continuous), persistent=False)

    def forward(
        self, x: Float[Tensor, "n t v"], calendar: Float[Tensor, "n t c"] | None = None
    ) -> Float[Tensor, "n t v"]:
        """The windows, some with another in them; a value that either lacks is missing."""
        if not self.training or self.share == 0 or len(x) == 1:
            return x
        far = CHANCE * torch.rand(len(x), len(x), device=x.device, dtype=x.dtype)
        if calendar is not None:
            far = far + torch.cdist(calendar[:, 0], calendar[:, 0])
        other = x[far.fill_diagonal_(torch.inf).argmin(1)]
        chance, weight = torch.rand(2, len(x), 1, 1, device=x.device, dtype=x.dtype)
        weight = MOST * weight
        mixed = (1 - weight).sqrt() * x + weight.sqrt() * other
        return torch.where((chance < self.share) & self.continuous, mixed, x)
