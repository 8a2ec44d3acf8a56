"""Learn the law of some data, and say how far its samples can be told from them.

The names below are the public surface. Each is imported when first used, so that ``import pushforward`` and
``pushforward --help`` cost nothing that is not needed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pushforward.auditing import Audit as Audit
    from pushforward.comparison import compare as compare
    from pushforward.data import Dataset as Dataset
    from pushforward.data import Schema as Schema
    from pushforward.data import load as load
    from pushforward.data import split as split
    from pushforward.distributions.likelihood import log_likelihood as log_likelihood
    from pushforward.errors import InputError as InputError
    from pushforward.errors import NoDensityError as NoDensityError
    from pushforward.errors import PushforwardError as PushforwardError
    from pushforward.event import Block as Block
    from pushforward.event import Event as Event
    from pushforward.evidence import Estimate as Estimate
    from pushforward.evidence import Kind as Kind
    from pushforward.evidence import LogLikelihood as LogLikelihood
    from pushforward.fitting import fit as fit
    from pushforward.fitting import resume as resume
    from pushforward.judging import audit as audit
    from pushforward.run import Run as Run
    from pushforward.run import open_run as open  # noqa: A004, F401  # pushforward.open, as numpy.load

__version__ = version("pushforward")

_HOMES = {
    "Audit": "auditing",
    "Block": "event",
    "Dataset": "data",
    "Estimate": "evidence",
    "Event": "event",
    "InputError": "errors",
    "Kind": "evidence",
    "LogLikelihood": "evidence",
    "NoDensityError": "errors",
    "PushforwardError": "errors",
    "Run": "run",
    "Schema": "data",
    "audit": "judging",
    "compare": "comparison",
    "fit": "fitting",
    "load": "data",
    "log_likelihood": "distributions.likelihood",
    "open": "run",
    "resume": "fitting",
    "split": "data",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pushforward' has no attribute {name!r}")
    home = import_module(f"pushforward.{_HOMES[name]}")
    return getattr(home, "open_run" if name == "open" else name)


def __dir__() -> list[str]:
    return sorted(__all__)
