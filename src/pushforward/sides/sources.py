"""Any two of data, samples and runs, as data sets in one form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pushforward.data import Dataset
from pushforward.data.alike import alike
from pushforward.data.apart import apart, in_phase, thinned
from pushforward.data.comparable import in_form_of
from pushforward.data.views import overlapping
from pushforward.errors import InputError
from pushforward.run import Run
from pushforward.sides.compared import FEWEST, Sides
from pushforward.sides.modes import loaded, loaded_if_with, loaded_with, parts_with, with_modes
from pushforward.sides.runs import beside_run, most, sides_with_run

__all__ = ["sides"]


def sides(real: Any, fake: Any, *, train: Any = None, modes: str | None = None, seed: int = 0, **reading: Any) -> Sides:
    """Two sources as data sets in one form, and what else an audit of them uses."""
    run_real, run_fake = _as_run(real), _as_run(fake)
    if run_fake is not None:
        if train is not None:
            raise InputError(f"{fake} is a run and knows what it learnt from; leave --train out")
        both = sides_with_run(real, run_real, run_fake, seed, reading, modes)
    elif run_real is not None:
        parts, samples = parts_with(run_real, modes), loaded_if_with(fake, beside_run(run_real, reading), modes)
        # whoever made the samples may have learnt from the same part
        learnt = parts.train.thinned(most(run_real), seed)
        both = replace(_independent(parts.test, samples), train_real=learnt, reference="test part")
    else:
        data = loaded_with(real, reading, modes)
        reading = _with_windows_of(data, reading)
        both = _independent(data, loaded_if_with(fake, reading, modes))
    if train is not None:
        both = replace(both, train_real=loaded(train, reading, "train"), reference="held-out data")
    both = _named_alike(_in_one_form(both))
    if train is not None:
        _check_held_out(both)
    return both if modes is None else with_modes(both, modes, drawn=run_fake is not None)


def _with_windows_of(data: Dataset, reading: dict[str, Any]) -> dict[str, Any]:
    """How to read what a series is compared with: in windows as long as its own, which may follow from its length."""
    if data.kind != "series" or reading.get("window") is not None:
        return reading
    return {**reading, "window": data.windows.shape[1]}


def _independent(real: Dataset, fake: Dataset) -> Sides:
    """Both, of series the windows that begin in step with the calendar and that tests may take as independent."""
    if (real.kind, fake.kind) != ("series", "series"):
        return Sides(real, fake)
    fake, begun = in_phase(real, fake, FEWEST)
    separate = not overlapping(fake.windows)  # draws, which depend on nothing
    real, fake = apart(real, FEWEST), apart(fake, FEWEST)
    kept, left_out = thinned([real] if separate else [real, fake], FEWEST)
    return Sides(kept[0], fake if separate else kept[1], notes=(*begun, *left_out))


def _in_one_form(both: Sides) -> Sides:
    """With every set in the form of the data."""
    train_real, train_fake = (
        None if x is None else in_form_of(both.real, x, what)
        for x, what in ((both.train_real, "training data"), (both.train_fake, "samples"))
    )
    fake = in_form_of(both.real, both.fake, "samples")
    return replace(both, fake=fake, train_real=train_real, train_fake=train_fake)


def _named_alike(both: Sides) -> Sides:
    """With one code for each name of a category, whichever set has it."""
    sets = [data for data in (both.real, both.fake, both.train_real, both.train_fake) if data is not None]
    named = iter(alike(sets))
    real, fake = next(named), next(named)
    train_real = None if both.train_real is None else next(named)
    return replace(both, real=real, fake=fake, train_real=train_real, train_fake=next(named, None))


def _check_held_out(both: Sides) -> None:
    """Refuse training data that are the data themselves: these would pass for held-out data."""
    if both.train_real is None:
        return
    real, learnt = _patterns(both.real), _patterns(both.train_real)
    # Of a series some windows were taken, and training data have them at every step.
    if real == learnt or (both.real.kind == "series" and set(real) <= set(learnt)):
        raise InputError(
            f"the training data ({both.train_real.name}) are the data themselves ({both.real.name}), so nothing was "
            "held out: leave --train out, or give as REAL data that the generator did not learn from"
        )


def _patterns(data: Dataset) -> list[bytes]:
    """The patterns, in an order that does not depend on how they were given."""
    return sorted(np.ascontiguousarray(x).tobytes() for x in data.numeric())


def _as_run(source: Any) -> Run | None:
    if isinstance(source, Run):
        return source
    if isinstance(source, (str, Path)) and (Path(source) / "run.json").is_file():
        return Run(source)
    return None
