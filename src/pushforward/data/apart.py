"""Windows of series as tests of independent patterns ask for them: apart, in step with the calendar, hardly related."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pushforward.data.dataset import Array, Dataset
from pushforward.data.series import seconds_of
from pushforward.data.views import overlapping
from pushforward.errors import InputError

__all__ = ["Relation", "apart", "closest", "gaps", "in_phase", "relation", "thinned"]

HARDLY = 0.2
"""A correlation of neighbouring windows that the tests bear."""
CHANCE = 0.01
"""Of naming a relation between windows where there is none."""
DAY, WEEK = 86_400, 604_800
FEWEST_OF_A_PHASE = 5
"""Windows that begin at the same time of the day, fewer of which have no mean worth taking off."""


@dataclass(frozen=True)
class Relation:
    """How strongly windows depend on others.

    Arguments:
        correlation: The largest rank correlation, of the windows' means or spreads.
        variable: Of which variable.
        name: In which series.
    """

    correlation: float
    variable: str
    name: str

    def __str__(self) -> str:
        return f"correlation {self.correlation:.2f}".replace("0.", ".") + f" in {self.variable!r} of {self.name}"


def apart(data: Dataset, fewest: int) -> Dataset:
    """Of a series the windows that do not overlap: each step counts once. Other data are returned as they are.

    Raises:
        InputError: Fewer than ``fewest`` are left.
    """
    if data.kind != "series" or not overlapping(data.windows):
        return data
    window = data.windows.shape[1]
    each_once = data.take(slice(0, None, window))
    if len(each_once) < fewest:
        few = f"{data.name} has {len(each_once)} windows of {window} steps that do not overlap"
        raise InputError(
            f"{few}, but an audit needs {fewest} or more; give a longer series, or shorter windows with --window"
        )
    return each_once


def in_phase(real: Dataset, fake: Dataset, fewest: int) -> tuple[Dataset, tuple[str, ...]]:
    """``fake`` from where its windows begin at the same time of the week as those of ``real``, else of the day.

    Windows that begin elsewhere in a cycle look different whatever the laws are.

    Arguments:
        real: A series; without a calendar it leaves ``fake`` as it is.
        fake: Another, which may have none.
        fewest: How many windows that do not overlap must be left.

    Returns:
        The series, and what was done in a sentence, or why it could not be.
    """
    if not real.context:
        return fake, ()
    if not fake.context:
        unknown = f"{fake.name} has no times, so whether its windows begin at the same time of the day or week as those"
        return fake, (f"{unknown} of {real.name} is not known; if not, that alone may tell them apart",)
    first, begins = (next(iter(data.context.values()))[:, 0] for data in (real, fake))
    stride = fake.windows.shape[1] if overlapping(fake.windows) else 1
    cycles = _cycles(real.interval)
    for cycle in cycles:
        at = np.flatnonzero(_place(begins, cycle) == _place(first[:1], cycle))
        if len(at) and len(range(int(at[0]), len(fake), stride)) >= fewest:
            cut = f"the first {at[0]:,} steps of {fake.name} were left out, so that its windows begin at the same time"
            return fake.take(slice(int(at[0]), None)), (f"{cut} of the {cycle} as those of {real.name}",) * bool(at[0])
    unlike = f"the windows of {fake.name} begin at other times of the {cycles[-1]} than those of {real.name}, which"
    return fake, (f"{unlike} alone may tell them apart",)


def relation(data: Dataset, lag: int = 1) -> Relation | None:
    r"""How windows depend on the window ``lag`` later, if more than by chance.

    Of each variable's means and standard deviations :math:`f_i` over the windows, less the mean of those that begin at
    the same time of the day, the ranks' autocorrelation

    .. math:: r = \frac{\frac1{n - k} \sum_i z_i z_{i+k}}{\frac1n \sum_i z_i^2},
        \qquad z_i = \mathrm{rank} f_i - \frac{n + 1}2,

    whose standard deviation under independence is about :math:`1 / \sqrt{n - k}` (Bartlett 1946).

    Arguments:
        data: Windows of a series that do not overlap, in their order; other data have none and no relation.
        lag: k.

    Example:
        >>> walk = np.random.default_rng(0).normal(size=(100, 4, 1)).cumsum(0)
        >>> print(relation(Dataset("series", walk, "walk.csv", columns=("height",))))
        correlation .96 in 'height' of walk.csv
    """
    from scipy.stats import norm, rankdata

    if data.kind != "series":
        return None
    n, steps, variables = data.windows.shape
    x = data.numeric().reshape(n, steps, variables)
    features = _without_phases(np.concatenate([x.mean(1), x.std(1)], 1), data)
    z = rankdata(features, axis=0) - (n + 1) / 2
    with np.errstate(invalid="ignore"):  # a variable that never changes has no correlation
        r = np.nan_to_num(np.mean(z[:-lag] * z[lag:], axis=0) / np.mean(z * z, axis=0))
    limit = max(HARDLY, norm.isf(CHANCE / len(r)) / np.sqrt(n - lag))
    most = int(r.argmax())
    return Relation(float(r[most]), data.columns[most % variables], data.name) if r[most] > limit else None


def thinned(sets: Sequence[Dataset], fewest: int) -> tuple[list[Dataset], tuple[str, ...]]:
    """One window in k of each series, for the smallest k at which windows hardly depend on the next that is kept.

    All have the same k, which keeps them in step; at least ``fewest`` windows are left of each. With a calendar k has
    no divisor in common with the number of places in the week at which windows begin, so that all of them stay.

    Returns:
        The series, and what was done in a sentence.
    """
    most = max(1, min(map(len, sets)) // fewest)
    places = _places(sets[0])
    steps = [k for k in range(1, most + 1) if math.gcd(k, places) == 1]
    k = next((k for k in steps if closest(sets, k) is None), steps[-1])
    if k == 1:
        return list(sets), ()
    found = f"neighbouring windows depend on each other ({closest(sets)})"
    left = closest(sets, k)
    still = f"; even these depend on each other ({left}), which makes p-values somewhat too small" if left else ""
    kept = f"{found}, so one in {k} was kept and the others left out{still}"
    return [data.take(slice(0, None, k)) for data in sets], (kept,)


def closest(sets: Sequence[Dataset], lag: int = 1) -> Relation | None:
    """The strongest :func:`relation` in any of the sets, if there is one."""
    found = (relation(data, lag) for data in sets)
    return max(filter(None, found), key=lambda each: each.correlation, default=None)


def gaps(sets: Sequence[Dataset]) -> tuple[str, ...]:
    """How many values each series lacks and what stands for them, in a sentence; nothing if none does.

    Example:
        >>> data = Dataset("series", np.array([[[1.0], [np.nan]]]), "a.csv", columns=("x",))
        >>> print(gaps([data])[0].split(":")[0])
        missing values (50 % of 'x' in a.csv) count as the last one before them in the window, or as 0 if there is none
    """
    shares = [np.isnan(data.windows).mean((0, 1)) for data in sets]
    lacking = np.flatnonzero(np.max(shares, axis=0))
    if not len(lacking):
        return ()
    counted = "; ".join(
        f"{', '.join(f'{100 * share[j]:.2g} % of {data.columns[j]!r}' for j in lacking[:5])} in {data.name}"
        for data, share in zip(sets, shares, strict=True)
    )
    filled = f"missing values ({counted}) count as the last one before them in the window, or as 0 if there is none"
    return (f"{filled}: gaps that are more frequent on one side alone may tell the two apart",)


def _cycles(interval: str) -> tuple[str, ...]:
    """The cycles in which windows may begin at different places, the longest first."""
    step = seconds_of(interval)
    return ("week", "day") if step < DAY else ("week",) if step < WEEK else ("year",)


def _places(data: Dataset) -> int:
    """At how many places of the week windows begin that follow each other; 1 without a calendar of hours or days."""
    if data.kind != "series" or not 0 < (step := seconds_of(data.interval)) < WEEK:
        return 1
    return WEEK // math.gcd(WEEK, round(step * data.windows.shape[1]))


def _place(stamps: Array, cycle: str) -> Array:
    """Where in a cycle stamps lie; in a year to the month, for steps of weeks fall on other days each year."""
    if cycle == "year":
        return stamps.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12
    return stamps % {"week": WEEK, "day": DAY}[cycle]


def _without_phases(features: Array, data: Dataset) -> Array:
    """Features less their mean over the windows that begin at the same time of the day.

    The day recurs in both series alike; what counts is how windows depend on each other beyond it.
    """
    for stamps in data.context.values():
        phases, phase = np.unique(stamps[:, 0] % DAY, return_inverse=True)
        if len(phases) * FEWEST_OF_A_PHASE <= len(data):
            sums = np.zeros((len(phases), features.shape[1]))
            np.add.at(sums, phase, features)
            features = features - (sums / np.bincount(phase)[:, None])[phase]
    return features
