"""``pushforward audit``: say how far samples can be told from data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import command_line, print_json
from pushforward.waiting import auditing, working

__all__ = ["audit"]


def audit(
    real: Annotated[str, typer.Argument(help="Data, or a run, which stands for the data it kept for the verdict.")],
    fake: Annotated[str, typer.Argument(help="Samples in the same form, or a run, which stands for its model's.")],
    out: Annotated[Path | None, typer.Option(help="An HTML file for the page.")] = None,
    game: Annotated[Path | None, typer.Option(help="An HTML file on which a person tells real from generated.")] = None,
    train: Annotated[str | None, typer.Option(help="What the generator learnt from, if REAL is other data.")] = None,
    modes: Annotated[str | None, typer.Option(help="The column of REAL that names each pattern's mode.")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="For rows columns; for pictures pixels, pca, convolutions, efficientnet-lite0, onnx:PATH."),
    ] = None,
    seed: options.Seed = 0,
    level: Annotated[float, typer.Option(help="Of the test, and one minus the intervals' coverage.")] = 0.05,
    key: options.Key = None,
    columns: options.Columns = None,
    drop: options.Drop = None,
    delimiter: options.Delimiter = None,
    time: options.Time = None,
    series: options.Series = False,
    window: options.Window = None,
    size: options.Size = None,
    mode: options.Mode = None,
    skip_bad: options.SkipBad = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Say how far samples can be told from data."""
    from pushforward.reporting import audit_page

    given = options.reading(key, columns, drop, delimiter, size, mode, skip_bad)
    given |= options.of_series(time, series, window)
    with auditing() as observe:
        result, write_pages = audit_page(
            real,
            fake,
            out,
            game=game,
            train=train,
            modes=modes,
            features=features,
            seed=seed,
            level=level,
            force=force,
            command=command_line(),
            observe=observe,
            **given,
        )
    if as_json:
        print_json(result.to_json())
    else:
        print(result)
    with working("writing the page"):
        write_pages()
    if not as_json:
        for what, place in (("page", out), ("game", game)):
            if place is not None:
                print(f"The {what}: {place}")
