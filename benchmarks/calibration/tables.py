"""Rates from records, and their tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration.known import truth
from benchmarks.calibration.running import Found, Records
from pushforward.auditing.shares import clopper_pearson

__all__ = ["Rate", "markdown", "rates", "summary"]

LEVEL = 0.05
KINDS = {
    "level": "Tests at 5 %, equal laws",
    "coverage": "Intervals at 95 %",
    "limit": "Lower limits, how often they exceeded the truth",
}
"""What is counted, and its title. A lower limit is the lower end of an interval of less than it is held against."""
FULL = 1000
"""So many simulations and a rate may be held against 6.4 % or 93 %; with fewer its own interval must be looked at."""
MANY = 200

CONSERVATIVE = {
    "level": {
        "first column": "Kolmogorov and Smirnov's law is asymptotic and safe at few patterns; counts are discrete",
        "columns, any": "as a column alone, and discoveries are controlled together with the pairs",
        "pairs, any": "the smaller of two p-values, doubled; discoveries are controlled together with the columns",
        "columns or pairs": "as a column and a pair alone; comparisons of one table depend on each other",
        "under-covered modes": "counts are discrete, and Holm allows for any dependence",
        "verdict": "Bonferroni's correction, though the two tests often agree",
        "copies": "counts are discrete",
        "missed clusters": "counts are discrete",
        "unsupported": "counts are discrete",
        "closeness": "the law of ranks in a small cell has shorter tails than the normal law",
        "": "few values are possible",
    },
    "coverage": {
        "first column": "Kolmogorov and Smirnov's law is asymptotic and safe at few patterns",
        "unsupported": "counts are discrete",
        "copies": "it allows for the choice of the most striking number of pairs",
        "fixed discriminator": "where mistakes are few they are imagined too, and the lower end is always low enough",
        "most different": "it rests on the triangle inequality and allows for all columns at once",
        "moments of all": "as the most different column's",
        "MMD²": "near equal laws the parts of its error cannot be told apart and both are counted",
        "energy distance": "as MMD²",
        "kernel inception distance": "as MMD²",
        "sliced Wasserstein": "as MMD²",
        "Fréchet": "near equal laws the part of its error that grows with the distance is overestimated",
        "": "few values are possible",
    },
    "limit": {"": "it speaks of less than the divergence, which only the optimal discriminator attains"},
}
"""By part of a figure's name why it may be on the safe side."""


@dataclass(frozen=True)
class Rate:
    """How often a test rejected equal laws, an interval held the truth or a lower limit exceeded it in one setting."""

    kind: str
    figure: str
    scenario: str
    law: str
    n: int
    m: int
    d: int
    simulations: int
    count: int
    truth: float | None = None
    below: int | None = None

    @property
    def rate(self) -> float:
        return self.count / self.simulations

    @property
    def ends(self) -> tuple[float, float]:
        """Clopper and Pearson's 95 %."""
        return clopper_pearson(self.count, self.simulations)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "rate": self.rate, "low": self.ends[0], "high": self.ends[1]}

    def __str__(self) -> str:
        low, high = (f"{100 * end:.1f}" for end in self.ends)
        return f"{100 * self.rate:.1f} [{low}, {high}] of {self.simulations:,}"


def rates(records: Records) -> list[Rate]:
    """Of tests under equal laws, of every interval and of every lower limit."""
    found: list[Rate] = []
    for key, simulations in records.items():
        part, scenario, law, *sizes = key.split("|")
        n, m, d = map(int, sizes)
        for name in next(iter(simulations.values())):
            of_name = [figures[name] for figures in simulations.values() if name in figures]
            rate = partial(Rate, figure=name, scenario=scenario, law=law, n=n, m=m, d=d)
            found += _level(rate, of_name) if scenario == "equal" else []
            known = truth(part, name, scenario, law, n, m, d)
            found += [*_coverage(rate, of_name, known), *_exceeded(rate, of_name, known)]
    return found


def _level(rate: Callable[..., Rate], found: Sequence[Found]) -> Iterator[Rate]:
    p = [p for p, *_ in found if p is not None]
    if p:
        yield rate(kind="level", simulations=len(p), count=sum(x <= LEVEL + 1e-9 for x in p))


def _coverage(rate: Callable[..., Rate], found: Sequence[Found], known: float | None) -> Iterator[Rate]:
    """Where the truth is not known, it is the mean of the figure itself, which is what its interval is for."""
    ends = np.array([x[1:] for x in found if None not in x[1:]], float).reshape(-1, 3)
    if len(ends) == 0 or (known is not None and math.isnan(known)):
        return
    aim = float(ends[:, 1].mean()) if known is None else known
    slack = 1e-6 * max(1.0, abs(aim))
    below, above = (int(x.sum()) for x in (ends[:, 2] < aim - slack, ends[:, 0] > aim + slack))
    yield rate(kind="coverage", simulations=len(ends), count=len(ends) - below - above, truth=known, below=below)


def _exceeded(rate: Callable[..., Rate], found: Sequence[Found], known: float | None) -> Iterator[Rate]:
    """A lower limit speaks of something greater than its own figure, so that there must be a truth for it."""
    limits = [low for _, low, _, high in found if low is not None and high is None]
    if limits and known is not None and not math.isnan(known):
        yield rate(kind="limit", simulations=len(limits), count=sum(low > known for low in limits), truth=known)


def summary(found: Sequence[Rate]) -> str:
    """The rules, and what they make of these rates."""
    levels, intervals, limits = ([r for r in found if r.kind == kind] for kind in KINDS)
    return (
        f"Tests. {_full(levels, {'above 6.4 %': 0.064, 'above 7.5 %': 0.075, 'below 3.6 %': -0.036})} "
        f"{_fewer(levels, 'above 5 %', LEVEL, 1)}\n\n"
        f"Intervals. {_full(intervals, {'below 93 %': -0.93, 'below 91 %': -0.91, 'above 97 %': 0.97})} "
        f"{_fewer(intervals, 'below 95 %', 1 - LEVEL, -1)}\n\n"
        f"Lower limits that exceeded the truth. {_full(limits, {'above 2.5 %': LEVEL / 2})} "
        f"{_fewer(limits, 'above 2.5 %', LEVEL / 2, 1)}"
    )


def _full(found: Sequence[Rate], limits: Mapping[str, float]) -> str:
    """A limit below which there should be none is written with a minus sign."""
    full = [r for r in found if r.simulations >= FULL]
    counts = (f"{sum(r.rate > x if x > 0 else r.rate < -x for r in full)} {words}" for words, x in limits.items())
    return f"Of {len(full):,} cells of {FULL:,} simulations {', '.join(counts)}."


def _fewer(found: Sequence[Rate], words: str, nominal: float, side: int) -> str:
    """Of few simulations chance alone puts many rates beyond any limit, but few of their intervals."""
    other = [r for r in found if r.simulations < FULL]
    surely = sum(r.ends[0] > nominal if side > 0 else r.ends[1] < nominal for r in other)
    return (
        f"Of {len(other):,} cells of fewer {surely} lie {words} with all of their 95 % interval; "
        f"chance explains up to {0.025 * len(other):.0f}."
    )


def markdown(found: Sequence[Rate]) -> str:
    """The rules' outcome, each figure over all settings, then every setting."""
    parts = [summary(found)]
    for kind, title in KINDS.items():
        of_kind = [r for r in found if r.kind == kind]
        parts += [f"### {title}", _pooled(of_kind)]
        parts += _grids(of_kind)
    return "\n\n".join(parts)


def _pooled(found: Sequence[Rate]) -> str:
    """One line for each figure: the rate over all settings, the extreme ones, and why it is conservative if it is."""
    extremes = (f"{which} of {MANY} simulations or more" for which in ("lowest", "highest"))
    rows = [["figure", "over all settings, % [95 %]", *extremes, "conservative, why"]]
    for name in dict.fromkeys(r.figure for r in found):
        own = [r for r in found if r.figure == name]
        total = Rate(own[0].kind, name, "", "", 0, 0, 0, sum(r.simulations for r in own), sum(r.count for r in own))
        many = [100 * r.rate for r in own if r.simulations >= MANY]
        low, high = (f"{f(many):.1f}" if many else "–" for f in (min, max))
        rows.append([name, str(total), low, high, _reason(own, total)])
    return _table(rows)


def _reason(own: Sequence[Rate], total: Rate) -> str:
    """Said where the rates are well on the safe side, in all settings or in some."""
    safe: dict[str, Callable[[Rate], bool]] = {
        "level": lambda r: r.ends[1] < 0.036,
        "coverage": lambda r: r.ends[0] > 0.97,
        "limit": lambda r: r.ends[1] < LEVEL / 2,
    }
    if not any(map(safe[total.kind], [*own, total])):
        return ""
    return next(why for name, why in CONSERVATIVE[total.kind].items() if name in total.figure)


def _grids(found: Sequence[Rate]) -> Iterator[str]:
    """For each law and scenario a table of figures by sizes."""
    for law, scenario in dict.fromkeys((r.law, r.scenario) for r in found):
        own = [r for r in found if (r.law, r.scenario) == (law, scenario)]
        places = sorted({(r.n, r.m, r.d) for r in own})
        rows = [["figure", *(f"{n:,} against {m:,}, d = {d}" for n, m, d in places)]]
        for name in dict.fromkeys(r.figure for r in own):
            cells = {(r.n, r.m, r.d): str(r) for r in own if r.figure == name}
            rows.append([name, *(cells.get(place, "–") for place in places)])
        yield f"#### {law}, {scenario}\n\n{_table(rows)}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
