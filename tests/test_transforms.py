"""What torch.func and forward-mode differentiation make of exact and bounded models: what autograd finds."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, vmap

from laws import Case, cases, seeded
from pushforward.bijections import CircularRationalQuadratic, Permutation, RationalQuadratic
from pushforward.bijections.univariate import Univariate
from pushforward.event import Event
from pushforward.models.autoregressive import TransformerAutoregressive
from pushforward.models.model import Model
from pushforward.objectives import negative_log_likelihood

pytestmark = pytest.mark.filterwarnings(  # of torch's own attention, and of its own forward derivatives
    "ignore:There is a performance drop:UserWarning", r"ignore:`torch\.jit\.script` is deprecated:DeprecationWarning"
)

DENSITIES = [
    case
    for case in cases(context=0)
    # torch cannot take gradients of its convolutions in float64 pattern by pattern.
    if case.of.density and case.dtype == (torch.float32 if case.architecture == "multiscale" else torch.float64)
]


class Loss(nn.Module):
    """The training loss of one pattern, as a module: torch.func finds the parameters of modules."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        with seeded(0):
            return negative_log_likelihood(self.model(), x[None])


@pytest.mark.parametrize("case", DENSITIES, ids=str)
def test_gradients_pattern_by_pattern(case: Case) -> None:
    loss = Loss(case.model())
    with seeded(1):
        x = case.patterns(3)
    parameters = dict(loss.named_parameters())
    one = grad(lambda p, y: functional_call(loss, p, (y,)))
    found = vmap(one, in_dims=(None, 0), randomness="same")(parameters, x)
    for i, pattern in enumerate(x):
        own = torch.autograd.grad(loss(pattern), list(parameters.values()), allow_unused=True)
        for mine, theirs in zip(found.values(), own, strict=True):
            torch.testing.assert_close(mine[i], torch.zeros_like(mine[i]) if theirs is None else theirs)


SPLINES = [RationalQuadratic(5, 3.0), CircularRationalQuadratic(5, 3.0)]


@pytest.mark.parametrize("g", SPLINES, ids=["spline", "circular"])
@pytest.mark.parametrize("inverse", [False, True])
def test_derivatives_of_splines(g: Univariate, inverse: bool) -> None:
    with seeded(2):
        x, theta = 2.5 * torch.rand(7, dtype=torch.float64), torch.randn(g.parameters, 7, dtype=torch.float64)
    move = g.inverse if inverse else g.forward
    image, log_slope = move(x, theta)
    pointwise = vmap(grad(lambda x, theta: move(x, theta)[0]), in_dims=(0, 1))
    torch.testing.assert_close(pointwise(x, theta), log_slope.exp())
    bent = vmap(hessian(lambda x, theta: move(x, theta)[0]), in_dims=(0, 1))(x, theta)
    change = (pointwise(x + 1e-6, theta) - pointwise(x - 1e-6, theta)) / 2e-6
    torch.testing.assert_close(bent, change, rtol=1e-5, atol=1e-6)
    with torch.no_grad(), forward_ad.dual_level():  # where no gradient is asked for, a derivative may be
        carried = forward_ad.unpack_dual(move(forward_ad.make_dual(x, torch.ones_like(x)), theta)[0])
    torch.testing.assert_close((carried.primal, carried.tangent), (image, log_slope.exp()))


def test_attention_has_second_derivatives() -> None:
    with seeded(3):
        law = TransformerAutoregressive(Event.continuous(3), width=8, layers=1, heads=2).double()()
        x = torch.randn(3, dtype=torch.float64)
    bent = hessian(law.log_prob)(x)
    steps = 1e-5 * torch.eye(3, dtype=torch.float64)
    change = [(grad(law.log_prob)(x + step) - grad(law.log_prob)(x - step)) / 2e-5 for step in steps]
    torch.testing.assert_close(bent, torch.stack(change), rtol=1e-5, atol=1e-8)


def test_permutations_carry_derivatives() -> None:
    reorder = Permutation([2, 0, 1])
    jacobian = torch.func.jacfwd(lambda z: reorder(z)[0])(torch.zeros(3))
    assert jacobian.tolist() == torch.eye(3)[[2, 0, 1]].tolist()
