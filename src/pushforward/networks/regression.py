"""Linear regressions that follow each other: each target from the inputs and the targets before it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Regressions", "regressions"]

HELD_OUT = 0.2
"""The share of rows, the last ones, by which the strength of the ridge is chosen."""
SMALLEST_ERROR = 0.05
"""What a line foretells exactly is left some doubt, in the units of the targets, which are standardised."""
ROUNDING = 1e-12
"""The least ridge, in the largest mean square: less would be lost in rounding where columns repeat each other."""
STRENGTHS = 17
"""From 10³ to 10⁻⁵, a factor of √10 between neighbours."""


class Regressions(NamedTuple):
    """Linear maps from inputs and the targets before each, and what they leave.

    Arguments:
        weights: Row v has the weights of F inputs, then those of V targets, of which v's own and later ones are 0.
        error: The root mean square of what is left of each target on held-out rows, or a little more than nothing.
    """

    weights: Float[Tensor, "v f+v"]
    error: Float[Tensor, " v"]


def regressions(inputs: Float[Tensor, "n f"], targets: Float[Tensor, "n v"]) -> Regressions:
    r"""Ridge regressions :math:`\hat y_v = b_v^\top (u, y_{<v})`, of the strength that serves the last rows best.

    With :math:`(u, y)^\top (u, y) + n \lambda I = L L^\top` and :math:`L = U \operatorname{diag}(L)`, row
    :math:`F + v` of :math:`U^{-1}` is :math:`(-b_v, 1, 0)`: one factorisation solves all of them. Each target has
    a :math:`\lambda` of its own: what foretells one may be noise to another.

    Source: Hoerl and Kennard (1970), "Ridge Regression: Biased Estimation for Nonorthogonal Problems"; Pourahmadi
    (1999) for the factorisation.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> u, e = torch.randn(4000, 2, generator=g), torch.randn(4000, 2, generator=g)
        >>> first = u[:, 0] - u[:, 1] + e[:, 0]
        >>> found = regressions(u, torch.stack([first, 3 * first + u[:, 1] + 0.1 * e[:, 1]], -1))
        >>> (10 * found.weights).round().int().tolist(), (10 * found.error).round().int().tolist()
        ([[10, -10, 0, 0], [0, 10, 30, 0]], [10, 1])
    """
    f, n = inputs.shape[1], len(inputs)
    rows = torch.cat([inputs, targets], -1).double()
    kept = n - int(HELD_OUT * n)
    early, late = (part.T @ part / max(len(part), 1) for part in (rows[:kept], rows[kept:]))
    strengths = torch.logspace(3, -5, STRENGTHS, dtype=rows.dtype, device=rows.device)
    tried = torch.stack([_residuals(early, strength)[f:] for strength in strengths])  # (S, V, F + V)
    errors = torch.einsum("svi,ij,svj->sv", tried, late, tried)
    error, best = errors.min(0)
    whole = rows.T @ rows / max(n, 1)
    found = torch.stack([_residuals(whole, strength)[f:] for strength in strengths])[best, range(len(best))]
    own = torch.eye(targets.shape[1], rows.shape[1], device=rows.device).roll(f, 1)
    return Regressions((own - found).to(inputs), error.sqrt().clamp(min=SMALLEST_ERROR).to(inputs))


def _residuals(gram: Float[Tensor, "d d"], strength: Tensor) -> Float[Tensor, "d d"]:
    """In row i the weights of what is left of column i after regression on those before it."""
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    strength = torch.maximum(strength, ROUNDING * gram.diagonal().max())
    factor = torch.linalg.cholesky(gram + strength * identity)
    inverse: Tensor = torch.linalg.solve_triangular(factor / factor.diagonal(), identity, upper=False)
    return inverse
