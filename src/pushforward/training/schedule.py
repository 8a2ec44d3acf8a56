"""How long to train, and how fast to learn at each moment of it."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from pushforward.errors import InputError

__all__ = ["Leg", "learning_rate_factor", "parse_budget"]

WARM_UP = 0.05
"""The share of a leg over which the learning rate rises."""


@dataclass(frozen=True)
class Leg:
    """One stretch of training, ended by a number of steps or by the clock, with a learning-rate cycle of its own.

    Arguments:
        first_step: The step it starts at.
        first_second: The seconds of training done when it starts.
        steps: How many steps it takes; ``None`` if the clock decides.
        seconds: How many seconds it takes; ``None`` if the steps decide.

    Example:
        >>> Leg(steps=100).progress(step=25, seconds=3.0), Leg(seconds=60.0).progress(step=25, seconds=3.0)
        (0.25, 0.05)
    """

    first_step: int = 0
    first_second: float = 0.0
    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.seconds is None):
            raise InputError("a run ends after a number of steps or after a time: give exactly one of steps and budget")
        if (self.steps is not None and self.steps < 1) or (self.seconds is not None and self.seconds <= 0):
            length = self.seconds if self.steps is None else self.steps
            raise InputError(f"training needs at least one step or a positive time, not {length}")

    def progress(self, step: int, seconds: float) -> float:
        """The share of the leg that is done, 1 when it is over."""
        if self.steps is not None:
            return min(1.0, (step - self.first_step) / self.steps)
        assert self.seconds is not None  # the constructor saw to it
        return min(1.0, (seconds - self.first_second) / self.seconds)

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return asdict(self)


def learning_rate_factor(progress: float) -> float:
    r"""A linear rise, then half a cosine down to 1 % (Loshchilov and Hutter 2017).

    Example:
        >>> [round(learning_rate_factor(p), 2) for p in (0.0, 0.05, 0.525, 1.0)]
        [0.01, 1.0, 0.51, 0.01]
    """
    if progress < WARM_UP:
        return max(0.01, progress / WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def parse_budget(text: str | float) -> float:
    """Seconds from ``90``, ``90s``, ``10m`` or ``2h``.

    Example:
        >>> parse_budget("90s"), parse_budget("10m"), parse_budget("1.5h")
        (90.0, 600.0, 5400.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|m|h|)\s*", str(text))
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise InputError(f"the budget {text!r} is not a time: write it as 90s, 10m or 2h")
    return seconds
