"""From finished runs to figures, samples and the page."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pushforward.auditing import Audit
from pushforward.auditing.ranking import ranking
from pushforward.auditing.two_sample import Observe
from pushforward.calibration import calibration, gap_of_run, unchecked
from pushforward.data import Dataset, Splits, export
from pushforward.errors import InputError
from pushforward.fans import fan_of_run
from pushforward.judging import audit_run
from pushforward.report import FamilyRecord, ReportData, write
from pushforward.report.game import game_page
from pushforward.run import Run
from pushforward.sides import FEWEST, Sides, ignore, real_side, sides
from pushforward.storage import write_bytes

__all__ = ["audit_page", "finish", "measure", "page_of_runs", "print_run", "run_to_json"]

SHOWN = 64
"""Samples kept in the run's ``samples/``."""
MOST_WORK = 100_000_000
"""Numbers a likelihood may push through the network; it bounds the importance samples."""


def finish(run: Run) -> Run:
    """Measure a trained run, and write its figures, some samples and its page."""
    parts = run.splits()
    record = measure(run, parts)
    page = page_of_runs([run], [record], parts, run.directory / "report.html", run.record["command"])
    write(page, run.directory / "report.html")
    return run


def measure(run: Run, parts: Splits) -> FamilyRecord:
    """A run's held-out likelihood, its audit and some samples, kept in the run and returned for a page."""
    likelihood = None
    if run.family.density:
        k = max(1, min(100, MOST_WORK // (len(parts.test) * run.schema.event.size)))
        likelihood = run.log_likelihood(parts.test, k)
    gap = None if likelihood is None else gap_of_run(run, parts, likelihood)
    pit = calibration(run, parts.test)
    audit, both = audit_run(run, parts, run.seed)
    _keep_samples(run, both.fake)
    run.record["results"] = {
        "log_likelihood": None if likelihood is None else likelihood.to_json(),
        "generalisation_gap": None if gap is None else gap.to_json(),
        "pit": None if pit is None else pit.to_json(),
        "audit": None if audit is None else audit.to_json(),
    }
    run.save()
    return FamilyRecord(
        run.name,
        _shown(both.fake, audit is not None)[0],
        likelihood=likelihood,
        density=run.family.density,
        audit=audit,
        metrics=run.metrics(),
        configuration={**run.record["model"], **run.record["game"], "batch": run.record["batch"]},
        seconds=run.record["trained"]["seconds"],
        parameters=sum(p.numel() for p in run.model.parameters()),
        gap=gap,
        pit=pit,
        unchecked=unchecked(run, parts.test),
        training=None if both.train_real is None else both.train_real.numeric(),
        fan=fan_of_run(run, both.real),
    )


def _shown(dataset: Dataset, audited: bool) -> tuple[np.ndarray[Any, Any], tuple[str, ...]]:
    """Patterns and their columns as the page shows them: of a series that no audit compares, step by step."""
    if dataset.kind == "series" and not audited:
        return dataset.numeric().reshape(-1, len(dataset.columns)), dataset.columns
    return dataset.numeric(), dataset.components


def page_of_runs(
    runs: list[Run],
    records: list[FamilyRecord],
    parts: Splits,
    page: Path,
    command: str,
    halves: Audit | None = None,
) -> ReportData:
    """What a page says of runs on the same data."""
    data = runs[0].record["data"]
    real, columns = _shown(side := real_side(parts, runs[0]), any(record.audit is not None for record in records))
    order = ranking({record.name: record.audit for record in records if record.audit is not None})
    return ReportData(
        title=data["name"],
        data_description=data["description"],
        sizes={part: data[part] for part in ("train", "validation", "test")},
        seed=runs[0].seed,
        real=real,
        families=records,
        columns=columns,
        levels=side.names,
        baseline=halves,
        provenance={
            "command": command,
            "page": str(page),
            "resume": f"pushforward resume {runs[0].directory} --budget 10m",
            "data": str(data["origin"]["source"]),
            "fingerprint": data["fingerprint"],
            "versions": runs[0].record["versions"],
            "hardware": _hardware(runs[0].device),
            "written": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        },
        json={
            "command": command,
            "ranking": [before.to_json() for before in order],
            "runs": {run.name: run_to_json(run) for run in runs},
        },
        notes=_notes(data, runs[0].schema.caution),
        ranking=order,
    )


def run_to_json(run: Run) -> dict[str, Any]:
    """What a run is and what was found, as plain values."""
    results = run.results
    page = run.directory / "report.html"
    return {
        "run": str(run.directory),
        "model": run.name,
        "status": run.status,
        "data": {k: v for k, v in run.record["data"].items() if k not in ("origin", "inside")},
        "seed": run.seed,
        "steps": run.record.get("trained", {}).get("step"),
        "seconds": run.record.get("trained", {}).get("seconds"),
        "log_likelihood": results.get("log_likelihood"),
        "caution": run.schema.caution,
        "generalisation_gap": results.get("generalisation_gap"),
        "pit": results.get("pit"),
        "audit": results.get("audit"),
        "report": str(page) if page.is_file() else None,
    }


def print_run(run: Run) -> None:
    """A run's figures in the terminal."""
    data = run.record["data"]
    print(f"{run.name} of {data['name']} ({data['description']}), seed {run.seed}: {run.status}")
    trained = run.record.get("trained")
    if trained:
        print(f"trained {trained['step']:,} steps in {trained['seconds']:.0f} s")
    if run.results:
        figure = run.log_likelihood_of_test
        print(f"held-out log p(x): {figure if figure is not None else 'none: ' + _no_density(run)}")
        if run.schema.caution:
            print(run.schema.caution)
        verdict = run.results["audit"]
        print(verdict["verdict"] if verdict else f"no verdict: {_too_few(run)}")
    page = run.directory / "report.html"
    print(f"The page: {page}" if page.is_file() else f"To go on: pushforward resume {run.directory}")


def audit_page(
    real: Any,
    fake: Any,
    out: Path | None,
    *,
    game: Path | None = None,
    train: Any = None,
    modes: str | None = None,
    features: str | None = None,
    seed: int = 0,
    level: float = 0.05,
    force: bool = False,
    command: str = "",
    observe: Observe = ignore,
    **reading: Any,
) -> tuple[Audit, Callable[[], None]]:
    """Audit two sources; then calling what comes with the audit writes the page and the game, where they have a place.

    So a verdict that took long is told before a disk that fills up can stop the writing.
    """
    for place, option in ((out, "--out"), (game, "--game")):
        _refuse_place(place, option, force)
    if out is not None and game is not None and out.resolve() == game.resolve():
        raise InputError(f"--out and --game both name {out}; give each a file of its own")
    both = sides(real, fake, train=train, modes=modes, seed=seed, **reading)
    eye = None if game is None else _game(both, seed)  # refused, if it must be, before the long work
    result = both.audit(seed, level, features, observe)

    def write_pages() -> None:
        if game is not None and eye is not None:
            write_bytes(game, eye.encode())
        if out is not None:
            write(_page_of_sides(both, result, seed, command, out), out)

    return result, write_pages


def _game(both: Sides, seed: int) -> str:
    names = (both.real.name, both.fake.name)
    return game_page(both.real.numeric(), both.fake.numeric(), np.random.default_rng(seed), names=names)


def _refuse_place(place: Path | None, option: str, force: bool) -> None:
    """A file that stands already, or a folder that does not or takes no file, before any work is done."""
    if place is None:
        return
    if place.is_dir():
        raise InputError(f"{place} is a folder; give {option} the name of an HTML file")
    if (place.exists() or place.is_symlink()) and not force:
        raise InputError(f"{place} exists already; choose another {option}, or replace it with --force")
    if not place.parent.is_dir():
        raise InputError(f"the folder {place.parent} does not exist; create it, or choose another {option}")
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"the folder {place.parent} cannot be written to ({why}); choose another {option}") from error


def _page_of_sides(both: Sides, result: Audit, seed: int, command: str, out: Path) -> ReportData:
    training = None if both.train_real is None else both.train_real.numeric()[result.kept["train_real"]]
    return ReportData(
        title=f"{both.real.name} and {both.fake.name}",
        data_description=f"{both.real.describe()} against {both.fake.describe()}",
        sizes={},
        seed=seed,
        real=both.real.numeric()[result.kept["real"]],
        families=[
            FamilyRecord(both.fake.name, both.fake.numeric()[result.kept["fake"]], audit=result, training=training)
        ],
        columns=both.real.components,
        levels=both.real.names,
        provenance={
            "command": command,
            "page": str(out),
            "fingerprint": f"{both.real.fingerprint()} and {both.fake.fingerprint()}",
            "hardware": _hardware(torch.device("cpu")),
            "written": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        },
        json={"command": command, "audit": result.to_json()},
    )


def _keep_samples(run: Run, samples: Dataset) -> None:
    few = samples.take(slice(0, SHOWN))
    folder = run.directory / "samples"
    folder.mkdir(exist_ok=True)
    name = {"pictures": "pictures", "table": "samples.csv"}.get(few.kind, "samples.npy")
    export(few, folder / name, force=True)


def _notes(data: dict[str, Any], caution: str) -> list[str]:
    notes = [caution] if caution else []
    if data["note"]:
        notes.append(f"{data['note']}.")
    if data["test"] < FEWEST:
        notes.append(f"a verdict needs {FEWEST} patterns, and {data['test']} were kept for it.")
    if data["skipped"]:
        notes.append(f"{data['skipped']:,} corrupt pictures were left out.")
    return notes


def _too_few(run: Run) -> str:
    """Why there is no verdict, and what would bring one."""
    if run.schema.event.series is None:
        return f"fewer than {FEWEST} patterns were kept for it; give more"
    return (
        f"fewer than {FEWEST} windows that do not overlap were kept for it; give a longer series, or a smaller --window"
    )


def _no_density(run: Run) -> str:
    return f"a {run.name.upper()} has no density"


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    processor = platform.processor() or platform.machine()
    return f"{processor}, {cores} core{'s' * (cores > 1)}, {threads} thread{'s' * (threads > 1)}"
