"""The rational-quadratic spline against differences, its own float64 and two published implementations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from pushforward.bijections import CircularRationalQuadratic, RationalQuadratic, spline, spline_loops, spline_tensors
from pushforward.bijections.spline_tensors import MINIMUM, SHIFT
from pushforward.event import Event
from pushforward.models.flow import Flow

K, B = 5, 3.0
SPLINE = RationalQuadratic(bins=K, bound=B)


@pytest.fixture(autouse=True, params=["loops", "tensors"])
def passes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test here is of both ways to pass over memory."""
    made = {"loops": spline_loops, "tensors": spline_tensors}[request.param]
    monkeypatch.setattr(spline, "_loops", lambda: made)


def draw(seed: int, n: int, scale: float, spline: RationalQuadratic = SPLINE) -> tuple[Tensor, Tensor]:
    """Points in and beyond the interval, and parameters of the given spread, in float64."""
    generator = torch.Generator().manual_seed(seed)
    u = spline.bound * (2.4 * torch.rand(n, generator=generator, dtype=torch.float64) - 1.2)
    return u, scale * torch.randn(spline.parameters, n, generator=generator, dtype=torch.float64)


def knots(parameters: Tensor, spline: RationalQuadratic) -> tuple[Tensor, Tensor, Tensor]:
    """Knots across, knots up and derivatives there, from the definition, with the knots last."""
    k = spline.bins
    shares = MINIMUM + (1 - k * MINIMUM) * parameters[: 2 * k].T.unflatten(-1, (k, 2)).softmax(-2)
    positions = torch.cat([torch.zeros_like(shares[:, :1]), shares.cumsum(-2)], -2)
    inner = MINIMUM + torch.nn.functional.softplus(parameters[2 * k :].T + SHIFT)
    one = torch.ones_like(inner[:, :1])
    across, up = (2 * spline.bound * positions - spline.bound).unbind(-1)
    return across, up, torch.cat([one, inner, one], -1)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_gradients_by_hand_agree_with_differences(direction: str, scale: float) -> None:
    u, parameters = draw(1, 10, scale)
    apply = getattr(SPLINE, direction)
    assert torch.autograd.gradcheck(
        apply, (u.requires_grad_(), parameters.requires_grad_()), eps=1e-7, atol=2e-4, rtol=1e-4
    )


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_log_derivative_is_that_of_the_map(direction: str) -> None:
    u, parameters = draw(2, 200, 2.0)
    apply = getattr(SPLINE, direction)
    v, log_derivative = apply(u.requires_grad_(), parameters)
    (derivative,) = torch.autograd.grad(v.sum(), u)
    torch.testing.assert_close(log_derivative, derivative.log(), rtol=1e-9, atol=1e-9)


def test_it_interpolates_its_knots_with_the_derivatives_there() -> None:
    _, parameters = draw(3, 50, 1.5)
    across, up, derivatives = knots(parameters, SPLINE)
    for j in range(K + 1):
        for side in (-1e-9, 1e-9):
            v, log_derivative = SPLINE.forward(across[:, j] + side, parameters)
            torch.testing.assert_close(v, up[:, j], atol=1e-6, rtol=0)
            if 0 < j < K:
                torch.testing.assert_close(log_derivative.exp(), derivatives[:, j], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_the_inverse_inverts(scale: float) -> None:
    u, parameters = draw(4, 5000, scale)
    v, forward = SPLINE.forward(u, parameters)
    back, inverse = SPLINE.inverse(v, parameters)
    torch.testing.assert_close(back, u, rtol=0, atol=1e-6)
    torch.testing.assert_close(forward + inverse, torch.zeros_like(u), rtol=0, atol=1e-5)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_it_is_the_identity_outside_the_bound(direction: str) -> None:
    x = torch.tensor([-torch.inf, -1e6, -3.1, 3.1, 1e6, torch.inf], dtype=torch.float64, requires_grad=True)
    parameters = draw(5, len(x), 3.0)[1].requires_grad_()
    y, log_derivative = getattr(SPLINE, direction)(x, parameters)
    assert torch.equal(y, x) and torch.equal(log_derivative, torch.zeros_like(x))
    by_x, by_parameters = torch.autograd.grad((y[1:-1] + log_derivative[1:-1]).sum(), (x, parameters))
    assert torch.equal(by_x[1:-1], torch.ones(4, dtype=torch.float64))
    assert torch.equal(by_parameters, torch.zeros_like(by_parameters))


def test_zero_parameters_are_the_identity() -> None:
    u = torch.linspace(-4, 4, 101)
    v, log_derivative = SPLINE.forward(u, torch.zeros(SPLINE.parameters, len(u)))
    torch.testing.assert_close(v, u, rtol=0, atol=2e-6)
    torch.testing.assert_close(log_derivative, torch.zeros_like(u), rtol=0, atol=2e-6)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_float32_follows_float64(direction: str) -> None:
    u, parameters = draw(6, 20_000, 0.3)
    u, parameters = u.float(), parameters.float()
    wide = getattr(SPLINE, direction)(u.double(), parameters.double())
    narrow = getattr(SPLINE, direction)(u, parameters)
    for value, exact in zip(narrow, wide, strict=True):
        assert (value - exact).abs().mean() < 1e-6
        assert (value - exact).abs().max() < 2e-5


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("scale", [30.0, 1000.0])
def test_extreme_parameters_stay_finite(direction: str, scale: float) -> None:
    u, parameters = (t.float().requires_grad_() for t in draw(7, 4000, scale))
    y, log_derivative = getattr(SPLINE, direction)(u, parameters)
    assert y.isfinite().all() and log_derivative.isfinite().all()
    gradients = torch.autograd.grad((y + log_derivative).sum(), (u, parameters))
    assert all(g.isfinite().all() for g in gradients)


def test_a_missing_value_stays_missing() -> None:
    y, log_derivative = SPLINE.forward(torch.tensor([torch.nan]), torch.zeros(SPLINE.parameters, 1))
    assert y.isnan().all() and not log_derivative.isinf().any()


def nflows(u: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
    splines = pytest.importorskip("nflows.transforms.splines")
    widths, heights = parameters[:16].T.unflatten(-1, (8, 2)).unbind(-1)
    result: tuple[Tensor, Tensor] = splines.unconstrained_rational_quadratic_spline(
        u, widths, heights, parameters[16:].T + SHIFT, inverse=inverse, tail_bound=5.0
    )
    return result


def zuko(u: Tensor, parameters: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
    transforms = pytest.importorskip("zuko.transforms")
    peer = transforms.MonotonicRQSTransform(*(u.new_zeros(len(u), n) for n in (8, 8, 7)))
    peer.horizontal, peer.vertical, peer.derivatives = knots(parameters, RationalQuadratic(8, 5.0))
    y, log_derivative = (peer.inv if inverse else peer).call_and_ladj(u)
    return y, log_derivative


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("peer", [nflows, zuko])
@pytest.mark.parametrize(("dtype", "scale", "tolerance"), [(torch.float64, 2.0, 1e-8), (torch.float32, 0.2, 1e-5)])
def test_it_equals_its_peers_at_equal_parameters(
    peer: Callable[[Tensor, Tensor, bool], tuple[Tensor, Tensor]],
    inverse: bool,
    dtype: torch.dtype,
    scale: float,
    tolerance: float,
) -> None:
    spline = RationalQuadratic(bins=8, bound=5.0)
    u, parameters = (t.to(dtype) for t in draw(8, 5000, scale, spline))
    mine = (spline.inverse if inverse else spline.forward)(u, parameters)
    for value, other in zip(mine, peer(u, parameters, inverse), strict=True):
        torch.testing.assert_close(value, other, rtol=0, atol=tolerance)


def test_what_cannot_be_a_spline_is_refused() -> None:
    with pytest.raises(ValueError, match="bins"):
        RationalQuadratic(bins=1)
    with pytest.raises(ValueError, match="bound"):
        RationalQuadratic(bound=0.0)
    with pytest.raises(ValueError, match=r"expected parameters of shape \(14, 3\), received \(14, 2\)"):
        SPLINE.forward(torch.zeros(3), torch.zeros(14, 2))


@pytest.mark.parametrize("bins", [2, 8, 33])
@pytest.mark.parametrize("inverse", [False, True])
def test_both_ways_agree(bins: int, inverse: bool) -> None:
    u, parameters = draw(9, 2 * spline_loops.BLOCK + 100, 2.0, RationalQuadratic(bins, B))
    u[:5] = torch.tensor([B, -B, torch.inf, -torch.inf, 2 * B])
    gradients = torch.randn(2, len(u), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    results = []
    for way in (spline_loops, spline_tensors):
        *images, saved = way.evaluate(u, parameters, bins, B, inverse)
        results.append((*images, *way.gradient(saved, *gradients, bins, B, inverse)))
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-9)


def test_what_is_not_a_number_stays_so_and_spoils_no_gradient() -> None:
    u, parameters = draw(10, 9, 1.0)
    u[4] = torch.nan
    v, log_derivative, saved = spline_loops.evaluate(u, parameters, K, B, False)
    gu, g = spline_loops.gradient(saved, torch.ones_like(u), torch.ones_like(u), K, B, False)
    assert v.isnan().nonzero().flatten().tolist() == [4]
    assert log_derivative.isfinite().all()
    assert gu.isfinite().all() and g.isfinite().all()


def test_without_numba_and_where_it_cannot_run_there_are_the_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spline._passes(torch.zeros(3, dtype=torch.bfloat16)) is spline_tensors
    monkeypatch.undo()
    monkeypatch.setattr(spline, "find_spec", lambda name: None)
    spline._loops.cache_clear()
    assert spline._passes(torch.zeros(3)) is spline_tensors
    spline._loops.cache_clear()
    monkeypatch.undo()
    assert spline._passes(torch.zeros(3)) is spline_loops


@pytest.mark.parametrize("g", [RationalQuadratic(5, 3.0), CircularRationalQuadratic(5, 3.0)], ids=str)
@pytest.mark.parametrize("inverse", [False, True])
def test_gradients_have_gradients(g: RationalQuadratic | CircularRationalQuadratic, inverse: bool) -> None:
    """By hand they were constants, so that second derivatives were zero without a word."""
    generator = torch.Generator().manual_seed(0)
    p = torch.randn(g.parameters, 9, dtype=torch.float64, generator=generator, requires_grad=True)
    x = torch.linspace(-3.5, 2.9, 9, dtype=torch.float64).requires_grad_()
    applied = g.inverse if inverse else g.forward
    assert torch.autograd.gradgradcheck(applied, (x, p))
    assert torch.autograd.gradgradcheck(lambda p: applied(x.detach(), p), (p,))
    assert torch.autograd.gradgradcheck(lambda x: applied(x, p.detach()), (x,))


def test_the_score_of_a_flow_has_the_gradient_that_differences_give() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Flow(Event.continuous(2), arrangement="autoregressive", transforms=2, hidden=(8,)).double()
        for parameter in model.parameters():
            parameter.data.add_(0.3 * torch.randn_like(parameter))

    def score(x: torch.Tensor) -> torch.Tensor:
        return torch.autograd.functional.jacobian(lambda x: model().log_prob(x), x)

    x, step = torch.tensor([0.3, 0.7], dtype=torch.float64), 1e-5 * torch.eye(2, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(lambda x: model().log_prob(x), x)
    differences = torch.stack([(score(x + e) - score(x - e)) / 2e-5 for e in step])
    torch.testing.assert_close(hessian, differences, atol=1e-5, rtol=1e-5)
    assert hessian.abs().max() > 1
