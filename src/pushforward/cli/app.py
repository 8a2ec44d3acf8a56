"""The commands under one name, and what becomes of errors.

Everything heavy is imported inside the command that needs it, so that ``--help`` answers at once. An error a user can
mend is one sentence on standard error and exit status 2.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from pushforward.cli.audit import audit
from pushforward.cli.compare import compare
from pushforward.cli.fit import fit
from pushforward.cli.forecast import forecast
from pushforward.cli.game import game
from pushforward.cli.resume import resume
from pushforward.cli.sample import sample
from pushforward.cli.score import score
from pushforward.cli.show import show

__all__ = ["main"]

DOORS = fit, resume, sample, forecast, score, audit, game, compare, show
"""Each in a file of its own, in the order of ``--help``."""

OUT_OF_MEMORY = "can't allocate memory", "out of memory", "bad_alloc"
"""What torch says, as a plain RuntimeError, where memory does not suffice."""

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Of a command line that names no command or option of ours; not every version of typer gives it a public name."""

app = typer.Typer(
    name="pushforward",
    help="Learn the law of some data, and say how far its samples can be told from them.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for door in DOORS:
    app.command()(door)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from pushforward import __version__

        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)


def main() -> None:
    """Run the command line; the entry point of ``pushforward``."""
    import os
    import signal
    import warnings

    from pushforward.errors import PushforwardError

    # How long threads wait for each other awake, in turns of a loop. With none (a passive wait) training took 1.3 to
    # 1.9 times as long on an idle machine, with 10,000 more than twice as long on a busy one; libgomp's own is 300,000.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    warnings.showwarning = lambda message, *_: print(f"pushforward: {message}", file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half written is cleared away first
    try:
        sys.exit(app(prog_name="pushforward", standalone_mode=False))
    except UsageError as error:
        _refuse(_misuse(error))
    except PushforwardError as error:
        _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):  # of which some versions of typer make the other
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or any(sign in str(error) for sign in OUT_OF_MEMORY)):
            raise
        _refuse("this machine's memory does not suffice; ask for less at once, or for a smaller model")
    except OSError as error:  # a disk that fills up, a place that goes away
        where = f"{error.filename}: " if error.filename else ""
        _refuse(f"{where}{error.strerror or error}; free some room, or choose another place")


def _refuse(sentence: str) -> None:
    print(f"pushforward: {sentence}", file=sys.stderr)
    sys.exit(2)


def _misuse(error: Any) -> str:
    """What is wrong with the command line, in typer's words, and where to read how it goes."""
    words = " ".join(error.format_message().split()).removesuffix(".")
    where = "pushforward" if error.ctx is None else error.ctx.command_path
    return f"{words[:1].lower()}{words[1:]}; see {where} --help"
