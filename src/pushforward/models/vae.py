"""The variational family: a code behind each pattern, and a bound on its likelihood."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.distributions.independent import independent
from pushforward.distributions.latent import Latent
from pushforward.distributions.normal import standard_normal
from pushforward.event import Event
from pushforward.models.model import Model, beside
from pushforward.networks.mlp import MLP

__all__ = ["VAE"]


class VAE(Model):
    r"""A variational autoencoder with a diagonal Gaussian inference model.

    .. math:: z \sim \mathcal N(0, I), \quad x \sim p_\theta(x \mid z, c), \quad
              q_\psi(z \mid x, c) = \mathcal N(\mu_\psi, \operatorname{diag} \sigma_\psi^2).

    Given its code, the components of a pattern are independent, each of the type the event prescribes.

    Source: Kingma and Welling (2014), "Auto-Encoding Variational Bayes".

    Arguments:
        event: What one pattern is.
        context: The width of the context.
        latent: The dimension of the code.
        hidden: Hidden layers of the encoder and, reversed, of the decoder.
        components: Logistics in the mixture that is each real component's law given the code.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> law = VAE(Event.continuous(3), latent=2)()
        >>> x = law.sample((5,))
        >>> law.elbo(x).shape, law.log_prob_bound(x, k=10).shape
        (torch.Size([5]), torch.Size([5]))
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        latent: int = 16,
        hidden: Sequence[int] = (256, 256),
        components: int = 3,
    ) -> None:
        super().__init__(event, context, latent=latent, hidden=list(hidden), components=components)
        if latent < 1:
            raise ValueError(f"a code needs at least one dimension, not {latent}")
        self.marginals = Marginals(event, components)
        self.encoder = MLP(sum(event.feature_counts) + context, 2 * latent, hidden)
        self.decoder = MLP(latent + context, self.marginals.parameters, tuple(reversed(hidden)))
        self.offset = nn.Parameter(self.marginals.initial())  # where every component starts, whatever the code

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Latent:
        """The law, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = self.offset.new_zeros(*batch, self.config["latent"])

        def decode(z: Tensor) -> Factorised:
            return Factorised(self.marginals, self.decoder(beside(z, context)).to(z.dtype) + self.offset)

        # The scale of a code stays within e^±8 of the prior's: an outlier would overflow it otherwise.
        def infer(x: Tensor) -> Distribution:
            features = self.event.features(x)
            mean, log_scale = self.encoder(beside(features, context)).to(x.dtype).chunk(2, -1)
            return independent(Normal(mean, (8 * (log_scale / 8).tanh()).exp(), validate_args=False))

        return Latent(standard_normal(origin), decode, infer, self.event.size)
