"""The notes' equations as functions of a law and patterns. Every objective is a loss in nats: less is better."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution
from torch.nn.functional import logsigmoid

from pushforward.distributions.law import Averaged, LowerBounded

__all__ = [
    "adversary_loss",
    "gradient_penalty",
    "minimax_loss",
    "negative_bound",
    "negative_elbo",
    "negative_log_likelihood",
    "non_saturating_loss",
]


def negative_log_likelihood(law: Distribution, x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    r"""Maximum likelihood (2): :math:`-\mathbb E_{x \sim p} \log p_\theta(x)`.

    For a law known by a bound it is the negative ELBO, which bounds it from above. Of a law made of
    members it is the mean of their own, which bounds it too: each learns by itself, and they err in different ways.

    Example:
        >>> from torch.distributions import Normal
        >>> negative_log_likelihood(Normal(0.0, 1.0), torch.zeros(3))
        tensor(0.9189)
    """
    if isinstance(law, Averaged):
        return -law.log_prob_members(x).mean()
    return negative_elbo(law, x) if isinstance(law, LowerBounded) else -law.log_prob(x).mean()


def negative_elbo(law: LowerBounded, x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    r"""The negative evidence lower bound (5), :math:`-\mathbb E_q \log p_\theta(x \mid z) + \mathrm{KL}(q \| p)`."""
    return -law.elbo(x).mean()


def negative_bound(law: LowerBounded, x: Float[Tensor, "n d"], k: int) -> Float[Tensor, ""]:
    """The negative importance-weighted bound with ``k`` samples (Burda, Grosse and Salakhutdinov 2016)."""
    return -law.log_prob_bound(x, k).mean()


def adversary_loss(real: Float[Tensor, " n"], fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""The discriminator's cross-entropy, :math:`-\ell(\theta, \phi)` of (9) and (10), from its log-odds.

    .. math:: -\tfrac12 \mathbb E_{p} \log \pi(x) - \tfrac12 \mathbb E_{p_\theta} \log(1 - \pi(x))

    It is log 2 for a discriminator that knows nothing; log 2 less it bounds the Jensen–Shannon divergence from below.

    Example:
        >>> adversary_loss(torch.zeros(5), torch.zeros(5))
        tensor(0.6931)
    """
    return -0.5 * (logsigmoid(real).mean() + logsigmoid(-fake).mean())


def minimax_loss(fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""The generator's part of the saddle point (11), :math:`\tfrac12 \mathbb E_{p_\theta} \log(1 - \pi(x))`.

    Its gradient vanishes where the discriminator is sure, which is why :func:`non_saturating_loss` exists.
    """
    return 0.5 * logsigmoid(-fake).mean()


def non_saturating_loss(fake: Float[Tensor, " m"]) -> Float[Tensor, ""]:
    r"""The generator's substitute, :math:`-\tfrac12 \mathbb E_{p_\theta} \log \pi(x)` of Goodfellow et al. (2014).

    It has the fixed point of (11) but not its value: it is *not* the minimax loss.
    """
    return -0.5 * logsigmoid(fake).mean()


def gradient_penalty(logits: Float[Tensor, " n"], x: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    r"""R₁, :math:`\tfrac12 \mathbb E_p \|\nabla_x \operatorname{logit} \pi(x)\|^2` on real patterns.

    Source: Mescheder, Geiger and Nowozin (2018). ``x`` must require a gradient and ``logits`` depend on it.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.square().sum(-1).mean()
