"""Held-out log-likelihood on galaxies and POWER: a Gaussian, a Gaussian mixture and zuko's NSF at equal time."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

from benchmarks.harness import installed
from pushforward import split
from pushforward.data import Dataset
from pushforward.event import Event
from pushforward.evidence import Kind, LogLikelihood, minus
from pushforward.families import DEFAULTS, configure
from pushforward.models.flow import Flow
from pushforward.models.model import Model
from pushforward.training.game import Batch, likelihood_game
from pushforward.training.loop import Hooks, Settings, play
from pushforward.training.schedule import Leg
from pushforward.training.state import Match
from pushforward.training.stream import Stream

CONFIGURATION = DEFAULTS["table"]["flow"]["vector"]
SHAPE = Flow(Event.continuous(2), **CONFIGURATION.model).config
UNIT = "nats per row, standardised"


class Parts(NamedTuple):
    """Standardised rows."""

    train: Tensor
    validation: Tensor
    test: Tensor


Contestant = Callable[[Parts, float, int], Tensor]
"""From data, seconds of training and a seed to the log-density of each test row."""


class Zuko(Model):
    """zuko's NSF under the contract of our models, so that the same loop trains it.

    ``passes=2`` makes its transforms couplings, ``None`` autoregressive, which is its default.
    """

    def __init__(self, event: Event, passes: int | None) -> None:
        from zuko.flows import NSF

        super().__init__(event)
        transforms, hidden, bins = (SHAPE[name] for name in ("transforms", "hidden", "bins"))
        self.flow = NSF(event.size, passes=passes, transforms=transforms, hidden_features=hidden, bins=bins)

    def forward(self, context: None = None) -> Distribution:
        return self.flow()


def trained(build: Callable[..., Model], parts: Parts, seconds: float, seed: int) -> Tensor:
    """Train with the defaults of our flow, and score with the weights that validation chose."""
    torch.manual_seed(seed)
    model = build(Event.continuous(parts.train.shape[1]))
    model.prepare(parts.train[:4096])
    match = Match(likelihood_game(model, **CONFIGURATION.game))
    stream = Stream(lambda i: Batch(parts.train[i]), len(parts.train), CONFIGURATION.batch, seed)
    hooks = Hooks(
        held_out=lambda: log_prob(model, parts.validation[:2000]).mean().item(),
        save=lambda: None,
        record=lambda row: None,
    )
    play(match, stream, Leg(seconds=seconds), Settings(seed=seed), hooks)
    model.load_state_dict(match.final())
    return log_prob(model, parts.test)


@torch.no_grad()
def log_prob(model: Model, x: Tensor) -> Tensor:
    return torch.cat([model().log_prob(block) for block in x.split(8192)])


def gaussian(parts: Parts, seconds: float, seed: int) -> Tensor:
    """The one of greatest likelihood: the mean and covariance of the training rows."""
    x = parts.train.double()
    return MultivariateNormal(x.mean(0), x.T.cov(correction=0)).log_prob(parts.test.double())


def mixture(parts: Parts, seconds: float, seed: int) -> Tensor:
    """Twice as many components while time allows; the number is chosen by validation.

    Expectation-maximisation sees at most 100,000 rows, with which it gets further in the time than with all.
    """
    from sklearn.mixture import GaussianMixture

    end = time.perf_counter() + seconds
    train, validation, test = (x.double().numpy() for x in parts)
    best, scores, components = -np.inf, None, 4
    while time.perf_counter() < end:
        model = GaussianMixture(components, warm_start=True, max_iter=5, random_state=seed, init_params="k-means++")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # five iterations at a time do not converge
            model.fit(train[:100_000])
            while time.perf_counter() < end and not (model.converged_ and model.n_iter_ == 1):
                model.fit(train[:100_000])
        figure = model.score(validation[:20_000])
        if figure > best:
            best, scores = figure, model.score_samples(test)
        components *= 2
    return torch.from_numpy(scores)


def galaxies(directory: Path, seed: int) -> Parts:
    """The package's own split by seed, 80/10/10, standardised by the training part."""
    with np.load(directory / "galaxies.npz") as file:
        x = file["x"]
    parts = split(Dataset("array", x, columns=tuple(map(str, range(x.shape[1])))), seed)
    train, validation, test = (part.numeric() for part in (parts.train, parts.validation, parts.test))
    return standardised(train, validation, test, train)


def power(directory: Path, seed: int, minute: float) -> Parts:
    """The protocol of Papamakarios, Pavlakou and Murray (2017), whose split is the same for every seed."""
    rng = np.random.RandomState(42)
    with np.load(directory / "power-raw.npz") as file:
        names = file["cols"].tolist()
        kept = [names.index(name) for name in ("gap", "voltage", "sm1", "sm2", "sm3", "minute_of_day")]
        x = file["x"][:, kept].astype(np.float64)
    n = len(x)
    x = x[rng.permutation(n)]
    voltage, gap, meters = 0.01 * rng.rand(n, 1), 0.001 * rng.rand(n, 1), rng.rand(n, 3)  # in the order of their code
    x += np.hstack([gap, voltage, meters, minute * rng.rand(n, 1)])
    rest, test = x[: -(n // 10)], x[-(n // 10) :]
    held = len(rest) // 10
    return standardised(rest[:-held], rest[-held:], test, rest)


def standardised(train: NDArray[Any], validation: NDArray[Any], test: NDArray[Any], reference: NDArray[Any]) -> Parts:
    mean, scale = reference.mean(0), reference.std(0)
    return Parts(*(torch.from_numpy(((x - mean) / scale).astype(np.float32)) for x in (train, validation, test)))


DATA: dict[str, tuple[str, float, Callable[[Path, int], Parts]]] = {
    "galaxies": ("galaxies.npz", 60, galaxies),
    "POWER": ("power-raw.npz", 120, partial(power, minute=0.0)),
    "POWER, minute noised": ("power-raw.npz", 120, partial(power, minute=1.0)),
}
"""The file, the seconds for each contestant, and how to read and split."""


def as_fitted(event: Event, rows: int) -> Flow:
    """Our flow in the sizes that ``pushforward.fit`` chooses for so many rows and columns."""
    return Flow(event, **configure("flow", event, {}, rows).model)


def fitted(parts: Parts, seconds: float, seed: int) -> Tensor:
    """Our flow in the sizes that ``pushforward.fit`` chooses."""
    return trained(partial(as_fitted, rows=len(parts.train)), parts, seconds, seed)


def contestants(sized: bool, alone: bool) -> dict[str, Contestant]:
    """Ours beside a Gaussian, and unless ``alone`` the trained peers that are installed."""
    chosen: dict[str, Contestant] = {
        "ours": fitted if sized else partial(trained, partial(Flow, **CONFIGURATION.model)),
        "Gaussian": gaussian,
    }
    if alone:
        return chosen
    chosen["mixture"] = mixture
    if installed(["zuko"]):
        chosen["zuko coupling"] = partial(trained, partial(Zuko, passes=2))
        chosen["zuko autoregressive"] = partial(trained, partial(Zuko, passes=None))
    return chosen


def compete(
    case: str, parts: Parts, seconds: float, seed: int, chosen: Mapping[str, Contestant], first: int
) -> dict[str, Any]:
    """One case: every contestant once, one after another, beginning with another one each time."""
    names = list(chosen)
    figures: dict[str, LogLikelihood] = {}
    for name in names[first % len(names) :] + names[: first % len(names)]:
        values = chosen[name](parts, seconds, seed)
        figures[name] = LogLikelihood.of(values.tolist(), Kind.EXACT)
        print(f"{case}: {name} {figures[name]}", file=sys.stderr, flush=True)
    return result(case, figures)


def result(case: str, figures: Mapping[str, LogLikelihood]) -> dict[str, Any]:
    """Log-likelihoods have no ratio: ``difference`` is ours less that of the best peer, above 0 if ours is ahead."""
    peers = {name: f for name, f in figures.items() if name != "ours"}
    ours = figures["ours"]
    return {
        "case": case,
        "ours": ours.nats,
        "peers": {name: f.nats for name, f in peers.items()},
        "ratio": None,
        "difference": ours.nats - max(f.nats for f in peers.values()),
        "unit": UNIT,
        "standard_errors": {name: f.se for name, f in figures.items()},
        "n": ours.n,
        "kind": str(ours.kind),
    }


def cases(
    data: Path | None, seconds: float | None, seeds: list[int], only: list[str], sized: bool, alone: bool
) -> Iterator[dict[str, Any]]:
    chosen = contestants(sized, alone)
    for name in only:
        file, usual, read = DATA[name]
        if data is None or not (data / file).is_file():
            print(f"{name} is skipped: no {file} in {data or 'PUSHFORWARD_DATA, nor --data'}", file=sys.stderr)
            continue
        for i, seed in enumerate(seeds):
            yield compete(f"{name}, seed {seed}", read(data, seed), seconds or usual, seed, chosen, i)


def table(results: list[dict[str, Any]]) -> str:
    """The cases as a Markdown table."""
    names = list(dict.fromkeys(name for r in results for name in ["ours", *r["peers"]]))
    lines = [["case", *names, "ours − best peer", "n", "kind"], ["---", *["---:"] * (len(names) + 2), "---"]]
    for r in results:
        nats = {"ours": r["ours"], **r["peers"]}
        figures = [f"{nats[name]:.3f} ± {r['standard_errors'][name]:.3f}" for name in names]
        lines.append([r["case"], *map(minus, figures), minus(f"{r['difference']:+.3f}"), f"{r['n']:,}", r["kind"]])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five seconds a model and one seed")
    parser.add_argument("--data", type=Path, default=os.environ.get("PUSHFORWARD_DATA"), help="the data's folder")
    parser.add_argument("--json", action="store_true", help="print a list of cases instead of a table")
    parser.add_argument("--seconds", type=float, help="of training for each model (default 60; POWER 120)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant (default 2)")
    parser.add_argument("--seeds", default="0,1,2", help="one run of everything for each (default 0,1,2)")
    parser.add_argument("--only", choices=list(DATA), action="append", help="one data set (default all)")
    parser.add_argument("--sized", action="store_true", help="ours in the sizes that fit chooses for so many columns")
    parser.add_argument("--ours", action="store_true", help="leave the trained peers out")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    seeds = [int(seed) for seed in args.seeds.split(",")][: 1 if args.quick else None]
    data = None if args.data is None else Path(args.data)
    seconds = args.seconds or (5.0 if args.quick else None)
    results = list(cases(data, seconds, seeds, args.only or list(DATA), args.sized, args.ours))
    print(json.dumps(results, indent=2) if args.json else table(results) if results else "nothing was measured")


if __name__ == "__main__":
    main()
