"""Conditionals, orders and the transformer against independent oracles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import chisquare, expon, logistic, lognorm, norm, uniform
from torch import Tensor
from torch.nn.functional import softplus

from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.factorised import Factorised, Marginals
from pushforward.distributions.mixture import Mixture
from pushforward.distributions.scalar import SMALLEST_LOG_SCALE
from pushforward.distributions.standard import STANDARDS
from pushforward.errors import InputError, NoDensityError
from pushforward.event import Block, Event
from pushforward.models.autoregressive import MaskedAutoregressive, TransformerAutoregressive
from pushforward.models.model import Model
from pushforward.objectives import negative_log_likelihood
from pushforward.training.game import Batch, likelihood_game

CONDITIONALS = ["logistic", "normal", "spline"]
MIXED = Event((
    Block("continuous"),
    Block.categorical(3),
    Block.binary(),
    Block("grid", 1, 0.5, -1.0, 1.0),
    Block.categorical(2),
))  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def shaken(model: Model, by: float = 0.5) -> Model:
    """In double precision, with weights that are far from where they start."""
    with torch.no_grad():
        for p in model.double().parameters():
            p.add_(by * torch.randn_like(p))
    return model


def patterns(event: Event, n: int) -> Tensor:
    return event.snap(1.5 * torch.randn(n, event.size, dtype=torch.float64))


def every_binary(size: int) -> Tensor:
    return torch.cartesian_prod(*[torch.arange(2.0, dtype=torch.float64)] * size)


def random_parameters(marginals: Marginals, n: int = 1) -> Tensor:
    return marginals.initial().double() + torch.randn(n, marginals.parameters, dtype=torch.float64)


# ------------------------------------------------------------------------------------------------------- conditionals


@pytest.mark.parametrize(("name", "oracle"), [("logistic", logistic), ("normal", norm)])
def test_standard_laws_are_scipys(name: str, oracle: object) -> None:
    law, z = STANDARDS[name], torch.linspace(-30, 30, 121, dtype=torch.float64)
    u = torch.linspace(1e-6, 1 - 1e-6, 50, dtype=torch.float64)
    assert np.allclose(law.log_density(z), oracle.logpdf(z), rtol=1e-12)
    assert np.allclose(law.cdf(z), oracle.cdf(z), rtol=1e-12)
    assert np.allclose(law.quantile(u), oracle.ppf(u), rtol=1e-9)


@pytest.mark.parametrize("half", [1e-6, 1e-3, 0.009, 0.011, 0.3, 4.0])
def test_normal_cells_keep_their_digits_in_the_tails(half: float) -> None:
    z, no = torch.tensor([-25.0, -6.0, -0.3, 0.0, 2.0, 25.0], dtype=torch.float64), torch.zeros(6, dtype=torch.bool)
    cells = STANDARDS["normal"].log_cell(z, torch.full_like(z, half), no, no)
    for m, cell in zip(z.tolist(), cells.tolist(), strict=True):
        top = max(abs(m) - half, 0.0)  # where the cell's density is highest, relative to which it is integrated
        relative = quad(lambda t, top=top: math.exp((top * top - t * t) / 2), abs(m) - half, abs(m) + half)[0]
        expected = math.log(relative) - top * top / 2 - 0.5 * math.log(2 * math.pi)
        assert cell == pytest.approx(expected, rel=1e-9, abs=1e-8)
        single = STANDARDS["normal"].log_cell(*(torch.tensor([v]) for v in (m, half)), no[:1], no[:1])
        assert single.item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_normal_edge_cells_collect_the_tails() -> None:
    z, half = torch.tensor([-9.0, 1.0], dtype=torch.float64), torch.full((2,), 0.5, dtype=torch.float64)
    yes, no = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    law = STANDARDS["normal"]
    assert np.allclose(law.log_cell(z, half, yes, no), log_ndtr((z + half).numpy()))
    assert np.allclose(law.log_cell(z, half, no, yes), log_ndtr((half - z).numpy()))
    assert law.log_cell(z, half, yes, yes).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("name", "oracle"), [("logistic", logistic), ("normal", norm)])
def test_mixtures_are_scipys(name: str, oracle: object) -> None:
    marginals = Marginals(Event.continuous(1), 3, name)
    theta = random_parameters(marginals)
    y = torch.linspace(-4, 4, 21, dtype=torch.float64).unsqueeze(-1)
    logits, location, raw = theta.reshape(3, 3).numpy()
    weight, scale = np.exp(logits) / np.exp(logits).sum(), np.exp(np.logaddexp(0, raw + 7) - 7)
    expected = np.log((weight * oracle.pdf(y.numpy(), location, scale)).sum(-1))
    law = Factorised(marginals, theta)
    assert np.allclose(law.log_prob(y), expected)
    assert np.allclose(law.pit(y)[:, 0], (weight * oracle.cdf(y.numpy(), location, scale)).sum(-1))


@pytest.mark.parametrize("name", CONDITIONALS)
def test_density_is_the_derivative_of_the_distribution_function(name: str) -> None:
    marginals = Marginals(Event.continuous(1), 4, name)
    theta = random_parameters(marginals)
    law, y = Factorised(marginals, theta), torch.linspace(-6, 6, 41, dtype=torch.float64).unsqueeze(-1)
    slope = (law.pit(y + 1e-6) - law.pit(y - 1e-6)) / 2e-6
    assert torch.allclose(law.log_prob(y).exp(), slope[:, 0], atol=1e-7, rtol=1e-4)
    u = law.pit(law.sample((4000,)))[..., 0, 0].sort()[0]
    assert (u - torch.linspace(0, 1, 4000, dtype=u.dtype)).abs().max() < 0.035


@pytest.mark.parametrize("name", CONDITIONALS)
@pytest.mark.parametrize("width", [0.5, 1e-3])
def test_cells_add_up_to_one(name: str, width: float) -> None:
    event = Event((Block("grid", 1, width, -500 * width, 500 * width),))
    marginals = Marginals(event, 3, name)
    y = (width * torch.arange(-500, 501, dtype=torch.float64)).unsqueeze(-1)
    law = Factorised(marginals, random_parameters(marginals))
    assert law.log_prob(y).exp().sum().item() == pytest.approx(1.0, abs=1e-9)
    assert torch.isinf(law.log_prob(torch.tensor([501 * width], dtype=torch.float64))).all()


@pytest.mark.parametrize("name", CONDITIONALS)
@pytest.mark.parametrize("block", [Block("continuous"), Block("grid", 1, 0.01)], ids=["density", "cells"])
def test_far_outside_nothing_is_nan(name: str, block: Block) -> None:
    marginals = Marginals(Event((block,)), 3, name)
    theta = marginals.initial().requires_grad_()
    y = torch.tensor([[0.0], [1e3], [-1e6], [1e12], [-1e30]])
    log_p = Factorised(marginals, theta).log_prob(y)
    assert not log_p.isnan().any() and (log_p[1:] < log_p[0]).all()
    log_p[:3].sum().backward()
    assert theta.grad is not None and theta.grad.isfinite().all()


def test_categories_have_a_softmax_and_nothing_beyond() -> None:
    event = Event((Block.categorical(3), Block.binary(), Block.categorical(5)))
    marginals = Marginals(event, 1)
    theta = random_parameters(marginals)
    law = Factorised(marginals, theta)
    codes = torch.cartesian_prod(*(torch.arange(float(k), dtype=torch.float64) for k in (3, 2, 5)))
    each = law.log_prob_each(codes)
    assert torch.allclose(each[:, 0], theta[0, :3].log_softmax(0)[codes[:, 0].long()])
    assert torch.allclose(each[:, 2], theta[0, 4:].log_softmax(0)[codes[:, 2].long()])
    assert law.log_prob(codes).exp().sum().item() == pytest.approx(1.0)
    for bad in ([3.0, 0.0, 0.0], [0.5, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 5.0]):
        assert law.log_prob(torch.tensor(bad, dtype=torch.float64)).item() == -math.inf
    drawn = law.sample((20_000,))[:, 0, 2].long().bincount(minlength=5)
    assert chisquare(drawn, 20_000 * theta[0, 4:].softmax(0)).pvalue > 1e-4
    u = law.pit(torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64))[0]
    assert u[0] > 1 - theta[0, :3].softmax(0)[2] and u[2] < theta[0, 4:].softmax(0)[0]


def test_unknown_conditionals_are_refused() -> None:
    with pytest.raises(ValueError, match="logistic, normal or spline"):
        Marginals(Event.continuous(1), 3, "cauchy")
    with pytest.raises(ValueError, match="at least one component"):
        Marginals(Event.continuous(1), 0)
    with pytest.raises(ValueError, match="two bins"):
        Marginals(Event.continuous(1), 1, "spline")


# ------------------------------------------------------------------------------------------------------------- models


MODELS = {
    "masked": lambda event, context=0, **o: MaskedAutoregressive(event, context, hidden=[12, 12], components=2, **o),
    "transformer": lambda event, context=0, **o: TransformerAutoregressive(
        event, context, width=8, layers=2, heads=2, components=2, **o
    ),
}


@pytest.mark.parametrize(("name", "options"), [("masked", {}), ("masked", {"orders": 3}), ("transformer", {})])
def test_binary_patterns_have_probability_one_together(name: str, options: dict[str, int]) -> None:
    law = shaken(MODELS[name](Event((Block.binary(6),)), **options))()
    assert law.log_prob(every_binary(6)).exp().sum().item() == pytest.approx(1.0)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("conditionals", CONDITIONALS)
@pytest.mark.parametrize("context", [0, 2])
def test_walk_says_what_forward_says(name: str, conditionals: str, context: int) -> None:
    model = shaken(MODELS[name](MIXED, context, conditionals=conditionals))
    c = torch.randn(7, 2, dtype=torch.float64) if context else None
    law, x = model(c), patterns(MIXED, 7)
    walk = law.network.walk(7, c)
    each = [next(walk), *(walk.send(x[:, i]) for i in range(MIXED.size - 1))]
    assert torch.allclose(torch.cat(each, -1), law.network(x, c), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_prefix_and_rest_make_the_whole(name: str) -> None:
    law, x = shaken(MODELS[name](MIXED))(), patterns(MIXED, 9)
    for k in range(MIXED.size + 1):
        whole = law.log_prob_prefix(x[:, :k]) + law.given(x[:, :k]).log_prob(x[:, k:])
        assert torch.allclose(whole, law.log_prob(x), atol=1e-10)
    first, then, last = x[:, :1], x[:, 1:3], x[:, 3:]
    steps = law.given(first).log_prob_prefix(then) + law.given(first).given(then).log_prob(last)
    assert torch.allclose(law.log_prob_prefix(first) + steps, law.log_prob(x), atol=1e-10)
    assert law.given(first[0]).given(then).sample((2,)).shape == (2, 9, last.shape[1])


@pytest.mark.parametrize(
    ("prefix", "word"),
    [(torch.zeros(1), "float32 and the law torch.float64; give"), (torch.tensor(0.0), "an axis of components")],
)
def test_a_prefix_of_another_type_or_of_no_axis_is_named(prefix: Tensor, word: str) -> None:
    law = shaken(MODELS["masked"](MIXED))()
    for asked in (law.given, law.log_prob_prefix):
        with pytest.raises(ValueError, match=word):
            asked(prefix)


@pytest.mark.parametrize("name", MODELS)
def test_what_follows_a_prefix_is_drawn_as_often_as_its_probability_says(name: str) -> None:
    law = shaken(MODELS[name](Event((Block.binary(2), Block.categorical(3)))))()
    prefix = torch.tensor([1.0], dtype=torch.float64)
    rest = torch.cartesian_prod(*(torch.arange(float(k), dtype=torch.float64) for k in (2, 3)))
    p = law.given(prefix).log_prob(rest).exp()
    assert p.sum().item() == pytest.approx(1.0)
    drawn = law.given(prefix).sample((20_000,))
    assert chisquare((3 * drawn[:, 0] + drawn[:, 1]).long().bincount(minlength=6), 20_000 * p.detach()).pvalue > 1e-4


@pytest.mark.parametrize("context", [0, 2])
def test_a_mixture_of_orders_is_drawn_as_often_as_its_probability_says(context: int) -> None:
    model = shaken(MODELS["masked"](Event((Block.binary(3),)), context, orders=3), 1.0)
    law = model(torch.ones(2, dtype=torch.float64) if context else None)
    p = law.log_prob(every_binary(3)).exp().detach()
    drawn = law.sample((20_000,)) @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)
    assert chisquare(drawn.long().bincount(minlength=8), 20_000 * p).pvalue > 1e-4


def test_a_mixture_is_the_mean_of_its_orders_and_the_first_is_natural() -> None:
    event = Event((Block("continuous"), Block.categorical(3), Block.binary(2)))
    model, x = shaken(MODELS["masked"](event, orders=4)), patterns(event, 5)
    law = model()
    assert isinstance(law, Mixture) and isinstance(law.components[0](None).base, Autoregressive)
    each = torch.stack([component(None).log_prob(x) for component in law.components])
    assert torch.allclose(law.log_prob(x), each.exp().mean(0).log())
    assert torch.allclose(law.components[0](None).base.log_prob(x), each[0])
    assert len({tuple(member.permutation.order.tolist()) for member in model.members}) > 1
    assert negative_log_likelihood(law, x).item() == pytest.approx(-each.mean().item())
    with pytest.raises(NoDensityError, match="no conditionals"):
        law.pit(x)
    for ask in (law.log_prob_prefix, law.given):
        with pytest.raises(InputError, match="fit with orders=1"):
            ask(x[:, :1])
    with pytest.raises(ValueError, match="at least one order"):
        MODELS["masked"](event, orders=0)


def test_sparsity_is_added_to_the_loss_and_shrinks_direct_links() -> None:
    event, x = Event((Block.binary(4),)), every_binary(4).float()
    losses = {}
    for sparsity in (0.0, 0.5):
        torch.manual_seed(0)
        model = MODELS["masked"](event, orders=2, sparsity=sparsity)
        losses[sparsity] = likelihood_game(model).players[0].loss(Batch(x)).item()
    links = sum(member.network.network.skip.free().abs().sum().item() for member in model.members) / 2
    assert losses[0.5] - losses[0.0] == pytest.approx(0.5 * links, rel=1e-3) and links > 0


@pytest.mark.parametrize("name", MODELS)
def test_training_starts_from_how_often_each_value_occurs(name: str) -> None:
    event = Event((Block.binary(), Block.categorical(3)))
    model = MODELS[name](event)
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    model.prepare(x)
    p = Factorised(model().marginals, model().marginals.initial(x)).log_prob(x)
    assert torch.allclose(model().log_prob(x), p, atol=0.1)
    first = torch.tensor([4 / 6, 2 / 6])
    assert torch.allclose(model().log_prob_prefix(torch.tensor([[1.0], [0.0]])).exp(), first, atol=0.02)


@pytest.mark.parametrize("conditionals", CONDITIONALS)
@pytest.mark.parametrize("orders", [1, 3])
def test_training_starts_from_linear_regressions(conditionals: str, orders: int) -> None:
    """Of normal patterns with a context and a binary component beside them; the best that is linear is known there."""
    n, noise = 4000, torch.randn(4000, 3)
    c, bit = torch.randn(n, 2), (torch.rand(n) < 0.3).float()
    first = bit - c[:, 0] + 0.5 * noise[:, 0]
    x = torch.stack([bit, first, 0.3 * first + c[:, 1] + 0.2 * noise[:, 1], noise[:, 2]], -1)
    event = Event((Block.binary(), Block("continuous", 3)))
    model = MaskedAutoregressive(event, context=2, conditionals=conditionals, components=5, orders=orders)
    at_random = negative_log_likelihood(model(c), x).item()
    model.prepare(x[:3000], c[:3000])
    loss = negative_log_likelihood(model(c[3000:]), x[3000:]).item()
    best = (
        float(norm.entropy(scale=0.5) + norm.entropy(scale=0.2) + norm.entropy())
        - 0.3 * math.log(0.3)
        - 0.7 * math.log(0.7)
    )
    # Mixtures begin broader than normal laws, and the bit is not yet foretold by what comes before it in other orders.
    assert best - 0.2 < loss < best + (0.3 if orders == 1 else 0.8) < at_random - 0.5


@pytest.mark.parametrize("name", MODELS)
def test_one_component_is_enough(name: str) -> None:
    law = MODELS[name](Event((Block.categorical(4),)))()
    assert law.log_prob(torch.arange(4.0).unsqueeze(-1)).exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert law.sample((3,)).shape == (3, 1)


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValueError, match="evenly"):
        TransformerAutoregressive(Event.continuous(2), width=10, heads=4)


def test_columns_that_repeat_each_other_far_from_standard_units_are_a_start() -> None:
    x = (1e9 * torch.randn(400, 1)).repeat(1, 3)
    model = MaskedAutoregressive(Event.continuous(3))
    model.prepare(x)
    assert model().log_prob(x).isfinite().all()


@pytest.mark.parametrize("conditionals", ["logistic", "normal"])
@pytest.mark.parametrize("law", [norm(3, 5), expon(-2, 4), lognorm(1), uniform(-3, 9)], ids=lambda law: law.dist.name)
def test_laws_stand_where_values_do(conditionals: str, law: Any) -> None:
    """Without a step of training, ten laws of a mixture are near any law of one hump, whatever its place and width."""
    x, fresh = (torch.from_numpy(law.rvs((4000, 1), random_state=seed)) for seed in (0, 1))
    marginals = Marginals(Event.continuous(1), 10, conditionals)
    near = Factorised(marginals, marginals.near(x)).log_prob(fresh)
    assert law.logpdf(fresh.numpy()).mean() - near.mean().item() < 0.12


@pytest.mark.parametrize("conditionals", CONDITIONALS)
def test_a_single_law_stands_where_values_do(conditionals: str) -> None:
    x = torch.from_numpy(norm(3, 5).rvs((4000, 1), random_state=0))
    marginals = Marginals(Event.continuous(1), 2 if conditionals == "spline" else 1, conditionals)
    near = Factorised(marginals, marginals.near(x)).log_prob(x).mean().item()
    assert norm(3, 5).logpdf(x.numpy()).mean() - near < 0.05


def test_laws_near_repeated_values_are_no_spikes() -> None:
    x = torch.cat([torch.zeros(900, 1), torch.randn(100, 1)]).double()
    for kind, least in ((Block("continuous"), 2e-3), (Block("grid", 1, 0.5), 0.15)):
        for conditionals in CONDITIONALS:
            marginals = Marginals(Event((kind,)), 8, conditionals)
            parameters = marginals.near(x)
            scales = parameters[torch.tensor(marginals.roles[0]) == 2]
            assert (SMALLEST_LOG_SCALE + softplus(scales - SMALLEST_LOG_SCALE)).exp().min() >= 0.999 * least


@pytest.mark.parametrize(("model", "left"), [(MaskedAutoregressive, 0.6), (TransformerAutoregressive, 1.4)])
def test_training_starts_near_heavy_tails(
    model: type[MaskedAutoregressive] | type[TransformerAutoregressive], left: float
) -> None:
    """Counts over orders of magnitude, in units of their standard deviation: nearly all stand in one point there.

    A transformer's outputs do not start at zero, which blurs its start.
    """
    law, n = lognorm(2, scale=10.0), 4000
    count = np.floor(law.rvs(2 * n, random_state=0))
    scale = count.std()
    x = torch.from_numpy(np.stack([count / scale, np.random.default_rng(0).normal(size=2 * n)], 1)).float()
    event = Event((Block("grid", 1, 1 / scale, 0.0), Block("continuous")))
    truth = np.log(law.cdf(count + 1) - law.cdf(count))[n:].mean() + norm.logpdf(x[n:, 1].numpy()).mean()
    made = model(event, components=10)
    before = made().log_prob(x[n:]).mean().item()
    made.prepare(x[:n])
    after = made().log_prob(x[n:]).mean().item()
    assert before < truth - 1.5 and truth - left < after < truth
