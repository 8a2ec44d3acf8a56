"""The masked network, one pass against its walk, and the autoregressive map made of it, against published flows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pushforward.bijections import Inverse, MaskedAutoregressive, MonotonicAffine, RationalQuadratic, Univariate
from pushforward.bijections.spline_tensors import SHIFT
from pushforward.networks.masked import MaskedMLP

SPLINE = RationalQuadratic(bins=4, bound=3.0)


def normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def walked(network: MaskedMLP, x: Tensor, context: Tensor | None, widths: Sequence[int]) -> list[Tensor]:
    """What the walk yields when it is sent the inputs of each component."""
    walk, groups = network.walk(len(x), context), []
    for part in x.split(list(widths), 1):
        groups.append(next(walk) if not groups else walk.send(sent))
        sent = part.squeeze(1)
    with pytest.raises(StopIteration):
        walk.send(sent)
    return groups


NETWORKS = {
    "even": ([2] * 5, (16, 16), [1] * 5),
    "odd widths": ([3] * 4, (7, 7, 7), [1] * 4),
    "one hidden layer": ([2] * 5, (9,), [1] * 5),
    "more components than hidden units": ([1] * 9, (4, 4), [1] * 9),
    "one hidden unit": ([1] * 4, (1, 1), [1] * 4),
    "one component": ([3], (5, 5), [1]),
    "unequal groups": ([1, 4, 2, 3], (8, 8), [1] * 4),
    "several inputs a component": ([1, 4, 2], (8, 8), [3, 1, 2]),
}


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_walk_equals_one_pass_and_sees_all_that_stands_before(name: str, context: int) -> None:
    counts, hidden, widths = NETWORKS[name]
    torch.manual_seed(0)
    network = MaskedMLP(counts, hidden, context, widths).double()
    x = normal(6, sum(widths))
    c = normal(6, context, seed=2) if context else None
    groups = walked(network, x, c, widths)
    torch.testing.assert_close(torch.cat(groups, 1), network(x, c), rtol=0, atol=1e-12)
    torch.testing.assert_close(network.columns(x, c), network(x, c).T, rtol=0, atol=1e-12)
    # Many points: a unit that sleeps at one of them is awake at another.
    many, c = normal(50, sum(widths)), normal(50, context, seed=3) if context else None
    seen = torch.autograd.functional.jacobian(lambda x: network(x, c).sum(0), many).abs().sum(1)
    numbers = torch.arange(len(counts))
    before = numbers.repeat_interleave(torch.tensor(counts))[:, None] > numbers.repeat_interleave(torch.tensor(widths))
    assert torch.equal(seen > 0, before)


def test_interleaved_groups_hold_the_first_output_of_every_group_first() -> None:
    network = MaskedMLP([3] * 4, (8, 8), interleaved=True).double()
    x = normal(6, 4)
    groups = walked(network, x, None, [1] * 4)
    torch.testing.assert_close(torch.stack(groups, -1).flatten(1), network(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("context", [0, 3])
def test_gradients_pass_through_the_walk(context: int) -> None:
    network = MaskedMLP([2] * 5, (16, 16), context).double()
    c = normal(6, context, seed=2) if context else None
    weights = normal(6, 10, seed=3)
    gradients = []
    for outputs in (lambda x: torch.cat(walked(network, x, c, [1] * 5), 1), lambda x: network(x, c)):
        x = normal(6, 5).requires_grad_()
        gradients.append(torch.autograd.grad((outputs(x) * weights).sum(), [x, *network.parameters()]))
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("d", "hidden"), [(8, (128, 128)), (43, (128, 128, 128)), (60, (32,))])
def test_a_walk_costs_no_more_products_than_one_pass(d: int, hidden: tuple[int, ...]) -> None:
    network, x = MaskedMLP([5] * d, hidden), normal(10, d).float()
    with torch.no_grad():
        with FlopCounterMode(display=False) as walk:
            walked(network, x, None, [1] * d)
        with FlopCounterMode(display=False) as one_pass:
            network(x)
    assert 0 < walk.get_total_flops() <= one_pass.get_total_flops()


def test_what_a_walk_remembers_is_said() -> None:
    network = MaskedMLP([5] * 8, (128, 128), context=3)
    with torch.no_grad():
        walk = network.walk(10, torch.zeros(10, 3))
        next(walk)
    kept = [walk.gi_frame.f_locals["seen"], *walk.gi_frame.f_locals["layers"]]
    assert sum(rows.memory.numel() for rows in kept) == 10 * network.remembered


def test_near_zero_is_near_zero_with_gradients_everywhere() -> None:
    network = MaskedMLP([2] * 4, (16, 16), context=2).double().near_zero()
    y = network(normal(50, 4), normal(50, 2))
    assert y.abs().max() < 0.1
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_impossible_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="one width"):
        MaskedMLP([1, 1], (4, 5))
    with pytest.raises(ValueError, match="one size"):
        MaskedMLP([1, 2], (4, 4), interleaved=True)


def layer(univariate: Univariate, d: int, context: int = 0, hidden: Sequence[int] = (32, 32)) -> MaskedAutoregressive:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MaskedMLP([univariate.parameters] * d, hidden, context, interleaved=True)
    return MaskedAutoregressive(univariate, network).double()


@pytest.mark.parametrize("univariate", [SPLINE, MonotonicAffine()])
@pytest.mark.parametrize(("d", "context"), [(5, 0), (5, 2), (1, 0), (1, 2)])
def test_the_jacobian_is_triangular_and_its_determinant_right(univariate: Univariate, d: int, context: int) -> None:
    made = layer(univariate, d, context)
    for row in range(4):
        x, c = normal(4, d)[row], normal(4, context, seed=2)[row] if context else None
        for direction in (made.inverse, made):
            jacobian = torch.autograd.functional.jacobian(lambda v, f=direction, c=c: f(v, c)[0], x)
            assert not jacobian.triu(1).any()
            torch.testing.assert_close(direction(x, c)[1], jacobian.slogdet().logabsdet, rtol=0, atol=1e-9)


@pytest.mark.parametrize("univariate", [SPLINE, MonotonicAffine()])
def test_the_directions_undo_each_other_for_batches_of_any_shape(univariate: Univariate) -> None:
    made, x, c = layer(univariate, 5, 2), normal(3, 4, 5), normal(4, 2, seed=2)
    z, inverse = made.inverse(x, c)
    with torch.no_grad():
        back, forward = made(z, c)
    assert z.shape == (3, 4, 5) and inverse.shape == forward.shape == (3, 4)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-9)
    torch.testing.assert_close(forward, -inverse, rtol=0, atol=1e-9)
    torch.testing.assert_close(made.inverse(x[2, 1], c[1])[0], z[2, 1])
    assert not torch.allclose(made.inverse(x, c + 1)[0], z)
    assert made(z[:0], c)[0].shape == made.inverse(z[:0], c)[0].shape == (0, 4, 5)


def test_it_starts_near_the_identity() -> None:
    made = layer(SPLINE, 5, 2)
    made.network.near_zero()
    z, log_det = made.inverse(normal(20, 5), normal(20, 2, seed=2))
    torch.testing.assert_close(z, normal(20, 5), rtol=0, atol=0.1)
    torch.testing.assert_close(log_det, torch.zeros_like(log_det), rtol=0, atol=0.1)


def test_maximum_likelihood_reaches_an_inverse_autoregressive_map_exactly() -> None:
    """Patterns to codes component after component: its gradients are those of the one-pass direction turned round."""
    made = layer(SPLINE, 4)
    x = normal(30, 4)
    z, log_det = Inverse(made).inverse(x)
    (z.square().sum() - log_det.sum()).backward()
    step = 1e-6
    with torch.no_grad():
        for p in made.parameters():
            at = p.grad.abs().argmax()
            values = []
            for sign in (1, -1):
                p.view(-1)[at] += sign * step
                z, log_det = Inverse(made).inverse(x)
                values.append(z.square().sum() - log_det.sum())
                p.view(-1)[at] -= sign * step
            torch.testing.assert_close((values[0] - values[1]) / (2 * step), p.grad.view(-1)[at], rtol=1e-4, atol=1e-6)


def test_with_affine_maps_it_is_the_masked_autoregressive_flow_of_zuko() -> None:
    transforms = pytest.importorskip("zuko.transforms")
    made, x = layer(MonotonicAffine(), 4), normal(30, 4)

    def meta(x: Tensor) -> object:
        scale, shift = made.network(x).unflatten(-1, (2, 4)).unbind(-2)
        return transforms.DependentTransform(transforms.MonotonicAffineTransform(shift, scale), 1)

    peer = transforms.AutoregressiveTransform(meta, passes=4)
    for mine, theirs in zip(made.inverse(x), peer.call_and_ladj(x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    torch.testing.assert_close(made(x)[0], peer.inv(x), rtol=0, atol=1e-9)


def test_with_splines_it_is_the_masked_map_of_nflows() -> None:
    autoregressive = pytest.importorskip("nflows.transforms.autoregressive")
    spline, d, hidden = RationalQuadratic(bins=4, bound=3.0), 4, 32
    peer = autoregressive.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        d, hidden, num_bins=4, tails="linear", tail_bound=3.0
    ).double()
    made = layer(spline, d, hidden=(hidden, hidden))

    def outputs(x: Tensor, context: None = None) -> Tensor:  # theirs: component by component, widths before heights
        p = made.network(x).unflatten(-1, (spline.parameters, d)).transpose(-1, -2)
        pairs = p[..., :8].unflatten(-1, (4, 2)).transpose(-1, -2).flatten(-2)
        return torch.cat([pairs, p[..., 8:] + SHIFT], -1).flatten(-2)

    peer.autoregressive_net.forward = outputs
    x = 2 * normal(50, d)
    for mine, theirs in zip(made.inverse(x), peer(x), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-10)
    with torch.no_grad():
        for mine, theirs in zip(made(x), peer.inverse(x), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-7)


# Dynamo itself makes what it then warns of.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("turned", [False, True])
def test_training_compiles_without_a_break_in_the_graph(turned: bool) -> None:
    made, x = layer(SPLINE, 2, hidden=(4,)), normal(10, 2)
    inverse = (Inverse(made) if turned else made).inverse

    def loss(x: Tensor) -> Tensor:
        z, log_det = inverse(x)
        return (z.square().sum(-1) - log_det).mean()

    fused = torch.compile(loss, backend="eager", fullgraph=True)
    gradients = [torch.autograd.grad(f(x), list(made.parameters())) for f in (loss, fused)]
    for mine, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
