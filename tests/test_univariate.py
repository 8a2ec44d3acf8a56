"""Univariate maps against differences, themselves run backwards and published implementations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import grad, gradcheck

from pushforward.bijections import CircularRationalQuadratic, MonotonicAffine, RationalQuadratic, Univariate
from pushforward.bijections.spline_tensors import SHIFT

BOUND = 3.0
CIRCULAR = CircularRationalQuadratic(bins=5, bound=BOUND)
UNIVARIATES: dict[str, Univariate] = {
    "affine": MonotonicAffine(),
    "spline": RationalQuadratic(bins=5, bound=BOUND),
    "circular spline": CIRCULAR,
}


@pytest.fixture(params=UNIVARIATES)
def univariate(request: pytest.FixtureRequest) -> Univariate:
    return UNIVARIATES[request.param]


def draw(univariate: Univariate, n: int, scale: float = 1.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points in and beyond the bound, and parameters of the given spread, in float64."""
    generator = torch.Generator().manual_seed(seed)
    u = BOUND * (2.4 * torch.rand(n, generator=generator, dtype=torch.float64) - 1.2)
    return u, scale * torch.randn(univariate.parameters, n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_log_derivative_is_that_of_the_map(univariate: Univariate, direction: str) -> None:
    u, parameters = draw(univariate, 200)
    v, log_derivative = getattr(univariate, direction)(u.requires_grad_(), parameters)
    torch.testing.assert_close(log_derivative, grad(v.sum(), u)[0].log(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_agree_with_differences(univariate: Univariate, direction: str) -> None:
    u, parameters = draw(univariate, 8)
    apply = getattr(univariate, direction)
    assert gradcheck(apply, (u.requires_grad_(), parameters.requires_grad_()), eps=1e-7, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_inverse_inverts_and_keeps_shapes(univariate: Univariate, scale: float) -> None:
    u, parameters = draw(univariate, 6000, scale)
    u, parameters = u.view(20, 300), parameters.view(-1, 20, 300)
    v, forward = univariate.forward(u, parameters)
    back, inverse = univariate.inverse(v, parameters)
    torch.testing.assert_close(back, u, rtol=0, atol=1e-6)
    torch.testing.assert_close(forward, -inverse, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_parameters_are_the_identity(univariate: Univariate, dtype: torch.dtype) -> None:
    u = draw(univariate, 100)[0].to(dtype)
    for apply in (univariate.forward, univariate.inverse):
        v, log_derivative = apply(u, u.new_zeros(univariate.parameters, 100))
        torch.testing.assert_close(v, u, rtol=0, atol=2e-6)
        torch.testing.assert_close(log_derivative, torch.zeros_like(u), rtol=0, atol=2e-6)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_value_however_large_becomes_nan(univariate: Univariate, direction: str, dtype: torch.dtype) -> None:
    largest = torch.finfo(dtype).max
    u = torch.tensor([-torch.inf, -largest, -1e6, -BOUND, BOUND, 1e6, largest, torch.inf], dtype=dtype)
    parameters = draw(univariate, len(u), 3.0)[1].to(dtype).requires_grad_()
    v, log_derivative = getattr(univariate, direction)(u.requires_grad_(), parameters)
    assert not v.isnan().any() and log_derivative.isfinite().all()
    assert torch.equal(v.isinf() & u.isinf(), u.isinf()) and torch.equal(v.sign(), u.sign())
    if not isinstance(univariate, MonotonicAffine):
        beyond = u.abs() > BOUND
        assert torch.equal(v[beyond], u[beyond]) and not log_derivative[beyond].any()
    for gradient in grad((v[2:-2] + log_derivative[2:-2]).sum(), (u, parameters)):
        assert gradient[..., 2:-2].isfinite().all()


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("scale", [30.0, 1000.0])
def test_extreme_parameters_stay_finite(univariate: Univariate, direction: str, scale: float) -> None:
    u, parameters = (t.float().requires_grad_() for t in draw(univariate, 4000, scale))
    v, log_derivative = getattr(univariate, direction)(u, parameters)
    assert v.isfinite().all() and log_derivative.isfinite().all()
    assert all(g.isfinite().all() for g in grad((v + log_derivative).sum(), (u, parameters)))


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_float32_follows_float64(univariate: Univariate, direction: str) -> None:
    u, parameters = (t.float() for t in draw(univariate, 10_000, 0.3))
    wide = getattr(univariate, direction)(u.double(), parameters.double())
    for value, exact in zip(getattr(univariate, direction)(u, parameters), wide, strict=True):
        assert (value - exact).abs().mean() < 1e-6 and (value - exact).abs().max() < 2e-5


def test_parameters_of_another_shape_are_refused(univariate: Univariate) -> None:
    p = univariate.parameters
    for apply in (univariate.forward, univariate.inverse):
        with pytest.raises(ValueError, match=rf"expected parameters of shape \({p}, 3\), received \({p}, 2\)"):
            apply(torch.zeros(3), torch.zeros(p, 2))


def test_an_affine_maps_log_scale_is_bounded() -> None:
    raw = torch.tensor([-1e9, -2.0, 0.0, 2.0, 1e9])
    _, log_scale = MonotonicAffine(bound=2.0).forward(torch.zeros(5), torch.stack([raw, raw]))
    torch.testing.assert_close(log_scale, torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))


def test_an_affine_map_equals_zukos() -> None:
    zuko = pytest.importorskip("zuko.transforms")
    u, parameters = draw(MonotonicAffine(), 100)
    peer = zuko.MonotonicAffineTransform(shift=parameters[1], scale=parameters[0])
    v, log_derivative = MonotonicAffine().forward(u, parameters)
    torch.testing.assert_close(v, peer(u))
    torch.testing.assert_close(log_derivative, peer.log_abs_det_jacobian(u, v))


def test_a_circular_spline_closes_smoothly() -> None:
    _, parameters = draw(CIRCULAR, 50)
    ends = torch.tensor([[-BOUND], [BOUND]], dtype=torch.float64).expand(2, 50)
    v, log_slope = CIRCULAR.forward(ends, parameters[:, None].expand(-1, 2, 50))
    torch.testing.assert_close(v, ends)
    torch.testing.assert_close(log_slope[0], log_slope[1])
    assert log_slope[0].std() > 0.1  # it is learned, not that of the identity


def test_a_circular_spline_whose_ends_have_slope_one_is_the_spline() -> None:
    spline = RationalQuadratic(CIRCULAR.bins, BOUND)
    u, parameters = draw(CIRCULAR, 500)
    parameters[2 * CIRCULAR.bins] = 0.0
    plain = torch.cat([parameters[: 2 * CIRCULAR.bins], parameters[2 * CIRCULAR.bins + 1 :]])
    for direction in ("forward", "inverse"):
        pairs = zip(getattr(CIRCULAR, direction)(u, parameters), getattr(spline, direction)(u, plain), strict=True)
        for circular, ordinary in pairs:
            torch.testing.assert_close(circular, ordinary)


@pytest.mark.parametrize("inverse", [False, True])
def test_a_circular_spline_equals_normflows(inverse: bool) -> None:
    peer = pytest.importorskip("normflows.utils.splines").unconstrained_rational_quadratic_spline
    u, parameters = draw(CIRCULAR, 1000)
    widths, heights = parameters[:10].T.unflatten(-1, (5, 2)).unbind(-1)
    derivatives = parameters[10:].T + SHIFT
    expected = peer(u, widths, heights, derivatives, inverse=inverse, tails="circular", tail_bound=BOUND)
    mine = (CIRCULAR.inverse if inverse else CIRCULAR.forward)(u, parameters)
    for value, other in zip(mine, expected, strict=True):
        torch.testing.assert_close(value, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("words", "kind", "options"),
    [
        ("log-scale is positive", MonotonicAffine, {"bound": 0.0}),
        ("2 … 999 bins, not 1", CircularRationalQuadratic, {"bins": 1}),
        ("bound is positive and finite, unlike -1", CircularRationalQuadratic, {"bound": -1.0}),
        ("bound is positive and finite, unlike nan", CircularRationalQuadratic, {"bound": math.nan}),
    ],
)
def test_what_cannot_be_a_univariate_map_is_refused(words: str, kind: type, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=words):
        kind(**options)
