"""Held-out nats and bits per dimension of grey pictures: our architectures and normflows' Glow at equal time."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from benchmarks.harness import installed
from pushforward import split
from pushforward.data import Dataset, Schema, load
from pushforward.distributions.dequantised import Dequantised
from pushforward.distributions.law import Law
from pushforward.distributions.likelihood import log_prob_values
from pushforward.event import Event
from pushforward.evidence import LogLikelihood, minus
from pushforward.families import DEFAULTS, FAMILIES, Configuration, configure
from pushforward.models.model import Model
from pushforward.training.game import Batch, likelihood_game
from pushforward.training.loop import Hooks, Settings, play
from pushforward.training.schedule import Leg
from pushforward.training.state import Match
from pushforward.training.stream import Stream


class Parts(NamedTuple):
    """Pictures to learn from, to choose weights by, and to score."""

    train: Dataset
    validation: Dataset
    test: Dataset


class Contestant(NamedTuple):
    """From an event to a model, and how the model is trained."""

    build: Callable[[Event], Model]
    configuration: Configuration


class Row(NamedTuple):
    """What one contestant reached."""

    case: str
    seed: int
    contestant: str
    nats: float
    bits: float
    se: float
    kind: str


class Glow(Model):
    """normflows' multi-scale flow of Glow blocks under the contract of our models, so that the same loop trains it."""

    def __init__(self, event: Event, context: int = 0, scales: int = 2, blocks: int = 6, hidden: int = 64) -> None:
        import normflows as nf

        super().__init__(event, context, scales=scales, blocks=blocks, hidden=hidden)
        c, h, w = event.picture or (0, 0, 0)
        bases, flows, merges = [], [], []
        for i in reversed(range(scales)):  # normflows counts from the coarsest
            channels, last = c * 2 ** (i + 2), i == scales - 1
            flows.append([nf.flows.GlowBlock(channels, hidden) for _ in range(blocks)] + [nf.flows.Squeeze()])
            shape = (channels if last else channels // 2, h >> (i + 1), w >> (i + 1))
            bases.append(nf.distributions.GlowBase(shape))
            merges += [] if last else [nf.flows.Merge()]
        self.flow = nf.MultiscaleFlow(bases, flows, merges, transform=nf.transforms.Logit(0.05), class_cond=False)

    def forward(self, context: None = None) -> Distribution:
        return Dequantised(Unit(self.flow, self.event), self.event)

    def prepare(self, x: Tensor, context: None = None) -> None:
        self().log_prob_bound(x[:512])


class Unit(Law):
    """The law of encoded pictures, from a flow of normflows whose pixels lie between 0 and 1."""

    def __init__(self, flow: nn.Module, event: Event) -> None:
        super().__init__(torch.Size(), torch.Size([event.size]))
        self.flow, self.shape = flow, event.picture or ()
        self.low, self.high = ((event.low - event.width / 2)[0].item(), (event.high + event.width / 2)[0].item())

    def log_prob(self, value: Tensor) -> Tensor:
        unit = (value - self.low) / (self.high - self.low)
        flat = self.flow.log_prob(unit.reshape(-1, *self.shape), None).view(value.shape[:-1])
        return flat - value.shape[-1] * math.log(self.high - self.low)

    @torch.no_grad()
    def sample(self, sample_shape: Any = ()) -> Tensor:
        x = self.flow.sample(torch.Size(sample_shape).numel())[0].view(*sample_shape, *self.event_shape)
        return self.low + (self.high - self.low) * x


def fashion(directory: Path, seed: int) -> Parts:
    """The published test part; of the rest, the last 5,000 pictures choose weights."""
    with np.load(directory / "fashion-mnist.npz") as file:
        train, test = (Dataset("pictures", file[name], levels=256) for name in ("x_train", "x_test"))
    return Parts(train.take(np.arange(55_000)), train.take(np.arange(55_000, 60_000)), test)


def mnist(directory: Path, seed: int) -> Parts:
    """Statically binarised, in its published parts (Larochelle and Murray 2011)."""
    with np.load(directory / "binarized-mnist.npz") as file:
        pictures = (file[name].reshape(-1, 28, 28) for name in ("train", "valid", "test"))
        return Parts(*(Dataset("pictures", part, levels=2) for part in pictures))


def digits(directory: Path, seed: int) -> Parts:
    """The package's own split by seed, 80/10/10."""
    parts = split(load("digits"), seed)
    return Parts(parts.train, parts.validation, parts.test)


DATA: dict[str, tuple[str | None, float, Callable[[Path, int], Parts]]] = {
    "digits": (None, 60, digits),
    "binarized-mnist": ("binarized-mnist.npz", 900, mnist),
    "Fashion-MNIST": ("fashion-mnist.npz", 300, fashion),
}
"""The file, the seconds for each contestant, and how to read and split."""


def contestants(event: Event) -> dict[str, Contestant]:
    """Every architecture of the families with a likelihood, with its defaults, and the peer."""
    kinds = [(f, a) for f in ("flow", "autoregressive") for a in DEFAULTS["pictures"][f]]
    ours = {f"{f} {a}": configure(f, event, {"architecture": a}) for f, a in kinds}
    chosen = {
        name: Contestant(partial(FAMILIES[name.split()[0]].architectures[c.architecture], **c.model), c)
        for name, c in ours.items()
    }
    if installed(["normflows"]):
        chosen["normflows Glow"] = Contestant(Glow, ours["flow multiscale"])
    return chosen


def trained(contestant: Contestant, parts: Parts, seconds: float, seed: int) -> LogLikelihood:
    """Train, and score the test part with the weights that validation chose."""
    schema = Schema.fit(parts.train)
    train, validation, test = (schema.encode(part) for part in parts)
    torch.manual_seed(seed)
    model = contestant.build(schema.event)
    model.prepare(train[:4096])
    match = Match(likelihood_game(model, **contestant.configuration.game))
    stream = Stream(lambda i: Batch(train[i]), len(train), contestant.configuration.batch, seed)
    hooks = Hooks(held_out=lambda: scores(model, validation[:500]).nats, save=lambda: None, record=lambda row: None)
    play(match, stream, Leg(seconds=seconds), Settings(seed=seed), hooks)
    model.load_state_dict(match.final())
    return scores(model, test)


@torch.no_grad()
def scores(model: Model, x: Tensor) -> LogLikelihood:
    """The exact log-likelihood, or the bound with one sample, by the same noise for every contestant."""
    torch.manual_seed(0)
    values, kinds = zip(*(log_prob_values(model(), block) for block in x.split(100)), strict=True)
    return LogLikelihood.of(torch.cat(values).double().tolist(), kinds[0], x.shape[-1])


def results(data: Path | None, seconds: float | None, seeds: list[int], only: list[str], names: list[str]) -> list[Row]:
    rows = []
    for case in only:
        file, usual, read = DATA[case]
        if file and (data is None or not (data / file).is_file()):
            print(f"{case} is skipped: no {file} in {data or 'PUSHFORWARD_DATA, nor --data'}", file=sys.stderr)
            continue
        for seed in seeds:
            parts = read(data or Path(), seed)
            chosen = contestants(Schema.fit(parts.train).event)
            unknown = [name for name in names if name not in chosen]
            if unknown:
                sys.exit(f"there is no contestant {unknown[0]!r}; there are {', '.join(chosen)}")
            for name in names or chosen:
                figure = trained(chosen[name], parts, seconds or usual, seed)
                per_bit = (figure.dims or 1) * math.log(2)
                bits, se = -figure.nats / per_bit, figure.se / per_bit
                rows.append(Row(case, seed, name, figure.nats, bits, se, str(figure.kind)))
                print(*rows[-1], file=sys.stderr, flush=True)
    return rows


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five seconds a model and one seed")
    parser.add_argument("--data", type=Path, default=os.environ.get("PUSHFORWARD_DATA"), help="the data's folder")
    parser.add_argument("--json", action="store_true", help="print a list of rows instead of a table")
    parser.add_argument("--seconds", type=float, help="of training for each model (default 60 to 900, by data)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant (default 2)")
    parser.add_argument("--seeds", default="0", help="one run of everything for each (default 0)")
    parser.add_argument("--only", choices=list(DATA), action="append", help="one data set (default all)")
    parser.add_argument("--contestant", action="append", default=[], help="one contestant by name (default all)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    seeds = [int(seed) for seed in args.seeds.split(",")][: 1 if args.quick else None]
    data = None if args.data is None else Path(args.data)
    seconds = args.seconds or (5.0 if args.quick else None)
    rows = results(data, seconds, seeds, args.only or list(DATA), args.contestant)
    print(json.dumps([row._asdict() for row in rows], indent=2) if args.json else table(rows))


def table(rows: list[Row]) -> str:
    """The figures as a Markdown table."""
    head = ["| data | seed | contestant | nats | bits/dim | kind |", "| --- | ---: | --- | ---: | ---: | --- |"]
    lines = [
        f"| {r.case} | {r.seed} | {r.contestant} | {minus(f'{r.nats:.2f}')} | {r.bits:.3f} ± {r.se:.3f} | {r.kind} |"
        for r in rows
    ]
    return "\n".join(head + lines)


if __name__ == "__main__":
    main()
