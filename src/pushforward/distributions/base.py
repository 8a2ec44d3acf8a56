"""The laws that codes come from, by name."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, distributions, nn
from torch.distributions import Distribution

from pushforward.distributions.independent import independent
from pushforward.distributions.normal import standard_normal
from pushforward.distributions.normal_mixture import NormalMixture

__all__ = ["BASES", "Base", "MixtureOfNormals", "Normal", "StudentT", "Uniform"]


class Base(nn.Module, ABC):
    """A law of codes with what it learns; ``base(origin)`` is the law itself.

    Arguments:
        size: The number of components D of a code.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    @abstractmethod
    def forward(self, origin: Float[Tensor, "*batch d"]) -> Distribution:
        """The law, with event shape ``(D,)`` and the batch shape, floating type and device of ``origin``, zeros."""

    def prepare(self, z: Float[Tensor, "n d"]) -> None:
        """Start from what the codes of a first batch of patterns say; by default that is nothing."""


class Normal(Base):
    r"""The standard normal law :math:`\mathcal N(0, I)`.

    Example:
        >>> Normal(2)(torch.zeros(5, 2)).batch_shape
        torch.Size([5])
    """

    def forward(self, origin: Float[Tensor, "*batch d"]) -> Distribution:
        """N(0, I)."""
        return standard_normal(origin)


class StudentT(Base):
    r"""Independent Student's t laws, each with its own learned degrees of freedom

    .. math:: \nu_i = 10^{1 + \tanh \rho_i},

    which stay between 1, whose tails are Cauchy's, and 100, whose tails are a normal law's but for
    patterns nobody has seen. A flow whose maps are Lipschitz (as affine maps and splines are) has the tails of its
    base.

    Sources: Jaini, Kobyzev, Yu and Brubaker (2020), "Tails of Lipschitz triangular flows"; Laszkiewicz, Lederer and
    Fischer (2022), "Marginal tail-adaptive normalizing flows".

    Example:
        >>> law = StudentT(2)(torch.zeros(2))
        >>> law.log_prob(torch.zeros(2)), Normal(2)(torch.zeros(2)).log_prob(torch.zeros(2))
        (tensor(-1.8878, grad_fn=<SumBackward1>), tensor(-1.8379))
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.raw = nn.Parameter(torch.zeros(size))

    def forward(self, origin: Float[Tensor, "*batch d"]) -> Distribution:
        """The t laws with the learned degrees of freedom."""
        freedom = 10 ** (1 + self.raw.tanh())
        return independent(_StudentT(freedom.to(origin).expand_as(origin), validate_args=False))

    @torch.no_grad()
    def prepare(self, z: Float[Tensor, "n d"]) -> None:
        """Start from the degrees of freedom, of a few from 2 to 60, under which each component is likeliest."""
        tried = torch.linspace(-1.0, 1.0, 9).to(z)
        scores = torch.stack([_StudentT(10 ** (1 + raw.tanh())).log_prob(z).mean(0) for raw in tried])
        self.raw.copy_(tried[scores.argmax(0)])


class Uniform(Base):
    """The uniform law on [−1, 1]^D; what lies beyond by more than rounding has density 0.

    A flow that patterns can leave at no side needs maps of [−1, 1] to itself, such as a circular spline with the bound
    1; one of patterns that may lie anywhere begins with ``Inverse(Logit(-1, 1))``.

    Example:
        >>> Uniform(2)(torch.zeros(2)).log_prob(torch.tensor([[0.0, 1.0], [0.0, 1.1]])).exp()
        tensor([0.2500, 0.0000])
    """

    def forward(self, origin: Float[Tensor, "*batch d"]) -> Distribution:
        """The uniform law."""
        one = torch.ones_like(origin)
        return independent(_Uniform(-one, one, validate_args=False))


class MixtureOfNormals(Base):
    r"""A mixture of normal laws with learned weights, means and variances,

    .. math:: p(z) = \sum_{k=1}^K w_k \prod_i \mathcal N(z_i; \mu_{ki}, \sigma_{ki}^2),

    so that patterns that lie in clusters need no thin bridges between them. It starts near the standard normal law.

    Source: Izmailov, Kirichenko, Finzi and Wilson (2020), "Semi-supervised learning with normalizing flows".

    Arguments:
        size: The number of components D of a code.
        clusters: The number K of normal laws.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> MixtureOfNormals(2)(torch.zeros(2)).sample((3,)).shape
        torch.Size([3, 2])
    """

    def __init__(self, size: int, clusters: int = 8) -> None:
        super().__init__(size)
        if clusters < 1:
            raise ValueError(f"a mixture needs at least one component, not {clusters}")
        self.logits = nn.Parameter(torch.zeros(clusters))
        self.mean = nn.Parameter(torch.randn(clusters, size) / 2**0.5)
        self.log_scale = nn.Parameter(torch.full((clusters, size), -math.log(2) / 2))

    def forward(self, origin: Float[Tensor, "*batch d"]) -> Distribution:
        """The mixture."""
        logits, mean, log_scale = (t.to(origin) for t in (self.logits, self.mean, self.log_scale))
        return NormalMixture(logits, mean, log_scale, origin.shape[:-1])


BASES: dict[str, type[Base]] = {"normal": Normal, "student": StudentT, "mixture": MixtureOfNormals, "uniform": Uniform}


class _StudentT(distributions.StudentT):
    """Student's t law with its distribution function, which torch lacks."""

    @torch.no_grad()
    def cdf(self, value: Tensor) -> Tensor:
        from scipy.special import stdtr

        freedom, y = (t.double().cpu().numpy() for t in torch.broadcast_tensors(self.df, value))
        return torch.as_tensor(stdtr(freedom, y)).to(value)


class _Uniform(distributions.Uniform):
    """The uniform law on a closed interval: maps that keep it may miss its ends by a few units in the last place."""

    def log_prob(self, value: Tensor) -> Tensor:
        half = (self.high - self.low) / 2
        beyond = (value - (self.low + self.high) / 2).abs() > half * (1 + 16 * torch.finfo(value.dtype).eps)
        density: Tensor = torch.where(value.isnan(), value, -(2 * half).log())
        return density.masked_fill(beyond, -torch.inf)
