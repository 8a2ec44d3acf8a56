"""The figures of the audit, computed as the audit computes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.laws import Sets, Setting, settings
from benchmarks.calibration.running import Cell
from pushforward.auditing.classifier_test import ClassifierTest, classifier_test
from pushforward.auditing.copying import copying
from pushforward.auditing.frechet import frechet
from pushforward.auditing.kernel import kernel_test
from pushforward.auditing.missed import missed
from pushforward.auditing.pairs import compare_table
from pushforward.auditing.stages import Pool, one_after_another
from pushforward.auditing.support import FIGURES, support
from pushforward.auditing.unsupported import unsupported
from pushforward.auditing.verdict import classifiers_share
from pushforward.evidence import Estimate

__all__ = ["PARTS", "Part", "audit_cells"]

Rng = np.random.Generator
Figures = Mapping[str, Estimate | float]
"""Estimates with their intervals and p-values, and p-values alone."""


def kernel(sets: Sets, rng: Rng) -> Figures:
    """199 relabellings, so that p ≤ .05 has probability 10 in 200; the audit draws 499, 25 in 500 of them."""
    found = kernel_test(sets.real, sets.fake, rng, draws=199)
    each = {name.removesuffix(", features"): figure.estimate for name, figure in found.statistics.items()}
    return {
        "kernel and transport, combined": found.p_value,
        **each,
        "kernel inception distance": found.kid.estimate,
    }


def too_few(sets: Sets, rng: Rng) -> Figures:
    return {"missed clusters": missed(sets.real, sets.fake, rng).p_value}


def too_far(sets: Sets, rng: Rng) -> Figures:
    return {"unsupported samples": unsupported(sets.real, sets.fake, rng).share.estimate}


def beyond(sets: Sets, rng: Rng) -> Figures:
    """The interval, for this reference and its limit, less the shares of thousands of patterns."""
    reference, real = np.array_split(sets.real, 2)
    found = unsupported(real, sets.fake, rng, reference=reference).share.estimate
    share = unsupported(*sets.more, rng, reference=reference).share.value
    ends = (x - share for x in (found.value, found.low, found.high))
    return {"unsupported samples, given the reference": Estimate(found.name, *ends, found.n)}


def copied(sets: Sets, rng: Rng) -> Figures:
    found = copying(sets.real, sets.fake, rng, sets.train)
    given = "data halved" if sets.train is None else "training data given"
    return {f"copies, {given}": found.copies.estimate, f"closeness C_T, {given}": found.closeness.estimate}


def table(sets: Sets, rng: Rng) -> Figures:
    """Whether anything at all is discovered: the smallest adjusted p-value."""
    real, fake = sets.tables
    found = compare_table(real, fake, [f"x{j}" for j in range(real.shape[1])], rng)
    of_columns, of_pairs = (min(x.adjusted for x in group) for group in (found.columns, found.pairs))
    first = next(c for c in found.columns if c.index == 0)
    distance = Estimate("distance", first.distance, first.low, first.high, len(real) + len(fake), p_value=first.p_value)
    return {
        "columns or pairs, any": min(of_columns, of_pairs),
        "columns, any": of_columns,
        "pairs, any": of_pairs,
        "first column alone": distance,
    }


def supports(sets: Sets, rng: Rng) -> Figures:
    found = support(sets.real, sets.fake, rng)
    return {"support, all four": found.p_value, **{name: getattr(found, name).estimate for name in FIGURES}}


def gaussian_distance(sets: Sets, rng: Rng) -> Figures:
    found = frechet(sets.real, sets.fake, rng)
    return {"Fréchet distance": found.extrapolated.estimate, "Fréchet distance at this n": found.plain.estimate}


def discriminators(sets: Sets, rng: Rng) -> Figures:
    """With the verdict that the audit gives of rows."""
    by_kernel = kernel_test(sets.real, sets.fake, rng.spawn(1)[0], draws=199).p_value
    found, share = _classified(sets, rng), classifiers_share(rows=True)
    verdict = min(1.0, found.p_value / share, by_kernel / (1 - share))
    each = {f"classifier: {name}": _p(figure.p_value) for name, figure in found.each.items()}
    return {"verdict": verdict, "classifiers, largest": found.p_value, **each}


def bound(sets: Sets, rng: Rng) -> Figures:
    """Only its lower end speaks of the divergence itself."""
    js = _classified(sets, rng).js.estimate
    return {"Jensen–Shannon bound, lower end": Estimate(js.name, js.value, js.low, math.inf, js.n)}


def _classified(sets: Sets, rng: Rng) -> ClassifierTest:
    real = np.arange(len(sets.real) + len(sets.fake)) < len(sets.real)
    pool = Pool(real, np.concatenate([sets.real, sets.fake]))
    return classifier_test(pool, one_after_another(pool, rng), rng)


def _p(p_value: float | None) -> float:
    return math.nan if p_value is None else p_value


@dataclass(frozen=True)
class Part:
    """Figures that come in one call.

    Arguments:
        run: The call.
        simulations: How many in each setting, of up to 500 patterns of a kind and of more.
        scenarios: In which it is of interest.
        trained: Whether it is given the training data.
        spare: How many more patterns of both kinds it needs to know the truth.
    """

    run: Callable[[Sets, Rng], Figures]
    simulations: tuple[int, int] = (1000, 1000)
    scenarios: tuple[str, ...] = ("equal", "near", "far")
    trained: bool = False
    spare: int = 0

    def cell(self, name: str, setting: Setting) -> Cell:
        simulations = self.simulations[setting.n > 500] // (1 if setting.scenario == "equal" else 2)
        return Cell(
            f"{name}|{setting.key}",
            lambda rng: self.run(setting.draw(rng, self.trained, self.spare), rng),
            simulations,
        )


PARTS = {
    "missed": Part(too_few, scenarios=("equal",)),
    "unsupported": Part(too_far, scenarios=("equal",)),
    "beyond": Part(beyond, (100, 20), scenarios=("near", "far"), spare=10_000),
    "copying": Part(copied, scenarios=("equal",)),
    "copying, training data": Part(copied, scenarios=("equal", "copied"), trained=True),
    "table": Part(table, scenarios=("equal",)),
    "kernel": Part(kernel, (1000, 300)),
    "frechet": Part(gaussian_distance, (1000, 300)),
    "support": Part(supports, (300, 100)),
    "classifiers": Part(discriminators, (200, 50), scenarios=("equal",)),
    "bound": Part(bound, (100, 50), scenarios=("near", "far")),
}


def audit_cells() -> list[Cell]:
    """Every part in every setting that it is of interest in."""
    return [
        part.cell(name, setting)
        for setting in settings()
        for name, part in PARTS.items()
        if setting.scenario in part.scenarios
    ]
