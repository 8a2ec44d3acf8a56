"""Models in a loop of one's own: what they are fed, in which precision, and how little it may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from laws import Case, cases
from pushforward.bijections import Affine, RationalQuadratic
from pushforward.distributions.likelihood import log_prob_values
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Block, Event
from pushforward.families import FAMILIES
from pushforward.models.autoregressive import MaskedAutoregressive, TransformerAutoregressive
from pushforward.models.flow import Flow
from pushforward.models.model import Model

PLANE = Event.continuous(2)
DENSITIES = [case for case in cases(dtype=torch.float32, context=0) if case.of.density]
SMALL: list[Callable[..., Model]] = [
    lambda event: Flow(event, hidden=(8, 8)),
    lambda event: Flow(event, hidden=(8, 8), arrangement="autoregressive"),
    lambda event: Flow(event, hidden=(8, 8), arrangement="inverse"),
    lambda event: MaskedAutoregressive(event, hidden=(8, 8)),
    lambda event: TransformerAutoregressive(event, width=8, layers=1, heads=2),
]


@pytest.mark.parametrize(
    ("x", "context", "said"),
    [
        (torch.zeros(9, 3), torch.zeros(9, 2), r"has the shape \(n, 2\)"),
        (torch.zeros(2), torch.zeros(2), r"has the shape \(n, 2\)"),
        (torch.zeros(9, 2).double(), torch.zeros(9, 2), "the type torch.float32"),
        (torch.full((9, 2), math.nan), torch.zeros(9, 2), "not finite"),
        (torch.full((9, 2), -math.inf), torch.zeros(9, 2), "not finite"),
        (torch.zeros(9, 2), None, "needs a context"),
        (torch.zeros(9, 2), torch.zeros(8, 2), "of 9 patterns has as many contexts"),
        (torch.zeros(9, 2), np.zeros((9, 2)), "a context is a tensor, not ndarray"),
    ],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_first_batches_are_checked(family: str, x: Tensor, context: Any, said: str) -> None:
    model = next(iter(FAMILIES[family].architectures.values()))(PLANE, 2)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    with pytest.raises(ValueError, match=said):
        model.prepare(x, context)
    assert all(bool((t == before[name]).all()) for name, t in model.state_dict().items())


def test_arrays_are_no_patterns() -> None:
    with pytest.raises(ValueError, match=r"patterns are a tensor, not ndarray; convert them by torch.as_tensor"):
        Flow(PLANE)().log_prob(np.zeros((3, 2)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (("continuous", 1, 0.0, 0.0, 1.0), "no limits"),
        (("grid", 1, 1.0, 2.0, 0.0), "largest value 0.0 cannot have the smallest 2.0"),
        (("grid", 1, 1.0, None, 0.0), "cannot have the smallest None"),
        (("grid", 1, math.inf), "cannot have width inf"),
        (("grid", 1, math.nan), "cannot have width nan"),
    ],
)
def test_blocks_that_cannot_be(block: tuple[Any, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Block(*block)


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="Independent"):
        Pushforward(Normal(torch.zeros(3), torch.ones(3)), Affine(3))
    with pytest.raises(ValueError, match="positive and finite"):
        RationalQuadratic(4, math.inf)
    with pytest.raises(NotImplementedError, match="batch shape from the context"):
        Flow(PLANE)().expand((3,))


@pytest.mark.parametrize("small", SMALL)
def test_half_precision_and_autocast(small: Callable[..., Model]) -> None:
    torch.manual_seed(0)
    model, x = small(PLANE), torch.randn(5, 2)
    usual = model().log_prob(x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model().sample((3,)).isfinite().all()
        assert torch.allclose(model().log_prob(x), usual, atol=0.1)
    half = model.half()()
    assert half.sample((3,)).dtype == torch.float16
    assert torch.allclose(half.log_prob(x.half()).float(), usual, atol=0.1)


@pytest.mark.parametrize("small", SMALL)
def test_what_is_no_number_is_no_category(small: Callable[..., Model]) -> None:
    model = small(Event((Block.categorical(3), Block("continuous"))))
    values, _ = log_prob_values(model(), torch.tensor([[math.nan, 0.0], [1.0, 0.0]]))
    assert values[0] == -torch.inf and values[1].isfinite()


@pytest.mark.parametrize("case", DENSITIES, ids=str)
def test_no_rows_have_no_densities(case: Case) -> None:
    x = torch.zeros(0, case.patterns(1).shape[1])
    values, _ = log_prob_values(case.model()(), x)
    assert values.shape == (0,)
