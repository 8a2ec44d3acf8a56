"""Time to quality: what zuko's NSF reaches in five minutes, ours has two to reach."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.density import Parts, Zuko, compete, fitted, power, standardised, table, trained
from benchmarks.harness import installed

SHARE = 0.4
"""Of the peers' time, that ours is given."""
NOISE = 0.1
"""The width of the uniform noise on KEGG's columns, in standard deviations of each."""


def kegg(directory: Path, seed: int) -> Parts:
    """KEGG metabolic reaction network (undirected), 80/10/10, without constant and repeated columns, noised.

    Most columns have values that many rows share, for which a density knows no bound: uniform noise of a tenth of
    each column's standard deviation gives it one.
    """
    with np.load(directory / "kegg-undirected.npz") as file:
        x = np.unique(file["x"].astype(np.float64), axis=1)
    rng = np.random.default_rng(seed)
    x = x[rng.permutation(len(x))][:, x.std(0) > 0]
    x += NOISE * x.std(0) * rng.random(x.shape)
    held = len(x) // 10
    train, validation, test = np.split(x, [-2 * held, -held])
    return standardised(train, validation, test, train)


DATA: dict[str, tuple[str, Callable[[Path, int], Parts]]] = {
    "KEGG": ("kegg-undirected.npz", kegg),
    "POWER": ("power-raw.npz", partial(power, minute=0.0)),
}


def race(name: str, parts: Parts, seconds: float, seed: int) -> dict[str, Any]:
    """Every contestant once; ``difference`` is above 0 if ours got further in its share of the time."""

    def ours(parts: Parts, seconds: float, seed: int) -> torch.Tensor:
        return fitted(parts, SHARE * seconds, seed)

    peers = {f"zuko {kind}": partial(trained, partial(Zuko, passes=n)) for kind, n in KINDS.items()}
    return compete(f"{name}, seed {seed}", parts, seconds, seed, {"ours": ours, **peers}, 0)


KINDS = {"coupling": 2, "autoregressive": None}


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("PUSHFORWARD_DATA"), help="the data's folder")
    parser.add_argument("--json", action="store_true", help="print a list of cases instead of a table")
    parser.add_argument("--seconds", type=float, default=300.0, help="of training for each peer (default 300)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant (default 2)")
    parser.add_argument("--seeds", default="0", help="one run of everything for each (default 0)")
    parser.add_argument("--only", choices=list(DATA), action="append", help="one data set (default all)")
    args = parser.parse_args(argv)
    if not installed(["zuko"]):
        sys.exit("skipped: nobody to race with")
    torch.set_num_threads(args.threads)
    results = []
    for name in args.only or DATA:
        file, read = DATA[name]
        if args.data is None or not (Path(args.data) / file).is_file():
            print(f"{name} is skipped: no {file} in {args.data or 'PUSHFORWARD_DATA, nor --data'}", file=sys.stderr)
            continue
        for seed in map(int, args.seeds.split(",")):
            results += [race(name, read(Path(args.data), seed), args.seconds, seed)]
    print(json.dumps(results, indent=2) if args.json else table(results) if results else "nothing was measured")


if __name__ == "__main__":
    main()
