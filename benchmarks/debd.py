"""Exact test log-likelihood on binary data sets (DEBD): our masked autoregressive model in several orders."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pushforward.event import Block, Event
from pushforward.evidence import Kind, LogLikelihood, minus
from pushforward.models.autoregressive import MaskedAutoregressive
from pushforward.training.game import Batch, likelihood_game
from pushforward.training.loop import Hooks, Settings, play
from pushforward.training.schedule import Leg
from pushforward.training.state import Match
from pushforward.training.stream import Stream

BATCH = 256


class Trial(NamedTuple):
    """What is trained on one data set, and the figure to reach: that of ID-SPN (Rooshenas and Lowd 2014)."""

    target: float
    model: dict[str, Any]
    learning_rate: float
    steps: int


TRIALS = {
    "nltcs": Trial(-6.02, {"hidden": [128, 128], "orders": 8}, 2e-3, 3000),
    "plants": Trial(-12.54, {"hidden": [256, 256], "orders": 4}, 2e-3, 2000),
    "baudio": Trial(-39.79, {"hidden": [256, 256], "orders": 4, "sparsity": 0.002}, 2e-3, 1500),
    "dna": Trial(-81.21, {"hidden": [4], "orders": 8, "sparsity": 0.006}, 1e-2, 2000),
}
"""Few rows for many columns (dna) want few hidden units and sparse direct links; more rows bear more."""


def trained(trial: Trial, train: Tensor, validation: Tensor, seconds: float, seed: int) -> MaskedAutoregressive:
    """The weights that validation chose; the learning rate falls over the trial's steps, unless time ends them."""
    torch.manual_seed(seed)
    model = MaskedAutoregressive(Event((Block.binary(train.shape[1]),)), **trial.model)
    model.prepare(train)
    match = Match(likelihood_game(model, trial.learning_rate))
    end = time.perf_counter() + seconds
    hooks = Hooks(
        held_out=lambda: log_prob(model, validation).mean().item(),
        save=lambda: None,
        record=lambda row: None,
        stop=lambda: time.perf_counter() > end,
    )
    stream = Stream(lambda i: Batch(train[i]), len(train), BATCH, seed)
    play(match, stream, Leg(steps=trial.steps), Settings(seed=seed), hooks)
    model.load_state_dict(match.final())
    return model


@torch.no_grad()
def log_prob(model: MaskedAutoregressive, x: Tensor) -> Tensor:
    return torch.cat([model().log_prob(block) for block in x.split(2048)])


def case(name: str, file: Path, seconds: float, seed: int) -> dict[str, Any]:
    """One data set with its own parts, and one seed."""
    with np.load(file) as parts:
        train, validation, test = (torch.from_numpy(parts[p].astype(np.float32)) for p in ("train", "valid", "test"))
    trial, start = TRIALS[name], time.perf_counter()
    model = trained(trial, train, validation, seconds, seed)
    used = time.perf_counter() - start
    figure = LogLikelihood.of(log_prob(model, test).double().tolist(), Kind.EXACT)
    print(f"{name}, seed {seed}: {figure}, {used:.0f} s", file=sys.stderr, flush=True)
    size = f"{len(train):,} × {train.shape[1]}"
    return {
        "case": f"{name}, seed {seed}",
        "rows × columns": size,
        "nats": figure.nats,
        "standard error": figure.se,
        "at least": trial.target,
        "seconds": used,
    }


def table(results: list[dict[str, Any]]) -> str:
    """The cases as a Markdown table."""
    lines = [list(results[0]), ["---", *["---:"] * (len(results[0]) - 1)]]
    lines += [[v if isinstance(v, str) else minus(f"{v:.3f}") for v in result.values()] for result in results]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PUSHFORWARD_DATA"), help="the data's folder")
    parser.add_argument("--json", action="store_true", help="print a list of cases instead of a table")
    parser.add_argument("--seconds", type=float, default=300, help="of training at most (default 300)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default 2)")
    parser.add_argument("--seeds", default="0", help="one run of everything for each (default 0)")
    parser.add_argument("--only", choices=list(TRIALS), action="append", help="one data set (default all)")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    results = []
    for name in args.only or TRIALS:
        file = Path(args.data or ".") / f"debd-{name}.npz"
        if not file.is_file():
            print(f"{name} is skipped: there is no {file}; give --data or PUSHFORWARD_DATA", file=sys.stderr)
            continue
        results += [case(name, file, args.seconds, int(seed)) for seed in args.seeds.split(",")]
    print(json.dumps(results, indent=2) if args.json else table(results) if results else "nothing was measured")


if __name__ == "__main__":
    main()
