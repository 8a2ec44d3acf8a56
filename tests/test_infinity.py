"""Values that no pattern has, huge or infinite: log p is −∞ or a number, never NaN; and no patterns are no error."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from pushforward.bijections import RationalQuadratic
from pushforward.distributions.base import BASES
from pushforward.distributions.likelihood import log_prob_values
from pushforward.event import Block, Event
from pushforward.families import FAMILIES, configure
from pushforward.fitting import fit
from pushforward.models.model import Model

Options = dict[str, Any]

REAL = Event.continuous(3)
MIXED = Event((Block("continuous", 2), Block("grid", 1, 0.1)))
SERIES = Event((Block("continuous", 6),), series=(3, 2))
PICTURE = Event((Block("grid", 16, 1.0, 0.0, 16.0),), picture=(1, 4, 4))
ARRANGEMENTS = ["coupling", "autoregressive", "inverse"]
SMALL: Options = {"transforms": 3, "hidden": [16, 16]}
CASES: list[tuple[Event, str, Options]] = [
    *(
        (REAL, "flow", {"base": base, "arrangement": arrangement, "map": g, "mixing": mixing, **SMALL})
        for base, arrangement, (g, mixing) in itertools.product(
            BASES, ARRANGEMENTS, [("spline", "permutation"), ("affine", "linear")]
        )
    ),
    *(
        (REAL, "autoregressive", {"architecture": architecture, "conditionals": conditionals})
        for architecture, conditionals in itertools.product(["masked", "transformer"], ["logistic", "normal", "spline"])
    ),
    (REAL, "autoregressive", {"architecture": "masked", "orders": 2}),
    (MIXED, "autoregressive", {"architecture": "masked"}),
    (MIXED, "flow", {"dequantisation": "variational", **SMALL}),
    (MIXED, "vae", {}),
    (SERIES, "autoregressive", {"architecture": "steps", "hidden": [16, 16], "layers": 2}),
    *((PICTURE, "flow", {"architecture": name, "transforms": 2}) for name in ("vector", "multiscale", "patches")),
    (PICTURE, "autoregressive", {"architecture": "convolutional", "width": 8}),
]


def model(event: Event, family: str, options: Options) -> Model:
    """A model that is not what it starts as: its weights are shaken, for a network of zeros overflows nowhere."""
    torch.manual_seed(0)
    chosen = configure(family, event, options)
    made = FAMILIES[family].architectures[chosen.architecture](event, **chosen.model)
    made.prepare(event.snap(torch.randn(64, event.size) @ torch.randn(event.size, event.size)))
    with torch.no_grad():
        for p in made.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return made


@pytest.mark.parametrize(("event", "family", "options"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_far_values_are_impossible_or_unlikely(event: Event, family: str, options: Options, dtype: torch.dtype) -> None:
    most, last = torch.finfo(dtype).max, event.size - 1
    x = torch.full((1, event.size), 0.2, dtype=dtype)
    for value, sign in itertools.product([1e7, 1e15, most**0.45, most**0.55, most, torch.inf], [1, -1]):
        for places in ([0], [last], [0, last], list(range(event.size))):
            x = torch.cat([x, x[:1]])
            x[-1, places] = sign * value * torch.tensor([(-1.0) ** i for i in range(len(places))], dtype=dtype)
    torch.manual_seed(0)
    log_p, _ = log_prob_values(model(event, family, options).to(dtype)(), x)
    assert log_p[0].isfinite()
    assert (log_p[1:] < log_p[0]).all()
    assert (log_p[x.isinf().any(-1)] == -torch.inf).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_heavy_tails_go_on_where_a_normal_law_has_none(dtype: torch.dtype) -> None:
    """Ten times as far out the density of Student's t is 10^(ν + 1) times less, ν = 10: networks say the same there."""
    student = model(REAL, "flow", {"base": "student", **SMALL}).to(dtype)
    with torch.no_grad():
        nu = 10 ** (1 + student.base.raw.tanh())
        log_p = student().log_prob(torch.tensor([[1e15] * 3, [1e16] * 3], dtype=dtype))
    assert torch.allclose(log_p[0] - log_p[1], (nu + 1).sum() * torch.log(torch.tensor(10.0, dtype=dtype)), rtol=1e-4)


def test_a_spline_with_ends_of_unlike_slopes_is_inverted_at_its_knots() -> None:
    """Slopes that one number cannot hold together: at a knot the smaller of them must not be lost in the larger."""
    spline = RationalQuadratic(bins=2, bound=1.0)
    for steep in (1e9, -1e9):
        parameters = torch.tensor([0.0, 0.0, 0.0, 0.0, steep])[:, None].expand(-1, 3)
        x, log_slope = spline.inverse(torch.tensor([-1.0, 0.0, 1.0]), parameters)
        assert x.allclose(torch.tensor([-1.0, 0.0, 1.0])) and log_slope.isfinite().all()


def test_no_patterns_have_no_figures() -> None:
    law = model(REAL, "autoregressive", {"architecture": "masked"})()
    assert law.log_prob(law.sample((0,))).shape == (0,)


def test_a_number_beyond_single_precision_is_impossible_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    run = fit(np.random.default_rng(0).normal(size=(100, 2)), "flow", steps=1)
    recwarn.clear()
    values, _ = run.score_samples(np.array([[0.5, 0.1], [0.5, -1e30], [1e300, 0.1]]))
    assert np.isfinite(values[0]) and (values[1:] == -np.inf).all() and not recwarn.list
