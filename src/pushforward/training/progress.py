"""A live line while training goes on."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pushforward.evidence import minus
from pushforward.training.loop import Status

__all__ = ["ProgressLine"]

PLAIN_SECONDS = 10.0
"""Between lines where the output is not a terminal."""


class ProgressLine:
    """An observer that draws step, losses, held-out figure, rate and time left.

    On a terminal it redraws one line; elsewhere it prints a line every ten seconds.

    Arguments:
        title: What is being trained.
        console: Where to draw; standard error by default.
    """

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or Console(stderr=True)
        self._live = Live(console=self.console, refresh_per_second=8, transient=True)
        self._printed = time.perf_counter()
        self._drawn = 0.0

    def __call__(self, status: Status) -> None:
        """Draw, at most ten times a second."""
        now = time.perf_counter()
        if self.console.is_terminal:
            if now - self._drawn >= 0.1:
                self._drawn = now
                if not self._live.is_started:  # not before there is something to draw: reading may draw its own bar
                    self._live.start()
                self._live.update(Text(self.line(status), no_wrap=True, overflow="ellipsis"))
        elif now - self._printed >= PLAIN_SECONDS:
            self._printed = now
            self.console.print(self.line(status), highlight=False, soft_wrap=True)

    def line(self, status: Status) -> str:
        """The line itself."""
        done = max(status.progress, 1e-9)
        left = status.seconds * (1 - done) / done
        losses = "  ".join(minus(f"{name} {value:.3f}") for name, value in status.losses.items())
        held_out = "" if status.held_out is None else f"  held-out {minus(f'{status.held_out:.2f}')} nats"
        return (
            f"{self.title}  {status.progress:4.0%}  step {status.step:,}  {losses}{held_out}  "
            f"{status.rate:.0f} steps/s  {_clock(left)} left"
        )

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
