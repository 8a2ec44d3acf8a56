"""Simulate, and print rates: ``python -m benchmarks.calibration``; see benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.calibration.figures import audit_cells
from benchmarks.calibration.known import known_cells
from benchmarks.calibration.running import read, simulate
from benchmarks.calibration.tables import markdown, rates


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description=__doc__)
    parser.add_argument("--records", type=Path, default=Path("calibration.jsonl"), help="a line for each simulation")
    parser.add_argument("--resume", action="store_true", help="add what the records lack")
    parser.add_argument("--report", action="store_true", help="simulate nothing: print what the records say")
    parser.add_argument("--only", default="", help="cells that match: part|scenario|law|n|m|d, a regular expression")
    parser.add_argument("--sims", type=int, default=sys.maxsize, help="at most so many simulations of a cell")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so long")
    parser.add_argument("--json", action="store_true", help="print the rates as a list instead of tables")
    args = parser.parse_args()
    if args.records.exists() and not (args.resume or args.report):
        parser.error(f"{args.records} exists: give --resume to add to it, or another --records")
    torch.set_num_threads(1)
    cells = [c for c in [*audit_cells(), *known_cells()] if re.search(args.only, c.key)]
    if not args.report:
        capped = [replace(c, simulations=min(c.simulations, args.sims)) for c in cells]
        simulate(capped, args.records, args.seconds)
    wanted = {c.key for c in cells}
    found = rates({key: simulations for key, simulations in read(args.records).items() if key in wanted})
    listed = [rate.to_json() for rate in found]
    print(json.dumps(listed, indent=1, ensure_ascii=False) if args.json else markdown(found))


if __name__ == "__main__":
    main()
