"""The laws every model obeys. Each is a function of a :class:`Case` that raises ``AssertionError`` where it is broken.

No law knows a family: a new model passes through all of them by being registered in ``pushforward.families``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from pushforward.distributions.dequantised import Dequantised
from pushforward.distributions.law import Law, LowerBounded, pit
from pushforward.distributions.likelihood import log_prob_values
from pushforward.distributions.ordered import Ordered
from pushforward.distributions.pushforward import Pushforward
from pushforward.errors import NoDensityError
from pushforward.event import Block, Event
from pushforward.families import DEFAULTS, FAMILIES, Family, configure, kind_of
from pushforward.models.model import Model
from pushforward.training.game import Batch

EVENTS = {
    "continuous": Event.continuous(2),
    "mixed": Event((Block("continuous"), Block.binary())),
    "grid": Event((Block("grid", 2, 0.5, -1.0, 1.0),)),
    "binary": Event((Block.binary(3),)),
    "picture": Event((Block("grid", 4, 1.0, -1.0, 1.0),), picture=(1, 2, 2)),
    "series": Event((Block("continuous", 2),), series=(2, 1)),
    "category": Event((Block.categorical(3), Block.categorical(4))),
}
SMALL = {
    "hidden": [12, 12],
    "latent": 2,
    "components": 2,
    "transforms": 2,
    "bins": 4,
    "width": 8,
    "layers": 1,
    "heads": 2,
}


VARIANTS = {
    "flow vector continuous": {
        "coupling": {"arrangement": "coupling"},
        "inverse affine": {"arrangement": "inverse", "map": "affine"},
        "coupling affine linear": {"arrangement": "coupling", "map": "affine", "mixing": "linear"},
        "student": {"base": "student"},
        "mixture": {"base": "mixture"},
        "uniform": {"base": "uniform"},
    },
    "flow vector mixed": {"variational": {"dequantisation": "variational"}},
    "flow multiscale picture": {"affine variational": {"map": "affine", "dequantisation": "variational"}},
    "flow patches picture": {"spline variational": {"map": "spline", "dequantisation": "variational"}},
    "autoregressive steps series": {"mixup": {"mixup": 1.0}},
}
"""Options that are put through the laws besides the defaults, by family, architecture and event."""


@dataclass(frozen=True)
class Case:
    """An architecture of a family on an event, with or without context, in one floating type."""

    family: str
    event: str
    context: int = 0
    dtype: torch.dtype = torch.float64
    architecture: str | None = None
    """The default one unless it is named."""
    variant: str = ""
    """Of :data:`VARIANTS`."""

    def __str__(self) -> str:
        name = "-".join(part for part in (self.family, self.architecture, self.variant) if part)
        return f"{name}-{self.event}-{'c' if self.context else 'u'}-{str(self.dtype)[-2:]}"

    @property
    def is_deep(self) -> bool:
        """Whether so many layers follow each other that a little noise in each already makes an absurd law."""
        return self.architecture in ("multiscale", "patches")

    @property
    def thrift(self) -> int:
        """By what to divide the draws for integrals: networks for pictures cost some fifty times a perceptron."""
        return 8 if self.is_deep else 1

    @property
    def of(self) -> Family:
        return FAMILIES[self.family]

    def fresh(self) -> Model:
        """A small model that has computed nothing yet."""
        event = EVENTS[self.event]
        chosen = configure(self.family, event, {"architecture": self.architecture} if self.architecture else {})
        config = {**chosen.model, **{k: v for k, v in SMALL.items() if k in chosen.model}}
        config |= VARIANTS.get(f"{self.family} {chosen.architecture} {self.event}", {}).get(self.variant, {})
        return self.of.architectures[chosen.architecture](event, self.context, **config).to(self.dtype)

    def model(self, seed: int = 0) -> Model:
        """A small model in use, not in training, whose weights are far from where training starts."""
        with seeded(seed):
            model = self.fresh()
            model.prepare(self.patterns(64), self.contexts(64))
            # Quadrature and bounds need laws that are not absurd.
            noise = 0.05 if self.is_deep else 0.15 if self.of.density else 0.4
            with torch.no_grad():
                for p in model.parameters():
                    p.add_(noise * torch.randn_like(p))
        return model.eval()

    def patterns(self, n: int) -> Tensor:
        """Patterns of the event."""
        return EVENTS[self.event].snap(torch.randn(n, EVENTS[self.event].size, dtype=self.dtype))

    def contexts(self, n: int) -> Tensor | None:
        return torch.randn(n, self.context, dtype=self.dtype) if self.context else None

    def law(self, model: Model) -> Law:
        """The model's law, at one context where it takes any."""
        return model(torch.full((self.context,), 0.7, dtype=self.dtype) if self.context else None)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def cases(**only: object) -> list[Case]:
    every = [
        Case(family, event, context, dtype, architecture)
        for family in FAMILIES
        for event in EVENTS
        for architecture in DEFAULTS[kind_of(EVENTS[event])][family]
        for context in (0, 2)
        for dtype in (torch.float64, torch.float32)
    ]
    every += [
        Case(family, event, context, dtype, architecture, variant)
        for of, variants in VARIANTS.items()
        for family, architecture, event in [of.split()]
        for variant in variants
        for context in (0, 2)
        for dtype in (torch.float64, torch.float32)
    ]
    return [c for c in every if all(getattr(c, k) == v for k, v in only.items())]


def log_p(law: Law, x: Tensor, k: int = 1) -> Tensor:
    with torch.no_grad():
        return log_prob_values(law, x, k)[0]


def support(event: Event, dtype: torch.dtype, fineness: int) -> tuple[Tensor, Tensor]:
    """Points of the pattern space and the weight of each in a sum that stands for the integral over it."""
    axes, weights = [], []
    for block in event.blocks:
        for _ in range(block.size):
            if block.kind == "continuous":
                t = torch.linspace(-1, 1, fineness, dtype=dtype)
                axes.append(torch.sinh(5 * t) / 5)  # dense at 0, reaching ±15
                weights.append(torch.cosh(5 * t) * (t[1] - t[0]))
            else:
                levels = round((block.high - block.low) / block.width) + 1
                axes.append(block.low + block.width * torch.arange(levels, dtype=dtype))
                weights.append(torch.ones(levels, dtype=dtype))
    points = torch.cartesian_prod(*axes).reshape(-1, event.size)
    weight = torch.cartesian_prod(*weights).reshape(-1, event.size).prod(-1)
    return points, weight


def probabilities(law: Law, event: Event, thrift: int = 1) -> tuple[Tensor, Tensor]:
    """Points of the pattern space and the probability the law gives to what each stands for."""
    bounded = isinstance(law, LowerBounded)
    points, weight = support(event, torch.float64, 71 if bounded else 241)
    if not bounded:
        return points, log_p(law, points).exp() * weight
    k = min(20_000, 2_000_000 // len(points)) // thrift
    with seeded(2), torch.no_grad():
        p = torch.cat([law.log_weights(part, k).exp().mean(0) for part in points.split(200_000 // k)])
    return points, p * weight


# --------------------------------------------------------------------------------------------------------------- laws


def shapes_and_batching(case: Case) -> None:
    """Batch and event shapes are torch's, and a pattern's figure does not depend on its neighbours."""
    model, x, c = case.model(), case.patterns(6), case.contexts(6)
    law = model(c)
    batch = (6,) if case.context else ()
    assert law.batch_shape == batch and law.event_shape == (EVENTS[case.event].size,)
    drawn = law.sample((4,))
    assert drawn.shape == (4, *batch, *law.event_shape) and drawn.dtype == case.dtype
    assert not drawn.requires_grad
    if not case.of.density:
        return
    if case.context:
        grid = model(case.contexts(6).reshape(2, 3, case.context))
        assert grid.sample((4,)).shape == (4, 2, 3, x.shape[-1])
        for shape in ((), (1,), (3,), (2, 1), (4, 2, 3)):
            y = x[0].expand(*shape, -1)
            assert log_p(grid, y, 2).shape == torch.broadcast_shapes(shape, (2, 3))
    with seeded(1):
        k = 4000 if isinstance(law, LowerBounded) else 1
        together = log_p(law, x, k)
        alone = torch.stack([log_p(model(None if c is None else c[i]), x[i], k) for i in range(6)])
    assert together.shape == (6,)
    tolerance = 0.2 if isinstance(law, LowerBounded) else (1e-9 if case.dtype == torch.float64 else 1e-4)
    assert torch.allclose(together, alone, atol=tolerance, rtol=tolerance)


def samples_can_occur(case: Case) -> None:
    """What is drawn are values that the event can take."""
    with seeded(0):
        x = case.law(case.model()).sample((200,))
    assert torch.equal(EVENTS[case.event].snap(x), x)


def total_probability_is_one(case: Case) -> None:
    """The density integrates, and the probability sums, to one; the weights of a bound do in expectation."""
    if not case.of.density or case.dtype == torch.float32:
        return
    law = case.law(case.model())
    _, p = probabilities(law, EVENTS[case.event], case.thrift)
    total = p.sum().item()
    if isinstance(law, Dequantised):
        assert total < 1.02, total  # what lies beyond the edges is rounded to them, and not counted
    else:
        assert abs(total - 1) < (0.02 if isinstance(law, LowerBounded) else 2e-3), total


def samples_agree_with_density(case: Case) -> None:
    """Relative frequencies of samples are the probabilities the density gives, cell by cell."""
    if not case.of.density or case.dtype == torch.float32:
        return
    law, event = case.law(case.model()), EVENTS[case.event]
    n, slackness = (20_000, 0.02) if isinstance(law, LowerBounded) else (100_000, 0.002)
    points, p = probabilities(law, event, case.thrift)
    with seeded(3):
        x = law.sample((n,))
    cuts = torch.tensor([-0.4, 0.4], dtype=case.dtype)
    digit = 3 ** torch.arange(event.size)
    cell, drawn = ((torch.bucketize(t, cuts) * digit).sum(-1) for t in (points, x))
    expected = torch.zeros(3**event.size, dtype=torch.float64).index_add_(0, cell, p.double()) * n
    observed = torch.bincount(drawn, minlength=3**event.size)
    slack = 5 * expected.sqrt() + slackness * expected + 5
    assert (observed >= expected - slack).all(), (observed, expected)
    if isinstance(law, Dequantised):  # what lies beyond the edges is rounded to them, and not counted
        edge = ((points == event.low) | (points == event.high)).any(-1)
        inside = torch.zeros(3**event.size, dtype=torch.bool)
        inside[cell[~edge]] = True
        inside[cell[edge]] = False
        observed, expected, slack = observed[inside], expected[inside], slack[inside]
    assert (observed <= expected + slack).all(), (observed, expected)


def bound_tightens_from_below(case: Case) -> None:
    """The bound lies below what it bounds and closes in on it with k; the ELBO is its one-sample case on average."""
    law = case.law(case.model())
    if not isinstance(law, LowerBounded) or case.dtype == torch.float32:
        return
    with seeded(4), torch.no_grad():
        x = law.sample((40 // case.thrift,))
        weights = torch.cat([law.log_weights(part, 40_000) for part in x.split(5)], 1)
        truth = (weights.logsumexp(0) - math.log(40_000)).mean().item()
        one, ten, hundred = (
            law.log_prob_bound(x.expand(repeats, *x.shape), k).mean().item()
            for k, repeats in ((1, 3000), (10, 300), (100, 60))
        )
        elbo = law.elbo(x.expand(3000, *x.shape))
    error = 6 * elbo.mean(1).std().item() / 3000**0.5 + 1e-3
    assert one < truth + error and ten < truth + error and hundred < truth + error, (one, ten, hundred, truth)
    assert one - error <= ten <= hundred + error, (one, ten, hundred, truth)
    if truth - one > 4 * error:
        assert truth - hundred < 0.5 * (truth - one), (one, ten, hundred, truth)
    assert abs(elbo.mean().item() - one) < 2 * error, (elbo.mean(), one, error)


def dequantising_fills_each_cell(case: Case) -> None:
    """The noise of a dequantised component is uniform over its cell (Theis et al. 2016); a continuous one has none."""
    event = EVENTS[case.event]
    with seeded(4):
        noise = event.dequantise(torch.zeros(4000, event.size, dtype=case.dtype)) / event.width.clamp(min=1e-9)
    discrete = event.width > 0
    assert (noise[:, ~discrete] == 0).all()
    assert (noise[:, discrete].std(0) - 12**-0.5).abs().max() < 0.02 if bool(discrete.any()) else True
    assert noise.abs().max() <= 0.5


def context_changes_the_law(case: Case) -> None:
    """Another context gives another law."""
    if not case.context:
        return
    model = case.model()
    near, far = (model(torch.full((case.context,), v, dtype=case.dtype)) for v in (-2.0, 2.0))
    with seeded(5):
        a = near.sample((2000,))
    with seeded(5):
        b = far.sample((2000,))
    assert (a != b).any()
    if case.of.density:
        x = case.patterns(16)
        with seeded(5):
            p = log_p(near, x, 50)
        with seeded(5):
            q = log_p(far, x, 50)
        assert (p - q).abs().max() > 1e-2


def context_is_checked(case: Case) -> None:
    """A missing, unwanted or misshapen context is an error that says what was expected."""
    model = case.model()
    wrong = torch.zeros(3, case.context + 1, dtype=case.dtype)
    _refuses(ValueError, lambda: model(wrong), "context")
    if case.context:
        _refuses(ValueError, lambda: model(), "context")
        other = torch.float32 if case.dtype == torch.float64 else torch.float64
        _refuses(ValueError, lambda: model(case.contexts(3).to(other)), "give context.to")


def patterns_are_checked(case: Case) -> None:
    """Patterns of another size, type or batch are errors that say what was expected, and are never cut or repeated."""
    if not case.of.density:
        return
    law, x = case.law(case.model()), case.patterns(4)
    for wrong in (torch.cat([x, x], -1), x[:, :1], x[0, 0]):
        _refuses(ValueError, lambda wrong=wrong: log_p(law, wrong), "shape")
    if isinstance(law, Law):  # those of torch know their own types
        _refuses(ValueError, lambda: log_p(law, x.long()), "floating-point")
        own, other = ("float32", x.double()) if case.dtype == torch.float32 else ("float64", x.float())
        _refuses(ValueError, lambda: log_p(law, other), f"the law is {own}; give x.")
        _refuses(ValueError, lambda: log_p(law, x.half()), f"patterns are float16 and the law is {own}; give x.")
    if case.context:
        _refuses(ValueError, lambda: log_p(case.model()(case.contexts(3)), x), "batch shape")


def what_cannot_occur_has_no_probability(case: Case) -> None:
    """Between the values of a discrete component and beyond them log p is −∞, and so is every bound of it."""
    model, x = case.model(), case.patterns(1)
    event = EVENTS[case.event]
    if not case.of.density:
        return
    law = case.law(model)
    for i in event.discrete.tolist():
        for away in (0.5, 1000.0, -1000.0):
            y = x.clone()
            y[0, i] += away * event.width[i]
            assert (log_p(law, y, 2) == -torch.inf).all(), (i, away)


def gradient_reaches_every_parameter(case: Case) -> None:
    """Each player's loss moves each of its parameters, and every parameter has a player."""
    model = case.model()
    game = case.of.game(model)
    played = {id(p) for player in game.players for p in player.parameters}
    assert played == {id(p) for p in model.parameters() if p.requires_grad}
    with seeded(6):
        batch = Batch(case.patterns(64), case.contexts(64))
        for player in game.players:
            gradients = torch.autograd.grad(player.loss(batch), player.parameters, allow_unused=True)
            names = {id(p): name for name, p in model.named_parameters()}
            for p, gradient in zip(player.parameters, gradients, strict=True):
                assert gradient is not None and gradient.abs().max() > 0, names[id(p)]
                assert gradient.isfinite().all(), names[id(p)]


def learning_helps(case: Case) -> None:
    """A few steps of the game lower a likelihood player's loss on the data it sees."""
    if not case.of.density or case.dtype == torch.float32:
        return
    model = case.model()
    (player,) = case.of.game(model).players
    optimiser = torch.optim.Adam(player.parameters, lr=1e-2)
    with seeded(7):
        batch = Batch(case.patterns(256), case.contexts(256))
        losses = []
        for _ in range(40):
            loss = player.loss(batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    assert sum(losses[-5:]) < sum(losses[:5])


def rebuilt_from_json(case: Case) -> None:
    """Configuration to JSON, weights as tensors, and back: the same law, and a ``repr`` that names it."""
    import json

    from safetensors.torch import load, save

    model = case.model()
    weights = load(save(model.state_dict()))
    again = type(model).from_json(json.loads(json.dumps(model.to_json()))).to(case.dtype)
    again.load_state_dict(weights)
    with seeded(8):
        a = case.law(model).sample((20,))
    with seeded(8):
        b = case.law(again).sample((20,))
    assert torch.equal(a, b)
    text = repr(again)
    assert all(f"{name}={value!r}" in text for name, value in model.config.items())


def seeds_decide_draws(case: Case) -> None:
    """The same seed gives the same draw, another seed another."""
    model = case.model()
    with seeded(0):
        law = model(case.contexts(1000))

    def draw(seed: int) -> Tensor:
        with seeded(seed):
            return law.sample(() if case.context else (1000,))

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))


def float32_is_enough(case: Case) -> None:
    """Single precision gives the figures of double precision, to its own accuracy."""
    if case.dtype == torch.float32 or not case.of.density:
        return
    double = case.model()
    single = case.model().float()
    x = case.patterns(64)
    law = case.law(double)
    if isinstance(law, LowerBounded):
        return  # its draws differ between the types; the exact laws share all of its arithmetic
    at = torch.full((case.context,), 0.7) if case.context else None
    assert torch.allclose(log_p(law, x).float(), log_p(single(at), x.float()), atol=2e-4, rtol=1e-4)


def pushforward_is_a_change_of_variables(case: Case) -> None:
    """f⁻¹(f(z)) = z, and both log-determinants are autograd's (3)."""
    law = _exact(case.law(case.model()))
    if not isinstance(law, Pushforward) or case.dtype == torch.float32:
        return
    c = None if law.context is None else law.context.expand(8, -1)
    with seeded(9):
        z = law.base.sample((8,)).detach()
    x, log_det = law.bijection(z, c)
    back, inverse_log_det = law.bijection.inverse(x, c)
    assert torch.allclose(back, z, atol=1e-9)
    for i in range(8):
        at = None if c is None else c[i]
        jacobian = torch.autograd.functional.jacobian(lambda t, at=at: law.bijection(t, at)[0], z[i])
        assert torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det[i], atol=1e-9)
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-9)
    assert torch.allclose(law.log_prob(x), law.base.log_prob(z) - log_det, atol=1e-9)


def conditionals_look_back_only(case: Case) -> None:
    """The parameters of component i depend on the components before i alone, and on each of these."""
    law = case.law(case.model())
    if not isinstance(law, Ordered):
        return
    x = case.patterns(16)  # a rectified unit may sleep at one of them
    for j in range(x.shape[-1]):
        other = x.clone()
        other[:, j] = x[:, j].roll(1)
        with torch.no_grad():
            moved = (law.conditionals(other) - law.conditionals(x)).abs().flatten(0, -2).sum(0)
        for i, (_, place) in enumerate(law.marginals.alone):
            assert bool(moved[place].any()) == (i > j)


def pit_of_own_samples_is_uniform(case: Case) -> None:
    """What a law makes of its own patterns is uniform, component by component, and no two components go together."""
    law = _transformed(case)
    if law is None:
        return
    n = 4000
    with seeded(10), torch.no_grad():
        u = pit(law, law.sample((n,)))
    assert u.shape == (n, *law.event_shape) and ((u > 0) & (u < 1)).all()
    rank = torch.arange(1, n + 1, dtype=u.dtype).unsqueeze(-1) / n
    assert (u.sort(0)[0] - rank).abs().max() < 2.2 / n**0.5, u.mean(0)  # once in eight thousand components
    together = torch.corrcoef(torch.special.ndtri(u).T).reshape(u.shape[-1], -1)
    assert (together - torch.eye(u.shape[-1])).abs().max() < 4 / n**0.5, together


def pit_has_the_density_for_its_jacobian(case: Case) -> None:
    """|det du/dx| = p(x) where every component is continuous, for du is what p says dx is worth."""
    law = _transformed(case)
    if law is None or not EVENTS[case.event].is_continuous:
        return
    for x in case.patterns(8):
        step = 1e-5 * torch.eye(len(x), dtype=x.dtype)  # not every distribution function has a gradient
        with torch.no_grad():
            jacobian = (pit(law, x + step) - pit(law, x - step)).T / 2e-5
            assert torch.allclose(torch.linalg.slogdet(jacobian)[1], law.log_prob(x), atol=1e-4)


def pit_grows_with_its_component(case: Case) -> None:
    """After one beginning, a greater next component has a greater transform."""
    law = _transformed(case)
    if not isinstance(law, Ordered):
        return
    event = EVENTS[case.event]
    values = event.snap(torch.linspace(-1.0, 1.0, 5, dtype=case.dtype).unsqueeze(-1).expand(5, event.size))
    for i in range(event.size):
        x = case.patterns(1).repeat(5, 1)
        x[:, i] = values[:, i]
        with torch.no_grad():
            u, greater = pit(law, x)[:, i], x[1:, i] > x[:-1, i]
        assert (u.diff()[greater] > 0).all() and bool(greater.any())


def pit_spreads_discrete_patterns(case: Case) -> None:
    """A dequantised law transforms patterns spread over their cells, as its density was asked of them."""
    law = case.law(case.model())
    if not isinstance(law, Dequantised) or not isinstance(law.base, Law):
        return
    x = case.patterns(64)
    with seeded(11), torch.no_grad():
        u = pit(law, x)
    with seeded(11), torch.no_grad():
        spread = law.event.dequantise(x) if law.noise is None else law.spread(x, 1)[0].squeeze(0)
        expected = pit(law.base, spread)
    assert torch.equal(u, expected) and ((u > 0) & (u < 1)).all()


def laws_without_conditionals_refuse_the_transform(case: Case) -> None:
    """A law that has none says so, and what to ask instead."""
    law = case.law(case.model())
    if not isinstance(_exact(law), (Ordered, Pushforward)):
        _refuses(NoDensityError, lambda: pit(law, case.patterns(2)), "audit")


def implicit_laws_refuse_densities(case: Case) -> None:
    """A law without a density says so, and what to ask instead."""
    if case.of.density:
        return
    law = case.law(case.model())
    _refuses(NoDensityError, lambda: law.log_prob(case.patterns(2)), "audit")


LAWS: list[Callable[[Case], None]] = [
    shapes_and_batching,
    samples_can_occur,
    total_probability_is_one,
    samples_agree_with_density,
    bound_tightens_from_below,
    dequantising_fills_each_cell,
    context_changes_the_law,
    context_is_checked,
    patterns_are_checked,
    what_cannot_occur_has_no_probability,
    gradient_reaches_every_parameter,
    learning_helps,
    rebuilt_from_json,
    seeds_decide_draws,
    float32_is_enough,
    pushforward_is_a_change_of_variables,
    conditionals_look_back_only,
    pit_of_own_samples_is_uniform,
    pit_has_the_density_for_its_jacobian,
    pit_grows_with_its_component,
    pit_spreads_discrete_patterns,
    laws_without_conditionals_refuse_the_transform,
    implicit_laws_refuse_densities,
]


def _transformed(case: Case) -> Law | None:
    """The law whose own patterns its transform makes uniform, in double precision; of a dequantised one, its base."""
    law = _exact(case.law(case.model()))
    return law if isinstance(law, (Ordered, Pushforward)) and case.dtype == torch.float64 else None


def _exact(law: Law) -> Law:
    return getattr(law, "base", law) if isinstance(law, LowerBounded) else law


def _refuses(error: type[Exception], call: Callable[[], object], word: str) -> None:
    try:
        call()
    except error as e:
        assert word in str(e), str(e)
    else:
        raise AssertionError(f"no {error.__name__} was raised")


assert set(DEFAULTS) == {kind_of(event) for event in EVENTS.values()}
