"""Laws of one real number as data: how parameters are read as a density, as probabilities of cells, and drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from pushforward.bijections.spline import RationalQuadratic
from pushforward.distributions.standard import STANDARDS, Logistic, Standard

__all__ = ["Scalar", "ScalarMixture", "Splined", "scalar"]

SMALLEST_LOG_SCALE = -7.0
"""A floor under scales, in encoded units: repeated values would otherwise drive the density to infinity."""
FILLING = 1.1
"""How far the quartiles of a law that is to fill an interval lie apart, in its lengths."""
LOGISTIC = Logistic()
SPLINE_BOUND = 6.0
"""Where splines end, in scales of the logistic law: one value in two hundred lies beyond."""


class Scalar(Protocol):
    """A family of laws of one real number; parameters are the last axis, and the others are the values' own."""

    @property
    def parameters(self) -> int:
        """The number of parameters P."""

    @property
    def roles(self) -> tuple[int, ...]:
        """For each parameter 1 if it is a location, 2 if it is a log-scale, 0 otherwise."""

    def initial(self) -> Float[Tensor, " p"]:
        """Where training starts: a law spread over the standardised range."""

    def near(self, y: Float[Tensor, "n m"], least: Float[Tensor, " m"]) -> Float[Tensor, "m p"]:
        """A law near that of the values of each of m numbers, of scales from ``least`` on."""

    def log_density(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""

    def log_cell(
        self,
        y: Float[Tensor, "*n"],
        half: Float[Tensor, "*n"],
        first: Bool[Tensor, "*n"],
        last: Bool[Tensor, "*n"],
        parameters: Float[Tensor, "*n p"],
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of y − half … y + half; the first and last cells collect the tails."""

    def cdf(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The distribution function."""

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n"]:
        """Independent draws of each law."""


@dataclass(frozen=True)
class ScalarMixture:
    r"""Mixtures :math:`\sum_k w_k F\bigl((y - \mu_k) / s_k\bigr)` of K logistic or normal laws.

    The 3K parameters are logits, locations and raw log-scales. Source for cells: Salimans et al. (2017), PixelCNN++.

    Arguments:
        standard: The law F.
        components: K.

    Example:
        >>> mixture = ScalarMixture(STANDARDS["normal"], 2)
        >>> mixture.cdf(torch.tensor([0.0]), mixture.initial())
        tensor([0.5000])
    """

    standard: Standard
    components: int

    def __post_init__(self) -> None:
        if self.components < 1:
            raise ValueError(f"a mixture needs at least one component, not {self.components}")

    @property
    def parameters(self) -> int:
        """The number of parameters, 3K."""
        return 3 * self.components

    @property
    def roles(self) -> tuple[int, ...]:
        """Logits, locations, log-scales."""
        return tuple(role for role in (0, 1, 2) for _ in range(self.components))

    def initial(self) -> Float[Tensor, " p"]:
        """Equal weights, and locations spread over the standardised range."""
        k = self.components
        spread = torch.linspace(-1.5, 1.5, k) if k > 1 else torch.zeros(1)
        return torch.cat([torch.zeros(k), spread, torch.full((k,), -1.0)])

    def near(self, y: Float[Tensor, "n m"], least: Float[Tensor, " m"]) -> Float[Tensor, "m p"]:
        """Laws of equal weight, one in the middle of each K-th part of the values and as wide as that is long.

        The outer ones are as wide as the values there lie from the inner end on average; a single law has their
        quartiles.
        """
        k = self.components
        if len(y) < max(k, 4):
            return self.initial().to(y).expand(y.shape[1], -1)
        if k == 1:
            median, half = _quartiles(y)
            return torch.stack(
                [torch.zeros_like(median), median, _raw(torch.maximum(half / self._middle_half(y), least))]
            ).T
        ordered, part = y.sort(0).values, len(y) // k
        at = torch.arange(2 * k + 1, device=y.device) * (len(y) - 1) // (2 * k)
        edges, middles = ordered[at[::2]], ordered[at[1::2]]
        lengths = edges.diff(dim=0)
        lengths[0] = 2 * (edges[1] - ordered[:part].mean(0))
        lengths[-1] = 2 * (ordered[-part:].mean(0) - edges[-2])
        scales = torch.maximum(FILLING * lengths / self._middle_half(y), least)
        return torch.cat([torch.zeros_like(middles), middles, _raw(scales)]).T

    def log_density(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""
        log_weight, location, log_scale = self.read(parameters)
        z = (y.unsqueeze(-1) - location) * (-log_scale).exp()
        return (log_weight + self.standard.log_density(z) - log_scale).logsumexp(-1)

    def log_cell(
        self,
        y: Float[Tensor, "*n"],
        half: Float[Tensor, "*n"],
        first: Bool[Tensor, "*n"],
        last: Bool[Tensor, "*n"],
        parameters: Float[Tensor, "*n p"],
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of a cell."""
        log_weight, location, log_scale = self.read(parameters)
        precision = (-log_scale).exp()
        z, h = (y.unsqueeze(-1) - location) * precision, half.unsqueeze(-1) * precision
        cells = self.standard.log_cell(z, h, first.unsqueeze(-1), last.unsqueeze(-1))
        return (log_weight + cells).logsumexp(-1)

    def cdf(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The distribution function."""
        log_weight, location, log_scale = self.read(parameters)
        each = self.standard.cdf((y.unsqueeze(-1) - location) * (-log_scale).exp())
        return (log_weight.exp() * each).sum(-1)

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n"]:
        """Choose a law of the mixture, and invert its distribution function."""
        log_weight, location, log_scale = self.read(parameters)
        full = shape + log_weight.shape
        choice = (log_weight - torch.empty_like(log_weight.expand(full)).exponential_().log()).argmax(-1, keepdim=True)
        mu, log_s = (t.expand(full).gather(-1, choice).squeeze(-1) for t in (location, log_scale))
        return mu + log_s.exp() * self.standard.quantile(_uniform(mu))

    def _middle_half(self, like: Tensor) -> Tensor:
        """The distance of the quartiles at scale 1."""
        return 2 * self.standard.quantile(like.new_tensor(0.75))

    def read(self, parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights, locations and log-scales, each of shape ``(*n, K)``."""
        logits, location, raw = parameters.unflatten(-1, (3, self.components)).unbind(-2)
        return logits.log_softmax(-1), location, _log_scale(raw)


@dataclass(frozen=True)
class Splined:
    r"""Logistic laws moved by a monotone spline, :math:`F(y) = \sigma\bigl(g((y - \mu) / s)\bigr)`.

    The parameters are μ, the raw logarithm of s, and the spline's 3K − 1.

    Arguments:
        bins: The spline's bins K.

    Example:
        >>> law = Splined(4)
        >>> law.cdf(torch.tensor([0.0]), law.initial()[None])
        tensor([0.5000])
    """

    bins: int

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise ValueError(f"a spline needs at least two bins, not components = {self.bins}")

    @property
    def parameters(self) -> int:
        """The number of parameters, 3K + 1."""
        return 2 + self.spline.parameters

    @property
    def roles(self) -> tuple[int, ...]:
        """A location, a log-scale, a spline."""
        return (1, 2, *[0] * self.spline.parameters)

    @property
    def spline(self) -> RationalQuadratic:
        """The map g."""
        return RationalQuadratic(self.bins, SPLINE_BOUND)

    def initial(self) -> Float[Tensor, " p"]:
        """A logistic law of variance one, which nothing moves."""
        return torch.cat([torch.tensor([0.0, -0.6]), torch.zeros(self.spline.parameters)])

    def near(self, y: Float[Tensor, "n m"], least: Float[Tensor, " m"]) -> Float[Tensor, "m p"]:
        """A logistic law with the values' quartiles, which nothing moves."""
        if len(y) < 4:
            return self.initial().to(y).expand(y.shape[1], -1)
        median, half = _quartiles(y)
        scale = torch.maximum(half / (2 * math.log(3)), least)
        return torch.cat([torch.stack([median, _raw(scale)]), y.new_zeros(self.spline.parameters, y.shape[1])]).T

    def log_density(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The logarithm of the density."""
        z, log_derivative = self._moved(y, parameters)
        return LOGISTIC.log_density(z) + log_derivative

    def log_cell(
        self,
        y: Float[Tensor, "*n"],
        half: Float[Tensor, "*n"],
        first: Bool[Tensor, "*n"],
        last: Bool[Tensor, "*n"],
        parameters: Float[Tensor, "*n p"],
    ) -> Float[Tensor, "*n"]:
        """The logarithm of the probability of a cell."""
        a, b = (self._moved(y + side * half, parameters)[0] for side in (-1, 1))
        least = torch.finfo(y.dtype).eps  # where rounding makes both ends one
        return LOGISTIC.log_cell((a + b) / 2, ((b - a) / 2).clamp(min=least), first, last)

    def cdf(self, y: Float[Tensor, "*n"], parameters: Float[Tensor, "*n p"]) -> Float[Tensor, "*n"]:
        """The distribution function."""
        return LOGISTIC.cdf(self._moved(y, parameters)[0])

    def draw(self, parameters: Float[Tensor, "*n p"], shape: torch.Size) -> Float[Tensor, "*shape n"]:
        """Move draws of the logistic law back."""
        location, log_scale, knots = _apart(parameters.expand(shape + parameters.shape))
        return location + log_scale.exp() * self.spline.inverse(LOGISTIC.quantile(_uniform(location)), knots)[0]

    def _moved(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """The logistic value that y is moved from, and the logarithm of its derivative."""
        location, log_scale, knots = _apart(parameters)
        z, log_derivative = self.spline.forward((y - location) * (-log_scale).exp(), knots)
        return z, log_derivative - log_scale


def scalar(conditionals: str, components: int) -> Scalar:
    """A family of laws by name.

    Raises:
        ValueError: If there is none of that name, or not with so few components.
    """
    if conditionals == "spline":
        return Splined(components)
    if conditionals not in STANDARDS:
        raise ValueError(f"conditionals are {', '.join(STANDARDS)} or spline, not {conditionals!r}")
    return ScalarMixture(STANDARDS[conditionals], components)


def _log_scale(raw: Tensor) -> Tensor:
    return SMALLEST_LOG_SCALE + softplus(raw - SMALLEST_LOG_SCALE)


def _raw(scale: Tensor) -> Tensor:
    """The inverse: raw log-scales of scales above the smallest."""
    above = scale.log() - SMALLEST_LOG_SCALE
    return SMALLEST_LOG_SCALE + above + (-torch.expm1(-above)).log()


def _quartiles(y: Float[Tensor, "n m"]) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """The medians, and the distances of the quartiles."""
    low, median, high = y.sort(0).values[[len(y) // 4, len(y) // 2, 3 * len(y) // 4]]
    return median, high - low


def _apart(parameters: Float[Tensor, "*n p"]) -> tuple[Tensor, Tensor, Tensor]:
    """Locations, log-scales, and the spline's parameters in front."""
    return parameters[..., 0], _log_scale(parameters[..., 1]), parameters[..., 2:].movedim(-1, 0)


def _uniform(like: Tensor) -> Tensor:
    """Uniform draws from within (0, 1)."""
    eps = torch.finfo(like.dtype).eps
    return torch.rand_like(like).clamp(eps, 1 - eps)
