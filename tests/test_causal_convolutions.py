"""Causal convolutions and the model of pictures made of them, against masked convolutions and plain passes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad
from torch.utils.flop_counter import FlopCounterMode

from laws import seeded
from pushforward.distributions.autoregressive import Autoregressive
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Block, Event
from pushforward.families import DEFAULTS
from pushforward.models.pictures import ConvolutionalAutoregressive
from pushforward.networks.causal_convolutions import CausalConv2d, CausalStack
from pushforward.networks.pictures import CausalPictureNetwork
from pushforward.training.game import Batch, likelihood_game
from pushforward.training.loop import Hooks, Settings, play
from pushforward.training.schedule import Leg
from pushforward.training.state import Match
from pushforward.training.stream import Stream

SHAPES = [(1, 4, 5), (3, 3, 4), (1, 1, 6), (2, 5, 1), (1, 9, 17)]


def picture_event(shape: tuple[int, int, int], levels: int = 3) -> Event:
    size = shape[0] * shape[1] * shape[2]
    block = Block.binary(size) if levels == 2 else Block("grid", size, 2 / (levels - 1), -1.0, 1.0)
    return Event((block,), picture=shape)


def picture_model(shape: tuple[int, int, int], context: int = 0, levels: int = 3) -> ConvolutionalAutoregressive:
    with seeded(0), torch.no_grad():
        model = ConvolutionalAutoregressive(picture_event(shape, levels), context, width=6, layers=2, components=2)
        for p in model.double().parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model


def walked(network: CausalPictureNetwork, x: Tensor, context: Tensor | None) -> Tensor:
    walk = network.walk(len(x), context)
    return torch.cat([next(walk), *(walk.send(value) for value in x.T[:-1])], 1)


@pytest.mark.parametrize("axis", [2, 3])
def test_a_causal_convolution_is_one_of_a_shifted_picture(axis: int) -> None:
    kernel = (3, 5) if axis == 2 else (1, 4)
    layer = CausalConv2d(2, 3, kernel, axis).double()
    x = torch.randn(2, 2, 6, 7, dtype=torch.float64)
    padded = pad(x, (2, 2, 2, 0) if axis == 2 else (3, 0))
    expected = conv2d(padded, layer.weight, layer.bias)
    assert torch.allclose(layer(x), expected, atol=1e-12)


@pytest.mark.parametrize("axis", [2, 3])
def test_a_stack_step_by_step_is_the_stack(axis: int) -> None:
    first, kernel = ((4, 5), (2, 3)) if axis == 2 else ((1, 4), (1, 2))
    stack = CausalStack(2, 5, layers=3, first=first, kernel=kernel, axis=axis).double()
    x, bias = (torch.randn(3, c, 6, 7, dtype=torch.float64).split(1, axis) for c in (2, 5))
    memory = stack.memory(3 * (6 if axis == 3 else 1), 7 if axis == 2 else 1)
    rows = [t if axis == 2 else t.transpose(1, 2).flatten(0, 1)[:, :, None] for t in x]
    biases = [t if axis == 2 else t.transpose(1, 2).flatten(0, 1)[:, :, None] for t in bias]
    steps = torch.cat([stack.step(row, b, memory) for row, b in zip(rows, biases, strict=True)], axis)
    whole = stack(torch.cat(x, axis), torch.cat(bias, axis))
    expected = whole if axis == 2 else whole.transpose(1, 2).flatten(0, 1)[:, :, None]
    assert torch.allclose(steps, expected, atol=1e-12)
    held = sum(part.numel() for part in memory) // len(memory[0])
    assert stack.remembered(7 if axis == 2 else 1) == held


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_walking_gives_what_one_pass_gives(shape: tuple[int, int, int], context: int) -> None:
    model = picture_model(shape, context)
    x = model.event.snap(torch.randn(3, model.event.size, dtype=torch.float64))
    c = torch.randn(3, context, dtype=torch.float64) if context else None
    with torch.no_grad():
        expected = model.network(x, c)
        assert torch.allclose(walked(model.network, x, c), expected, atol=1e-11)
    assert expected.shape == (3, model.marginals.parameters)


@pytest.mark.parametrize("shape", [(1, 7, 9), (3, 3, 4)], ids=str)
def test_each_conditional_sees_all_before_it_and_nothing_else(shape: tuple[int, int, int]) -> None:
    """Also the right of the row above, which a single masked stack does not see."""
    network = picture_model(shape).network
    size = shape[0] * shape[1] * shape[2]
    moved = torch.zeros(size, network(torch.zeros(1, size).double(), None).shape[1])
    with seeded(2):
        patterns = 3 * torch.randn(64, size, dtype=torch.float64)
    for x in patterns:  # a rectified unit may sleep at one of them
        with torch.no_grad():
            moved += (network(x + torch.eye(size, dtype=torch.float64), None) - network(x[None], None)).abs()
    seen = moved.reshape(size, size, -1).amax(-1) > 1e-12  # which component, by which
    assert torch.equal(seen, torch.ones(size, size).triu(1).bool())


def test_sampling_does_the_work_of_one_pass() -> None:
    model = picture_model((1, 8, 9))
    with FlopCounterMode(display=False) as one_pass:
        model().log_prob(torch.zeros(4, 72, dtype=torch.float64))
    with FlopCounterMode(display=False) as sampling:
        model().sample((4,))
    assert 0.5 < sampling.get_total_flops() / one_pass.get_total_flops() < 1.1


def test_colours_are_ordered_by_pixels() -> None:
    """The law of a colour picture is a permuted one, whose prefix is of whole pixels from the top left."""
    model = picture_model((3, 2, 2))
    law = model()
    assert isinstance(law, Pushforward) and isinstance(law.base, Autoregressive)
    picture = torch.arange(12.0, dtype=torch.float64)  # channel by channel
    first_pixel = law.bijection.inverse(picture)[0][:3]
    assert first_pixel.tolist() == [0.0, 4.0, 8.0]
    x = law.sample((5,))
    assert torch.equal(model.event.snap(x), x)
    prefix = law.bijection.inverse(x)[0][:, :3]
    rest = law.base.given(prefix).log_prob(law.bijection.inverse(x)[0][:, 3:])
    assert torch.allclose(law.log_prob(x), law.base.log_prob_prefix(prefix) + rest, atol=1e-10)


@pytest.mark.parametrize("levels", [2, 3])
def test_a_colour_picture_has_total_probability_one(levels: int) -> None:
    model = picture_model((2, 2, 1), levels=levels)
    low, width = model.event.low[0], model.event.width[0]
    points = torch.cartesian_prod(*[low + width * torch.arange(levels, dtype=torch.float64)] * 4)
    with torch.no_grad():
        assert abs(model().log_prob(points).exp().sum() - 1) < 1e-9


def test_prefixes_are_kept_and_completed() -> None:
    model = picture_model((1, 3, 3), levels=2)
    law = model()
    prefix = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    with seeded(0):
        drawn = law.completed(prefix.expand(2000, 4))
    assert torch.equal(drawn[:, :4], prefix.expand(2000, 4))
    rest = torch.cartesian_prod(*[torch.arange(2.0, dtype=torch.float64)] * 5)
    with torch.no_grad():
        expected = (law.given(prefix).log_prob(rest).exp()[:, None] * rest).sum(0)
    assert (drawn[:, 4:].mean(0) - expected).abs().max() < 5 * 0.5 / 2000**0.5


def test_beyond_the_border_is_background() -> None:
    """A black picture looks the same to all places but for their own biases, which start at zero."""
    event = picture_event((1, 8, 8))
    network = ConvolutionalAutoregressive(event, width=4, layers=1, components=2).network
    black = torch.full((1, 64), -1.0)
    with torch.no_grad():
        network.rows.first.bias.zero_()
        first = network.rows.first((black - network.border).view(1, 1, 8, 8))
    assert (first == 0).all()


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture"):
        ConvolutionalAutoregressive(Event.continuous(4))
    mixed = Event((Block.binary(2), Block("grid", 2, 1.0, -1.0, 1.0)), picture=(1, 2, 2))
    with pytest.raises(ValueError, match="one kind"):
        ConvolutionalAutoregressive(mixed)


def test_bfloat16_learns_what_float32_does() -> None:
    """Stripes: each row repeats its first pixel, so nats per picture rise towards those of the first column."""
    with seeded(0):
        x = (torch.rand(64, 4, 1) < 0.5).float().expand(64, 4, 4).reshape(64, 16)
    reached = []
    for bfloat16 in (False, True):
        with seeded(1):
            model = ConvolutionalAutoregressive(picture_event((1, 4, 4), levels=2), width=8, layers=1)
        match = Match(likelihood_game(model, learning_rate=2e-2))
        hooks = Hooks(held_out=None, save=lambda: None, record=lambda row: None)
        stream = Stream(lambda i: Batch(x[i]), len(x), 32, seed=0)
        play(match, stream, Leg(steps=40), Settings(bfloat16=bfloat16), hooks)
        with torch.no_grad():
            reached.append(model().log_prob(x).mean().item())
    assert all(-16 * 0.3466 < figure < -4 * 0.6 for figure in reached), reached  # half of what 16 coins have
    assert abs(reached[0] - reached[1]) < 0.3, reached


def test_the_defaults_name_it() -> None:
    assert next(iter(DEFAULTS["pictures"]["autoregressive"])) == "convolutional"
