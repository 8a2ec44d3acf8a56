"""``pushforward fit``: learn the law of some data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import command_line, measured, show_run, stop_if_interrupted
from pushforward.waiting import watching

__all__ = ["fit"]


def fit(
    source: options.Source,
    out: Annotated[Path, typer.Option(help="The run's directory, which must not exist.")],
    model: options.Model = "flow",
    steps: options.Steps = None,
    budget: options.Budget = None,
    seed: options.Seed = 0,
    sets: options.Sets = None,
    device: options.Device = "auto",
    force: options.Force = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's files too.")] = False,
    fuse: Annotated[
        bool, typer.Option("--compile", help="Compile the training step; pays back after some minutes.")
    ] = False,
    key: options.Key = None,
    columns: options.Columns = None,
    drop: options.Drop = None,
    context: options.Context = None,
    delimiter: options.Delimiter = None,
    time: options.Time = None,
    series: options.Series = False,
    window: options.Window = None,
    size: options.Size = None,
    mode: options.Mode = None,
    skip_bad: options.SkipBad = False,
    as_json: options.Json = False,
) -> None:
    """Learn the law of some data."""
    from pushforward.fitting import fit as fit_run
    from pushforward.training.loop import Settings

    with watching(f"{model} ← {source}") as observe:
        run = fit_run(
            source,
            model,
            out=out,
            steps=steps,
            budget=budget,
            seed=seed,
            context=options.names(context),
            options=options.assignments(sets),
            device=device,
            force=force,
            tensorboard=tensorboard,
            settings=Settings(compile=fuse),
            observe=observe,
            command=command_line(),
            **options.reading(key, columns, drop, delimiter, size, mode, skip_bad),
            **options.of_series(time, series, window),
        )
    stop_if_interrupted(run)
    show_run(measured(run), as_json)
