"""Every flow and autoregressive model trains in one compiled graph, also where nothing of it ran before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from laws import Case, cases, seeded
from pushforward.models.model import Model
from pushforward.objectives import negative_log_likelihood

EXACT = [case for case in cases(dtype=torch.float32, context=0) if case.family in ("flow", "autoregressive")]


# Dynamo itself makes what it then warns of.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("case", EXACT, ids=str)
def test_training_is_one_graph(case: Case) -> None:
    with seeded(0):
        model = case.fresh()
    x = case.patterns(5)

    def loss(model: Model, x: Tensor) -> Tensor:
        return negative_log_likelihood(model(), x)

    torch.compiler.reset()
    with seeded(1):
        fused = torch.compile(loss, backend="eager", fullgraph=True)(model, x)
    with seeded(1):
        plain = loss(model, x)
    assert torch.allclose(fused, plain, atol=1e-5)
    parameters = list(model.parameters())
    gradients = (torch.autograd.grad(value, parameters, allow_unused=True) for value in (fused, plain))
    for mine, own in zip(*gradients, strict=True):
        assert (mine is None) == (own is None) and (own is None or torch.allclose(mine, own, atol=1e-4))
