"""What every law promises: torch's ``Distribution`` semantics, and one word on what it can answer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Distribution, Independent

from pushforward.errors import NoDensityError
from pushforward.evidence import Kind

__all__ = ["Averaged", "Law", "LowerBounded", "check_patterns", "floating_type", "pit"]


class Law(Distribution):
    """A law of patterns, with batch and event shapes as in :mod:`torch.distributions`.

    ``evidence`` says what the law can answer about log p(x): :attr:`Kind.EXACT` (then ``log_prob`` works),
    :attr:`Kind.LOWER_BOUND` (then ``log_prob_bound`` does) or ``None`` (then neither does, and the error says what to
    ask instead). Arguments are not validated element by element: a pattern outside the support has log-probability −∞.
    """

    evidence: ClassVar[Kind | None] = Kind.EXACT
    arg_constraints: ClassVar[dict[str, Any]] = {}  # parameters are networks, not tensors

    def __init__(self, batch_shape: torch.Size, event_shape: torch.Size) -> None:
        super().__init__(batch_shape, event_shape, validate_args=False)

    @property
    def dtype(self) -> torch.dtype | None:
        """The floating type of its patterns, ``None`` where it takes any."""
        return None

    def expand(self, batch_shape: Any, _instance: Any = None) -> Distribution:
        """Refused: a law's batch shape is that of its context, and densities broadcast without being told."""
        raise NotImplementedError(
            f"{type(self).__name__} takes its batch shape from the context: expand that, or draw with a sample shape"
        )

    @abstractmethod
    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw patterns of shape ``sample_shape + batch_shape + event_shape``, without gradient."""

    def log_prob(self, value: Tensor) -> Tensor:
        """The exact log-density, where the law has one."""
        raise NoDensityError(
            f"{type(self).__name__} has no exact log-probability: ask log_likelihood(law, x) for the bound it has, or "
            "compare its samples with data by pushforward.audit"
        )

    def pit(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """The probability integral transform, where the law has conditionals: see :func:`pit`."""
        raise _no_conditionals(self)

    def expanded(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*full d"]:
        """``x`` with its batch shape broadcast against the law's."""
        check_patterns(self, x)
        return x.expand(*torch.broadcast_shapes(x.shape[:-1], self.batch_shape), x.shape[-1])

    def finite(self, x: Float[Tensor, "*batch d"]) -> tuple[Float[Tensor, "*full d"], Bool[Tensor, "*full d"]]:
        """``x`` expanded, with zeros for what is infinite, and where that is: no pattern, and no food for a network.

        What is so large that its square overflows counts as infinite: beyond 1.8 · 10¹⁹ in single precision.
        """
        x = self.expanded(x)
        infinite = x.abs() > torch.finfo(x.dtype).max ** 0.5
        return x.masked_fill(infinite, 0.0), infinite

    def __repr__(self) -> str:
        return f"{type(self).__name__}(batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)})"


class LowerBounded(Law):
    r"""A law known by a lower bound on its log-probability, one that tightens with k.

    With importance samples :math:`w_j` such that :math:`\mathbb E\, w_j = p(x)`, Jensen's inequality gives (Burda,
    Grosse, Salakhutdinov 2016)

    .. math:: \mathbb E \log \tfrac1k \sum_{j=1}^k w_j \le \log p(x), \quad\text{non-decreasing in } k.
    """

    evidence = Kind.LOWER_BOUND

    @abstractmethod
    def log_weights(self, x: Float[Tensor, "*batch d"], k: int) -> Float[Tensor, k * batch]:
        """``k`` independent draws of log w, with E w = p(x), differentiable in the law's parameters."""

    @abstractmethod
    def elbo(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """One unbiased draw of the evidence lower bound (4), with what can be integrated in closed form integrated."""

    def log_prob_bound(self, x: Float[Tensor, "*batch d"], k: int = 1) -> Float[Tensor, "*batch"]:
        """One draw of the k-sample bound; its expectation is at most log p(x) and grows with ``k``."""
        if k < 1:
            raise ValueError(f"a bound needs at least one importance sample, not k = {k}")
        return self.log_weights(x, k).logsumexp(0) - torch.log(torch.tensor(k, dtype=x.dtype, device=x.device))


@runtime_checkable
class Averaged(Protocol):
    """A law made of members, each of which learns by itself: its density is at least the geometric mean of theirs."""

    def log_prob_members(self, value: Float[Tensor, "*batch d"]) -> Float[Tensor, k * batch]:
        """The log-density under each member alone."""


def floating_type(law: Distribution) -> torch.dtype | None:
    """The floating type of any law's patterns, ``None`` where it takes any or does not say.

    Example:
        >>> from torch.distributions import Normal
        >>> floating_type(Independent(Normal(torch.zeros(2), torch.ones(2)), 1))
        torch.float32
    """
    if isinstance(law, Law):
        return law.dtype
    if isinstance(law, Independent):
        return floating_type(law.base_dist)
    place = getattr(law, "loc", getattr(law, "low", None))
    return place.dtype if isinstance(place, Tensor) else None


def check_patterns(law: Distribution, x: Tensor) -> None:
    """Raise a ``ValueError`` that says why ``x`` are no patterns of a law: their type, their shape or their batch."""
    if isinstance(law, Law):
        _check_type(law, x)
    last = x.dim() - len(law.event_shape)
    if last < 0 or x.shape[last:] != law.event_shape:
        expected = ", ".join(["…", *map(str, law.event_shape)])
        raise ValueError(f"patterns of this law have shape ({expected}), not {tuple(x.shape)}")
    batch = x.shape[:last]
    if not all(mine == own or 1 in (mine, own) for mine, own in zip(batch[::-1], law.batch_shape[::-1], strict=False)):
        own = tuple(law.batch_shape)
        raise ValueError(f"patterns of shape {tuple(x.shape)} do not go with a law of batch shape {own}")


_CASTS = {torch.float32: "float()", torch.float64: "double()", torch.float16: "half()"}


def _check_type(law: Law, x: Tensor) -> None:
    if not isinstance(x, Tensor):
        raise ValueError(f"patterns are a tensor, not {type(x).__name__}; convert them by torch.as_tensor(x)")
    if not x.is_floating_point():
        raise ValueError(f"patterns are floating-point numbers, not {x.dtype}; convert them, as by x.float()")
    own = law.dtype
    if own is not None and x.dtype != own:
        names = [str(dtype).removeprefix("torch.") for dtype in (x.dtype, own)]
        cast = _CASTS.get(own, f"to({own})")
        raise ValueError(f"patterns are {names[0]} and the law is {names[1]}; give x.{cast}")


def pit(law: Distribution, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
    r"""The probability integral transform: what is uniform on (0, 1), and independent, if patterns follow the law.

    .. math:: u_i = F(x_i \mid x_1, \dots, x_{i-1}),

    or, where :math:`x_i` is discrete, anywhere between :math:`F(x_i^- \mid \cdot)` and :math:`F(x_i \mid \cdot)`, by
    chance. An autoregressive law gives just that. A flow gives the same of its code's components, which are its
    patterns' conditionals only where its map is triangular.

    Sources: Rosenblatt (1952); Brockwell (2007) for discrete components.

    Raises:
        NoDensityError: If the law has no conditionals in closed form.

    Example:
        >>> from torch.distributions import Normal
        >>> pit(Independent(Normal(torch.zeros(2), torch.ones(2)), 1), torch.tensor([0.0, 1.0]))
        tensor([0.5000, 0.8413])
    """
    if isinstance(law, Independent) and law.reinterpreted_batch_ndims == 1:
        u: Tensor = law.base_dist.cdf(x)  # independent components are their own conditionals
    elif isinstance(law, Law):
        u = law.pit(x)
    else:
        raise _no_conditionals(law)
    tiny = torch.finfo(u.dtype).eps
    return u.clamp(tiny, 1 - tiny)


def _no_conditionals(law: Distribution) -> NoDensityError:
    return NoDensityError(
        f"{type(law).__name__} has no conditionals in closed form, so their calibration cannot be checked; compare its "
        "samples with data by pushforward.audit"
    )
