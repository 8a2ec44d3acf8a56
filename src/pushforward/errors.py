"""What can go wrong, in the words of the person it happens to.

Every error a user can cause is a :class:`PushforwardError` whose one message names *what* is wrong, *where*, and the
*remedy*. The command line prints it and exits with status 2; in Python it is an ordinary exception.
"""

from __future__ import annotations

__all__ = ["DivergedError", "InputError", "NoDensityError", "PushforwardError", "RunError"]


class PushforwardError(Exception):
    """The root of every error this package raises on purpose."""


class InputError(PushforwardError, ValueError):
    """What was given cannot be used: a file, a column, an option, a shape."""


class RunError(InputError):
    """A run directory cannot be used: missing, damaged, or of a newer format."""


class NoDensityError(PushforwardError, TypeError):
    """A likelihood was asked of a law that has none (a GAN's); the message says what to ask instead."""


class DivergedError(PushforwardError, ArithmeticError):
    """Training met a loss or gradient that is not finite; the last good checkpoint is intact."""
