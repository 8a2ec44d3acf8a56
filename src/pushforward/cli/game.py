"""``pushforward game``: pool the answers of a game."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pushforward.cli import options
from pushforward.cli.printing import print_json

__all__ = ["game"]


def game(
    answers: Annotated[list[Path], typer.Argument(help="JSON files that players saved from one game's page.")],
    as_json: options.Json = False,
) -> None:
    """Pool what several people answered in the game of an audit."""
    from pushforward.report.answers import pool_answers

    pool = pool_answers(answers)
    print_json(pool.to_json()) if as_json else print(pool)
