"""Simulations as lines of a JSON file, so that a run can be stopped and taken up again."""

from __future__ import annotations

import json
import time
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.power.alternatives import Point, draw
from benchmarks.power.contestants import CONTESTANTS, KERNELS, LEVEL, MARKS, Found, overall

__all__ = ["Lines", "missing", "recorded", "simulate"]

Lines = dict[Point, dict[int, Found]]


def recorded(file: Path) -> Lines:
    """What earlier runs found, by point and simulation."""
    lines: Lines = defaultdict(lambda: defaultdict(dict))
    for line in file.read_text().splitlines() if file.exists() else []:
        point, simulation, found = json.loads(line)
        lines[Point(*point)][simulation] |= found
    return lines


def missing(contestant: str, known: Found, simulation: int, full: int) -> bool:
    """Past the first ``full`` simulations the classifiers run only where the kernels have not decided."""
    decided = contestant == "classifiers" and simulation >= full and overall(known.get(KERNELS, 1.0), 1.0) <= LEVEL
    return not decided and not any(test.startswith(MARKS[contestant]) for test in known)


def simulate(file: Path, names: list[str], points: list[Point], count: int, full: int, seconds: float) -> Lines:
    """Add what is missing to the file, each point once in every round, until the time is up."""
    lines, end = recorded(file), time.monotonic() + seconds
    for i in range(count):
        for point in points:
            known = lines[point][i]
            for name in names:
                if time.monotonic() > end or not missing(name, known, i, full):
                    continue
                found = CONTESTANTS[name](*draw(point, i), np.random.default_rng([zlib.crc32(name.encode()), i]))
                known |= found
                with file.open("a") as out:
                    out.write(json.dumps([point, i, found]) + "\n")
    return lines
