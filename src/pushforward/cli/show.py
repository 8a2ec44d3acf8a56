"""``pushforward show``: say what a run is."""

from __future__ import annotations

from pushforward.cli import options
from pushforward.cli.printing import show_run

__all__ = ["show"]

COLUMNS = 50


def show(directory: options.Directory, as_json: options.Json = False) -> None:
    """Say what a run is and what was found."""
    from pushforward.run import Run

    run = Run(directory)
    show_run(run, as_json)
    if not as_json:
        columns = run.schema.describe().splitlines()
        more = [f"… and {len(columns) - COLUMNS:,} columns more"] if len(columns) > COLUMNS else []
        print("\n".join([*columns[:COLUMNS], *more]))
