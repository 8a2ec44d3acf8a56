"""The command line: ``pushforward fit | resume | sample | score | audit | game | compare | show``.

Everything heavy is imported inside the command that needs it, so that ``--help`` answers at once. An error a user can
mend is one sentence on standard error and exit status 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pushforward.waiting import auditing, reading_pictures, watching, working

if TYPE_CHECKING:
    from pushforward.run import Run

__all__ = ["main"]

app = typer.Typer(
    name="pushforward",
    help="Learn the law of some data, and say how far its samples can be told from them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Source = Annotated[
    str,
    typer.Argument(help="digits; a CSV, TSV, Parquet, .npy or .npz file; or a folder or zip of pictures."),
]
Directory = Annotated[Path, typer.Argument(help="A run's directory.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random choice.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands at --out.")]
Steps = Annotated[int | None, typer.Option(help="Train this many steps; with it the result is reproducible.")]
Budget = Annotated[str | None, typer.Option(help="Train this long: 90s, 10m, 2h.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Key = Annotated[str | None, typer.Option(help="Which array of an .npz file.")]
Columns = Annotated[str | None, typer.Option(help="Use these columns alone: a,b,c.")]
Drop = Annotated[str | None, typer.Option(help="Leave these columns out: a,b,c.")]
Context = Annotated[str | None, typer.Option(help="Columns that condition the model and are not modelled: a,b.")]
Delimiter = Annotated[str | None, typer.Option(help="What separates a text file's cells.")]
Size = Annotated[str | None, typer.Option(help="Resize and crop pictures: 32, or 32x48 for height × width.")]
Mode = Annotated[str | None, typer.Option(help="Read pictures as L (grey) or RGB.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out corrupt pictures, and count them.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Replace a default: --set hidden=[64,64] --set learning_rate=1e-3."),
]
Model = Annotated[str, typer.Option(help="flow, autoregressive, vae or gan.")]


@app.command()
def fit(
    source: Source,
    out: Annotated[Path, typer.Option(help="The run's directory, which must not exist.")],
    model: Model = "flow",
    steps: Steps = None,
    budget: Budget = None,
    seed: Seed = 0,
    sets: Sets = None,
    device: Device = "auto",
    force: Force = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard's files too.")] = False,
    key: Key = None,
    columns: Columns = None,
    drop: Drop = None,
    context: Context = None,
    delimiter: Delimiter = None,
    size: Size = None,
    mode: Mode = None,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Learn the law of some data."""
    from pushforward.fitting import fit as fit_run
    from pushforward.reporting import finish

    with watching(f"{model} ← {source}") as observe:
        run = fit_run(
            source,
            model,
            out=out,
            steps=steps,
            budget=budget,
            seed=seed,
            context=_names(context),
            options=_options(sets),
            device=device,
            force=force,
            tensorboard=tensorboard,
            observe=observe,
            command=_command(),
            **_reading(key, columns, drop, delimiter, size, mode, skip_bad),
        )
    _stop_if_interrupted(run)
    with working("measuring and writing the page"):
        run = finish(run)
    _show(run, as_json)


@app.command()
def resume(
    directory: Directory,
    steps: Steps = None,
    budget: Budget = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Go on with a run: to its end if it was stopped or killed, or further by some steps or time."""
    from pushforward.fitting import resume as resume_run
    from pushforward.reporting import finish

    with watching(str(directory)) as observe:
        run = resume_run(directory, steps=steps, budget=budget, device=device, observe=observe)
    _stop_if_interrupted(run)
    with working("measuring and writing the page"):
        run = finish(run)
    _show(run, as_json)


@app.command()
def sample(
    directory: Directory,
    n: Annotated[int, typer.Option("-n", "--number", help="How many.")],
    out: Annotated[Path, typer.Option(help="A .csv, .tsv, .parquet, .npy or .npz file, or a folder for pictures.")],
    seed: Seed = 0,
    given: Annotated[list[str] | None, typer.Option(help="A value of the context: --given label=3.")] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Draw patterns of the kind the data came in."""
    from pushforward.data import export
    from pushforward.errors import InputError
    from pushforward.run import Run
    from pushforward.storage import refuse_existing

    if n < 1:
        raise InputError(f"cannot draw {n} patterns; give -n a positive number")
    refuse_existing(out, force)
    run = Run(directory)
    with working("drawing"):
        drawn = run.sample(n, seed, _options(given) or None)
    export(drawn, out, force=force)
    _print_json({"n": n, "seed": seed, "out": str(out)}) if as_json else print(f"{drawn.describe()} → {out}")


@app.command()
def score(
    directory: Directory,
    source: Source,
    out: Annotated[Path | None, typer.Option(help="A CSV file for one log-likelihood a row.")] = None,
    k: Annotated[int, typer.Option("--k", help="Importance samples, where the model is known by a bound.")] = 100,
    seed: Seed = 0,
    key: Key = None,
    columns: Columns = None,
    drop: Drop = None,
    delimiter: Delimiter = None,
    size: Size = None,
    mode: Mode = None,
    skip_bad: SkipBad = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Say how likely data are under a model, row by row."""
    from pushforward.scoring import score as score_source

    reading = _reading(key, columns, drop, delimiter, size, mode, skip_bad)
    with working("scoring"):
        likelihood = score_source(directory, source, out, k, seed, force, **reading)
    if as_json:
        _print_json({"log_likelihood": likelihood.to_json(), "out": None if out is None else str(out)})
    else:
        print(f"log p(x): {likelihood}" + ("" if out is None else f"\none figure a row: {out}"))


@app.command()
def audit(
    real: Annotated[str, typer.Argument(help="Data, or a run, which stands for the data it kept for the verdict.")],
    fake: Annotated[str, typer.Argument(help="Samples in the same form, or a run, which stands for its model's.")],
    out: Annotated[Path | None, typer.Option(help="An HTML file for the page.")] = None,
    game: Annotated[Path | None, typer.Option(help="An HTML file on which a person tells real from generated.")] = None,
    train: Annotated[str | None, typer.Option(help="What the generator learnt from, if REAL is other data.")] = None,
    modes: Annotated[str | None, typer.Option(help="The column of REAL that names each pattern's mode.")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="For rows columns; for pictures pixels, pca, convolutions, efficientnet-lite0, onnx:PATH."),
    ] = None,
    seed: Seed = 0,
    level: Annotated[float, typer.Option(help="Of the test, and one minus the intervals' coverage.")] = 0.05,
    key: Key = None,
    columns: Columns = None,
    drop: Drop = None,
    delimiter: Delimiter = None,
    size: Size = None,
    mode: Mode = None,
    skip_bad: SkipBad = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Say how far samples can be told from data."""
    from pushforward.reporting import audit_page

    reading = _reading(key, columns, drop, delimiter, size, mode, skip_bad)
    with auditing() as observe:
        result = audit_page(
            real,
            fake,
            out,
            game=game,
            train=train,
            modes=modes,
            features=features,
            seed=seed,
            level=level,
            force=force,
            command=_command(),
            observe=observe,
            **reading,
        )
    if as_json:
        _print_json(result.to_json())
    else:
        print(result)
        for what, place in (("page", out), ("game", game)):
            if place is not None:
                print(f"The {what}: {place}")


@app.command()
def game(
    answers: Annotated[list[Path], typer.Argument(help="JSON files that players saved from one game's page.")],
    as_json: Json = False,
) -> None:
    """Pool what several people answered in the game of an audit."""
    from pushforward.report.answers import pool_answers

    pool = pool_answers(answers)
    _print_json(pool.to_json()) if as_json else print(pool)


@app.command()
def compare(
    source: Source,
    out: Annotated[Path, typer.Option(help="A directory for the runs and their page, which must not exist.")],
    models: Annotated[str, typer.Option(help="Which families: flow,vae.")] = "flow,autoregressive,vae,gan",
    steps: Steps = None,
    budget: Annotated[str | None, typer.Option(help="Train each this long: 90s, 10m, 2h.")] = None,
    seed: Seed = 0,
    device: Device = "auto",
    force: Force = False,
    key: Key = None,
    columns: Columns = None,
    drop: Drop = None,
    context: Context = None,
    delimiter: Delimiter = None,
    size: Size = None,
    mode: Mode = None,
    skip_bad: SkipBad = False,
    as_json: Json = False,
) -> None:
    """Train several families on the same data, and put them on one page."""
    from pushforward.comparison import compare as compare_families

    comparison = compare_families(
        source,
        _names(models) or [],
        out=out,
        steps=steps,
        budget=budget,
        seed=seed,
        context=_names(context),
        device=device,
        force=force,
        watching=watching,
        working=working,
        command=_command(),
        **_reading(key, columns, drop, delimiter, size, mode, skip_bad),
    )
    if comparison.interrupted is not None:
        _stop_if_interrupted(comparison.interrupted)
    if as_json:
        _print_json(comparison.to_json())
    else:
        comparison.print()


@app.command()
def show(directory: Directory, as_json: Json = False) -> None:
    """Say what a run is and what was found."""
    from pushforward.run import Run

    _show(Run(directory), as_json)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from pushforward import __version__

        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; the entry point of ``pushforward``."""
    import os
    import signal
    import warnings

    from pushforward.errors import PushforwardError

    # Threads that wait for each other by spinning make a shared machine many times slower; idle ones cost little.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.showwarning = lambda message, *_: print(f"pushforward: {message}", file=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half written is cleared away first
    try:
        app(prog_name="pushforward")
    except PushforwardError as error:
        print(f"pushforward: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except MemoryError:
        print("pushforward: this machine's memory does not suffice; ask for less at once", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # a disk that fills up, a place that goes away
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"pushforward: {where}{error.strerror or error}; free some room, or choose another place", file=sys.stderr
        )
        sys.exit(2)


def _show(run: Run, as_json: bool) -> None:
    from pushforward.reporting import print_run, run_to_json

    _print_json(run_to_json(run)) if as_json else print_run(run)


def _print_json(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def _stop_if_interrupted(run: Run) -> None:
    if run.status == "interrupted":
        print(
            f"Stopped and saved at step {run.record['trained']['step']:,}. To go on:\n"
            f"pushforward resume {run.directory}",
            file=sys.stderr,
        )
        sys.exit(130)


def _command() -> str:
    import shlex

    return shlex.join(["pushforward", *sys.argv[1:]])


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _options(pairs: list[str] | None) -> dict[str, Any]:
    """``name=value`` pairs, each value read as JSON, or as text where it is none."""
    from pushforward.errors import InputError

    options: dict[str, Any] = {}
    for pair in pairs or []:
        name, sign, text = pair.partition("=")
        if not sign or not name:
            raise InputError(f"{pair!r} is not of the form name=value")
        try:
            options[name] = json.loads(text)
        except ValueError:
            options[name] = text
    return options


def _reading(
    key: str | None,
    columns: str | None,
    drop: str | None,
    delimiter: str | None,
    size: str | None,
    mode: str | None,
    skip_bad: bool,
) -> dict[str, Any]:
    """Arguments of :func:`pushforward.load` from options; those not given are left out."""
    given = {
        "key": key,
        "columns": _names(columns),
        "drop": _names(drop),
        "delimiter": None if delimiter is None else delimiter.replace("\\t", "\t"),
        "size": None if size is None else _size(size),
        "mode": mode,
        "skip_bad": skip_bad or None,
    }
    return {name: value for name, value in given.items() if value is not None} | {"progress": reading_pictures()}


def _size(text: str) -> int | tuple[int, int]:
    from pushforward.errors import InputError

    parts = text.lower().replace("×", "x").split("x")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts) or len(parts) not in (1, 2):
        raise InputError(f"the size {text!r} is not one: write 32, or 32x48 for height × width")
    return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))


if __name__ == "__main__":
    main()
