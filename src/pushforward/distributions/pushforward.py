"""The law of f(z), where z has a law we know and f is invertible."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.bijections.bijection import Bijection
from pushforward.distributions.law import Law, floating_type, pit

__all__ = ["Pushforward"]


class Pushforward(Law):
    r"""The law of x = f(z, c) with z drawn from a base law, by the change of variables (3).

    .. math:: \log p(x \mid c) = \log p_0\bigl(f^{-1}(x, c)\bigr)
              + \log \left| \det \frac{\partial f^{-1}(x, c)}{\partial x} \right|.

    Arguments:
        base: The law of codes, with event shape ``(D,)`` and the batch shape of the context.
        bijection: The map f.
        context: The context c, if f takes one.

    Raises:
        ValueError: If the base's events are not vectors.

    Example:
        >>> from torch.distributions import Independent, Normal
        >>> from pushforward.bijections import Affine
        >>> base = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        >>> affine = Affine(2)
        >>> affine.prepare(torch.tensor([[1.0, 6.0], [3.0, 2.0]]))  # x = 2 + z and x = 4 + 2z
        >>> Pushforward(base, affine).log_prob(torch.tensor([2.0, 4.0])).exp()  # 1 / (2π · 1 · 2)
        tensor(0.0796, grad_fn=<ExpBackward0>)
    """

    def __init__(
        self, base: Distribution, bijection: Bijection, context: Float[Tensor, "*batch c"] | None = None
    ) -> None:
        if len(base.event_shape) != 1:
            raise ValueError(
                f"a base of vectors has an event shape of one axis, not {tuple(base.event_shape)}; "
                "torch.distributions.Independent(base, 1) makes one of independent numbers"
            )
        super().__init__(base.batch_shape, base.event_shape)
        self.base = base
        self.bijection = bijection
        self.context = context
        self.has_rsample = base.has_rsample

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its base."""
        return floating_type(self.base)

    def rsample_and_log_prob(self, sample_shape: Any = ()) -> tuple[Tensor, Tensor]:
        """Draw patterns with their log-densities at the cost of drawing, with gradients to the parameters."""
        z = self.base.rsample(torch.Size(sample_shape))
        x, log_det = self._pushed(z)
        return x, self.base.log_prob(z) - log_det

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw patterns with gradients to the parameters."""
        return self._pushed(self.base.rsample(torch.Size(sample_shape)))[0]

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw patterns."""
        z = self.base.sample(torch.Size(sample_shape))
        with torch.inference_mode():  # spares small operations a tenth of their time
            x, _ = self.bijection(z, self.context)
        drawn: Tensor = x.clone(memory_format=torch.contiguous_format)  # out of inference mode, an ordinary tensor
        return drawn

    def _pushed(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Patterns, stored one after another whatever order their bijection works in, and the log-determinant."""
        x, log_det = self.bijection(z, self.context)
        return x.contiguous(), log_det

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """The log-density by the change of variables."""
        x, infinite = self.finite(value)
        z, log_det = self.bijection.inverse(x, self.context)
        return (self.base.log_prob(z) + log_det).masked_fill(infinite.any(-1), -torch.inf)

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Where each component of the code stands in the base law."""
        return pit(self.base, self.bijection.inverse(self.expanded(x), self.context)[0])
