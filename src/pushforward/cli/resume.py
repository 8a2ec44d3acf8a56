"""``pushforward resume``: go on with a run."""

from __future__ import annotations

from pushforward.cli import options
from pushforward.cli.printing import measured, show_run, stop_if_interrupted
from pushforward.waiting import watching

__all__ = ["resume"]


def resume(
    directory: options.Directory,
    steps: options.Steps = None,
    budget: options.Budget = None,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Go on with a run: to its end if it was stopped or killed, or further by some steps or time."""
    from pushforward.fitting import resume as resume_run

    with watching(str(directory)) as observe:
        run = resume_run(directory, steps=steps, budget=budget, device=device, observe=observe)
    stop_if_interrupted(run)
    show_run(measured(run), as_json)
