"""The laws of codes against scipy's, in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import betainc
from torch import Tensor

from pushforward.bijections import Affine, Inverse, Logit
from pushforward.distributions.base import BASES, Base, MixtureOfNormals, StudentT, Uniform
from pushforward.distributions.law import pit
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.flow import Flow

D = 3
ORIGIN = torch.zeros(D, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> Base:
    """A law of codes that has learned something."""
    made = BASES[request.param](D).double()
    for p in made.parameters():
        p.data += 0.5 * torch.randn_like(p)
    return made


def expected_log_prob(base: Base, z: Tensor) -> np.ndarray:
    """Of two-dimensional ``z``, by scipy."""
    x = z.numpy()
    if isinstance(base, MixtureOfNormals):
        weights = base.logits.detach().softmax(0).numpy()
        means, scales = base.mean.detach().numpy(), base.log_scale.detach().exp().numpy()
        densities = [stats.norm(m, s).pdf(x).prod(-1) for m, s in zip(means, scales, strict=True)]
        return np.log(weights @ np.stack(densities))
    if isinstance(base, StudentT):
        return np.asarray(stats.t(10.0 ** (1 + base.raw.detach().tanh().numpy())).logpdf(x).sum(-1))
    law = stats.uniform(-1, 2) if isinstance(base, Uniform) else stats.norm()
    return np.asarray(law.logpdf(x).sum(-1))


@torch.no_grad()
def test_the_density_is_scipys(base: Base) -> None:
    z = torch.linspace(-0.99, 0.99, 300, dtype=torch.float64).view(-1, D)
    z = z if isinstance(base, Uniform) else 4 * z
    np.testing.assert_allclose(base(ORIGIN).log_prob(z), expected_log_prob(base, z), rtol=1e-10)


@torch.no_grad()
def test_the_transform_of_samples_is_uniform_and_independent(base: Base) -> None:
    law = base(ORIGIN)
    u = pit(law, law.sample((4000,))).numpy()
    assert u.dtype == np.float64 and u.shape == (4000, D)
    assert min(stats.kstest(u[:, i], "uniform").pvalue for i in range(D)) > 1e-3
    assert max(abs(stats.spearmanr(u[:, i], u[:, j]).statistic) for i, j in ((0, 1), (0, 2), (1, 2))) < 0.06


def test_the_transform_of_a_mixture_is_its_density_integrated() -> None:
    base = MixtureOfNormals(2, clusters=3).double()
    law = base(ORIGIN[:2])
    z = torch.tensor([0.3, -0.4], dtype=torch.float64)
    grid = torch.linspace(-9, 9, 4001, dtype=torch.float64)
    second = law.log_prob(torch.stack([z[0].expand(4001), grid], -1)).exp()  # along the second, given the first
    share = torch.trapezoid(second[grid <= z[1]], grid[grid <= z[1]]) / torch.trapezoid(second, grid)
    torch.testing.assert_close(law.pit(z)[1], share, rtol=0, atol=2e-3)
    one = law.pit(torch.tensor([0.3, 5.0], dtype=torch.float64))[0]
    torch.testing.assert_close(law.pit(z)[0], one)  # the first does not hear of the second


def test_the_t_laws_distribution_function_is_exact_deep_into_its_tail() -> None:
    base = StudentT(D).double()
    base.raw.data.copy_(torch.tensor([-30.0, 0.3, 30.0]))
    law = base(ORIGIN).base_dist
    z, df = np.linspace(-30, 0, 61)[:, None], law.df.detach().numpy()
    expected = betainc(df / 2, 0.5, df / (df + z**2)) / 2
    found = law.cdf(torch.from_numpy(z).expand(-1, D)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    np.testing.assert_allclose(law.cdf(torch.from_numpy(-z).expand(-1, D)).numpy(), 1 - expected, rtol=1e-14)
    assert base(ORIGIN.float()).base_dist.cdf(ORIGIN.float()).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_types_and_gradients(base: Base, dtype: torch.dtype) -> None:
    law = base.to(dtype)(torch.zeros(4, 5, D, dtype=dtype))
    assert law.batch_shape == (4, 5) and law.event_shape == (D,)
    z = law.sample((2,))
    assert z.shape == (2, 4, 5, D) and z.dtype == dtype and not z.requires_grad
    assert law.log_prob(z).shape == (2, 4, 5) and pit(law, z).shape == z.shape
    assert law.log_prob(z[0, 0, 0]).shape == (4, 5)
    assert base(torch.zeros(D, dtype=dtype)).log_prob(z[0, 0]).shape == (5,)
    loss = law.log_prob(z).sum()
    gradients = torch.autograd.grad(loss, list(base.parameters())) if loss.requires_grad else ()
    assert all(g.isfinite().all() and g.any() for g in gradients)
    assert len(gradients) == len(list(base.parameters()))
    if law.has_rsample:
        drawn = base(torch.zeros(4, 5, D, dtype=dtype)).rsample((100,))
        assert drawn.shape == (100, 4, 5, D)
        if isinstance(base, StudentT):
            assert torch.autograd.grad(drawn.abs().sum(), base.raw)[0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_code_however_large_has_a_density_that_is_nan(base: Base, dtype: torch.dtype) -> None:
    law = base.to(dtype)(ORIGIN.to(dtype))
    largest = torch.finfo(dtype).max
    z = torch.tensor([1e6, 1e30, largest, torch.inf], dtype=dtype)
    codes = torch.zeros(8, D, dtype=dtype)
    codes[:, 1] = torch.cat([z, -z])
    log_prob = law.log_prob(codes)
    assert not log_prob.isnan().any() and (log_prob[[3, 7]] == -torch.inf).all()
    assert law.log_prob(torch.full((D,), torch.nan, dtype=dtype)).isnan()


def test_the_uniform_law_bears_rounding_at_its_ends_and_nothing_more() -> None:
    law = Uniform(1)(torch.zeros(1))
    eps = torch.finfo(torch.float32).eps
    z = torch.tensor([-1.0, 1.0, 1 + 4 * eps, 1 + 100 * eps, -1.001])[:, None]
    expected = torch.tensor([0.5, 0.5, 0.5, 0.0, 0.0])
    assert torch.equal(law.log_prob(z).exp(), expected)


def test_degrees_of_freedom_stay_between_cauchys_and_almost_normal() -> None:
    base = StudentT(3).double()
    base.raw.data.copy_(torch.tensor([-1e9, 0.0, 1e9]))
    torch.testing.assert_close(base(ORIGIN).base_dist.df, torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64))


def test_a_mixture_starts_near_the_standard_normal_law_with_its_parts_apart() -> None:
    base = MixtureOfNormals(2, clusters=500)
    z = base(torch.zeros(2)).sample((20_000,))
    torch.testing.assert_close(z.T.cov(), torch.eye(2), rtol=0, atol=0.15)
    assert base.mean.std(0).min() > 0.5
    with pytest.raises(ValueError, match="at least one component, not 0"):
        MixtureOfNormals(2, clusters=0)


def test_a_flow_draws_from_any_base(base: Base) -> None:
    affine = Affine(D).double()
    affine.shift.data += 3
    law = Pushforward(base(ORIGIN), affine)
    assert law.has_rsample == base(ORIGIN).has_rsample
    x = law.sample((2000,))
    assert not x.requires_grad and x.dtype == torch.float64
    assert (x.median(0).values - base(ORIGIN).sample((2000,)).median(0).values - 3).abs().max() < 0.3
    torch.testing.assert_close(law.log_prob(x), base(ORIGIN).log_prob(x - 3))


def test_a_uniform_base_reaches_the_real_line_as_a_logistic_law() -> None:
    law = Pushforward(Uniform(1)(ORIGIN[:1]), Inverse(Logit(-1.0, 1.0)))
    x = torch.tensor([[-20.0], [0.0], [3.0]], dtype=torch.float64)
    np.testing.assert_allclose(law.log_prob(x), stats.logistic.logpdf(x[:, 0]), rtol=1e-10)
    assert stats.kstest(law.sample((2000,))[:, 0], "logistic").pvalue > 1e-3


def test_degrees_of_freedom_start_where_codes_are_likeliest() -> None:
    rng = np.random.default_rng(0)
    z = np.stack([rng.normal(size=20_000), rng.standard_t(10, 20_000), rng.standard_t(2, 20_000)], 1)
    base = StudentT(D).double()
    base.prepare(torch.from_numpy(z))
    freedom = (10 ** (1 + base.raw.tanh())).detach().numpy()
    assert freedom[0] > 50 and 6 < freedom[1] < 20 and freedom[2] < 2.5
    started = stats.t(freedom).logpdf(z).mean(0)
    best = [max(stats.t(nu).logpdf(column).mean() for nu in np.geomspace(1, 100, 50)) for column in z.T]
    np.testing.assert_array_less(np.array(best) - started, 0.003)


@pytest.mark.parametrize("base", list(BASES))
def test_there_may_be_no_rows(base: str) -> None:
    """Of torch's own independent laws a flow of no rows could not sum the components."""
    flow = Flow(Event.continuous(3), context=2, base=base, transforms=1, hidden=(4,))
    plain = Flow(Event.continuous(3), base=base, transforms=1, hidden=(4,))
    none, context = torch.zeros(0, 3), torch.zeros(0, 2)
    assert plain().log_prob(none).shape == flow(context).log_prob(none).shape == (0,)
    assert plain().sample((0,)).shape == flow(torch.zeros(0, 2)).sample().shape == (0, 3)
