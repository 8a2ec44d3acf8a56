"""Infinite values are no patterns: their log-density is −∞, never NaN; and no patterns at all are no error."""

from __future__ import annotations

import pytest
import torch

from pushforward.event import Event
from pushforward.families import FAMILIES, configure
from pushforward.models.model import Model

OPTIONS = [
    ("flow", {"arrangement": "coupling"}),
    ("flow", {"arrangement": "autoregressive", "map": "affine"}),
    ("flow", {"arrangement": "inverse"}),
    ("autoregressive", {"architecture": "masked"}),
    ("autoregressive", {"architecture": "transformer"}),
]


def model(family: str, options: dict[str, str]) -> Model:
    chosen = configure(family, Event.continuous(3), options)
    return FAMILIES[family].architectures[chosen.architecture](Event.continuous(3), **chosen.model)


@pytest.mark.parametrize(("family", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_an_infinite_component_is_impossible(family: str, options: dict[str, str], value: float) -> None:
    x = torch.tensor([[0.1, 0.2, 0.3], [value, 0.2, 0.3], [0.1, 0.2, value]])
    log_p = model(family, options)().log_prob(x)
    assert log_p[0].isfinite() and (log_p[1:] == -torch.inf).all()


def test_no_patterns_have_no_figures() -> None:
    law = model("autoregressive", {"architecture": "masked"})()
    assert law.log_prob(law.sample((0,))).shape == (0,)
