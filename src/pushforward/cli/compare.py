"""``pushforward compare``: train several families on the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import command_line, print_json, stop_if_interrupted
from pushforward.waiting import watching, working

__all__ = ["compare"]


def compare(
    source: options.Source,
    out: Annotated[Path, typer.Option(help="A directory for the runs and their page, which must not exist.")],
    models: Annotated[str, typer.Option(help="Which families: flow,vae.")] = "flow,autoregressive,vae,gan",
    steps: options.Steps = None,
    budget: Annotated[str | None, typer.Option(help="Train each this long: 90s, 10m, 2h.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    force: options.Force = False,
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
    """Train several families on the same data, and put them on one page."""
    from pushforward.comparison import compare as compare_families

    comparison = compare_families(
        source,
        options.names(models) or [],
        out=out,
        steps=steps,
        budget=budget,
        seed=seed,
        context=options.names(context),
        device=device,
        force=force,
        watching=watching,
        working=working,
        command=command_line(),
        **options.reading(key, columns, drop, delimiter, size, mode, skip_bad),
        **options.of_series(time, series, window),
    )
    if comparison.interrupted is not None:
        stop_if_interrupted(comparison.interrupted)
    if as_json:
        print_json(comparison.to_json())
    else:
        comparison.print()
