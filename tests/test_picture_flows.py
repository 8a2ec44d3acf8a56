"""Flows of pictures against autograd and quadrature, and the noise that makes densities of bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

import pushforward as pf
from pushforward.bijections import (
    AutoregressivePixels,
    ChannelCoupling,
    CheckerboardCoupling,
    MonotonicAffine,
    RationalQuadratic,
    Univariate,
)
from pushforward.distributions.dequantised import Dequantised
from pushforward.errors import InputError
from pushforward.event import Block, Event
from pushforward.models.dequantisation import Dequantisation
from pushforward.models.flow import Flow
from pushforward.models.model import Model
from pushforward.models.multiscale import MultiScaleFlow
from pushforward.models.patches import PatchFlow
from pushforward.networks.convolutional import Convolutional
from pushforward.networks.tokens import TokenNetwork

Shape = tuple[int, int, int]
SHAPES: list[Shape] = [(1, 1, 1), (1, 4, 4), (1, 5, 3), (3, 2, 3), (3, 4, 2)]
SMALL = {
    MultiScaleFlow: {"transforms": 2, "hidden": (6, 6), "bins": 4},
    PatchFlow: {"transforms": 2, "width": 8, "layers": 1, "heads": 2},
}


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(torch.float32)


def bytes_of(shape: Shape, levels: int = 5) -> Event:
    return Event((Block("grid", math.prod(shape), 2 / (levels - 1), -1.0, 1.0),), shape)


def shaken(module: torch.nn.Module, size: float = 0.2) -> None:
    with torch.no_grad():
        for p in module.parameters():
            p.add_(size * torch.randn_like(p))


def flow(of: type[Model], shape: Shape, context: int = 2, **options: object) -> Model:
    """A model of pictures whose weights are far from where training starts."""
    model = of(bytes_of(shape), context, **{**SMALL[of], **options})
    x = model.event.snap(torch.randn(32, model.event.size))
    model.prepare(x, torch.randn(32, context) if context else None)
    shaken(model)
    return model


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("of", SMALL)
def test_the_log_determinant_is_autograds_and_drawing_is_the_inverse(of: type[Model], shape: Shape) -> None:
    f = flow(of, shape).bijection
    x, c = 1.9 * torch.rand(3, math.prod(shape)) - 0.95, torch.randn(3, 2)
    z, log_det = f.inverse(x, c)
    back, minus = f(z, c)
    assert torch.allclose(back, x, atol=1e-9) and torch.allclose(minus, -log_det, atol=1e-8)
    for i in range(3):
        jacobian = torch.autograd.functional.jacobian(lambda t, i=i: f.inverse(t, c[i])[0], x[i])
        assert torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det[i], atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("of", SMALL)
def test_any_picture_has_a_finite_bound_and_draws_that_exist(of: type[Model], shape: Shape) -> None:
    for dtype in (torch.float32, torch.float64):
        model = flow(of, shape, context=0).to(dtype)
        ends = torch.tensor([[-1.0], [1.0]], dtype=dtype).expand(2, math.prod(shape))  # the darkest and the brightest
        assert model().log_prob_bound(ends, k=20).isfinite().all()
        x = model().sample((50,))
        assert torch.equal(model.event.snap(x), x) and x.dtype == dtype


def test_as_many_scales_as_can_be_halved() -> None:
    def scales(shape: Shape, most: int = 3) -> int:
        inner = MultiScaleFlow(bytes_of(shape), scales=most, transforms=1, hidden=(4,)).bijection.links[0]
        return len(inner.scales) if hasattr(inner, "scales") else 0

    assert [scales(s) for s in [(1, 28, 28), (1, 8, 8), (1, 2, 2), (3, 5, 8), (1, 1, 1)]] == [2, 3, 1, 0, 0]
    assert scales((1, 8, 8), most=2) == 2


def test_patches_of_about_the_roots_side() -> None:
    def tokens(shape: Shape) -> int:
        model = PatchFlow(bytes_of(shape), transforms=1, width=4, layers=1, heads=1)
        return next(m.tokens for m in model.modules() if isinstance(m, TokenNetwork))

    assert [tokens(s) for s in [(1, 28, 28), (1, 8, 8), (1, 2, 2), (3, 6, 9), (1, 7, 5)]] == [49, 16, 4, 54, 35]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("g", [MonotonicAffine(), RationalQuadratic(4)])
def test_a_pixels_code_depends_on_the_pixels_before_it(g: Univariate, backwards: bool) -> None:
    network = TokenNetwork(tokens=6, size=2, outputs=2 * g.parameters, width=8, layers=2, heads=2)
    f = AutoregressivePixels(g, network, backwards)
    jacobian = torch.autograd.functional.jacobian(lambda t: f.inverse(t)[0], torch.randn(2, 2, 3))
    dependent = (jacobian.view(2, 6, 2, 6).abs().amax((0, 2)) > 0).int()  # of each pixel's code on each pixel
    assert torch.equal(dependent, torch.ones(6, 6, dtype=torch.int).tril() if not backwards else dependent.triu())
    assert dependent.sum() == 21


def test_tokens_one_by_one_are_what_one_pass_says() -> None:
    network = TokenNetwork(tokens=5, size=3, outputs=4, width=8, layers=2, heads=4, context=2)
    x, c = torch.randn(7, 5, 3), torch.randn(7, 2)
    walk = network.walk(7, c)
    each = [next(walk), *(walk.send(x[:, i]) for i in range(4))]
    assert torch.allclose(torch.stack(each, 1), network(x, c), atol=1e-12)


def test_a_convolution_sees_where_it_is() -> None:
    network = Convolutional((1, 4, 4), 1, hidden=(6, 6))
    shaken(network)
    assert network.columns(torch.zeros(1, 1, 4, 4)).unique().numel() == 16


def test_couplings_keep_what_they_should() -> None:
    g, x = MonotonicAffine(), torch.randn(2, 4, 3, 3)
    by_channel = ChannelCoupling(4, 3, g, Convolutional((3, 3, 3), 2, hidden=(6,)))
    assert torch.equal((by_channel.inverse(x)[0] == x).all((0, 2, 3)), torch.tensor([True, True, True, False]))
    with pytest.raises(ValueError, match="keeps 0 … 3 of them, not 4"):
        ChannelCoupling(4, 4, g, Convolutional((4, 3, 3), 2, hidden=(6,)))
    for black in (True, False):
        field = CheckerboardCoupling((4, 3, 3), black, g, Convolutional((4, 3, 3), 8, hidden=(6,)))
        moved = (field.inverse(x)[0] != x).all(0).all(0)
        assert moved.flatten().tolist() == [black, not black] * 4 + [black]


# ------------------------------------------------------------------------------------------------------- dequantisation

GRID = Event((Block("continuous"), Block("grid", 2, 0.5, -1.0, 1.0)))
PATTERN = torch.tensor([0.3, -0.5, 0.5], dtype=torch.float64)


def base(scale: float = 0.3) -> Independent:
    return Independent(Normal(torch.tensor([0.0, -0.3, 0.4]), torch.tensor([1.0, scale, scale])), 1)


def exact(scale: float = 0.3) -> Tensor:
    """log of the density of the first component and the probabilities of the others' cells."""
    law = Normal(torch.tensor([-0.3, 0.4]), scale)
    cells = law.cdf(PATTERN[1:] + 0.25) - law.cdf(PATTERN[1:] - 0.25)
    return Normal(0.0, 1.0).log_prob(PATTERN[0]) + cells.log().sum()


def learned(event: Event = GRID, context: int = 0) -> Dequantisation:
    dequantisation = Dequantisation(event, context, "variational")
    shaken(dequantisation)
    return dequantisation


def test_learned_noise_is_a_law_within_the_cell() -> None:
    for dequantisation, x in [(learned(), PATTERN), (learned(bytes_of((1, 1, 2))), torch.tensor([-1.0, 0.5]))]:
        q = dequantisation(base()).noise(x)
        p = torch.linspace(-20.0, 20.0, 161).sigmoid()  # dense towards the ends, where q may rise
        weight = torch.cartesian_prod(p * (1 - p), p * (1 - p)).prod(-1) * 0.25**2
        density = q.log_prob(torch.cartesian_prod(p, p) - 0.5).exp()
        assert abs((density * weight).sum().item() - 1) < 1e-3 and density.std() > 0.05
        u = q.sample((1000,))
        assert u.shape == (1000, 2) and u.abs().max() <= 0.5


def test_the_weights_average_to_the_probability() -> None:
    """E w = P(x), for noise that has learnt nothing useful."""
    law = learned()(base())
    w = law.log_weights(PATTERN, 200_000).exp()
    error = w.std().item() / 200_000**0.5
    assert abs(w.mean().item() - exact().exp().item()) < 5 * error and error < 0.01 * exact().exp().item()


def test_noise_leaves_continuous_components_alone() -> None:
    y, _ = learned()(base()).spread(PATTERN, 100)
    assert (y[:, 0] == PATTERN[0]).all() and (y[:, 1:] != PATTERN[1:]).all()
    assert ((y - PATTERN).abs() <= GRID.width / 2).all()


def test_noise_starts_uniform_and_learns_to_be_tighter() -> None:
    dequantisation, narrow = Dequantisation(GRID, kind="variational"), base(0.08)
    law, uniform = dequantisation(narrow), Dequantised(narrow, GRID)
    rows = PATTERN.expand(2000, 3)
    assert law.spread(rows, 1)[1].abs().max() < 0.05

    def bound(of: Dequantised) -> float:
        with torch.no_grad():
            return of.elbo(rows).mean().item()

    before = bound(uniform)
    optimiser = torch.optim.Adam(dequantisation.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        (-law.elbo(rows[:64]).mean()).backward()
        optimiser.step()
    assert before < bound(uniform) + 0.5 and before + 0.5 < bound(law) < exact(0.08).item() + 0.02


def test_noise_hears_the_pattern_and_the_context() -> None:
    dequantisation = learned(context=2)
    contexts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    q = dequantisation(base(), contexts).noise(torch.stack([PATTERN, PATTERN]))
    same = q.log_prob(torch.zeros(2))
    other = dequantisation(base(), contexts).noise(torch.stack([-PATTERN, PATTERN])).log_prob(torch.zeros(2))
    assert same[0] != same[1] and same[0] != other[0] and same[1] == other[1]


def test_continuous_events_have_no_noise_to_learn() -> None:
    model = Flow(Event.continuous(3), transforms=1, hidden=(4,), dequantisation="variational")
    assert not isinstance(model(), Dequantised) and not list(model.dequantisation.parameters())


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("of", "options", "word"),
    [
        (MultiScaleFlow, {"dequantisation": "guessed"}, "uniform or variational"),
        (MultiScaleFlow, {"scales": 0}, "at least one scale"),
        (MultiScaleFlow, {"transforms": 0}, "at least one transform"),
        (MultiScaleFlow, {"hidden": (4, 6)}, "one width"),
        (PatchFlow, {"transforms": 0}, "at least one transform"),
        (PatchFlow, {"patch": 3}, "3 does not divide the height 4 and width 4"),
        (PatchFlow, {"heads": 3}, "3 heads cannot share"),
        (PatchFlow, {"layers": 0}, "at least one layer"),
        (PatchFlow, {"map": "cubic"}, "spline or affine"),
    ],
)
def test_options_that_cannot_be(of: type[Model], options: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        flow(of, (1, 4, 4), **options)


@pytest.mark.parametrize("of", SMALL)
def test_flows_of_pictures_are_of_pictures(of: type[Model]) -> None:
    with pytest.raises(ValueError, match="one of pictures"):
        of(Event.continuous(4))


def test_architectures_are_chosen_by_name() -> None:
    torch.set_default_dtype(torch.float32)
    options = {"architecture": "patches", "transforms": 1, "width": 8, "layers": 1, "heads": 2}
    run = pf.fit("digits", "flow", steps=2, options=options | {"dequantisation": "variational"})
    assert run.sample(3).pictures.shape == (3, 8, 8)
    with pytest.raises(InputError, match="3 does not divide"):
        pf.fit("digits", "flow", steps=2, options=options | {"patch": 3})
    with pytest.raises(InputError, match="no architecture 'patches' of flow for tables"):
        pf.fit(torch.rand(100, 2), "flow", steps=2, options=options)
