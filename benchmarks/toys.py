"""Known laws in the plane: the Kullback–Leibler divergence from the law to the model that learnt it in a minute."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

import pushforward as pf

Array = NDArray[np.float64]
ROWS = 100_000
NODES = 4_000
"""Midpoints along a curve: their distance is far below the width of the noise, so the sum is the integral."""


@dataclass(frozen=True)
class Smeared:
    """A point of a set, each as likely, with normal noise: the set's points stand for a curve's where they are many."""

    points: Callable[[Array], Array]
    """From (0, 1) to the plane."""
    sd: float
    modes: int | None = None
    """Of a finite set, how many points it has."""

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        u = rng.random(n) if self.modes is None else (rng.integers(self.modes, size=n) + 0.5) / self.modes
        return self.points(u) + self.sd * rng.normal(size=(n, 2))

    def log_density(self, x: Array) -> Array:
        k = self.modes or NODES
        centres = self.points((np.arange(k) + 0.5) / k)
        parts = (self._log_mean(part, centres) for part in np.array_split(x, 1 + len(x) * k // 10**7))
        return np.concatenate(list(parts)) - math.log(2 * math.pi * self.sd**2)

    def _log_mean(self, x: Array, centres: Array) -> Array:
        squares = ((x[:, None] - centres) ** 2).sum(-1)
        mean: Array = logsumexp(-squares / (2 * self.sd**2), axis=1) - math.log(len(centres))
        return mean


@dataclass(frozen=True)
class Checkerboard:
    """Uniform on the dark squares of a board of 4 × 4 squares with sides of 2."""

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        row, column = rng.integers(4, size=n), 2 * rng.integers(2, size=n)
        return np.stack([2 * (column + row % 2) - 4.0, 2 * row - 4.0], 1) + 2 * rng.random((n, 2))

    def log_density(self, x: Array) -> Array:
        dark = (np.floor((x + 4) / 2).astype(int).sum(1) % 2 == 0) & (np.abs(x) < 4).all(1)
        return np.where(dark, -math.log(32), -np.inf)


def ring(u: Array) -> Array:
    return np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], 1)


def grid(u: Array) -> Array:
    i = np.floor(25 * u)
    return 2 * np.stack([i // 5, i % 5], 1) - 4


def moons(u: Array) -> Array:
    second, angle = u >= 0.5, np.pi * (2 * u % 1)
    sign = np.where(second, -1, 1)
    return np.stack([sign * np.cos(angle) + second, sign * np.sin(angle) + 0.5 * second], 1)


def spirals(u: Array) -> Array:
    sign, turns = np.where(u < 0.5, 1, -1), 1.5 * np.sqrt(2 * u % 1)
    radius = sign * math.pi * turns / 1.5
    return np.stack([-np.cos(2 * np.pi * turns) * radius, np.sin(2 * np.pi * turns) * radius], 1)


LAWS: dict[str, Smeared | Checkerboard] = {
    "ring of 8": Smeared(ring, 0.01, 8),  # radius and widths of the ring and the grid: VEEGAN, PacGAN
    "grid of 25": Smeared(grid, 0.05, 25),
    "checkerboard": Checkerboard(),
    "moons": Smeared(moons, 0.1),
    "spirals": Smeared(spirals, 0.1),
}


def divergence(name: str, model: str, seconds: float, seed: int, options: dict[str, Any]) -> tuple[float, float]:
    """KL(p ‖ p_θ) in nats and its standard error, of a model trained on ``ROWS`` points, by as many fresh ones."""
    law, rng = LAWS[name], np.random.default_rng(seed)
    run = pf.fit(law.sample(ROWS, rng), model, budget=seconds, seed=seed, options=options)
    fresh = law.sample(ROWS, rng)
    values, _ = run.score_samples(fresh)
    excess = law.log_density(fresh) - values
    return float(excess.mean()), float(excess.std(ddof=1) / math.sqrt(ROWS))


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of training for each model (default 60)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default 2)")
    parser.add_argument("--seeds", default="0,1,2", help="one run of everything for each (default 0,1,2)")
    parser.add_argument("--models", default="flow,autoregressive", help="families (default flow,autoregressive)")
    parser.add_argument("--only", choices=list(LAWS), action="append", help="one law (default all)")
    parser.add_argument("--set", action="append", default=[], help="an option of the model: --set bins=16")
    parser.add_argument("--json", action="store_true", help="print a list of cases instead of a table")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    options = {pair.partition("=")[0]: json.loads(pair.partition("=")[2]) for pair in args.set}
    cases = []
    for name in args.only or LAWS:
        for model in args.models.split(","):
            for seed in map(int, args.seeds.split(",")):
                kl, se = divergence(name, model, args.seconds, seed, options)
                cases.append({"law": name, "model": model, "seed": seed, "kl": kl, "se": se})
                print(f"{name}: {model}, seed {seed}: {kl:.4f} ± {se:.4f}", file=sys.stderr, flush=True)
    print(json.dumps(cases, indent=2) if args.json else table(cases))


def table(cases: list[dict[str, Any]]) -> str:
    """A line for each law and family, a column for each seed."""
    seeds = list(dict.fromkeys(case["seed"] for case in cases))
    found = {(c["law"], c["model"], c["seed"]): f"{c['kl']:.4f} ± {c['se']:.4f}" for c in cases}
    head = ["law", "family", *(f"seed {seed}" for seed in seeds)]
    lines = [head, ["---", "---", *["---:"] * len(seeds)]]
    for law, model in dict.fromkeys((c["law"], c["model"]) for c in cases):
        lines.append([law, model, *(found[law, model, seed] for seed in seeds)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
