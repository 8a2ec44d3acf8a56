"""A mixture of normal laws."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Categorical, Normal
from torch.nn.functional import pad

from pushforward.distributions.law import Law

__all__ = ["NormalMixture"]


class NormalMixture(Law):
    """A mixture of normal laws with diagonal covariances, the same for a whole batch.

    Arguments:
        logits: The logarithms of the weights, up to a constant, of shape ``(K,)``.
        mean: The means, of shape ``(K, D)``.
        log_scale: The logarithms of the standard deviations, of shape ``(K, D)``.
        batch_shape: The batch shape.

    Example:
        >>> law = NormalMixture(torch.zeros(2), torch.tensor([[-1.0], [1.0]]), torch.zeros(2, 1), torch.Size())
        >>> law.pit(torch.tensor([0.0]))
        tensor([0.5000])
    """

    def __init__(
        self,
        logits: Float[Tensor, " k"],
        mean: Float[Tensor, "k d"],
        log_scale: Float[Tensor, "k d"],
        batch_shape: torch.Size,
    ) -> None:
        super().__init__(batch_shape, mean.shape[-1:])
        self.logits = logits
        self.normals = Normal(mean, log_scale.exp(), validate_args=False)

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its means."""
        return self.normals.loc.dtype

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """The log-density."""
        each = self.normals.log_prob(self.expanded(value).unsqueeze(-2)).sum(-1)
        log_prob: Tensor = (each + self.logits.log_softmax(-1)).logsumexp(-1)
        return log_prob

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw a component, then a code."""
        shape = self._extended_shape(torch.Size(sample_shape))
        if not shape.numel():
            return self.normals.loc.new_empty(shape)
        choice = Categorical(logits=self.logits).sample(shape[:-1])
        return torch.normal(self.normals.loc[choice], self.normals.scale[choice])

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """Each component's place in its conditional, itself a mixture, weighted by how each law foresaw those before.

        Source: Rosenblatt (1952).
        """
        z = self.expanded(x).unsqueeze(-2)
        before = pad(self.normals.log_prob(z)[..., :-1].cumsum(-1), (1, 0)) + self.logits.unsqueeze(-1)
        u: Tensor = (before.softmax(-2) * self.normals.cdf(z)).sum(-2)
        return u
