"""Simulate, and print powers: ``python -m benchmarks.power``; see benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import math
import warnings
from pathlib import Path

import torch

from benchmarks.harness import installed
from benchmarks.power.alternatives import POINTS
from benchmarks.power.contestants import CONTESTANTS
from benchmarks.power.curves import curves
from benchmarks.power.running import simulate
from benchmarks.power.tables import markdown, row

PACKAGES = ("hyppo", "sbi")


def main(argv: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.power", description=__doc__)
    parser.add_argument("--records", type=Path, default=Path("power.jsonl"), help="a line for each simulation")
    parser.add_argument("--quick", action="store_true", help="five simulations of each point")
    parser.add_argument("--sims", type=int, default=100, help="simulations of each point (default 100)")
    parser.add_argument("--full", type=int, default=30, help="of them with classifiers, whatever the kernels say")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long; 0 prints what is there")
    parser.add_argument("--only", choices=list(CONTESTANTS), action="append", help="a contestant (default all)")
    parser.add_argument("--json", action="store_true", help="print a list of points instead of tables")
    parser.add_argument("--svg", type=Path, help="where to draw the curves")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    present = {*CONTESTANTS} - {*PACKAGES} | {*installed(PACKAGES)}
    names = [name for name in args.only or CONTESTANTS if name in present]
    sims, full = (5, 1) if args.quick else (args.sims, args.full)
    with warnings.catch_warnings():  # of others, at their own defaults
        warnings.simplefilter("ignore")
        lines = simulate(args.records, names, POINTS, sims, full, args.seconds)
    if args.svg:
        args.svg.write_text(curves(lines))
    rows = [row(lines, point) for point in POINTS if lines.get(point)]
    print(json.dumps(rows, indent=2) if args.json else markdown(lines))


if __name__ == "__main__":
    main()
