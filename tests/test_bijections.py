"""Bijections against the Jacobian that autograd finds, and against themselves run backwards."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import AffineTransform, ComposeTransform, MultivariateNormal, Normal, SigmoidTransform

from pushforward.bijections import (
    ActivationNormalisation,
    Affine,
    Bijection,
    Chain,
    CircularRationalQuadratic,
    Coupling,
    EachPixel,
    Inverse,
    Logit,
    LULinear,
    MaskedAutoregressive,
    MonotonicAffine,
    MultiScale,
    OnPictures,
    Permutation,
    PointwiseConvolution,
    RationalQuadratic,
    Squeeze,
    Triangular,
    Univariate,
    Within,
)
from pushforward.networks.masked import MaskedMLP
from pushforward.networks.mlp import MLP, Constant

SPLINE = RationalQuadratic(bins=4, bound=3.0)
D, C = 5, 2
PICTURE, SQUEEZED = (1, 4, 4), (4, 2, 2)  # channels, height, width


def coupling(size: int, kept: int, context: int, univariate: Univariate = SPLINE) -> Coupling:
    outputs = univariate.parameters * (size - kept)
    inputs = kept + context
    return Coupling(size, kept, univariate, MLP(inputs, outputs, (16,)) if inputs else Constant(outputs))


def masked() -> MaskedAutoregressive:
    return MaskedAutoregressive(SPLINE, MaskedMLP([SPLINE.parameters] * D, (16,), context=C, interleaved=True))


def steps(channels: int) -> Chain:
    """A step of Glow, but that the coupling looks at one pixel at a time."""
    step = [ActivationNormalisation(channels), PointwiseConvolution(channels, seed=2)]
    return Chain([*step, EachPixel(coupling(channels, channels // 2, 0))])


VECTORS: dict[str, Callable[[], Bijection]] = {
    "affine": lambda: Affine(D),
    "triangular": lambda: Triangular(D),
    "lu": lambda: LULinear(D),
    "rotated lu": lambda: LULinear(D, seed=1),
    "permutation": lambda: Permutation([3, 0, 4, 1, 2]),
    "logit": lambda: Logit(-9.0, 11.0, alpha=0.05),
    "within limits": lambda: Within(
        torch.tensor([-9.0, -9.0, -torch.inf, -8.0, -9.0]),
        torch.tensor([11.0, torch.inf, torch.inf, 12.0, torch.inf]),
        torch.tensor([1.0, 2.0, 1.0, 1.0, 0.5]),
    ),
    "inverse": lambda: Inverse(coupling(D, 2, C)),
    "inverse logit": lambda: Inverse(Logit(-9.0, 11.0)),
    "masked autoregressive": masked,
    "inverse autoregressive": lambda: Inverse(masked()),
    "coupling": lambda: coupling(D, 2, C),
    "coupling of all": lambda: coupling(D, 0, C),
    "affine coupling": lambda: coupling(D, 2, C, MonotonicAffine()),
    "circular coupling": lambda: coupling(D, 2, C, CircularRationalQuadratic(bins=4)),
    "chain": lambda: Chain([coupling(D, 2, C), Permutation([4, 3, 2, 1, 0]), Affine(D), coupling(D, 3, C)]),
}
PICTURES: dict[str, Callable[[], Bijection]] = {
    "squeeze": lambda: OnPictures(Squeeze(), PICTURE, codes=SQUEEZED),
    "pointwise convolution": lambda: OnPictures(PointwiseConvolution(4, seed=1), SQUEEZED),
    "activation normalisation": lambda: OnPictures(ActivationNormalisation(4), SQUEEZED),
    "chain of pictures": lambda: OnPictures(steps(4), SQUEEZED),
    "one scale": lambda: MultiScale(PICTURE, [steps(4)]),
    "two scales": lambda: MultiScale(PICTURE, [steps(4), steps(8)]),
}
BIJECTIONS = VECTORS | PICTURES


@pytest.fixture(params=BIJECTIONS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def size(name: str) -> int:
    return math.prod(PICTURE) if name in PICTURES else D


@pytest.fixture
def bijection(name: str) -> Bijection:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = BIJECTIONS[name]().double()
        for p in made.parameters():
            p.data += 0.2 * torch.randn_like(p)
    return made


def normal(*shape: int, seed: int = 1) -> Tensor:
    return 1.5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_the_log_determinant_is_that_of_the_jacobian(bijection: Bijection, size: int, direction: str) -> None:
    apply = getattr(bijection, direction)
    for x, context in zip(normal(3, size), normal(3, C, seed=2), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda v, c=context: apply(v, c)[0], x)
        torch.testing.assert_close(apply(x, context)[1], jacobian.slogdet().logabsdet, rtol=0, atol=1e-8)


def test_the_inverse_inverts(bijection: Bijection, size: int) -> None:
    x, context = normal(50, size), normal(50, C, seed=2)
    z, inverse = bijection.inverse(x, context)
    back, forward = bijection(z, context)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-8)
    torch.testing.assert_close(forward, -inverse, rtol=0, atol=1e-8)


def test_batches_of_any_shape_are_rows_one_by_one(bijection: Bijection, size: int) -> None:
    x, context = normal(3, 4, size), normal(4, C, seed=2)
    z, log_det = bijection.inverse(x, context)
    assert z.shape == (3, 4, size) and log_det.shape == (3, 4)
    row, row_log_det = bijection.inverse(x[2, 1], context[1])
    torch.testing.assert_close(z[2, 1], row)
    torch.testing.assert_close(log_det[2, 1], row_log_det)
    assert bijection.inverse(x[:0], context)[0].shape == bijection(x[:0], context)[0].shape == (0, 4, size)


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


def test_gradients_reach_every_parameter(bijection: Bijection, size: int) -> None:
    z, log_det = bijection.inverse(normal(50, size), normal(50, C, seed=2))
    loss = z.square().sum() - log_det.sum()
    if loss.requires_grad:  # some have nothing to learn
        loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in bijection.parameters())


@pytest.mark.filterwarnings("ignore:torch.triangular_solve is deprecated:UserWarning")
def test_lu_linear_equals_its_peers_at_equal_parameters() -> None:
    nflows, zuko = (pytest.importorskip(f"{name}.transforms") for name in ("nflows", "zuko"))
    mine, peer, x = LULinear(D).double(), nflows.LULinear(D, identity_init=False).double(), normal(20, D)
    with torch.no_grad():
        peer.bias.copy_(normal(D, seed=4))
        lower, upper = peer._create_lower_upper()
        mine.shift.copy_(peer.bias)
        mine.weight.copy_(lower.tril(-1) + upper.triu(1) + upper.diagonal().log().diag())
        scale = upper.diagonal()  # zuko's U has the unit diagonal
        other = zuko.LULinearTransform(lower * scale + (upper / scale[:, None]).triu(1))
    for got, expected in zip(mine.inverse(x), peer(x), strict=True):
        torch.testing.assert_close(got, expected)
    for got, expected in zip(mine(x), peer.inverse(x), strict=True):
        torch.testing.assert_close(got, expected)
    torch.testing.assert_close(mine.inverse(x)[0], other(x) + peer.bias)
    torch.testing.assert_close(mine.inverse(x)[1], other.log_abs_det_jacobian(x, other(x)))


def test_lu_linear_starts_as_the_identity_or_as_the_rotation_its_seed_says() -> None:
    one = torch.eye(D, dtype=torch.float64)
    assert torch.equal(LULinear(D).double().inverse(one)[0], one)
    turned, log_det = LULinear(D, seed=3).double().inverse(one)
    torch.testing.assert_close(turned @ turned.T, one, rtol=0, atol=1e-6)
    torch.testing.assert_close(log_det, torch.zeros_like(log_det), rtol=0, atol=1e-6)
    assert torch.equal(turned, LULinear(D, seed=3).double().inverse(one)[0])
    assert not torch.allclose(turned, LULinear(D, seed=4).double().inverse(one)[0])
    again = LULinear(D).double()
    again.load_state_dict(LULinear(D, seed=3).double().state_dict())
    assert torch.equal(turned, again.inverse(one)[0])


def test_lu_linear_multiplies_in_the_patterns_own_type_even_where_networks_do_not() -> None:
    linear, x = LULinear(D, seed=1), normal(20, D).float()
    with torch.autocast("cpu", torch.bfloat16):
        z, _ = linear.inverse(x)
    assert z.dtype == torch.float32 and torch.equal(z, linear.inverse(x)[0])


def test_a_pointwise_convolution_is_a_convolution() -> None:
    convolution, x = PointwiseConvolution(3, seed=1).double(), normal(2, 3, 4, 6)
    matrix = convolution.bijection.inverse(torch.eye(3, dtype=torch.float64))[0].T
    z, log_det = convolution.inverse(x)
    torch.testing.assert_close(z, torch.nn.functional.conv2d(x, matrix[..., None, None]))
    convolution.bijection.weight.data[range(3), range(3)] += 0.1
    torch.testing.assert_close(convolution.inverse(x)[1], log_det + 3 * 0.1 * 24)


def test_activation_normalisation_standardises_each_channel() -> None:
    x = normal(50, 3, 4, 2) * torch.tensor([1e-3, 1.0, 100.0]).view(3, 1, 1) + 7
    normalisation = ActivationNormalisation(3).double()
    normalisation.prepare(x)
    z, log_det = normalisation.inverse(x)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-8)
    torch.testing.assert_close(z.var((0, 2, 3), correction=0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(log_det, -x.std((0, 2, 3), correction=0).log().sum().mul(8).expand(50))


def test_logit_is_the_inverse_of_the_scaled_logistic_function() -> None:
    scale = [SigmoidTransform(), AffineTransform(-2.0, 5.0)]
    x = -2 + 5 * torch.rand(20, 3, dtype=torch.float64)
    z, log_det = Logit(-2.0, 3.0).inverse(x)
    expected = ComposeTransform(scale).inv
    torch.testing.assert_close(z, expected(x))
    torch.testing.assert_close(log_det, expected.log_abs_det_jacobian(x, expected(x)).sum(-1))
    shrunk = (0.05 + 0.9 * (x + 2) / 5).logit()  # as the sources write it
    torch.testing.assert_close(Logit(-2.0, 3.0, alpha=0.05).inverse(x)[0], shrunk)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_logit_has_no_density_beyond_its_interval_and_never_nan(alpha: float, dtype: torch.dtype) -> None:
    logit, normal_law = Logit(10.0, 12.0, alpha), Normal(0.0, 1.0)
    ends = torch.tensor([10.0, 12.0, 10.0 + 1e-6, 12.0 - 1e-6], dtype=dtype)[:, None]
    beyond = torch.tensor([9.5, 12.5, -1e30, 1e30, -torch.inf, torch.inf], dtype=dtype)[:, None].requires_grad_()
    z, log_det = logit.inverse(ends)
    assert z.isfinite().all() and log_det.isfinite().all() and torch.equal(z[0] < 0, z[1] > 0)
    z, log_det = logit.inverse(beyond)
    assert z.isfinite().all()
    log_prob = normal_law.log_prob(z).sum(-1) + log_det
    assert (log_prob == -torch.inf).all()
    (gradient,) = torch.autograd.grad(log_prob.sum(), beyond)
    assert not gradient.isnan().any()
    codes = torch.tensor([-1e4, -40.0, 0.0, 40.0, 1e4], dtype=dtype)[:, None]
    x, log_det = logit(codes)
    assert log_det.isfinite().all() and logit.inverse(x)[1].isfinite().all()
    assert logit.inverse(torch.full((1, 1), torch.nan, dtype=dtype))[0].isnan().all()


@pytest.mark.parametrize("factor", [2, 3])
def test_squeeze_is_torchs_unshuffling_of_pixels(factor: int) -> None:
    x, squeeze = normal(2, 5, 3, 6, 12), Squeeze(factor)
    z, log_det = squeeze.inverse(x)
    assert torch.equal(z, torch.nn.functional.pixel_unshuffle(x, factor)) and not log_det.any()
    assert torch.equal(squeeze(z)[0], x) and z.shape[2:] == squeeze.codes((3, 6, 12), factor)


def test_each_scale_settles_half_of_its_channels() -> None:
    shape = (1, 8, 8)
    assert MultiScale.shapes(shape, 3) == [(4, 4, 4), (8, 2, 2), (16, 1, 1)]
    flow = MultiScale(shape, [EachPixel(Permutation(range(c))) for c in (4, 8, 16)])
    codes = flow.inverse(torch.arange(64.0))[0]
    rows = codes[:32].sort().values.view(4, 8)  # settled first: the lower two pixels of each square
    assert torch.equal(rows, torch.arange(64.0).view(8, 8)[1::2])
    assert [len(part) for part in codes.split(flow.sizes)] == [32, 16, 16]
    # What a scale does reaches its own codes and the coarser ones alone.
    scaled = MultiScale(shape, [EachPixel(Affine(c)) for c in (4, 8, 16)])
    scaled.scales[1].bijection.shift.data += 1
    changed = scaled.inverse(torch.arange(64.0))[0] != codes
    assert torch.equal(changed, torch.arange(64) >= 32)


def test_preparing_scales_standardises_the_codes() -> None:
    x = normal(400, 64) * torch.linspace(0.1, 9.0, 64) + torch.linspace(-5, 5, 64)
    flow = MultiScale((1, 8, 8), [ActivationNormalisation(c) for c in (4, 8)]).double()
    Chain([flow]).prepare(x)
    z, _ = flow.inverse(x)
    for part in z.split(flow.sizes, -1):
        assert abs(part.mean()) < 0.05 and abs(part.std() - 1) < 0.05


def test_an_inverse_turns_a_bijection_round() -> None:
    layer, x, context = coupling(D, 2, C), normal(4, D).float(), normal(4, C).float()
    for turned, straight in (
        (Inverse(layer)(x, context), layer.inverse(x, context)),
        (Inverse(layer).inverse(x, context), layer(x, context)),
        (Inverse(Inverse(layer))(x, context), layer(x, context)),
    ):
        assert all(torch.equal(a, b) for a, b in zip(turned, straight, strict=True))


@pytest.mark.parametrize(
    ("words", "make"),
    [
        ("keeps 0 … 2", lambda: Coupling(3, 3, SPLINE, Constant(1))),
        ("each of 0 … 2 once", lambda: Permutation([0, 2, 2])),
        ("at least one link", lambda: Chain([])),
        ("lower and a higher end", lambda: Logit(1.0, 1.0)),
        ("lower and a higher end", lambda: Logit(0.0, torch.inf)),
        ("below one half", lambda: Logit(alpha=0.5)),
        (r"\(4, 2, 2\) cannot hold patterns of shape \(1, 4, 5\)", lambda: OnPictures(Squeeze(), (1, 4, 5), (4, 2, 2))),
        (
            "2 does not divide the height 5 and width 7 of a picture 1×5×7",
            lambda: Squeeze().inverse(torch.zeros(1, 5, 7)),
        ),
        ("3 channels do not spread over squares of 2×2", lambda: Squeeze()(torch.zeros(3, 2, 2))),
        ("side of at least 2", lambda: Squeeze(1)),
        ("width 3 of a picture 2×2×3", lambda: MultiScale((1, 4, 6), [steps(4), steps(8)])),
        ("at least one scale", lambda: MultiScale((1, 4, 4), [])),
    ],
)
def test_impossible_arrangements_are_refused(words: str, make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own, of itself
def test_every_kind_compiles_in_one_graph_with_its_gradients() -> None:
    size = math.prod(PICTURE)
    affine = MonotonicAffine()
    glow = [ActivationNormalisation(4), PointwiseConvolution(4), EachPixel(coupling(4, 2, 0, affine))]
    everything = Chain([
        MultiScale(PICTURE, [Chain(glow)]),
        coupling(size, size - 2, C),
        coupling(size, size - 2, C, CircularRationalQuadratic(bins=2)),
        Inverse(coupling(size, 2, C, affine)),
        Permutation(range(size)[::-1]),
        LULinear(size),
        Triangular(size),
        Affine(size),
        Logit(-9.0, 11.0, alpha=0.05),
    ]).double()  # fmt: skip
    compiled = torch.compile(everything.inverse, backend="aot_eager", fullgraph=True)
    x, context = normal(3, size), normal(3, C, seed=2)
    found = []
    for apply in (everything.inverse, compiled):
        z, log_det = apply(x, context)
        loss = z.square().sum() - log_det.sum()
        found.append((z, log_det, *torch.autograd.grad(loss, list(everything.parameters()))))
    torch._dynamo.reset()
    torch.testing.assert_close(found[0], found[1])


def test_nothing_lies_beyond_limits() -> None:
    limits = torch.tensor([0.0, 1.0, -torch.inf]), torch.tensor([2.0, torch.inf, torch.inf])
    within = Within(*limits, torch.ones(3)).double()
    x, _ = within(normal(1000, 3) * 30)
    margin = 2 * 1e-5 * 2.0
    assert x[:, 0].min() > -margin and x[:, 0].max() < 2 + margin and x[:, 1].min() >= 1
    torch.testing.assert_close(x[:, 2], normal(1000, 3)[:, 2] * 30)
    for beyond in ([-0.1, 3.0, 0.0], [2.1, 3.0, 0.0], [1.0, 0.9, 0.0]):
        assert within.inverse(torch.tensor(beyond).double())[1] == -torch.inf
    far = within.inverse(torch.tensor([1.0, 500.0, 0.0]).double())[0]
    torch.testing.assert_close(far[1].item(), 499.0, msg="far from a lower limit it is a line")
