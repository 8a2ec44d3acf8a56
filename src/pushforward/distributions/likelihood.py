"""One question for every law: how likely are these patterns, and in which sense?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.distributions.law import Law, LowerBounded, check_patterns
from pushforward.evidence import Kind, LogLikelihood

__all__ = ["log_likelihood", "log_prob_values"]


def log_prob_values(
    law: Distribution, x: Float[Tensor, "*batch d"], k: int = 1
) -> tuple[Float[Tensor, "*batch"], Kind]:
    """The log-probability of each pattern and what kind of figure it is.

    Raises:
        NoDensityError: If the law is implicit.
        ValueError: If ``x`` are no patterns of the law.
    """
    check_patterns(law, x)
    if isinstance(law, LowerBounded):
        return law.log_prob_bound(x, k), Kind.LOWER_BOUND
    return law.log_prob(x), (law.evidence if isinstance(law, Law) and law.evidence else Kind.EXACT)


def log_likelihood(law: Distribution, x: Float[Tensor, "n d"], k: int = 100, dims: int | None = None) -> LogLikelihood:
    """The mean log-likelihood of patterns under any law, as a number that knows what it is.

    Arguments:
        law: A law of this package or any ``torch.distributions.Distribution``, which counts as exact.
        x: The patterns.
        k: Importance samples, where the law is known by a bound.
        dims: The number of discrete dimensions, for bits per dimension.

    Example:
        >>> from torch.distributions import Normal
        >>> log_likelihood(Normal(0.0, 1.0), torch.tensor([-1.0, 0.0, 1.0]))
        LogLikelihood(−1.25 ± 0.17 nats, exact, n = 3)
    """
    with torch.no_grad():
        values, kind = log_prob_values(law, x, k)
    return LogLikelihood.of(values.double().flatten().tolist(), kind, dims, k if kind is Kind.LOWER_BOUND else None)
