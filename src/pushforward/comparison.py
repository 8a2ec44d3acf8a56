"""Several families on the same data, on one page."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pushforward.arguments import checked_seed
from pushforward.data import load, split
from pushforward.data.selection import as_names
from pushforward.errors import InputError
from pushforward.families import FAMILIES, family
from pushforward.fitting import fit
from pushforward.judging import audit_halves
from pushforward.report import ReportData, table, write
from pushforward.reporting import measure, page_of_runs, run_to_json
from pushforward.run import Run
from pushforward.storage import refuse_existing

__all__ = ["Comparison", "compare"]

WIDE = 160
Watching = Callable[[str], contextlib.AbstractContextManager[Any]]


@dataclass
class Comparison:
    """Runs of several families on the same data, and their page.

    Arguments:
        directory: Where the runs and the page lie.
        runs: The runs, in the order asked for.
        page: What the page says.
        interrupted: The run that was being trained when the comparison was stopped.
    """

    directory: Path
    runs: list[Run] = field(default_factory=list)
    page: ReportData | None = None
    interrupted: Run | None = None

    def to_json(self) -> dict[str, Any]:
        """Every run's figures, as plain values."""
        halves = None if self.page is None or self.page.baseline is None else self.page.baseline.to_json()
        return {
            "ranking": [] if self.page is None else [before.to_json() for before in self.page.ranking],
            "runs": {run.name: run_to_json(run) for run in self.runs},
            "halves_of_the_data": halves,
            "report": str(self.directory / "report.html"),
        }

    def print(self) -> None:
        """The table, on standard output."""
        from rich.console import Console

        if self.page is not None:
            width = None if sys.stdout.isatty() else WIDE  # a file has no edge at which to cut
            Console(soft_wrap=True, highlight=False, width=width).print(table(self.page))


def compare(
    source: Any,
    models: str | Sequence[str] = tuple(FAMILIES),
    *,
    out: str | Path,
    steps: int | None = None,
    budget: str | float | None = None,
    seed: int = 0,
    context: str | list[str] | None = None,
    device: str = "auto",
    force: bool = False,
    watching: Watching = lambda title: contextlib.nullcontext(),
    working: Watching = lambda what: contextlib.nullcontext(),
    command: str = "",
    **reading: Any,
) -> Comparison:
    """Train several families on the same data and the same split, and write one page.

    Arguments:
        source: Anything :func:`pushforward.load` takes.
        models: The families' names; a string may name several, with commas.
        out: The directory for a run each and ``report.html``; it must not exist.
        steps: How many steps to train each.
        budget: How long to train each, one minute by default.
        seed: Of every random choice.
        context: Columns that condition the models and are not modelled.
        device: ``auto``, ``cpu`` or ``cuda``.
        force: Whether to replace a comparison that stands at ``out``.
        watching: Given a title, a context whose value observes training.
        working: Given a phrase, a context for what has no steps.
        command: The command that reproduces the comparison.
        reading: Further arguments of :func:`pushforward.load`.
    """
    models, seed = as_names(models) or (), checked_seed(seed)
    if not models:
        raise InputError(f"no model was named; choose some of {', '.join(FAMILIES)}")
    for name in models:
        family(name)
    if len(set(models)) < len(models):
        raise InputError(f"a model is named twice in {', '.join(models)}; name each once")
    directory = Path(out)
    refuse_existing(directory, force)
    _refuse_foreign(directory)
    dataset = load(source, context=context, **reading)
    parts = split(dataset, seed=seed)
    comparison, records = Comparison(directory), []
    for name in models:
        with watching(f"{name:<15}") as observe:
            run = fit(
                dataset,
                name,
                out=directory / name,
                steps=steps,
                budget=budget,
                seed=seed,
                device=device,
                force=force,
                observe=observe,
            )
        comparison.runs.append(run)
        if run.status == "interrupted":
            comparison.interrupted = run
            return comparison
        with working(f"measuring the {name}"):
            records.append(measure(run, parts))
    with working("writing the page"):
        path = directory / "report.html"
        halves = audit_halves(parts, seed)
        comparison.page = page_of_runs(comparison.runs, records, parts, path, command, halves)
        write(comparison.page, path)
    return comparison


def _refuse_foreign(directory: Path) -> None:
    """Only a comparison or an empty folder is written into, whatever was said."""
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file; choose another --out")
    foreign = [p.name for p in directory.glob("*") if p.name not in (*FAMILIES, "report.html")]
    if foreign:
        raise InputError(f"{directory} holds {foreign[0]}, which is of no comparison; choose another --out")
