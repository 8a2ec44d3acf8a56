"""The flow as a law: its density integrates to one, its samples agree with it, and it can be rebuilt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor
from torch.distributions import Independent, Normal

from pushforward.bijections import Affine, Logit
from pushforward.distributions.base import BASES
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Block, Event
from pushforward.evidence import Kind
from pushforward.families import configure
from pushforward.models.flow import Flow


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tensors this small gain nothing from a second
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def flow(size: int, context: int = 0, noise: float = 0.05) -> Flow:
    """A flow far from the identity."""
    model = Flow(Event.continuous(size), context, transforms=3, hidden=(16, 16), bins=6, bound=4.0).double()
    for p in model.parameters():
        p.data += noise * torch.randn_like(p)
    for link in model.bijection.links:
        if hasattr(link, "network") and hasattr(link.network, "last"):
            link.network.last.bias.data += 0.4 * torch.randn_like(link.network.last.bias)
    return model


def test_a_pushforward_by_an_affine_map_is_the_normal_law_it_should_be() -> None:
    affine = Affine(3).double()
    affine.log_scale.data.copy_(torch.tensor([-1.0, 0.0, 2.0]))
    affine.shift.data.copy_(torch.tensor([5.0, 0.0, -1.0]))
    base = Independent(Normal(torch.zeros(3).double(), torch.ones(3).double()), 1)
    law = Pushforward(base, affine)
    expected = Independent(Normal(affine.shift, affine.log_scale.exp()), 1)
    x = 3 * torch.randn(50, 3, dtype=torch.float64)
    torch.testing.assert_close(law.log_prob(x), expected.log_prob(x))
    y, log_prob = law.rsample_and_log_prob((50,))
    torch.testing.assert_close(log_prob, expected.log_prob(y))
    assert y.requires_grad and not law.sample().requires_grad


@torch.no_grad()
@pytest.mark.parametrize("context", [0, 2])
def test_the_density_integrates_to_one_and_samples_agree_with_it(context: int) -> None:
    model = flow(2, context)
    law = model(torch.randn(context, dtype=torch.float64) if context else None)
    grid = torch.linspace(-8, 8, 1201, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    mass = law.log_prob(points).exp() * (grid[1] - grid[0]) ** 2
    assert abs(mass.sum() - 1) < 3e-3
    x = law.sample((10_000,))
    for corner in x[:5]:
        share = (x < corner).all(-1).double().mean()
        assert abs(share - mass[(points < corner).all(-1)].sum()) < 0.025
    z, _ = model.bijection.inverse(x, law.context)
    assert min(kstest(z[:, i], "norm").pvalue for i in range(2)) > 1e-3


def test_shapes_broadcast_as_torch_laws_do() -> None:
    law = flow(3, context=2)(torch.randn(5, 2, dtype=torch.float64))
    assert law.batch_shape == (5,) and law.event_shape == (3,)
    assert law.sample((4, 2)).shape == (4, 2, 5, 3)
    assert law.log_prob(torch.zeros(3, dtype=torch.float64)).shape == (5,)
    assert law.log_prob(torch.zeros(7, 1, 3, dtype=torch.float64)).shape == (7, 5)
    assert flow(3)().log_prob(torch.zeros(3, dtype=torch.float64)).shape == ()


def test_the_context_changes_the_law() -> None:
    model, x = flow(1, context=2), torch.randn(20, 1, dtype=torch.float64)
    first, second = (model(torch.full((2,), value, dtype=torch.float64)).log_prob(x) for value in (0.0, 1.0))
    assert (first - second).abs().max() > 1e-3
    with pytest.raises(ValueError, match="needs a context"):
        model()


@pytest.mark.parametrize("size", [1, 2, 8])
def test_every_parameter_gets_a_gradient_and_every_component_moves(size: int) -> None:
    model = flow(size)
    (-model().log_prob(torch.randn(200, size, dtype=torch.float64)).mean()).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    x = torch.zeros(size, dtype=torch.float64)
    z, affine = model.bijection.inverse(x)[0], model.bijection.links[-1].inverse(x)[0]
    assert not set(z.tolist()) & set(affine.tolist())


def test_preparing_standardises_and_leaves_the_generator_alone() -> None:
    event = Event((Block("continuous", 1), Block("grid", 1, 2.0), Block.binary()))
    model = Flow(event, transforms=2, hidden=(8,))
    x = torch.stack([5 + 3 * torch.randn(4000), 2 * torch.randint(0, 9, (4000,)), torch.zeros(4000)], -1)
    before = torch.get_rng_state()
    model.prepare(x)
    assert torch.equal(before, torch.get_rng_state())
    affine, limits = model.bijection.links[-2:]
    spread = (x.var(0) + event.width.float() ** 2 / 12).sqrt()  # a uniform law on each cell adds width²/12
    torch.testing.assert_close(affine.log_scale[:2].exp(), spread[:2], rtol=0.05, atol=0)
    codes = affine.inverse(limits.inverse(event.dequantise(x))[0])[0]
    torch.testing.assert_close(codes.std(0), torch.ones(3), rtol=0.05, atol=0)
    assert model().evidence is Kind.LOWER_BOUND and Flow(Event.continuous(1))().evidence is Kind.EXACT


def test_the_configuration_rebuilds_it() -> None:
    model = flow(5, context=2)
    twin = Flow.from_json(json.loads(json.dumps(model.to_json()))).double()
    twin.load_state_dict(model.state_dict())
    x, c = torch.randn(9, 5, dtype=torch.float64), torch.randn(9, 2, dtype=torch.float64)
    assert torch.equal(twin(c).log_prob(x), model(c).log_prob(x))
    assert repr(twin) == repr(model)


def test_float32_follows_float64() -> None:
    model, x = flow(8), torch.randn(500, 8, dtype=torch.float64)
    exact = model().log_prob(x)
    narrow = model.float()().log_prob(x.float())
    assert (narrow - exact).abs().mean() < 1e-5


def test_it_learns_a_law_that_no_normal_law_fits() -> None:
    def moons(n: int) -> Tensor:
        angle = torch.pi * torch.rand(n)
        side = torch.randint(0, 2, (n,))
        x = torch.stack([angle.cos() + side, angle.sin() * (1 - 2 * side) + side / 2], -1)
        return x + 0.1 * torch.randn(n, 2)

    model, x, held_out = Flow(Event.continuous(2), hidden=(32, 32)), moons(2000), moons(1000)
    model.prepare(x)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        (-model().log_prob(x[torch.randint(0, 2000, (256,))]).mean()).backward()
        optimiser.step()
    normal = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov())
    assert model().log_prob(held_out).mean() > normal.log_prob(held_out).mean() + 0.5


@pytest.mark.parametrize("base", list(BASES))
@pytest.mark.parametrize("size", [2, 6, 20])
def test_few_codes_lie_beyond_the_splines_that_are_chosen(base: str, size: int) -> None:
    """There the map is the identity: a flow of patterns that end somewhere can take no mass away from it."""
    z = BASES[base](size)(torch.zeros(10_000, size)).sample()
    if base == "uniform":
        z, _ = Logit(-1.0, 1.0).inverse(z)
    bound = configure("flow", Event.continuous(size), {"base": base}).model.get("bound", 5.0)
    assert (z.abs() > bound).float().mean() < 0.02


def test_the_flow_of_a_table_does_not_rule_out_what_lies_far_off() -> None:
    """The tails of a normal law would give it −800 nats, and a single such row would decide a mean over thousands."""
    generator = torch.distributions.StudentT(torch.tensor(3.0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = generator.sample((2000, 4))
        model = Flow(Event.continuous(4), **configure("flow", Event.continuous(4), {}).model)
        model.prepare(x)
    far = torch.zeros(1, 4)
    far[0, 2] = 40 * x[:, 2].std()
    assert model().log_prob(far).item() > -40


@pytest.mark.parametrize("options", [{}, {"base": "uniform"}, {"map": "affine", "arrangement": "autoregressive"}])
def test_all_patterns_that_can_be_have_probability_one_together(options: dict[str, Any]) -> None:
    """Rounding gathers in the outer cells what lies beyond them: a bound of the cells alone would never reach it."""
    event = Event((Block.binary(2), Block.categorical(3), Block("grid", 1, 0.5, -1.0, 0.5)))
    values = [torch.arange(2.0)] * 2 + [torch.arange(3.0), torch.tensor([-1.0, -0.5, 0.0, 0.5])]
    patterns = torch.cartesian_prod(*values)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Flow(event, transforms=2, hidden=(16,), **options)
        model.prepare(patterns[torch.randint(len(patterns), (500,))])
        law = model()
        probability = law.log_prob_bound(patterns, k=3000).exp()
        drawn = law.sample((20_000,))
    often = (drawn[:, None] == patterns).all(-1).double().mean(0)
    assert probability.sum().item() == pytest.approx(1, abs=0.02)
    assert (probability - often).abs().max() < 0.015


def test_what_cannot_be_a_flow_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one transform"):
        Flow(Event.continuous(2), transforms=0)
