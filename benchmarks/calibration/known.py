"""Figures that are tried on laws given in closed form, and truths that are known without simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from benchmarks.calibration.laws import COPIED, SCENARIOS, SIZES, WIDTHS
from benchmarks.calibration.running import Cell
from pushforward.auditing.modes import mode_coverage
from pushforward.auditing.pit import pit_check
from pushforward.auditing.statistics import balanced_accuracy, gains, js_divergence, js_lower_bound
from pushforward.evidence import Estimate

__all__ = ["known_cells", "truth"]

Rng = np.random.Generator
Figures = Mapping[str, Estimate | float]

SIMULATIONS = 1000
GRID = np.linspace(-20, 20, 40_001)
TOLD = 0.7, 0.2
"""Slope and offset of a discriminator that is not the optimal one."""
RATES = {"guessing": (0.5, 0.5), "near": (0.6, 0.7), "far": (0.95, 0.9)}
SHARES = 0.6 ** np.arange(10) / (0.6 ** np.arange(10)).sum()
"""Of ten modes, from 40 % down to 0.4 %."""
TILTS = {"equal": np.zeros(10), "near": np.linspace(-0.2, 0.2, 10), "far": np.linspace(-1, 1, 10)}


@dataclass(frozen=True)
class Mixture:
    """A mixture of normal laws on the line."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def draw(self, n: int, rng: Rng) -> Float[np.ndarray, " n"]:
        of = rng.choice(len(self.weights), n, p=self.weights)
        return np.asarray(rng.normal(np.take(self.means, of), np.take(self.deviations, of)))

    def log_density(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        from scipy.special import logsumexp
        from scipy.stats import norm

        parts = norm.logpdf(x[:, None], self.means, self.deviations) + np.log(self.weights)
        return np.asarray(logsumexp(parts, axis=1))


DATA = Mixture((0.5, 0.5), (-2.0, 2.0), (1.0, 1.0))
MIXTURES = {
    "near": Mixture((0.6, 0.4), (-2.0, 2.0), (1.0, 1.1)),
    "far": Mixture((0.5, 0.3, 0.2), (-1.0, 3.0, 8.0), (1.0, 1.0, 0.5)),
    "apart": Mixture((1.0,), (7.0,), (1.0,)),
}


def log_ratio(x: np.ndarray, fake: Mixture) -> Float[np.ndarray, " n"]:
    return np.asarray(DATA.log_density(x) - fake.log_density(x))


def mean_gain(fake: Mixture, slope: float, offset: float) -> float:
    """What the discriminator with log-odds ``slope × log ratio + offset`` gains in expectation, by quadrature."""
    odds = slope * log_ratio(GRID, fake) + offset
    p, q = np.exp(DATA.log_density(GRID)), np.exp(fake.log_density(GRID))
    return float(np.trapezoid(0.5 * p * gains(odds) + 0.5 * q * gains(-odds), GRID))


def divergence(scenario: str, n: int, m: int, rng: Rng) -> Figures:
    fake, (slope, offset) = MIXTURES[scenario], TOLD
    of_real, of_fake = log_ratio(DATA.draw(n, rng), fake), log_ratio(fake.draw(m, rng), fake)
    bound = js_lower_bound(slope * of_real + offset, slope * of_fake + offset)
    return {
        "Jensen–Shannon divergence, laws known": js_divergence(of_real, of_fake),
        "Jensen–Shannon bound of a fixed discriminator": bound,
        "the same, lower end against the divergence": Estimate("", bound.value, bound.low, math.inf, bound.n),
    }


def accuracy(scenario: str, n: int, m: int, rng: Rng) -> Figures:
    a, b = RATES[scenario]
    return {"balanced accuracy": balanced_accuracy(int(rng.binomial(n, a)), n, int(rng.binomial(m, b)), m)}


def modes(scenario: str, n: int, m: int, rng: Rng) -> Figures:
    found = mode_coverage(*(rng.choice(10, k, p=p).tolist() for k, p in ((n, SHARES), (m, _tilted(scenario)))))
    return {"reverse KL of ten modes": found.reverse_kl, "under-covered modes, any": found.p_value}


def _tilted(scenario: str) -> Float[np.ndarray, " 10"]:
    shares = SHARES * np.exp(TILTS[scenario])
    return np.asarray(shares / shares.sum())


def uniform(d: int, n: int, rng: Rng) -> Figures:
    found = pit_check(rng.uniform(size=(n, d)))
    return {"probability integral transform": found.p_value, "central 90 %": found.coverage[1]}


KINDS: dict[str, tuple[Callable[[str, int, int, Rng], Figures], tuple[str, ...]]] = {
    "divergence": (divergence, tuple(MIXTURES)),
    "accuracy": (accuracy, tuple(RATES)),
    "modes": (modes, tuple(TILTS)),
}


def known_cells() -> list[Cell]:
    return [
        *(
            Cell(f"{name}|{scenario}|known|{n}|{m}|1", partial(kind, scenario, n, m), SIMULATIONS)
            for n, m in SIZES
            for name, (kind, scenarios) in KINDS.items()
            for scenario in scenarios
        ),
        *(
            Cell(f"transform|equal|known|{n}|0|{d}", partial(uniform, d, n), SIMULATIONS)
            for n in (200, 1000)
            for d in WIDTHS
        ),
    ]


def truth(part: str, name: str, scenario: str, law: str, n: int, m: int, d: int) -> float | None:
    """The value that an interval should hold where it is known; ``nan`` where not even the figure's mean would do."""
    if law == "known":
        return _in_closed_form(name, scenario)
    if scenario == "equal":
        return _of_equal_laws(part, name, n, m)
    if name.startswith("copies"):
        return (m // COPIED) / m
    if part == "beyond":
        return 0.0
    if law != "Gaussian":
        return math.nan if name in {"sliced Wasserstein distance", "Jensen–Shannon bound, lower end"} else None
    shift, scale = SCENARIOS[scenario]
    if name == "Jensen–Shannon bound, lower end":
        return _normal_divergence(shift, scale, d)
    if name == "sliced Wasserstein distance":
        return _sliced(shift, scale, d)
    return shift**2 + d * (scale - 1) ** 2 if name == "Fréchet distance" else None


def _in_closed_form(name: str, scenario: str) -> float | None:
    exact: dict[str, Callable[[], float]] = {
        "balanced accuracy": lambda: 0.5 * sum(RATES[scenario]),
        "reverse KL of ten modes": lambda: float(_tilted(scenario) @ np.log(_tilted(scenario) / SHARES)),
        "central 90 %": lambda: 0.9,
        "Jensen–Shannon divergence, laws known": lambda: mean_gain(MIXTURES[scenario], 1.0, 0.0),
        "Jensen–Shannon bound of a fixed discriminator": lambda: mean_gain(MIXTURES[scenario], *TOLD),
        "the same, lower end against the divergence": lambda: mean_gain(MIXTURES[scenario], 1.0, 0.0),
    }
    return exact[name]() if name in exact else None


def _of_equal_laws(part: str, name: str, n: int, m: int) -> float | None:
    """Distances are 0, but for the plain Fréchet distance, which is of its own mean; coverage has Naeem's value."""
    k = 5
    if name == "coverage":
        return 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))
    if part == "support":
        return 1.0 if name == "density" else None
    return None if name == "Fréchet distance at this n" else 0.0


def _sliced(shift: float, scale: float, d: int) -> float:
    """Along a line the normal laws are carried by x ↦ scale · x + shift · cos, on average over a quarter million."""
    from scipy.special import ndtr

    towards = np.random.default_rng(0).normal(size=(250_000, d))
    moved = shift * np.abs(towards[:, 0]) / np.linalg.norm(towards, axis=1)
    spread = abs(scale - 1)
    folded = math.sqrt(2 / math.pi) * spread * np.exp(-0.5 * (moved / spread) ** 2)
    return float(np.mean(folded + moved * (2 * ndtr(moved / spread) - 1)))


def _normal_divergence(shift: float, scale: float, d: int) -> float:
    """The Jensen–Shannon divergence of the scenario's normal laws, by half a million draws of each."""
    from scipy.stats import norm

    rng, values = np.random.default_rng(0), []
    for sign in (1, -1):
        x = rng.normal(size=(100_000, d)) * (1.0 if sign > 0 else scale)
        x[:, 0] += 0.0 if sign > 0 else shift
        centred = x - shift * (np.arange(d) == 0)
        ratio = (norm.logpdf(x) - norm.logpdf(centred, scale=scale)).sum(1)
        values.append(float(gains(sign * ratio).mean()))
    return 0.5 * sum(values)
