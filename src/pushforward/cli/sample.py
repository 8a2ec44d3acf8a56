"""``pushforward sample``: draw patterns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import print_json
from pushforward.waiting import working

__all__ = ["sample"]


def sample(
    directory: options.Directory,
    n: Annotated[int, typer.Option("-n", "--number", help="How many.")],
    out: Annotated[Path, typer.Option(help="A .csv, .tsv, .parquet, .npy or .npz file, or a folder for pictures.")],
    seed: options.Seed = 0,
    given: Annotated[
        list[str] | None, typer.Option(help="A value of the context, or of the first columns: --given label=3.")
    ] = None,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Draw patterns of the kind the data came in."""
    from pushforward.data import export
    from pushforward.errors import InputError
    from pushforward.run import Run
    from pushforward.storage import refuse_existing

    if n < 1:
        raise InputError(f"cannot draw {n} patterns; give -n a positive number")
    refuse_existing(out, force)
    run = Run(directory)
    with working("drawing"):
        drawn = run.sample(n, seed, options.texts(given, run.schema.names) or None)
    export(drawn, out, force=force)
    print_json({"n": n, "seed": seed, "out": str(out)}) if as_json else print(f"{drawn.describe()} → {out}")
