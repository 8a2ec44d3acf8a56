"""``pushforward score``: say how likely data are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import print_json
from pushforward.waiting import working

__all__ = ["score"]


def score(
    directory: options.Directory,
    source: options.Source,
    out: Annotated[Path | None, typer.Option(help="A CSV file for one log-likelihood a row.")] = None,
    k: Annotated[int, typer.Option("--k", help="Importance samples, where the model is known by a bound.")] = 100,
    seed: options.Seed = 0,
    key: options.Key = None,
    columns: options.Columns = None,
    drop: options.Drop = None,
    delimiter: options.Delimiter = None,
    size: options.Size = None,
    mode: options.Mode = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Say how likely data are under a model, row by row."""
    from pushforward.scoring import score as score_source

    given = options.reading(key, columns, drop, delimiter, size, mode, skip_bad)
    with working("scoring"):
        scores = score_source(directory, source, out, k, seed, force, **given)
    if as_json:
        print_json({**scores.to_json(), "out": None if out is None else str(out)})
    else:
        print(f"log p(x): {scores}" + ("" if out is None else f"\none figure a row: {out}"))
