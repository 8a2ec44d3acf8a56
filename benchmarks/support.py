"""Precision, recall, density and coverage against prdc: time, memory, and what the papers give for equal laws."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.harness import Case, Options, alternate, installed, main
from pushforward.auditing.neighbours import in_balls, nearest
from pushforward.auditing.support import support

K, WIDTH = 5, 512
ANCHOR = {"precision": 0.4772, "recall": 0.4705, "density": 1.0555, "coverage": 0.9735}
"""Two samples of N(0, I₁₀₀₀), 10,000 each, in the documentation of prdc."""

Figures = Mapping[str, float]


def ours(real: np.ndarray, fake: np.ndarray) -> Figures:
    radii = (nearest(x, K)[0][:, -1] for x in (real, fake))
    covered, reached, balls = in_balls(real, fake, *radii)
    return dict(zip(ANCHOR, [(balls > 0).mean(), reached.mean(), balls.mean() / K, covered.mean()], strict=True))


def whole(real: np.ndarray, fake: np.ndarray) -> Figures:
    """With intervals, null laws and p-values."""
    result = support(real, fake, np.random.default_rng(0), K)
    return {name: getattr(result, name).value for name in ANCHOR}


def prdc(real: np.ndarray, fake: np.ndarray) -> Figures:
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):  # it prints on every call
        return compute_prdc(real, fake, nearest_k=K)


CONTESTANTS: dict[str, Callable[[np.ndarray, np.ndarray], Figures]] = {"ours": ours, "whole": whole, "prdc": prdc}


def normal(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.normal(size=(n, d))


def products(n: int, d: int) -> Callable[[], None]:
    """The three products in single precision alone."""
    x, out = torch.randn(n, d), torch.empty(min(n, 1000), n)

    def run() -> None:
        for _ in range(3):
            for part in x.split(len(out)):
                torch.mm(part, x.T, out=out[: len(part)])

    return run


def peak(name: str, n: int, d: int, threads: int) -> float:
    """The greatest memory, in MB, of a process that does nothing else."""
    code = f"from benchmarks.support import measured; measured({name!r}, {n}, {d}, {threads})"
    return float(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


def measured(name: str, n: int, d: int, threads: int) -> None:
    """Print the peak of this process, in MB; what ``getrusage`` says would include its parent's."""
    torch.set_num_threads(threads)
    CONTESTANTS[name](*normal(n, d))
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) / 1024)


def cases(options: Options) -> Iterator[Case]:
    n = 2000 if options.quick else 10_000
    size = f"{n:,} × {n:,} × {WIDTH}"
    peers = installed(["prdc"])
    real, fake = normal(n, WIDTH)
    runs = {name: (lambda f=CONTESTANTS[name]: f(real, fake)) for name in ["ours", *peers]}
    times = alternate({**runs, "floor": products(n, WIDTH)}, rounds=3, warmup=1)
    mine, floor = times.pop("ours"), times.pop("floor")
    yield Case(f"the four figures, {size}", mine, times, "ms", floor)
    yield Case(
        f"with intervals and nulls, {size}", alternate({"": lambda: whole(real, fake)}, 1, 0)[""], times, "ms", floor
    )
    memory = {name: peak(name, n, WIDTH, options.threads) for name in ["ours", *peers, "whole"]}
    all_of_it = memory.pop("whole")
    yield Case(f"peak memory, {size}", memory.pop("ours"), memory, "MB")
    yield Case(f"peak memory with intervals and nulls, {size}", all_of_it, memory, "MB")
    if peers:
        yield from (
            Case(f"{name}, {size}", value, {"prdc": theirs}, "", difference=abs(value - theirs))
            for (name, value), theirs in zip(ours(real, fake).items(), prdc(real, fake).values(), strict=True)
        )
    if not options.quick:
        for name, value in ours(*normal(10_000, 1000)).items():
            yield Case(f"{name}, N(0, I₁₀₀₀)", value, {"published": ANCHOR[name]}, "", None, abs(value - ANCHOR[name]))


if __name__ == "__main__":
    main(cases, __doc__)
