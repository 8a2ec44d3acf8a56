"""From data to a trained model: start a run, go on with one, and finish it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from pushforward.arguments import by_name, checked_seed, whole_number
from pushforward.beginning import described, first_checkpoint, match_of, python_command, save, versions
from pushforward.data import Schema, Splits, load, split
from pushforward.errors import DivergedError, InputError
from pushforward.families import configure, family
from pushforward.feeding import HELD_OUT_AT_MOST, batch_of, held_out, stream_of
from pushforward.record import FORMAT
from pushforward.run import Run
from pushforward.storage import new_directory, refuse_existing, write_json, write_tensors
from pushforward.training.game import require_compiler
from pushforward.training.loop import Hooks, Observer, Settings, isolated_randomness, play
from pushforward.training.metrics import MetricsFile
from pushforward.training.schedule import Leg, parse_budget
from pushforward.training.signals import StopSignals
from pushforward.training.state import Match
from pushforward.training.stream import Stream, seed_of

__all__ = ["DEFAULT_BUDGET", "device_named", "fit", "resume"]

DEFAULT_BUDGET = "1m"


def fit(
    source: Any,
    model: str = "flow",
    *,
    out: str | Path | None = None,
    steps: int | None = None,
    budget: str | float | None = None,
    seed: int = 0,
    context: str | list[str] | None = None,
    options: Mapping[str, Any] | None = None,
    settings: Settings | None = None,
    device: str = "auto",
    force: bool = False,
    tensorboard: bool = False,
    observe: Observer | None = None,
    command: str | None = None,
    **reading: Any,
) -> Run:
    """Learn the law of some data.

    Arguments:
        source: Anything :func:`pushforward.load` takes.
        model: The family: flow, autoregressive, vae or gan.
        out: The run's directory, which must not exist; a temporary one by default.
        steps: How many steps to train; with it the result is reproducible.
        budget: How long to train, as ``90s``, ``10m``, ``2h``; one minute by default.
        seed: Of every random choice: split, weights, order, noise.
        context: Columns that condition the model and are not modelled.
        options: Values that replace the family's defaults, by name.
        settings: Patience, checkpoints, precision, compiling; the seed above replaces theirs.
        device: ``auto``, ``cpu`` or ``cuda``.
        force: Whether to replace what stands at ``out``.
        tensorboard: Whether to write TensorBoard's files too.
        observe: Sees every step.
        command: The command that reproduces the run, for the record.
        reading: Further arguments of :func:`pushforward.load`.

    Raises:
        InputError: If anything given cannot be used. Nothing is written then.
        DivergedError: If training meets a number that is not finite.

    Example:
        >>> run = fit("digits", "vae", steps=20)
        >>> run.sample(3).describe()
        '3 pictures of 8×8'
    """
    family(model)
    if steps is None and budget is None:
        budget = DEFAULT_BUDGET
    leg = _leg(steps, budget)
    seed, options = checked_seed(seed), by_name(options, "the options", {"hidden": [64, 64]})
    settings = replace(settings or Settings(), seed=seed)
    where = device_named(device)
    if settings.compile:
        _check_compiles(model, where)
    place = Path(tempfile.mkdtemp(prefix="pushforward-")) / model if out is None else Path(out)
    refuse_existing(place, force)
    _refuse_foreign(place)
    dataset = load(source, context=context, **reading)
    parts = split(dataset, seed=seed)
    schema = Schema.fit(parts.train, dataset)
    configuration = configure(model, schema.event, options, len(parts.train))
    if dataset.has_missing:
        _check_takes_missing(model, configuration.architecture, dataset.name)
    with StopSignals() as signals:  # from before there is a run that could be gone on with
        with new_directory(place, force=force) as draft:
            record = {
                "format": FORMAT,
                "status": "running",
                "family": model,
                "architecture": configuration.architecture,
                "model": {"event": schema.event.to_json(), "context": schema.context_size, **configuration.model},
                "game": dict(configuration.game),
                "batch": configuration.batch,
                "settings": asdict(settings),
                "legs": [leg.to_json()],
                "seed": seed,
                "schema": schema.to_json(),
                "data": described(dataset, parts, draft),
                "tensorboard": tensorboard,
                "command": command or python_command(source, model, steps, budget, seed),
                "versions": versions(),
                "results": {},
            }
            write_json(draft / "run.json", record)
            first_checkpoint(Run(draft, where), parts)
        run = Run(place, where)
        match, status = _played(run, parts, signals, observe)
    return _ended(run, match, parts, status)


def resume(
    directory: str | Path,
    *,
    steps: int | None = None,
    budget: str | float | None = None,
    device: str = "auto",
    observe: Observer | None = None,
) -> Run:
    """Go on with a run: to its end if it was stopped or killed, or further by some steps or time.

    A damaged ``model.safetensors`` is made again from the last checkpoint.

    Raises:
        InputError: If it is finished and neither ``steps`` nor ``budget`` is given, or its data have changed.
    """
    run = Run(directory, device_named(device))
    further = steps is not None or budget is not None
    over = run.status in ("finished", "stopped early") and run.weights_are_whole()  # else its end is played again
    if over and not further and not (run.results and (run.directory / "report.html").is_file()):
        return run  # killed between its last step and its page, which is all that it lacks
    if further:
        _, counters = run.checkpoints.latest()
        # A damaged checkpoint may have sent us back: then what is missing is played again before the new leg.
        at = max(counters, run.record.get("trained", counters), key=lambda c: int(c["step"]))
        leg = _leg(steps, budget, at["step"], at["seconds"])
        parts = run.splits()
        run.record["legs"].append(leg.to_json())
    elif over:
        raise InputError(f"{directory} is {run.status}; to take it further, give --steps or --budget")
    else:
        parts = run.splits()
    if run.record["settings"].get("compile"):
        require_compiler(run.device)
    with StopSignals() as signals:
        run.record |= {"status": "running", "results": {}}  # what was measured was another model
        run.save()
        (run.directory / "report.html").unlink(missing_ok=True)
        match, status = _played(run, parts, signals, observe)
    return _ended(run, match, parts, status)


def _played(run: Run, parts: Splits, signals: StopSignals, observe: Observer | None) -> tuple[Match, str]:
    """The run's legs played from its newest checkpoint on, until a signal asks to stop, and how that ended."""
    settings = Settings(**run.record["settings"])
    match = match_of(run, settings)
    match.restore(*run.checkpoints.latest())
    stream = stream_of(run, parts.train)
    tensorboard = bool(run.record["tensorboard"])
    with MetricsFile(run.directory / "metrics.jsonl", match.counters.step, tensorboard) as metrics:
        hooks = Hooks(
            held_out=held_out(run, match, parts.validation),
            save=lambda: save(run, match),
            record=metrics,
            observe=observe or (lambda status: None),
            stop=lambda: signals.received is not None,
        )
        try:
            return match, _play_legs(run, match, stream, settings, hooks)
        except DivergedError as error:
            good = run.checkpoints.files[-1]
            raise DivergedError(
                f"{error}; the last good checkpoint, {good}, is intact; fit again with a smaller learning rate "
                "(--set learning_rate=…)"
            ) from None


def _ended(run: Run, match: Match, parts: Splits, status: str) -> Run:
    """The run with the weights to use, unless it was interrupted."""
    run.record["status"] = status
    if status != "interrupted":
        write_tensors(run.directory / "model.safetensors", _final(run, match, parts), {"step": match.counters.step})
    run.record["trained"] = match.record()
    run.save()
    return Run(run.directory, str(run.device))


def _leg(steps: int | None, budget: str | float | None, first_step: int = 0, first_second: float = 0.0) -> Leg:
    """What is asked for, from a step and a second on."""
    count = None if steps is None else whole_number(steps, "the number of steps", such=1000)
    return Leg(first_step, first_second, count, None if budget is None else parse_budget(budget))


def _final(run: Run, match: Match, parts: Splits) -> dict[str, torch.Tensor]:
    """The weights to use, calibrated on the part that they were chosen by."""
    model = run.fresh_model().eval()
    model.load_state_dict(match.final())
    if len(parts.validation):
        batch = batch_of(run, parts.validation.thinned(HELD_OUT_AT_MOST, run.seed))
        with isolated_randomness(run.device):
            torch.manual_seed(seed_of(run.seed, "calibrate"))
            model.calibrate(batch.x, batch.context)
    return model.state_dict()


def _play_legs(run: Run, match: Match, stream: Stream, settings: Settings, hooks: Hooks) -> str:
    """The leg that the match stands in, up to where the next one took over, and those that follow."""
    legs = [Leg(**leg) for leg in run.record["legs"]]
    current = max(i for i, leg in enumerate(legs) if leg.first_step <= match.counters.step)
    status = "finished"
    for leg, following in zip(legs[current:], [*legs[current + 1 :], None], strict=True):
        if match.counters.step == leg.first_step:
            match.counters.stale = 0  # a new leg has new patience
        status = play(match, stream, leg, settings, hooks, None if following is None else following.first_step)
        if status == "interrupted":
            break
    return status


def device_named(name: str) -> str:
    """A device torch has, from ``auto``, ``cpu`` or ``cuda``.

    Raises:
        InputError: If there is none of that name.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    with contextlib.suppress(RuntimeError):
        if torch.device(name).type == "cpu" or (torch.device(name).type == "cuda" and torch.cuda.is_available()):
            return name
    raise InputError(f"no device {name!r} on this machine; use --device cpu, or auto to take what there is")


def _check_compiles(model: str, device: str) -> None:
    """Raise an ``InputError`` if a model's training step cannot be compiled, or nothing here can compile it."""
    if not family(model).density:
        raise InputError(f"{model} is not compiled, for its loss holds gradients; fit it without compiling")
    require_compiler(device)


def _check_takes_missing(model: str, architecture: str, name: str) -> None:
    """Raise an ``InputError`` if missing values are nothing for an architecture."""
    if not family(model).architectures[architecture].takes_missing:
        raise InputError(
            f"{name} has missing values, which only the architecture 'steps' of --model autoregressive can "
            "take; fit that, or fill them"
        )


def _refuse_foreign(place: Path) -> None:
    """Only a run or an empty folder is replaced, whatever was said: anything else may be dear to someone."""
    if place.exists() and not (place / "run.json").is_file() and not (place.is_dir() and not any(place.iterdir())):
        raise InputError(f"{place} is not a run, and --force replaces nothing else; choose another --out")
