"""Bijections against the Jacobian that autograd finds, and against themselves run backwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal

from pushforward.bijections import Affine, Bijection, Chain, Coupling, Permutation, RationalQuadratic, Triangular
from pushforward.networks.mlp import MLP, Constant

SPLINE = RationalQuadratic(bins=4, bound=3.0)
D, C = 5, 2


def coupling(size: int, kept: int, context: int) -> Coupling:
    outputs = SPLINE.parameters * (size - kept)
    inputs = kept + context
    return Coupling(size, kept, SPLINE, MLP(inputs, outputs, (16,)) if inputs else Constant(outputs))


BIJECTIONS: dict[str, Callable[[], Bijection]] = {
    "affine": lambda: Affine(D),
    "triangular": lambda: Triangular(D),
    "permutation": lambda: Permutation([3, 0, 4, 1, 2]),
    "coupling": lambda: coupling(D, 2, C),
    "coupling of all": lambda: coupling(D, 0, C),
    "chain": lambda: Chain([coupling(D, 2, C), Permutation([4, 3, 2, 1, 0]), Affine(D), coupling(D, 3, C)]),
}


@pytest.fixture(params=BIJECTIONS)
def bijection(request: pytest.FixtureRequest) -> Bijection:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = BIJECTIONS[request.param]().double()
        for p in made.parameters():
            p.data += 0.2 * torch.randn_like(p)
    return made


def normal(*shape: int, seed: int = 1) -> Tensor:
    return 1.5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_log_determinant_is_that_of_the_jacobian(bijection: Bijection, direction: str) -> None:
    apply = getattr(bijection, direction)
    for x, context in zip(normal(6, D), normal(6, C, seed=2), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v, c=context: apply(v, c)[0], x)
        torch.testing.assert_close(apply(x, context)[1], jacobian.slogdet().logabsdet, rtol=0, atol=1e-8)


def test_the_inverse_inverts(bijection: Bijection) -> None:
    x, context = normal(50, D), normal(50, C, seed=2)
    z, inverse = bijection.inverse(x, context)
    back, forward = bijection(z, context)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-8)
    torch.testing.assert_close(forward, -inverse, rtol=0, atol=1e-8)


def test_batches_of_any_shape_are_rows_one_by_one(bijection: Bijection) -> None:
    x, context = normal(3, 4, D), normal(4, C, seed=2)
    z, log_det = bijection.inverse(x, context)
    assert z.shape == (3, 4, D) and log_det.shape == (3, 4)
    row, row_log_det = bijection.inverse(x[2, 1], context[1])
    torch.testing.assert_close(z[2, 1], row)
    torch.testing.assert_close(log_det[2, 1], row_log_det)
    assert bijection.inverse(x[:0], context)[0].shape == (0, 4, D)


def test_a_coupling_keeps_what_it_keeps_and_hears_its_context() -> None:
    layer = coupling(D, 2, C).double()
    x, context = normal(20, D), normal(20, C, seed=2)
    z = layer.inverse(x, context)[0]
    assert torch.equal(z[:, :2], x[:, :2])
    assert not torch.allclose(z[:, 2:], x[:, 2:])
    assert not torch.allclose(layer.inverse(x, context + 1)[0], z)


def test_a_coupling_of_one_component_without_context_is_a_spline() -> None:
    layer = coupling(1, 0, 0).double()
    layer.network.value.data.copy_(normal(SPLINE.parameters))
    x = normal(20, 1)
    expected = SPLINE.forward(x[:, 0], layer.network.value[:, None].expand(-1, 20))
    z, log_det = layer.inverse(x)
    torch.testing.assert_close(z[:, 0], expected[0])
    torch.testing.assert_close(log_det, expected[1])


def test_a_permutation_is_undone_by_its_inverse() -> None:
    x = normal(4, 3)
    permutation = Permutation([2, 0, 1])
    assert torch.equal(permutation(x)[0], x[:, [2, 0, 1]])
    assert torch.equal(permutation.inverse(x[:, [2, 0, 1]])[0], x)
    assert not permutation.state_dict()


def test_preparing_a_chain_standardises_what_each_affine_meets() -> None:
    x = normal(500, D) * torch.tensor([1e-3, 1.0, 10.0, 1e3, 1.0]) + torch.tensor([0.0, 1.0, -5.0, 1e4, 2.0])
    x[:, 4] = 7.0  # a constant keeps its scale, and comes first before the permutation
    chain = Chain([Affine(D), Permutation([1, 2, 3, 4, 0]), Affine(D)]).double()
    chain.prepare(x)
    z, _ = chain.inverse(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(D, dtype=torch.float64), rtol=0, atol=1e-8)
    spread = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(z.std(0, correction=0), spread, rtol=0, atol=1e-8)


def test_preparing_a_triangular_map_makes_the_normal_law_of_the_batch() -> None:
    mix = normal(D, D, seed=3) * torch.tensor([1e-3, 1.0, 10.0, 1e3, 1.0])
    x = normal(20_000, D) @ mix + torch.tensor([0.0, 1.0, -5.0, 1e4, 2.0])
    triangular = Triangular(D).double()
    triangular.prepare(x)
    z, log_det = triangular.inverse(x)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(D, dtype=torch.float64))
    law = MultivariateNormal(x.mean(0), x.T.cov())
    mine = Normal(0.0, 1.0).log_prob(z).sum(-1) + log_det
    torch.testing.assert_close(mine.mean(), law.log_prob(x).mean(), rtol=0, atol=0.01)


@pytest.mark.parametrize("n", [2, 3, 50])
def test_preparing_bears_few_patterns_and_components_that_repeat_or_never_vary(n: int) -> None:
    x = normal(n, D)
    x[:, 3], x[:, 4] = 2 * x[:, 0], 7.0
    triangular = Triangular(D).double()
    triangular.prepare(x)
    z, log_det = triangular.inverse(x)
    assert z.isfinite().all() and log_det.isfinite().all()
    torch.testing.assert_close(z[:, 4], torch.zeros(n, dtype=torch.float64))
    torch.testing.assert_close(triangular(z)[0], x)


def test_the_columns_of_a_perceptron_are_its_transposed_outputs() -> None:
    network, x = MLP(3, 7, (8, 8)).double(), normal(5, 3)
    torch.testing.assert_close(network.columns(x), network(x).T)
    assert network.columns(x).is_contiguous()


def test_gradients_reach_every_parameter(bijection: Bijection) -> None:
    z, log_det = bijection.inverse(normal(50, D), normal(50, C, seed=2))
    loss = z.square().sum() - log_det.sum()
    if loss.requires_grad:  # a permutation has nothing to learn
        loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in bijection.parameters())


def test_impossible_arrangements_are_refused() -> None:
    with pytest.raises(ValueError, match="keeps 0 … 2"):
        Coupling(3, 3, SPLINE, Constant(1))
    with pytest.raises(ValueError, match="each of 0 … 2 once"):
        Permutation([0, 2, 2])
