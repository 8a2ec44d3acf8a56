"""What every benchmark shares: alternating runs, medians, ratios and their table."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

__all__ = ["Case", "Options", "alternate", "installed", "main"]


@dataclass(frozen=True)
class Case:
    """One line of a benchmark; all figures but ``ratio`` are in ``unit``, and less is better.

    ``floor`` is what no implementation can go below, where that can be measured; ``difference`` the largest
    deviation of our result from a peer's, where results are compared and not costs: then there is no ratio.
    """

    case: str
    ours: float
    peers: Mapping[str, float]
    unit: str
    floor: float | None = None
    difference: float | None = None
    ratio: float | None = field(init=False)

    def __post_init__(self) -> None:
        comparable = self.peers and self.difference is None
        object.__setattr__(self, "ratio", min(self.peers.values()) / self.ours if comparable else None)


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    quick: bool
    data: Path | None
    threads: int


def alternate(
    functions: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 2, in_a_row: int = 1
) -> dict[str, float]:
    """The median time of each function in milliseconds, all of them in turn in every round.

    Whatever else the machine does meanwhile thus falls on all of them alike. With several calls in a row, as a program
    that uses one of them makes, all but the first find their memory in the caches; the time is that of one.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for i in range(warmup + rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            for _ in range(in_a_row):
                function()
            if i >= warmup:
                times[name].append((time.perf_counter() - start) / in_a_row)
    return {name: 1e3 * statistics.median(t) for name, t in times.items()}


def installed(names: Iterable[str]) -> list[str]:
    """Those of the named packages that are there; of each other, say on standard error that it is missing."""
    present = []
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            print(
                f'{name} is not installed and is left out: pip install "pushforward[benchmarks]"',
                file=sys.stderr,
            )
        else:
            present.append(name)
    return present


def main(cases: Callable[[Options], Iterable[Case]], doc: str, argv: list[str] | None = None) -> None:
    """Run a benchmark from the command line and print its table, or its cases as JSON."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--quick", action="store_true", help="few rounds: an impression in seconds")
    parser.add_argument("--data", type=Path, help="the folder with data sets, for benchmarks that need some")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant (default 2)")
    parser.add_argument("--json", action="store_true", help="print a list of cases instead of a table")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    results = list(cases(Options(args.quick, args.data, args.threads)))
    print(json.dumps([asdict(c) for c in results], indent=2) if args.json else table(results))


def table(cases: list[Case]) -> str:
    """The cases as a Markdown table."""
    peers = list(dict.fromkeys(name for case in cases for name in case.peers))
    head = ["case", "unit", "ours", *peers, "ratio to the best", "floor", "largest difference"]
    rows = [
        [c.case, c.unit, *map(_number, [c.ours, *map(c.peers.get, peers), c.ratio, c.floor, c.difference])]
        for c in cases
    ]
    lines = [head, ["---", "---", *["---:"] * (len(head) - 2)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(x: float | None) -> str:
    if x is None:
        return "–"
    return f"{x:.1e}" if 0 < abs(x) < 1e-2 else f"{x:.2f}"
