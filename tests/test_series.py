"""Series from end to end: the model of windows, forecasts and their score, the run and its doors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.signal import lfilter
from torch import Tensor
from typer.testing import CliRunner

import pushforward as pf
from pushforward.data import Dataset, Schema, export
from pushforward.data.series import Steps
from pushforward.errors import InputError, PushforwardError
from pushforward.event import Block, Event
from pushforward.fitting import fit
from pushforward.forecasting import Forecast, crps, forecast, history_of
from pushforward.models.series import StepAutoregressive
from pushforward.networks.causal import CausalConvolutions
from pushforward.networks.hiding import VariableDropout
from pushforward.networks.mixing import WindowMixing
from pushforward.networks.relative import History, Relative
from pushforward.objectives import negative_log_likelihood
from pushforward.run import Run
from pushforward.sides import sides

STEPS, VARIABLES, CONTEXT = 20, 3, 2


@pytest.fixture(scope="module")
def model() -> StepAutoregressive:
    """Weights far from where training starts."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        event = Event((Block("continuous", STEPS * VARIABLES),), series=(STEPS, VARIABLES))
        made = StepAutoregressive(event, STEPS * CONTEXT, hidden=(12, 16), layers=3, components=2).double()
        made.prepare(patterns(64, missing=0.0), contexts(64))
        for p in made.parameters():
            p.data.add_(0.2 * torch.randn_like(p))
    return made.eval()


def patterns(n: int = 8, missing: float = 0.2) -> Tensor:
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, STEPS, VARIABLES, dtype=torch.float64, generator=g).cumsum(1).flatten(1)
    return torch.where(torch.rand(x.shape, generator=g) < missing, torch.nan, x)


def contexts(n: int = 8) -> Tensor:
    return torch.randn(n, STEPS * CONTEXT, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def test_a_walk_gives_what_one_pass_gives_whatever_is_missing(model: StepAutoregressive) -> None:
    x, c = patterns(), contexts()
    with torch.no_grad():
        walk = model.networks[0].walk(8, c)
        parts = [next(walk)] + [walk.send(x[:, i]) for i in range(x.shape[1] - 1)]
        whole = model.networks[0](x, c)
        begun = model.networks[0].walk(8, c, x[:, : 7 * VARIABLES].unflatten(-1, (7, VARIABLES)))
        torch.testing.assert_close(next(begun), parts[7 * VARIABLES], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.cat(parts, -1), whole, rtol=1e-10, atol=1e-10)
    assert whole.isfinite().all()


def test_no_parameter_sees_its_own_value_or_a_later_one(model: StepAutoregressive) -> None:
    x, c = patterns(1, missing=0.0), contexts(1)
    jacobian = torch.autograd.functional.jacobian(lambda y: model.networks[0](y, c)[0], x)[:, 0]
    component = torch.arange(x.shape[1]).repeat_interleave(6)
    ahead = torch.arange(x.shape[1]) >= component[:, None]
    assert jacobian[ahead].abs().max() == 0
    told = jacobian.masked_fill(ahead, 0.0).abs().sum(1)
    assert (told[2 * 6 * VARIABLES :] > 0).all()  # the second step knows but the level, which moves locations alone


def test_a_series_at_another_level_has_the_same_conditionals(model: StepAutoregressive) -> None:
    x, c = patterns(), contexts()
    x[:, :VARIABLES] = patterns(missing=0.0)[:, :VARIABLES]
    with torch.no_grad():
        here, there = (model(c).log_prob_each(x + shift) for shift in (0.0, 7.0))
    torch.testing.assert_close(here[:, VARIABLES:], there[:, VARIABLES:], rtol=1e-8, atol=1e-8)
    assert not torch.allclose(here[:, :VARIABLES], there[:, :VARIABLES])


def test_a_missing_value_has_no_factor(model: StepAutoregressive) -> None:
    x, c = patterns(), contexts()
    law = model(c)
    with torch.no_grad():
        each = law.log_prob_each(x)
        assert (each[x.isnan()] == 0).all() and (each[~x.isnan()] != 0).all()
        cut = x.clone()
        cut[:, -5:] = torch.nan
        torch.testing.assert_close(law.log_prob(cut), law.log_prob_prefix(x[:, :-5]))
        rest = law.given(x[:, :31]).log_prob(x[:, 31:])
        torch.testing.assert_close(rest + law.log_prob_prefix(x[:, :31]), law.log_prob(x))
    loss = -law.log_prob(x).sum()
    assert all(g.isfinite().all() for g in torch.autograd.grad(loss, tuple(model.parameters())))


def test_the_running_scale_is_the_recursion_it_is_documented_as() -> None:
    x = patterns(2).unflatten(-1, (STEPS, VARIABLES))
    relative = Relative(VARIABLES, STEPS).double()
    scale = relative.scales(relative.all(x))
    square, moves, last = 0.0, 0.0, None
    for t in range(STEPS):
        expected = 1.0 if last is None else ((square + 5.0) / (moves + 5.0)) ** 0.5
        assert scale[1, t, 2].item() == pytest.approx(expected, rel=1e-12)
        value = x[1, t, 2].item()
        square, moves = 0.97 * square, 0.97 * moves
        if not np.isnan(value):
            square, moves = (square + (value - last) ** 2, moves + 1) if last is not None else (square, moves)
            last = value
    history = History(relative, 2)
    for t in range(STEPS):
        torch.testing.assert_close(relative(history.past())[0], relative(relative.all(x))[0][:, t])
        history.add(x[:, t])


def test_cycles_are_found_in_the_data() -> None:
    t = torch.arange(400, dtype=torch.float64)
    wave = (2 * torch.pi * t / 17).sin()[:, None] + 0.1 * torch.randn(
        400, 1, generator=torch.Generator().manual_seed(0)
    )
    windows = wave.unfold(0, 60, 1).transpose(1, 2)
    relative = Relative(1, 60).double()
    relative.fit(windows)
    found = relative.lags.tolist()[-6:]
    assert found[:3] == [16, 17, 18] or found[3:] == [16, 17, 18]
    assert all(lag % 17 == 0 for lag in found[1::3])  # the other is a multiple of it


def test_calibration_makes_the_central_ninety_per_cent_hold_ninety(model: StepAutoregressive) -> None:
    rebuilt = StepAutoregressive.from_json(model.to_json()).double()
    rebuilt.load_state_dict(model.state_dict())
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(3)
        x = model(contexts(100)).sample()
        rebuilt.networks[0].widening.fill_(-0.6)  # too sure
        narrow = (rebuilt(contexts(100)).pit(x) - 0.5).abs() <= 0.45
        rebuilt.calibrate(x, contexts(100))
        held = (rebuilt(contexts(100)).pit(x) - 0.5).abs() <= 0.45
    assert narrow.double().mean() < 0.85
    assert held.double().mean().item() == pytest.approx(0.9, abs=0.01)
    assert rebuilt.networks[0].widening.abs().max() < 0.15


def test_training_starts_at_a_linear_autoregression_of_the_past_and_of_the_step_itself() -> None:
    g = torch.Generator().manual_seed(4)
    e, x = 0.1 * torch.randn(300, 30, 2, dtype=torch.float64, generator=g), torch.zeros(300, 30, 2, dtype=torch.float64)
    for t in range(2, 30):
        x[:, t, 0] = 1.5 * x[:, t - 1, 0] - 0.7 * x[:, t - 2, 0] + e[:, t, 0]
        x[:, t, 1] = x[:, t - 1, 1] + 0.5 * (x[:, t, 0] - x[:, t - 1, 0]) + 0.2 * e[:, t, 1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        event = Event((Block("continuous", 60),), series=(30, 2))
        made = StepAutoregressive(event, hidden=(8, 8), layers=2, components=1).double()
        made.prepare(x.flatten(1))
    with torch.no_grad():
        found = made.networks[0](x.flatten(1)).unflatten(-1, (30, 2, 3))[:, 20:, :, 1]
    left = (found - x[:, 20:]).square().mean((0, 1)).sqrt()
    assert left[0].item() == pytest.approx(0.1, rel=0.1) and left[1].item() == pytest.approx(0.02, rel=0.25)


def test_dropout_is_of_training_alone(model: StepAutoregressive) -> None:
    dropping = StepAutoregressive.from_json({**model.to_json(), "dropout": 0.5}).double()
    dropping.load_state_dict(model.state_dict())
    x, c = patterns(), contexts()
    with torch.no_grad():
        assert not torch.allclose(dropping(c).log_prob(x), model(c).log_prob(x))
        assert torch.equal(dropping.eval()(c).log_prob(x), model(c).log_prob(x))


@pytest.fixture(scope="module")
def committee(model: StepAutoregressive) -> StepAutoregressive:
    """Two members that disagree."""
    made = StepAutoregressive.from_json({**model.to_json(), "members": 2}).double()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        for network in made.networks:
            network.load_state_dict(model.networks[0].state_dict())
            for p in network.parameters():
                p.data.add_(0.1 * torch.randn_like(p))
    return made.eval()


def alone(committee: StepAutoregressive, k: int) -> StepAutoregressive:
    made = StepAutoregressive.from_json({**committee.to_json(), "members": 1}).double()
    made.networks[0].load_state_dict(committee.networks[k].state_dict())
    return made.eval()


def test_a_conditional_is_the_mean_of_what_members_say(committee: StepAutoregressive) -> None:
    x, c = patterns(), contexts()
    first, second = (alone(committee, k)(c) for k in range(2))
    with torch.no_grad():
        each = torch.stack([first.log_prob_each(x), second.log_prob_each(x)])
        assert (each[0] - each[1]).abs().max() > 0.5
        torch.testing.assert_close(committee(c).log_prob_each(x).exp(), each.exp().mean(0))
        torch.testing.assert_close(committee(c).log_prob_members(x), each.sum(-1))
        whole = patterns(missing=0.0)
        u = torch.stack([law.pit(whole) for law in (first, second)])
        torch.testing.assert_close(committee(c).pit(whole), u.mean(0))
        torch.testing.assert_close(negative_log_likelihood(committee(c), x), -each.sum(-1).mean())
        assert committee(c).log_prob(x).mean() > each.sum(-1).mean()  # Jensen
        rest = committee(c).given(x[:, :31])
        torch.testing.assert_close(
            rest.log_prob(x[:, 31:]) + committee(c).log_prob_prefix(x[:, :31]), committee(c).log_prob(x)
        )


def test_what_several_members_draw_is_of_the_law_they_make_together(committee: StepAutoregressive) -> None:
    c = contexts(400)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(8)
        x = committee(c).sample()
        begun = torch.cat([x[:, :31], committee(c).given(x[:, :31]).sample()], -1)
        together, first = (law(c).pit(x).ravel().numpy() for law in (committee, alone(committee, 0)))
        following = committee(c).pit(begun)[:, 31:].ravel().numpy()
    assert stats.kstest(together, "uniform").pvalue > 1e-3
    assert stats.kstest(first, "uniform").pvalue < 1e-6  # the test would see a member by itself
    assert stats.kstest(following, "uniform").pvalue > 1e-3


@pytest.fixture(scope="module")
def mixed() -> StepAutoregressive:
    """Three members of a window whose variables are real, binary and whole."""
    blocks = (Block("continuous", 1), Block.binary(), Block("grid", 1, 1.0, -3.0, 3.0))
    event = Event(tuple(block for _ in range(4) for block in blocks), series=(4, 3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = StepAutoregressive(event, hidden=(8, 8), layers=2, components=2, members=3).double()
        for p in made.parameters():
            p.data.add_(0.2 * torch.randn_like(p))
    return made.eval()


def test_members_make_one_law_of_every_kind_of_variable(mixed: StepAutoregressive) -> None:
    """Of draws from p, u is uniform in each component, and the mean of p_k / p is 1 for every member."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(9)
        law = mixed()
        x = law.sample((6000,))
        u, ratios = law.pit(x), (law.log_prob_members(x) - law.log_prob(x)).exp()
        begun = torch.cat([x[:, :4], law.given(x[:, :4]).sample()], -1)
        following = law.pit(begun)[:, 4:]
    for component in [*u.T, *following.T]:
        assert stats.kstest(component.numpy(), "uniform").pvalue > 1e-4
    error = ratios.std(1) / len(x) ** 0.5
    assert (((ratios.mean(1) - 1) / error).abs() < 4).all() and (error < 0.1).all()


def test_members_begin_at_the_same_regression_with_weights_of_their_own() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        event = Event((Block("continuous", STEPS * VARIABLES),), series=(STEPS, VARIABLES))
        made, single = (StepAutoregressive(event, hidden=(8, 8), layers=2, members=k).double() for k in (2, 1))
        for each in (made, single):
            each.prepare(patterns(100, missing=0.0))
    first, second, only = (network.state_dict() for network in (*made.networks, *single.networks))
    shared = [name for name in first if name.startswith("relative") or name in ("head.skip.weight", "head.last.bias")]
    assert len(shared) > 3
    for name in shared:
        assert torch.equal(first[name], second[name]) and torch.equal(first[name], only[name])
    own = [state["head.last.weight"] for state in (first, second)]
    assert not torch.equal(*own) and own[0].std().item() == pytest.approx(own[1].std().item(), rel=0.2)


def test_members_are_calibrated_together(committee: StepAutoregressive) -> None:
    rebuilt = StepAutoregressive.from_json(committee.to_json()).double()
    rebuilt.calibrate(patterns(60, missing=0.0), contexts(60))
    first, second = (network.widening for network in rebuilt.networks)
    assert torch.equal(first, second) and first.abs().max() > 0


def test_what_training_hides_of_a_window_is_whole_variables_and_never_all() -> None:
    dropout = VariableDropout(1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        hidden = dropout(torch.zeros(4000, STEPS, VARIABLES)).isnan()
        assert not VariableDropout(0.0)(torch.zeros(10, 2, 2)).isnan().any()
        assert not dropout(torch.zeros(50, STEPS, 1)).isnan().any()  # the only variable
        lacking = torch.zeros(50, STEPS, 3)
        lacking[..., :2] = torch.nan
        assert not dropout(lacking)[..., 2].isnan().any()  # the only one that was observed
    assert torch.equal(hidden.any(1), hidden.all(1))
    share = hidden[:, 0].double().mean(1)
    assert share.max().item() == pytest.approx(2 / 3)
    # Of three variables each is hidden with a probability U of the window, but not all: E U - E U³ = 1/2 - 1/4.
    assert share.mean().item() == pytest.approx(0.25, abs=0.02)


def test_hiding_variables_is_of_training_alone_and_drops_their_factors(model: StepAutoregressive) -> None:
    hiding = StepAutoregressive.from_json({**model.to_json(), "variable_dropout": 1.0}).double()
    hiding.load_state_dict(model.state_dict())
    x, c = patterns(40, missing=0.0), contexts(40)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        learnt = hiding(c).log_prob_members(x)
        torch.manual_seed(0)
        lacking = hiding.networks[0].hiding(x.unflatten(-1, (STEPS, VARIABLES))).flatten(1)
        assert 0 < lacking.isnan().double().mean() < 0.5
        torch.testing.assert_close(learnt, model(c).log_prob(lacking)[None])
        assert torch.equal(hiding(c).log_prob(x), model(c).log_prob(x))  # a law even while it learns
        assert torch.equal(hiding.eval()(c).log_prob_members(x), model(c).log_prob_members(x))


def test_mixed_windows_have_the_second_moments_of_windows() -> None:
    """Of a linear Gaussian process of mean 0 they are windows; counts stay as they are."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        n = 20_000
        x = torch.randn(n, 6, 2, dtype=torch.float64).cumsum(1)
        mixed = WindowMixing(1.0, [True, False])(x)
        half = WindowMixing(0.5, [True, True])(x)
        assert torch.equal(WindowMixing(0.0, [True, True])(x), x)
        assert torch.equal(WindowMixing(1.0, [True, True]).eval()(x), x)
        assert torch.equal(WindowMixing(1.0, [True, True])(x[:1]), x[:1])  # there is no other
    assert torch.equal(mixed[..., 1], x[..., 1])
    assert (mixed[..., 0] != x[..., 0]).all()
    expected = torch.minimum(torch.arange(1, 7)[:, None], torch.arange(1, 7)).double()
    torch.testing.assert_close(mixed[..., 0].T.cov(correction=0), expected, atol=0.15, rtol=0.05)
    changed = (half != x).flatten(1)
    assert torch.equal(changed.any(1), changed.all(1))
    assert changed.any(1).double().mean().item() == pytest.approx(0.5, abs=0.015)
    # E √(1 − w) of w uniform on [0, ½): what is left of the window itself.
    left = (mixed[..., 0] * x[..., 0]).sum() / x[..., 0].square().sum()
    assert left.item() == pytest.approx(4 / 3 * (1 - 0.5**1.5), abs=0.02)


def test_windows_are_mixed_with_those_of_their_time() -> None:
    hour = torch.arange(4.0).repeat(50)
    calendar = torch.nn.functional.one_hot(hour.long(), 4).double()[:, None].expand(-1, 3, -1)
    x = hour.double()[:, None, None].expand(-1, 3, 1).clone()
    x[0] = torch.nan
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mixed = WindowMixing(1.0, [True])(x, calendar)
    lacking = mixed.isnan().flatten(1)
    assert lacking[0].all() and torch.equal(lacking.any(1), lacking.all(1))
    assert (hour[lacking.any(1)] == 0).all()  # of what is missing in a window only those of its hour know
    zero = (mixed[hour == 0]).nan_to_num()
    assert torch.equal(zero, torch.zeros_like(zero))


def test_mixing_windows_is_of_training_alone(model: StepAutoregressive) -> None:
    mixing = StepAutoregressive.from_json({**model.to_json(), "mixup": 1.0}).double()
    mixing.load_state_dict(model.state_dict())
    x, c = patterns(40), contexts(40)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        learnt = mixing(c).log_prob_members(x)
        torch.manual_seed(0)
        seen = mixing.mixing(x.unflatten(-1, (STEPS, -1)), c.unflatten(-1, (STEPS, -1))).flatten(1)
        torch.testing.assert_close(learnt, model(c).log_prob(seen)[None])
        assert torch.equal(mixing(c).log_prob(x), model(c).log_prob(x))  # a law even while it learns
        assert torch.equal(mixing.eval()(c).log_prob_members(x), model(c).log_prob_members(x))
    with pytest.raises(ValueError, match="mixes is from 0 to 1, not 2"):
        StepAutoregressive.from_json({**model.to_json(), "mixup": 2})


def test_what_cannot_be_a_model_of_windows_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        StepAutoregressive(Event((Block("continuous", 6),), series=(3, 2)), members=0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        StepAutoregressive(Event((Block("continuous", 6),), series=(3, 2)), variable_dropout=1.5)
    with pytest.raises(ValueError, match="no series"):
        StepAutoregressive(Event.continuous(6))
    with pytest.raises(ValueError, match="as much context for each"):
        StepAutoregressive(Event((Block("continuous", 6),), series=(3, 2)), context=2)
    with pytest.raises(ValueError, match="hidden names no width"):
        StepAutoregressive(Event((Block("continuous", 6),), series=(3, 2)), hidden=[])


def test_layers_that_look_back_farther_than_a_window_cost_nothing() -> None:
    network, u = CausalConvolutions(2, layers=50), torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    memory = network.memory()
    with torch.no_grad():
        steps = torch.stack([network.step(u[:, t], memory) for t in range(5)], 1)
        torch.testing.assert_close(steps, network(u))
    assert network.remembered(5) == 2 * (1 + 2 + 4 + 47 * 5) >= sum(h[0].numel() for past in memory for h in past)


def test_a_huge_late_value_leaves_earlier_conditionals_as_they_are(model: StepAutoregressive) -> None:
    network = StepAutoregressive.from_json(model.to_json()).networks[0]
    network.load_state_dict(model.networks[0].state_dict())  # in single precision, which overflows
    x, c = patterns(2, missing=0.0).float(), contexts(2).float()
    late = x.clone()
    late[:, -2 * VARIABLES :] = torch.tensor([1e20, -1e30, 3e38]).repeat(2)
    with torch.no_grad():
        before, after = network(x, c), network(late, c)
        walk = network.walk(2, c)
        walked = torch.cat([next(walk)] + [walk.send(late[:, i]) for i in range(x.shape[1] - 1)], -1)
    known = (x.shape[1] - 2 * VARIABLES) * before.shape[1] // x.shape[1]
    torch.testing.assert_close(after[:, :known], before[:, :known])
    torch.testing.assert_close(walked, after, rtol=1e-3, atol=1e-3)
    far = network.relative.moves(torch.tensor([1e20, -1e30, 3e38]), torch.zeros(3), torch.full((3,), 0.1))
    torch.testing.assert_close(far, torch.tensor([8.0, -8.0, 8.0]))


def test_a_variable_of_which_nothing_was_observed_is_not_calibrated(model: StepAutoregressive) -> None:
    rebuilt = StepAutoregressive.from_json(model.to_json()).double()
    x = patterns(20, missing=0.0)
    x.unflatten(-1, (STEPS, VARIABLES))[..., 1] = torch.nan
    rebuilt.calibrate(x, contexts(20))
    assert (rebuilt.networks[0].widening != 0).tolist() == [True, False, True]


# ---------------------------------------------------------------------------------------------------------- the score


def test_crps_is_that_of_the_normal_law_in_closed_form() -> None:
    rng, y = np.random.default_rng(0), np.array([-1.0, 0.0, 2.5])
    exact = y * (2 * stats.norm.cdf(y) - 1) + 2 * stats.norm.pdf(y) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps(rng.normal(size=(40_000, 3)), y), exact, atol=0.015)
    small = crps(rng.normal(size=(3, 60_000, 3)), np.broadcast_to(y, (60_000, 3))).mean(0)
    np.testing.assert_allclose(small, exact, atol=0.015)  # no bias, however few the paths


def test_crps_is_the_mean_over_draws_and_pairs() -> None:
    rng = np.random.default_rng(1)
    paths, y = rng.gamma(2.0, size=(7, 5)), rng.gamma(2.0, size=5)
    pairs = np.abs(paths[:, None] - paths[None]).sum((0, 1)) / (7 * 6)
    np.testing.assert_allclose(crps(paths, y), np.abs(paths - y).mean(0) - pairs / 2)
    with pytest.raises(InputError, match="two sample paths"):
        crps(paths[:1], y)


def test_the_error_of_a_crps_is_that_of_repeated_forecasts() -> None:
    rng, truth = np.random.default_rng(2), np.full((6, 1), 0.7)
    truth[2] = np.nan
    found = [Forecast(rng.normal(size=(80, 6, 1)).cumsum(1), ("a",)).crps(truth)[0] for _ in range(400)]
    claimed = np.mean([(e.high - e.low) / 2 / stats.norm.ppf(0.975) for e in found])
    assert claimed == pytest.approx(np.std([e.value for e in found]), rel=0.15)
    assert found[0].n == 5


def test_quantiles_and_intervals_are_those_of_the_paths() -> None:
    paths = np.random.default_rng(0).normal(size=(999, 4, 2))
    made = Forecast(paths, ("a", "b"))
    low, high = made.interval(0.9)
    assert ((paths >= low) & (paths <= high)).mean() == pytest.approx(0.9, abs=0.01)
    np.testing.assert_allclose(made.quantiles([0.5])[0], np.median(paths, 0))
    for levels in ([], [1.5]):
        with pytest.raises(InputError, match="from 0 to 1"):
            made.quantiles(levels)
    with pytest.raises(InputError, match="shape"):
        made.crps(np.zeros((3, 2)))


@pytest.mark.parametrize("n", [19, 39])
def test_an_interval_holds_one_more_path_as_often_as_it_says(n: int) -> None:
    """By NumPy's own quantiles, whose outer ones are the extreme paths, it would be .81 of 19 and .86 of 39."""
    draws = np.random.default_rng(0).normal(size=(n + 1, 20_000, 1))
    low, high = Forecast(draws[:n], ("a",)).interval(0.9)
    assert ((draws[n] >= low) & (draws[n] <= high)).mean() == pytest.approx(0.9, abs=0.008)
    np.testing.assert_array_equal(Forecast(draws[:n], ("a",)).quantiles([0, 1]), [draws[:n].min(0), draws[:n].max(0)])


def test_levels_are_a_list_an_array_or_one_number() -> None:
    stamps = np.arange(4) * 3600
    made = Forecast(np.random.default_rng(0).normal(size=(99, 4, 2)), ("a", "b"), stamps, "date")
    np.testing.assert_array_equal(made.quantiles(np.array([0.1, 0.5])), made.quantiles([0.1, 0.5]))
    np.testing.assert_array_equal(made.quantiles(0.5), made.quantiles([0.5]))
    assert len(made.table(np.array([0.1, 0.5]))) == 8 and len(made.table(0.5)) == 4
    assert list(made.to_json(np.array([0.1, 0.5]))["quantiles"]["a"]) == ["0.1", "0.5"]
    for levels in (np.array([]), [np.nan], [[0.1, 0.5]], "much", None):
        with pytest.raises(InputError, match="from 0 to 1"):
            made.quantiles(levels)
    for level in (-1, 0, 1, 1.5, np.nan):
        with pytest.raises(InputError, match="between 0 and 1, not"):
            made.interval(level)


def test_a_frame_of_what_came_is_scored_by_name() -> None:
    made = Forecast(np.random.default_rng(0).normal((0.0, 100.0), size=(99, 4, 2)), ("load", "temp"))
    x = np.random.default_rng(1).normal((0.0, 100.0), size=(4, 2))
    x[1, 0] = np.nan
    expected = made.crps(x)
    came = pd.DataFrame(x, columns=["load", "temp"])
    dated = came.assign(date=pd.date_range("2016-07-01", periods=4, freq="h"))
    for truth in (came, came[["temp", "load"]], dated, came.convert_dtypes()):
        assert made.crps(truth) == expected
    with pytest.raises(InputError, match=r"the truth lacks 'temp', .* columns are 'load', 'date'"):
        made.crps(dated[["load", "date"]])
    with pytest.raises(InputError, match="lacks 'load', 'temp'"):
        made.crps(pd.DataFrame(x))
    with pytest.raises(InputError, match="numbers alone"):
        made.crps(came.assign(temp=list("abcd")))
    with pytest.raises(InputError, match="a share between 0 and 1, not 'a'"):
        made.interval("a")  # type: ignore[arg-type]
    assert made.crps(torch.tensor(x, requires_grad=True)) == expected
    with pytest.raises(InputError, match="infinite at step 3 of 'temp'"):
        made.crps(np.where(np.arange(8).reshape(4, 2) == 5, np.inf, x))


# ------------------------------------------------------------------------------------------------------------ the run


def frame(n: int = 700) -> pd.DataFrame:
    rng, t = np.random.default_rng(0), np.arange(n)
    load = np.sin(2 * np.pi * t / 24) + 0.2 * rng.normal(size=n)
    count = rng.poisson(5 + 3 * load.clip(-1))
    return pd.DataFrame({"date": pd.date_range("2016-07-01", periods=n, freq="h"), "load": load, "count": count})


SMALL = {"hidden": [16, 16], "layers": 3, "components": 3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    table = frame()
    table.loc[100:140, "count"] = np.nan
    place = tmp_path_factory.mktemp("series")
    table.to_csv(place / "s.csv", index=False)
    return fit(place / "s.csv", "autoregressive", time="date", window=48, steps=60, out=place / "run", options=SMALL)


def test_a_forecast_knows_where_it_is_and_what_time_it_is(run: Run) -> None:
    made = run.forecast(frame(), 6, n=100)
    assert made.paths.shape == (100, 6, 2) and made.columns == ("load", "count")
    last = frame()["date"].iloc[-1]
    expected = pd.date_range(last, periods=7, freq="h")[1:].to_numpy().astype("datetime64[s]").astype(np.int64)
    assert np.array_equal(made.stamps, expected)
    assert np.array_equal(made.paths[..., 1], np.rint(made.paths[..., 1])) and made.paths[..., 1].min() >= 0
    assert np.array_equal(made.paths, run.forecast(frame(), 6, n=100).paths)
    assert not np.array_equal(made.paths, run.forecast(frame(), 6, n=100, seed=1).paths)


def test_a_forecast_is_drawn_from_the_conditional_law(run: Run) -> None:
    history = frame().assign(count=lambda t: t["count"].where(t.index % 5 > 0))
    made = run.forecast(history, 1, n=800)
    windows = pf.load(history, time="date", window=48)
    after = pd.concat([history, frame(701).iloc[[-1]]])
    data = pf.load(after, time="date", window=48).take(slice(-1, None))
    x, c = run.schema.encode(data), run.schema.encode_context(data)
    rows = x.expand(800, -1).clone()
    rows[:, -2] = torch.from_numpy(run.schema.patterns.encode_steps(made.paths[:, 0])[:, 0])
    with torch.no_grad():
        u = run.model(c[0]).pit(rows)[:, -2]
    assert len(windows) and stats.kstest(u.numpy(), "uniform").pvalue > 1e-3


def test_a_long_horizon_rolls_the_window_and_a_short_history_will_do(run: Run) -> None:
    assert np.isfinite(run.forecast(frame(), 100, n=3).paths).all()
    assert np.isfinite(run.forecast(frame(1), 5, n=3).paths).all()
    gaps = frame().assign(load=np.nan, count=np.nan)
    assert np.isfinite(run.forecast(gaps, 5, n=3).paths).all()


@pytest.mark.parametrize(
    ("history", "horizon", "word"),
    [
        (frame(), 0, "a horizon is from 1 to 480"),
        (frame(), 481, "larger --window"),
        (frame().drop(columns="load"), 3, "lacks 'load'"),
        (frame().assign(x=1.0), 3, "has 'x' besides"),
        (frame().drop(columns="date"), 3, "no column 'date' of times; the model's times stand there"),
        (frame(0), 3, "no steps"),
        (frame().iloc[::2], 3, "steps of 7200s where the model has 3600s; resample"),
        (
            frame().assign(date=pd.date_range("2016-07-01", periods=700, freq="D")),
            3,
            "86400s where the model has 3600s",
        ),
        (Path(__file__).parent, 3, "tests is a folder; a history is a file"),
        (frame().assign(date=pd.date_range("2016-07-01", periods=700, freq="7min")), 3, "resample"),
        ("nowhere.csv", 3, "no file"),
    ],
)
def test_a_history_that_does_not_fit_is_named(run: Run, history: object, horizon: int, word: str) -> None:
    with pytest.raises(InputError, match=word):
        run.forecast(history, horizon, n=2)


def test_rows_left_out_at_random_are_no_other_step(run: Run) -> None:
    few = frame()[np.random.default_rng(0).random(700) < 0.4]
    assert np.isfinite(run.forecast(few, 3, n=2).paths).all()
    assert np.isfinite(run.forecast(frame(4).iloc[[0, 1, 3]], 3, n=2).paths).all()


def test_a_run_names_no_option_that_its_commands_lack(run: Run, tmp_path: Path) -> None:
    frame(47).to_csv(tmp_path / "t47.csv", index=False)
    frame().drop(columns="date").to_csv(tmp_path / "one.csv", index=False)
    frame().iloc[::2].to_csv(tmp_path / "two.csv", index=False)
    for name, word in (("t47.csv", "longer"), ("one.csv", "the model's times stand there"), ("two.csv", "resample")):
        code, text = call("score", run.directory, tmp_path / name)
        assert code == 2 and word in text and "--" not in text
        with pytest.raises(InputError, match=word):
            run.score_samples(tmp_path / name)


def test_a_history_is_read_from_arrays_as_the_data_are(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(400, 2))
    np.save(tmp_path / "s.npy", x)
    np.savez(tmp_path / "s.npz", x=x, other=x[:30])
    np.savez(tmp_path / "named.npz", y=x, other=x[:30])
    made = fit(tmp_path / "s.npz", "autoregressive", series=True, window=24, key="x", steps=1, options=SMALL)
    expected = made.forecast(x, 3, n=2).paths
    for history in (tmp_path / "s.npy", tmp_path / "s.npz", torch.from_numpy(x)):
        np.testing.assert_array_equal(made.forecast(history, 3, n=2).paths, expected)
    np.testing.assert_array_equal(made.forecast(tmp_path / "named.npz", 3, n=2, key="y").paths, expected)
    words = ("forecast", made.directory, tmp_path / "named.npz", "--horizon", 3, "--json")
    assert "give --key with one of 'y', 'other'" in call(*words)[1]
    assert call(*words, "--key", "y")[0] == 0


def untrained() -> tuple[StepAutoregressive, Schema, Dataset]:
    """A model of two unlike variables, 6 steps long."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=300), "b": 1000 + 10 * rng.normal(size=300)})
    data = pf.load(table, series=True, window=6)
    schema = Schema.fit(data)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StepAutoregressive(schema.event, hidden=(4, 4), layers=1, components=1).eval(), schema, data


def test_a_history_of_other_order_is_forecast_by_name() -> None:
    model, schema, data = untrained()
    turned = replace(data, values=data.windows[..., ::-1], columns=("b", "a"))
    expected = forecast(model, schema, history_of(data, schema), 2, n=5)
    for history in (turned, Steps(turned.windows[-1], ("b", "a"))):
        made = forecast(model, schema, history_of(history, schema), 2, n=5)
        assert made.columns == ("a", "b")
        np.testing.assert_array_equal(made.paths, expected.paths)
    with pytest.raises(InputError, match="lacks 'b'"):
        history_of(Steps(data.windows[-1], ("a", "c")), schema)


def test_horizons_and_paths_are_whole_numbers() -> None:
    model, schema, data = untrained()
    past = history_of(data, schema)
    wrong = [(1.5, 5, "a horizon"), ("a", 5, "a horizon"), (True, 5, "a horizon"), (np.True_, 5, "a horizon")]
    for horizon, n, word in (*wrong, (2, 1.5, "paths"), (2, None, "paths"), (2, True, "paths")):
        with pytest.raises(InputError, match=f"{word} is a whole number"):
            forecast(model, schema, past, horizon, n)
    assert forecast(model, schema, past, np.int64(2), np.int32(3)).paths.shape == (3, 2, 2)


def test_only_a_model_of_a_series_forecasts() -> None:
    rows = fit("digits", "vae", steps=1)
    with pytest.raises(InputError, match="not of a series"):
        rows.forecast(np.zeros((10, 64)), 3)
    with pytest.raises(InputError, match="missing values"):
        fit(frame().assign(load=lambda t: t["load"].where(t.index != 5)), "vae", time="date", window=24, steps=1)
    flow = fit(frame(), "flow", time="date", window=12, steps=1)
    with pytest.raises(InputError, match="--model autoregressive"):
        flow.forecast(frame(), 3)


def test_only_the_architecture_of_steps_takes_missing_values() -> None:
    gaps = frame().assign(load=lambda t: t["load"].where(t.index != 5))
    for model, options in (("vae", {}), ("autoregressive", {"architecture": "masked"})):
        with pytest.raises(InputError, match="only the architecture 'steps' of --model autoregressive can take"):
            fit(gaps, model, time="date", window=12, steps=1, options=options)


def test_a_model_of_several_orders_is_finished_without_a_forecast(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "s.csv", index=False)
    words = ["--time", "date", "--model", "autoregressive", "--window", 12, "--steps", 1, "--out", tmp_path / "run"]
    settings = ["--set", "architecture=masked", "--set", "hidden=[8]", "--set", "orders=2"]
    assert call("fit", tmp_path / "s.csv", *words, *settings)[0] == 0
    assert "What did the model expect of" not in (tmp_path / "run" / "report.html").read_text()
    code, text = call("forecast", tmp_path / "run", tmp_path / "s.csv", "--horizon", 3, "--json")
    assert code == 2 and text.startswith("a model of several orders cannot be conditioned on a history; fit with")


def test_data_from_memory_are_kept_step_by_step() -> None:
    table = frame().drop(index=[9]).drop(columns="count")
    made = fit(table, "autoregressive", time="date", window=24, steps=1, options=SMALL)
    assert made.data().fingerprint() == made.record["data"]["fingerprint"]
    assert (made.directory / "data.parquet").stat().st_size < 50_000
    equal = fit(table["load"].to_numpy(), "autoregressive", series=True, window=24, steps=1, options=SMALL)
    assert equal.forecast(table["load"].to_numpy(), 4, n=2).stamps is None
    assert equal.data().fingerprint() == equal.record["data"]["fingerprint"]


def test_windows_are_drawn_from_when_they_are_asked_to_begin(run: Run) -> None:
    assert run.sample(3, given={"date": "2017-01-01"}).describe() == "3 windows of 48 steps × 2 variables"
    for given in ({}, {"date": "soon"}):
        with pytest.raises(InputError, match="2016-07-01T13"):
            run.sample(3, given=given)
    assert run.log_likelihood().n == 1  # a tenth of 700 steps is one window of 48
    with pytest.raises(InputError, match="--window 48"):
        run.score_samples(pf.load(frame(), time="date", window=24))


# ---------------------------------------------------------------------------------------------------------- the doors


def call(*words: object) -> tuple[int, str]:
    from pushforward.cli.app import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, PushforwardError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def test_from_a_file_to_a_forecast_on_the_command_line(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "s.csv", index=False)
    source, place = tmp_path / "s.csv", tmp_path / "run"
    settings = ["--set", "hidden=[8,8]", "--set", "layers=2"]
    words = ["--model", "autoregressive", "--time", "date", "--window", 24, "--steps", 3, "--out", place]
    assert call("fit", source, *words, *settings)[0] == 0
    page = (place / "report.html").read_text()
    assert "What did the model expect of the last 12 held-out steps?" in page
    code, _ = call("forecast", place, source, "--horizon", 5, "-n", 7, "--out", tmp_path / "f.csv")
    assert code == 0 and pd.read_csv(tmp_path / "f.csv").shape == (35, 5)
    told = call("forecast", place, source, "--horizon", 1, "-n", 1, "--out", tmp_path / "g.csv")[1]
    assert told.startswith("1 path of 1 step of load, count")
    code, text = call("forecast", place, source, "--horizon", 5, "-n", 7, "--quantiles", ".1,.9", "--json")
    assert code == 0 and len(json.loads(text)["quantiles"]["load"]["0.1"]) == 5
    assert call("score", place, source)[1].startswith("log p(x):")
    assert call("forecast", place, source, "--horizon", 0, "--json")[1].startswith("a horizon is from 1")
    assert "--out FILE" in call("forecast", place, source, "--horizon", 5)[1]
    assert "list of numbers" in call("forecast", place, source, "--horizon", 5, "--quantiles", "x", "--json")[1]


def test_an_audit_of_two_series_counts_each_step_once() -> None:
    """Overlapping windows would be remembered, and equal laws told apart."""
    rng = np.random.default_rng(0)
    real, fake = (pf.load(np.cumsum(rng.normal(size=700)) / 9, series=True, window=12) for _ in range(2))
    found = pf.audit(real, fake)
    assert (found.n_real, found.n_fake) == (58, 58)


def autoregression(phi: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    noise[0] /= np.sqrt(1 - phi**2)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise))


def test_windows_that_depend_on_their_neighbours_are_left_out_and_what_remains_is_told() -> None:
    def notes(phi: float, n: int) -> tuple[int, str]:
        series = (autoregression(phi, n, seed) for seed in (0, 1))
        both = sides(*series, series=True, window=24)
        return len(both.real), " ".join((*both.notes, *both._of_series()))

    assert notes(0.0, 7200) == (300, "")
    kept, told = notes(0.97, 7200)
    assert 50 <= kept < 300 and "neighbouring windows depend" in told and "p-values" not in told
    kept, told = notes(0.99, 1440)
    assert kept == 60 and "so their p-values are too small" in told and "--window" in told


def test_every_day_of_the_week_stays_when_windows_are_left_out() -> None:
    times = pd.date_range("2020-01-01", periods=24 * 450, freq="h")
    table = pd.DataFrame({"date": times, "x": autoregression(0.9945, len(times), 0)})
    both = sides(table, table.assign(x=autoregression(0.9945, len(times), 1)), time="date", window=24)
    assert len(both.real) < 80 and "even these depend" in both.notes[0]
    assert len(set(both.real.context["date"][:, 0] // 86_400 % 7)) == 7


def hours(begin: str, n: int, seed: int) -> pd.DataFrame:
    times = pd.date_range(begin, periods=n, freq="h")
    week = np.sin(2 * np.pi * times.hour / 24) + 2.0 * (times.day_of_week > 4)
    return pd.DataFrame({"date": times, "x": week + 0.3 * np.random.default_rng(seed).normal(size=n)})


def test_windows_of_both_begin_at_the_same_time_of_the_week() -> None:
    real, fake = hours("2020-01-01", 24 * 70, 0), hours("2021-03-03 07:00", 24 * 70, 1)
    found = pf.audit(real, fake, time="date", window=24)
    assert not found.distinguishable and found.n_fake == 63
    assert any("the first 161 steps of fake were left out" in note for note in found.notes)
    short = pf.audit(real, hours("2021-03-03 07:00", 24 * 53, 1), time="date", window=24)
    assert short.n_fake == 52 and any("the same time of the day" in note for note in short.notes)
    between = pf.audit(real, hours("2021-03-03 07:30", 24 * 70, 1), time="date", window=24)
    assert any("begin at other times of the day" in note for note in between.notes)


def test_gaps_are_counted_on_each_side() -> None:
    real, fake = (np.random.default_rng(seed).normal(size=(1440, 2)) for seed in (0, 1))
    fake[np.random.default_rng(2).random(1440) < 0.3, 1] = np.nan
    (note,) = sides(real, fake, series=True, window=24)._of_series()
    assert "0 % of 'x1' in real; 3" in note and "the last one before them" in note


def test_exported_samples_of_a_series_are_read_as_the_windows_they_are(run: Run, tmp_path: Path) -> None:
    samples = run.sample(60, given={"date": "2016-07-01"})
    exported = tmp_path / "samples.csv"
    export(samples, exported)
    read = pf.load(exported, time="date")
    np.testing.assert_allclose(read.windows, samples.windows)
    assert pf.load(exported, series=True, window=48).describe() == read.describe()
    with pytest.raises(InputError, match="--window 48"):
        pf.load(exported, series=True, window=12)
    with pytest.raises(InputError, match="separate windows"):
        pf.split(read)
    with pytest.raises(InputError, match="separate windows"):
        run.forecast(exported, 3)
    data = frame(48 * 60)
    both = sides(data, exported, time="date", window=48)
    assert len(both.fake) == 60 and any("samples.csv has no times" in note for note in both.notes)
    with pytest.raises(InputError, match=r"without times.*as FAKE"):
        sides(exported, run.directory)
    plain = fit(data[["load", "count"]], "autoregressive", out=tmp_path / "plain", series=True, window=24, steps=2)
    drawn = tmp_path / "drawn.csv"
    export(plain.sample(60), drawn)
    assert len(sides(drawn, plain.directory).fake) == 60


def test_other_series_are_read_in_windows_of_the_models_length(tmp_path: Path) -> None:
    """The default of a series follows from its number of steps, and a new one may have fewer."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "old.npy", rng.normal(size=(1500, 1)))
    np.save(tmp_path / "new.npy", rng.normal(size=(700, 1)))
    run = fit(tmp_path / "old.npy", "autoregressive", series=True, steps=1, out=tmp_path / "run")
    values, _ = run.score_samples(tmp_path / "new.npy")
    assert len(values) == 700 - 120 + 1
