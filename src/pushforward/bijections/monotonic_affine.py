"""A scale and a shift, as a univariate map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["MonotonicAffine"]


@dataclass(frozen=True)
class MonotonicAffine:
    r"""The map :math:`g(u) = u\, e^{a} + b` with the parameters :math:`\tilde a` and b, and

    .. math:: a = \frac{\tilde a}{1 + |\tilde a| / A},

    which stays between −A and A, so that no outlier makes a scale overflow. Zero parameters give the identity.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".

    Arguments:
        bound: The bound A; the default lets a scale be anything from a thousandth to a thousand.

    Example:
        >>> affine = MonotonicAffine()
        >>> affine.forward(torch.tensor([2.0]), torch.tensor([[0.0], [1.0]]))
        (tensor([3.]), tensor([0.]))
    """

    bound: float = 6.907755278982137
    parameters: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise ValueError(f"the bound of a log-scale is positive, unlike {self.bound}")

    def forward(
        self, u: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Scale, then shift."""
        a, b = self._read(u, parameters)
        return torch.addcmul(b, u, a.exp()), a

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """Shift back, then scale back."""
        a, b = self._read(v, parameters)
        return (v - b) * (-a).exp(), -a

    def _read(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        if parameters.shape != (self.parameters, *u.shape):
            expected = (self.parameters, *u.shape)
            raise ValueError(f"expected parameters of shape {expected}, received {tuple(parameters.shape)}")
        raw, shift = parameters.unbind()
        return raw / (1 + raw.abs() / self.bound), shift
