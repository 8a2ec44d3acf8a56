"""What a person sees on standard error while they wait. Everything heavy is imported when it is drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["auditing", "reading_pictures", "watching", "working"]


def watching(title: str) -> Any:
    """An observer of training: a live line on standard error."""
    from pushforward.training.progress import ProgressLine

    return ProgressLine(title)


def working(what: str) -> Any:
    """A spinner and the time on standard error while something without steps goes on."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    console = Console(stderr=True)
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    progress.add_task(f"{what} …", total=None)
    return progress


@contextmanager
def auditing() -> Iterator[Any]:
    """A bar with the audit's steps and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda step, done, total: bar.update(task, description=step, completed=done, total=total)


def reading_pictures() -> Any:
    """An observer of pictures being read: a bar with the time left, once it has taken two seconds."""
    from rich.console import Console
    from rich.progress import Progress

    began, console = time.monotonic(), Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)

    def observe(done: int, total: int) -> None:
        if not bar.tasks and time.monotonic() - began > 2:
            bar.add_task("reading pictures", total=total)
            bar.start()
        if bar.tasks:
            bar.update(bar.tasks[0].id, completed=done)
            if done >= total:
                bar.stop()

    return observe
