"""The audit on real cases: halves of the same data, and four ways to spoil one half, each to be named for what it is.

``python -m benchmarks.real --data DIR [--only faces] [--n 2000] [--splits 10] [--json FILE]``

Half A stands for the data, half B for the samples. Nothing is generated: every difference is known.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pushforward.auditing import Audit, audit

GROUPS = (0, 6, 18, 30, 45, 60, 200)
"""Limits of age groups."""
REMOVED = {"faces": 0, "adult": 3}
"""The group that one case removes: small children among the faces, 30 to 44 among the adults."""


@dataclass(frozen=True)
class Halves:
    """Two halves, with the age group of each pattern of the first."""

    real: np.ndarray
    fake: np.ndarray
    real_groups: np.ndarray
    fake_groups: np.ndarray
    columns: tuple[str, ...] = ()


Spoiling = Callable[[Halves, str, np.random.Generator], Halves]


def blurred(halves: Halves, which: str, rng: np.random.Generator) -> Halves:
    """Pictures blurred with half a pixel's standard deviation; rows with a twentieth of each column's as noise."""
    fake = halves.fake
    if which == "faces":
        from scipy.ndimage import gaussian_filter

        spoilt = np.rint(gaussian_filter(fake.astype(np.float32), (0, 0.5, 0.5, 0))).astype(np.uint8)
    else:
        spoilt = np.rint(fake + 0.05 * fake.std(0) * rng.normal(size=fake.shape))
    return replace(halves, fake=spoilt)


def one_group_removed(halves: Halves, which: str, rng: np.random.Generator) -> Halves:
    """Samples without one age group."""
    kept = halves.fake_groups != REMOVED[which]
    return replace(halves, fake=halves.fake[kept], fake_groups=halves.fake_groups[kept])


def copied(halves: Halves, which: str, rng: np.random.Generator) -> Halves:
    """One sample in twenty replaced by a pattern of the data."""
    fake = halves.fake.copy()
    count = len(fake) // 20
    places = rng.choice(len(fake), count, replace=False)
    fake[places] = halves.real[rng.choice(len(halves.real), count, replace=False)]
    return replace(halves, fake=fake)


CASES: dict[str, Spoiling] = {
    "halves": lambda halves, which, rng: halves,
    "blurred slightly": blurred,
    "one age group removed": one_group_removed,
    "5 % copies": copied,
}


def faces(data: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures and ages."""
    import pandas as pd
    from PIL import Image

    with zipfile.ZipFile(data / "faces-64.zip") as archive:
        table = next(name for name in archive.namelist() if name.endswith("metadata.csv"))
        metadata = pd.read_csv(io.BytesIO(archive.read(table)))
        folder = table.removesuffix("metadata.csv")
        opened = (Image.open(io.BytesIO(archive.read(folder + name))) for name in metadata.file_name)
        return np.stack([np.asarray(picture.convert("RGB")) for picture in opened]), metadata.age.to_numpy(), ()


def adult(data: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Numeric columns and ages."""
    import pandas as pd

    table = pd.read_csv(data / "adult-train.csv.gz").select_dtypes("number")
    return table.to_numpy(float), table["age"].to_numpy(), tuple(table.columns)


SOURCES = {"faces": faces, "adult": adult}


def split(source: tuple[np.ndarray, np.ndarray, tuple[str, ...]], n: int, rng: np.random.Generator) -> Halves:
    """Two random disjoint parts of ``n`` patterns, or halves if there are fewer than twice as many."""
    x, age, columns = source
    n = min(n, len(x) // 2)
    order = rng.permutation(len(x))
    group = np.digitize(age, GROUPS) - 1
    first, second = order[:n], order[n : 2 * n]
    return Halves(x[first], x[second], group[first], group[second], columns)


def record(which: str, case: str, seed: int, halves: Halves, result: Audit, seconds: float) -> dict[str, object]:
    """What one audit said."""
    answers = {answer.question: {"p": answer.p_value, "found": answer.found} for answer in result.answers()}
    under = [mode.name for mode in result.modes.modes if mode.under_covered] if result.modes else []
    table = result.table
    return {
        "data": which,
        "case": case,
        "seed": seed,
        "n": [len(halves.real), len(halves.fake)],
        "seconds": round(seconds, 1),
        **answers,
        "p_classifiers": result.classifiers.p_value,
        "p_kernel": result.kernel.p_value,
        "p_each": {name: figure.p_value for name, figure in result.classifiers.each.items()},
        "p_statistics": {name: figure.p_value for name, figure in result.kernel.statistics.items()},
        "p_frechet": result.frechet.to_json().get("p_value"),
        "copied_share": result.copying.copies.value,
        "under_covered_groups": under,
        "columns": [column.column for column in table.columns if column.differs] if table else [],
        "pairs": [f"{pair.first} × {pair.second}" for pair in table.pairs if pair.differs] if table else [],
        "verdict": result.verdict(),
    }


def audits(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Every case of every source, the equal halves over several random splits."""
    for which in arguments.only or SOURCES:
        source = SOURCES[which](arguments.data)
        for case, spoil in CASES.items():
            if arguments.case and case not in arguments.case:
                continue
            for seed in range(arguments.splits if case == "halves" else 1):
                rng = np.random.default_rng(seed)
                halves = spoil(split(source, arguments.n, rng), which, rng)
                began = time.monotonic()
                result = audit(
                    halves.real,
                    halves.fake,
                    columns=halves.columns or None,
                    modes=halves.real_groups if case == "one age group removed" else None,
                    seed=seed,
                )
                yield record(which, case, seed, halves, result, time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=SOURCES)
    parser.add_argument("--case", nargs="*", choices=CASES)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"skipped: {arguments.data} is not there")
    for row in audits(arguments):
        found = [name for name in ("told apart", "missed", "without support", "copied") if row[name]["found"]]  # type: ignore[index]
        print(f"{row['data']:6} {row['case']:22} seed {row['seed']}: {', '.join(found) or 'nothing'}", flush=True)
        if arguments.json:
            with arguments.json.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
