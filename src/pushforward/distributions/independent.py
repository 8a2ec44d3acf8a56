"""Independent scalar laws as one law of vectors."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, kl_divergence, register_kl

__all__ = ["independent"]


class _Independent(Independent[Distribution]):
    """That of torch, whose sum over components does not know how many there are where there are no rows."""

    def log_prob(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        log_prob: Tensor = self.base_dist.log_prob(value)
        return log_prob.sum(-1)


def _divergence(p: _Independent, q: _Independent) -> Float[Tensor, "*batch"]:
    divergence: Tensor = kl_divergence(p.base_dist, q.base_dist).sum(-1)
    return divergence


register_kl(_Independent, _Independent)(_divergence)


def independent(law: Distribution) -> Independent[Distribution]:
    """The law of vectors whose components are those of a law of batch shape ``(*batch, d)``.

    Example:
        >>> import torch
        >>> law = independent(torch.distributions.Normal(torch.zeros(2), torch.ones(2)))
        >>> law.log_prob(torch.zeros(3, 2)).shape, law.log_prob(torch.zeros(0, 2)).shape
        (torch.Size([3]), torch.Size([0]))
    """
    return _Independent(law, 1, validate_args=False)
