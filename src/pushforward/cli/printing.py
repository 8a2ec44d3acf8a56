"""What several commands print."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from pushforward.waiting import working

if TYPE_CHECKING:
    from pushforward.run import Run

__all__ = ["command_line", "measured", "print_json", "show_run", "stop_if_interrupted"]


def show_run(run: Run, as_json: bool) -> None:
    """What a run is and what was found, for a person or a program."""
    from pushforward.reporting import print_run, run_to_json

    print_json(run_to_json(run)) if as_json else print_run(run)


def print_json(value: dict[str, Any]) -> None:
    """For programs; infinities and NaN have no place in it."""
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def stop_if_interrupted(run: Run) -> None:
    """Say how to go on, and exit as an interrupted program does."""
    if run.status == "interrupted":
        print(
            f"Stopped and saved at step {run.record['trained']['step']:,}. To go on:\n"
            f"pushforward resume {run.directory}",
            file=sys.stderr,
        )
        sys.exit(130)


def measured(run: Run) -> Run:
    """The run with its figures and its page; where that is interrupted, say how they are made, and exit."""
    from pushforward.reporting import finish

    try:
        with working("measuring and writing the page"):
            return finish(run)
    except KeyboardInterrupt:
        print(
            "Trained and saved, but not measured. To measure it and write its page:\n"
            f"pushforward resume {run.directory}",
            file=sys.stderr,
        )
        sys.exit(130)


def command_line() -> str:
    """The command as it was typed, for the run's record and page."""
    import shlex

    return shlex.join(["pushforward", *sys.argv[1:]])
