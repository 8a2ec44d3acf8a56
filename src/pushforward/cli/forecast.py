"""``pushforward forecast``: draw what a series does next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import print_json
from pushforward.waiting import working

__all__ = ["forecast"]


def forecast(
    directory: options.Directory,
    history: Annotated[str, typer.Argument(help="The series up to now, as a file like the one the model learnt from.")],
    horizon: Annotated[int, typer.Option(help="How many steps to look ahead.")],
    out: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .parquet, .npy or .npz file.")] = None,
    n: Annotated[int, typer.Option("-n", "--number", help="How many sample paths.")] = 200,
    quantiles: Annotated[str | None, typer.Option(help="Write these quantiles instead of paths: .05,.5,.95.")] = None,
    seed: options.Seed = 0,
    key: options.Key = None,
    columns: options.Columns = None,
    drop: options.Drop = None,
    delimiter: options.Delimiter = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Draw what a series does next, as sample paths or quantiles."""
    from pushforward.data import export
    from pushforward.data.dataset import counted
    from pushforward.errors import InputError
    from pushforward.run import Run
    from pushforward.storage import refuse_existing

    levels = None if quantiles is None else options.numbers(quantiles)
    if out is None and not as_json:
        raise InputError("a forecast needs a place: give --out FILE, or --json to print its quantiles")
    if out is not None:
        refuse_existing(out, force)
    run = Run(directory)
    given = {"key": key, "columns": options.names(columns), "drop": options.names(drop), "delimiter": delimiter}
    with working("drawing"):
        made = run.forecast(history, horizon, n, seed, **{k: v for k, v in given.items() if v is not None})
    if out is not None:
        export(made.table(levels), out, force=force)
    if as_json:
        print_json(
            {**made.to_json(levels or (0.05, 0.5, 0.95)), "seed": seed, "out": None if out is None else str(out)}
        )
    else:
        print(f"{counted(n, 'path')} of {counted(horizon, 'step')} of {', '.join(made.columns)} → {out}")
