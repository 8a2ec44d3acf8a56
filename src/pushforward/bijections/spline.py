"""Monotone rational-quadratic splines, with their gradients by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function, grad
from torch.nn.functional import pad

from pushforward.bijections import spline_formulas, spline_tensors
from pushforward.bijections.spline_tensors import MINIMUM
from pushforward.networks.transforms import transformed

__all__ = ["RationalQuadratic"]


def check(bins: int, bound: float) -> None:
    """Raise a ``ValueError`` for bins or a bound that no spline can have."""
    if not 2 <= bins < 1 / MINIMUM:
        raise ValueError(f"a spline needs 2 … {1 / MINIMUM - 1:.0f} bins, not {bins}")
    if not 0 < bound < math.inf:
        raise ValueError(f"a spline's bound is positive and finite, unlike {bound}")


@dataclass(frozen=True)
class RationalQuadratic:
    r"""A monotone rational-quadratic spline on [−B, B] with K bins, and the identity outside.

    In bin k, with :math:`\xi = (u - u_k)/w_k` and slope :math:`s = h_k / w_k`,

    .. math:: g(u) = v_k + h_k \frac{s\,\xi^2 + d_k\,\xi(1-\xi)}{s + (d_{k+1} + d_k - 2s)\,\xi(1-\xi)}.

    The 3K − 1 parameters are K pairs for the widths w and heights h, each a softmax kept above a thousandth
    of the interval, then K − 1 for the derivatives d at the inner knots, a softplus kept above a thousandth.
    Zero parameters give the identity.

    Sources: Gregory and Delbourgo (1982); Durkan et al. (2019), "Neural Spline Flows".

    Arguments:
        bins: The number of bins K.
        bound: The bound B.

    Example:
        >>> spline = RationalQuadratic(bins=4, bound=3.0)
        >>> v, log_slope = spline.forward(torch.tensor([-1.0, 2.0, 7.0]), torch.zeros(spline.parameters, 3))
        >>> v.allclose(torch.tensor([-1.0, 2.0, 7.0])), log_slope.allclose(torch.zeros(3), atol=1e-6)
        (True, True)
    """

    bins: int = 8
    bound: float = 5.0

    def __post_init__(self) -> None:
        check(self.bins, self.bound)

    @property
    def parameters(self) -> int:
        """The number of parameters, 3K − 1."""
        return 3 * self.bins - 1

    def forward(
        self, u: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The image g(u) and log g′(u)."""
        return self._apply(u, parameters, inverse=False)

    def inverse(
        self, v: Float[Tensor, "*shape"], parameters: Float[Tensor, " p *shape"]
    ) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
        """The argument u with g(u) = v, and −log g′(u)."""
        return self._apply(v, parameters, inverse=True)

    def _apply(self, x: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        if parameters.shape != (self.parameters, *x.shape):
            expected = (self.parameters, *x.shape)
            raise ValueError(f"expected parameters of shape {expected}, received {tuple(parameters.shape)}")
        if transformed():
            return _plain(x, parameters, self.bins, self.bound, inverse)
        arguments = x.contiguous(), parameters.contiguous(), self.bins, self.bound, inverse
        if torch.is_grad_enabled() and (x.requires_grad or parameters.requires_grad):
            y, log_derivative = _Spline.apply(*arguments)
            return y, log_derivative
        y, log_derivative, _ = _passes(x).evaluate(*arguments)
        return y, log_derivative


class _Spline(Function):
    """The spline or its inverse, with its gradient by hand, in few passes over memory.

    A gradient that is to be differentiated itself is that of plain operations.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, parameters: Tensor, bins: int, bound: float, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        ctx.passes, ctx.settings = _passes(x), (bins, bound, inverse)
        y, log_derivative, saved = ctx.passes.evaluate(x, parameters, *ctx.settings)
        ctx.save_for_backward(x, parameters, *saved)
        return y, log_derivative

    @staticmethod
    def backward(ctx: Any, of_image: Tensor, of_log: Tensor) -> tuple[Tensor | None, ...]:
        inputs, saved = ctx.saved_tensors[:2], ctx.saved_tensors[2:]
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            gradients = _differentiable(inputs, (of_image, of_log), ctx.needs_input_grad[:2], *ctx.settings)
        else:
            gradients = ctx.passes.gradient(saved, of_image.contiguous(), of_log.contiguous(), *ctx.settings)
        return *gradients, None, None, None


def _differentiable(
    inputs: Sequence[Tensor],
    gradients: tuple[Tensor, Tensor],
    needed: Sequence[bool],
    bins: int,
    bound: float,
    inverse: bool,
) -> tuple[Tensor | None, ...]:
    """The gradients by what needs one, as functions that have gradients themselves."""
    made = _plain(inputs[0], inputs[1], bins, bound, inverse)
    found = iter(grad(made, [t for t, of in zip(inputs, needed, strict=True) if of], gradients, create_graph=True))
    return tuple(next(found) if of else None for of in needed)


def _plain(x: Tensor, parameters: Tensor, bins: int, bound: float, inverse: bool) -> tuple[Tensor, Tensor]:
    """The spline or its inverse in operations that torch can differentiate and transform."""
    slopes = pad(parameters[2 * bins :].movedim(0, -1), (1, 1)).movedim(-1, 0)  # 0 means the derivative 1 at both ends
    return spline_formulas.applied(x, parameters[: 2 * bins], slopes, bound, inverse)


def _passes(x: Tensor) -> ModuleType:
    """Compiled loops where they can run, else operations on tensors: the same formulas."""
    can_run = x.is_cpu and x.dtype in (torch.float32, torch.float64) and not torch.compiler.is_compiling()
    return _loops() if can_run else spline_tensors


@cache
def _loops() -> ModuleType:
    if find_spec("numba") is None:
        return spline_tensors
    from pushforward.bijections import spline_loops

    return spline_loops
