"""Laws to draw from, and the settings in which data and samples of them are audited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pushforward.auditing.features import extract

__all__ = ["COPIED", "LAWS", "SCENARIOS", "SIZES", "WIDTHS", "Sets", "Setting", "settings"]


@dataclass(frozen=True, eq=False)
class Sets:
    """Data and samples, and features of them, of training data and of more of both as the audit makes them."""

    tables: tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]
    real: Float[np.ndarray, "n d"]
    fake: Float[np.ndarray, "m d"]
    train: Float[np.ndarray, "n d"] | None = None
    more: tuple[Float[np.ndarray, "spare d"], ...] = ()


@dataclass(frozen=True)
class Setting:
    """``n`` data of the named law and ``m`` samples of ``d`` columns, which differ as the scenario says."""

    scenario: str
    law: str
    n: int
    m: int
    d: int

    @property
    def key(self) -> str:
        return f"{self.scenario}|{self.law}|{self.n}|{self.m}|{self.d}"

    @property
    def features(self) -> str:
        """Unequal normal laws are taken as they are, so that their distances are known."""
        return "given" if self.law == "Gaussian" and self.scenario != "equal" else "columns"

    def draw(self, rng: np.random.Generator, with_training: bool = False, spare: int = 0) -> Sets:
        law, (shift, scale) = LAWS[self.law], SCENARIOS[self.scenario]
        fake = scale * law(self.m + spare, self.d, rng)
        fake[:, 0] += shift
        real = law(self.n + spare, self.d, rng)
        train = [law(self.n, self.d, rng)] * with_training
        if self.scenario == "copied":
            fake[: self.m // COPIED] = train[0][: self.m // COPIED]
        of_real, of_fake, *of_train = extract(self.features, real, fake, *train).sets
        (x, x_more), (y, y_more) = np.split(of_real, [self.n]), np.split(of_fake, [self.m])
        return Sets((real[: self.n], fake[: self.m]), x, y, *(of_train or [None]), (x_more, y_more))


def gaussian(n: int, d: int, rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    return rng.normal(size=(n, d))


def heavy_tailed(n: int, d: int, rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """Student's t of 2 degrees of freedom, one χ² to a pattern: no variance, and columns that depend on each other."""
    return rng.normal(size=(n, d)) * np.sqrt(2 / rng.chisquare(2, size=(n, 1)))


def mixed_scale(n: int, d: int, rng: np.random.Generator) -> Float[np.ndarray, "n d"]:
    """Columns of scale 10⁻³ to 10³: normal, Poisson, log-normal and binary ones in turn, of correlated origin."""
    u = rng.normal(size=(n, d)) + 0.5 * rng.normal(size=(n, 1))
    kinds = [u, rng.poisson(3, size=(n, d)), np.exp(u), 1.0 * (u > 1.4)]
    columns = np.stack([kinds[j % 4][:, j] for j in range(d)], axis=1)
    return np.asarray(columns * np.logspace(-3, 3, d))


LAWS: dict[str, Callable[[int, int, np.random.Generator], Float[np.ndarray, "n d"]]] = {
    "Gaussian": gaussian,
    "heavy-tailed": heavy_tailed,
    "mixed-scale": mixed_scale,
}
SCENARIOS = {"equal": (0.0, 1.0), "near": (0.3, 1.1), "far": (1.0, 1.5), "copied": (0.0, 1.0)}
"""By how much the samples' first column is shifted and all columns are scaled."""
COPIED = 20
"""In the last scenario one in twenty samples is a training pattern."""
SIZES = (200, 200), (500, 50), (1000, 1000)
WIDTHS = 2, 50


def settings() -> list[Setting]:
    """Equal laws of every kind; unequal ones where columns are of one scale."""
    pairs = [("equal", law) for law in LAWS]
    pairs += [(scenario, law) for scenario in ("near", "far", "copied") for law in ("Gaussian", "heavy-tailed")]
    return [Setting(scenario, law, n, m, d) for n, m in SIZES for scenario, law in pairs for d in WIDTHS]
