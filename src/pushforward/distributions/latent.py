"""A law with a code behind each pattern: a mixture over codes, bounded from below by inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from pushforward.distributions.law import LowerBounded, floating_type

__all__ = ["Latent"]


class Latent(LowerBounded):
    r"""The law :math:`p(x) = \int p(x \mid z)\, p(z)\, dz` of a variational autoencoder.

    The inference model q(z | x) makes it answerable: the evidence lower bound (5),
    :math:`\mathbb E_{q}[\log p(x \mid z)] - \mathrm{KL}(q(\cdot \mid x) \,\|\, p)`, and the importance-weighted bound
    with :math:`w = p(x \mid z)\, p(z) / q(z \mid x)`, which tightens to log p(x) as k grows.

    Sources: Kingma and Welling (2014); Burda, Grosse and Salakhutdinov (2016).

    Arguments:
        prior: The law of codes p(z), with batch shape that of the context.
        decoder: Maps codes to the laws p(x | z).
        inference: Maps patterns to the laws q(z | x), reparameterised (6).
        size: The number of components of a pattern.

    Example:
        >>> from torch.distributions import Independent, Normal
        >>> normal = lambda mean, scale: Independent(Normal(mean, torch.as_tensor(scale)), 1)
        >>> law = Latent(  # x = z + ε, so p(x) = N(0, 2) and q below is the exact posterior
        ...     prior=normal(torch.zeros(1), 1.0),
        ...     decoder=lambda z: normal(z, 1.0),
        ...     inference=lambda x: normal(x / 2, 0.5**0.5),
        ...     size=1,
        ... )
        >>> _ = torch.manual_seed(0)
        >>> law.log_prob_bound(torch.tensor([1.0]), k=10), Normal(0.0, 2**0.5).log_prob(torch.tensor(1.0))
        (tensor(-1.5155), tensor(-1.5155))
    """

    def __init__(
        self,
        prior: Distribution,
        decoder: Callable[[Tensor], Distribution],
        inference: Callable[[Tensor], Distribution],
        size: int,
    ) -> None:
        super().__init__(prior.batch_shape, torch.Size([size]))
        self.prior = prior
        self.decoder = decoder
        self.inference = inference

    @property
    def dtype(self) -> torch.dtype | None:
        """That of its prior."""
        return floating_type(self.prior)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw a code, then a pattern."""
        with torch.no_grad():
            return self.decoder(self.prior.sample(torch.Size(sample_shape))).sample()

    def elbo(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """One draw of (5), the KL divergence in closed form and the expectation by reparameterisation (7)."""
        x, infinite = self.finite(x)
        q = self.inference(x)
        bound = self.decoder(q.rsample()).log_prob(x) - kl_divergence(q, self.prior)
        return bound.masked_fill(infinite.any(-1), -torch.inf)

    def log_weights(self, x: Float[Tensor, "*batch d"], k: int) -> Float[Tensor, k * batch]:
        """``k`` draws of log p(x | z) + log p(z) − log q(z | x)."""
        x, infinite = self.finite(x)
        q = self.inference(x)
        z = q.rsample(torch.Size([k]))
        log_weights = self.decoder(z).log_prob(x) + self.prior.log_prob(z) - q.log_prob(z)
        return log_weights.masked_fill(infinite.any(-1), -torch.inf)
