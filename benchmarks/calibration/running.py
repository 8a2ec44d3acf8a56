"""Simulations that can be stopped at any time and resumed: one line of JSON for each."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pushforward.evidence import Estimate

__all__ = ["Cell", "Found", "Records", "read", "simulate"]

ROUNDS = 0.1, 0.3, 1.0
"""Every cell gets a tenth of its simulations before any gets more."""

Found = tuple[float | None, float | None, float | None, float | None]
"""Of one figure in one simulation: p-value, interval's lower end, value, upper end; a limit has no upper end."""
Records = dict[str, dict[int, dict[str, Found]]]
"""By cell and simulation what was found."""


@dataclass(frozen=True)
class Cell:
    """What is simulated so many times, each time with a generator of its own."""

    key: str
    run: Callable[[np.random.Generator], Mapping[str, Estimate | float]]
    simulations: int

    def rng(self, i: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(self.key.encode()), i])

    def simulate(self, i: int) -> dict[str, Found]:
        return {name: _found(x) for name, x in self.run(self.rng(i)).items()}


def _found(x: Estimate | float) -> Found:
    """What is bare is a p-value."""
    values = (x.p_value, x.low, x.value, x.high) if isinstance(x, Estimate) else (x, None, None, None)
    p, low, value, high = (None if v is None or not math.isfinite(v) else float(f"{v:.7g}") for v in values)
    return p, low, value, high


def read(path: Path) -> Records:
    """Records written so far; a line cut off when the writer was stopped is left out."""
    records: Records = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        records.setdefault(found["cell"], {})[found["i"]] = found["found"]
    return records


def simulate(cells: Sequence[Cell], path: Path, seconds: float = math.inf) -> None:
    """Append to the records what they lack, until all is there or the time is over."""
    done = {key: set(found) for key, found in read(path).items()}
    end = time.monotonic() + seconds
    cut_off = path.exists() and not path.read_text().endswith("\n")
    with path.open("a", buffering=1) as records:
        records.write("\n" * cut_off)
        for cell, i in _missing(cells, done):
            line = {"cell": cell.key, "i": i, "found": cell.simulate(i)}
            records.write(json.dumps(line, ensure_ascii=False) + "\n")
            if time.monotonic() > end:
                return


def _missing(cells: Sequence[Cell], done: Mapping[str, set[int]]) -> Iterable[tuple[Cell, int]]:
    """Every simulation that is not there yet, round by round."""
    for start, stop in zip((0.0, *ROUNDS), ROUNDS, strict=False):
        for cell in cells:
            wanted = range(math.ceil(start * cell.simulations), math.ceil(stop * cell.simulations))
            yield from ((cell, i) for i in wanted if i not in done.get(cell.key, ()))
