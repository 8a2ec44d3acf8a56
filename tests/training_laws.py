"""The laws of objectives, data and training: small functions that raise ``AssertionError`` where one is broken."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy import integrate, stats

import pushforward as pf
from pushforward import objectives
from pushforward.data import split
from pushforward.errors import RunError
from pushforward.storage import read_tensors, write_tensors
from pushforward.training.game import Batch, likelihood_game
from pushforward.training.loop import Hooks, Settings, play
from pushforward.training.schedule import Leg
from pushforward.training.state import Match
from pushforward.training.stream import Stream

SMALL = {"hidden": [8], "batch": 32}


def the_adversary_is_judged_by_cross_entropy() -> None:
    """At the Bayes-optimal discriminator (12), log 2 less the loss is the Jensen–Shannon divergence (13)–(15)."""
    p, q = stats.norm(0, 1), stats.norm(1.5, 1)
    x = torch.from_numpy(p.ppf((np.arange(20_000) + 0.5) / 20_000))
    y = torch.from_numpy(q.ppf((np.arange(20_000) + 0.5) / 20_000))
    log_odds = [torch.from_numpy(p.logpdf(t.numpy()) - q.logpdf(t.numpy())) for t in (x, y)]

    def integrand(t: float) -> float:
        a, b = p.pdf(t), q.pdf(t)
        return 0.5 * a * np.log(2 * a / (a + b)) + 0.5 * b * np.log(2 * b / (a + b))

    divergence = integrate.quad(integrand, -8, 10)[0]
    loss = objectives.adversary_loss(*log_odds).item()
    assert abs(np.log(2) - loss - divergence) < 1e-3, (loss, divergence)


def the_saddle_point_has_two_losses_under_their_own_names() -> None:
    """The minimax loss is the generator's part of −(adversary's loss); both fall as the fake grows convincing."""
    fake = torch.tensor([-3.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    value = -objectives.adversary_loss(torch.full((1,), 1e9, dtype=torch.float64), fake)
    assert torch.allclose(objectives.minimax_loss(fake), value)
    pi = torch.sigmoid(fake)
    minimax, substitute = (
        torch.autograd.grad(loss(fake), fake)[0] for loss in (objectives.minimax_loss, objectives.non_saturating_loss)
    )
    assert torch.allclose(minimax, -pi / 6) and torch.allclose(substitute, -(1 - pi) / 6)


def the_penalty_is_of_the_gradient() -> None:
    """R₁ of a linear logit is half its squared slope, and moves the slope."""
    slope = torch.tensor([3.0, 4.0], requires_grad=True)
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    penalty = objectives.gradient_penalty(x @ slope, x)
    assert torch.allclose(penalty, torch.tensor(12.5))
    assert penalty.requires_grad
    assert torch.allclose(torch.autograd.grad(penalty, slope)[0], slope)


def nothing_is_learnt_from_the_test_part() -> None:
    """Changing held-out rows, and nothing else, changes nothing that is fitted."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    with tempfile.TemporaryDirectory() as folder:
        first = pf.fit(x, "vae", out=Path(folder) / "a", steps=1, options=SMALL, device="cpu")
        test = first.splits().test.numeric()
        y = x.copy()
        held_out = (y[:, None] == test[None]).all(-1).any(1)
        assert held_out.sum() == len(test) > 10
        y[held_out, 0] += 1e-6 * y[held_out, 1]  # the order of rows, and hence the split, does not depend on values
        y[held_out, 1] *= 1.5
        second = pf.fit(y, "vae", out=Path(folder) / "b", steps=1, options=SMALL, device="cpu")
        assert not np.array_equal(second.splits().test.numeric(), test)
        assert first.record["schema"] == second.record["schema"]


def likelihoods_are_in_the_units_of_the_data() -> None:
    """Metres to millimetres: each figure falls by log 1000 for each continuous column."""
    x = np.random.default_rng(0).normal(size=(300, 2))
    with tempfile.TemporaryDirectory() as folder:
        figures = []
        for scale in (1.0, 1000.0):
            out = Path(folder) / str(scale)
            run = pf.fit(scale * x, "autoregressive", out=out, steps=5, options=SMALL, device="cpu")
            figures.append(run.log_likelihood().nats)
    assert abs(figures[0] - figures[1] - 2 * np.log(1000)) < 1e-3, figures


def _match() -> tuple[Match, Stream]:
    from pushforward.event import Event
    from pushforward.models.vae import VAE

    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.randn(200, 2)
        model = VAE(Event.continuous(2), latent=1, hidden=[8], components=1)
    return Match(likelihood_game(model)), Stream(lambda i: Batch(x[i]), len(x), 32, seed=0)


def _hooks(held_out=None, stop=lambda: False) -> Hooks:
    return Hooks(held_out=held_out, save=lambda: None, record=lambda row: None, stop=stop)


def a_resumed_run_is_the_uninterrupted_one() -> None:
    """Stopped after ten steps, put into tensors, taken up by another process's generator: the same weights."""
    settings, leg = Settings(seed=1), Leg(steps=30)
    whole, stream = _match()
    torch.manual_seed(5)
    play(whole, stream, leg, settings, _hooks())
    part, stream = _match()
    play(part, stream, leg, settings, _hooks(stop=lambda: part.counters.step >= 10))
    again, stream = _match()
    again.restore({name: t.clone() for name, t in part.tensors().items()}, part.record())
    torch.manual_seed(99)
    play(again, stream, leg, settings, _hooks())
    for a, b in zip(whole.final().values(), again.final().values(), strict=True):
        assert torch.equal(a, b)


def the_global_random_state_is_left_alone() -> None:
    """Training draws from no generator but its own."""
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    match, stream = _match()
    play(match, stream, Leg(steps=3), Settings(), _hooks())
    assert torch.equal(torch.random.get_rng_state(), before)


def taking_the_held_out_figure_leaves_training_alone() -> None:
    """Whether or not the averaged weights are looked at, the weights in training go the same way."""
    ends = []
    for held_out in (None, lambda: 0.0):
        match, stream = _match()
        play(match, stream, Leg(steps=40), Settings(patience=1000), _hooks(held_out))
        ends.append([p.detach().clone() for p in match.game.model.parameters()])
    for a, b in zip(*ends, strict=True):
        assert torch.equal(a, b)


def who_used_all_steps_has_not_stopped_early() -> None:
    """Figures grow worse after every step: patience that ends with the last of them ended nothing."""
    for patience, how in ((9, "stopped early"), (10, "finished")):
        figures = iter(range(0, -100, -1))
        match, stream = _match()
        assert play(match, stream, Leg(steps=10), Settings(patience=patience), _hooks(figures.__next__)) == how
        assert match.counters.step == patience


def altered_weights_are_recognised() -> None:
    """A flipped bit in the weights is an error that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.safetensors"
        write_tensors(path, {"w": torch.randn(64)}, {"step": 1})
        content = bytearray(path.read_bytes())
        content[-10] ^= 1
        path.write_bytes(content)
        try:
            read_tensors(path)
        except RunError as error:
            assert path.name in str(error)
        else:
            raise AssertionError("an altered file was read")


def rows_divide_into_parts_that_share_none() -> None:
    """Every row is in exactly one part, and equal rows are in the same one."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    x[150:] = x[:50]
    parts = split(pf.load(x), seed=3)
    sets = [{tuple(row) for row in part.numeric()} for part in (parts.train, parts.validation, parts.test)]
    assert sum(len(part) for part in (parts.train, parts.validation, parts.test)) == 200
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert parts.repeated == 50


TRAINING_LAWS = [
    the_adversary_is_judged_by_cross_entropy,
    the_saddle_point_has_two_losses_under_their_own_names,
    the_penalty_is_of_the_gradient,
    nothing_is_learnt_from_the_test_part,
    likelihoods_are_in_the_units_of_the_data,
    a_resumed_run_is_the_uninterrupted_one,
    the_global_random_state_is_left_alone,
    taking_the_held_out_figure_leaves_training_alone,
    who_used_all_steps_has_not_stopped_early,
    altered_weights_are_recognised,
    rows_divide_into_parts_that_share_none,
]
