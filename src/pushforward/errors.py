"""What can go wrong, in the words of the person it happens to.

Every error a user can cause is a :class:`PushforwardError` whose one message names *what* is wrong, *where*, and the
*remedy*. The command line prints it and exits with status 2; in Python it is an ordinary exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "DivergedError",
    "InputError",
    "NoDensityError",
    "OptionError",
    "PushforwardError",
    "RunError",
    "options_of_model",
]


class PushforwardError(Exception):
    """The root of every error this package raises on purpose."""


class InputError(PushforwardError, ValueError):
    """What was given cannot be used: a file, a column, an option, a shape."""


class OptionError(InputError):
    """An option of reading and the data do not fit each other: the option may change, unless a model has fixed it.

    Arguments:
        what: What is wrong, and where.
        remedy: What mends it where the option is free.
        fixed: What mends it where a model learnt with that option.
    """

    def __init__(self, what: str, remedy: str, fixed: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.of_model = f"{what}; {fixed}"


class RunError(InputError):
    """A run directory cannot be used: missing, damaged, or of a newer format."""


class NoDensityError(PushforwardError, TypeError):
    """A likelihood was asked of a law that has none (a GAN's); the message says what to ask instead."""


class DivergedError(PushforwardError, ArithmeticError):
    """Training met a loss or gradient that is not finite; the last good checkpoint is intact."""


@contextmanager
def options_of_model() -> Iterator[None]:
    """Name no option as a remedy where a model has fixed the options: its commands do not have them."""
    try:
        yield
    except OptionError as error:
        raise InputError(error.of_model) from None
