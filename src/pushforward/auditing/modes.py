"""Modes covered of how many, where the modes are known: by labels, or as the centres of a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.reverse_kl import reverse_kl, reverse_kl_from
from pushforward.auditing.shares import wilson
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["Mode", "ModeCoverage", "compared_modes", "mixture_modes", "mode_coverage"]


@dataclass(frozen=True)
class Mode:
    """One mode's counts.

    Arguments:
        name: Its label.
        real_count: How many real patterns it holds; ``None`` where its weight is known instead.
        fake_count: How many samples it holds.
        real_share: Its share of the data.
        fake_share: Its share of the samples.
        covered: Whether it has a sample; in a mixture, one of high quality; where a classifier named the modes, more
            samples than its mistakes explain.
        p_value: Of a fair share against too few samples, alone: Fisher's exact, or binomial for a known weight.
        adjusted_p_value: The same for all modes at once (Holm 1979).
        under_covered: Whether it is a discovery.
    """

    name: str
    real_count: int | None
    fake_count: int
    real_share: float
    fake_share: float
    covered: bool
    p_value: float
    adjusted_p_value: float
    under_covered: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class ModeCoverage:
    r"""How the samples spread over known modes.

    Arguments:
        modes: All modes of either set, in order.
        of: How many of them the data have.
        expected: How many of those equal laws would cover on average with this many samples.
        reverse_kl: :math:`\mathrm{KL}(q \| p)` of the samples' shares q from the data's p, in nats.
        high_quality: The share of samples close to a centre, where the modes are a mixture's.
        counted: Whether it is known which modes are covered.

    Example:
        >>> print(mode_coverage(["a", "b"] * 50, ["a"] * 100))
        1 of 2 modes (equal laws: 2.0); reverse KL 0.688 [0.518, 0.913] nats (estimate, n = 200)
    """

    modes: tuple[Mode, ...]
    of: int
    expected: float
    reverse_kl: Estimate
    high_quality: Figure | None = None
    counted: bool = True

    @property
    def covered(self) -> int:
        """How many of the data's modes are covered."""
        return sum(mode.covered for mode in self.modes if mode.real_share > 0)

    @property
    def missing(self) -> tuple[str, ...]:
        """The data's modes that are not covered, but for those that no pattern was given to."""
        return tuple(mode.name for mode in self.modes if mode.real_share > 0 and not mode.covered)

    @property
    def under_covered(self) -> tuple[str, ...]:
        """Modes with too few samples; with probability ``1 - level`` none is named by chance."""
        return tuple(mode.name for mode in self.modes if mode.under_covered)

    @property
    def p_value(self) -> float:
        """Of fair shares in all modes."""
        return min(mode.adjusted_p_value for mode in self.modes)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "covered": self.covered if self.counted else None,
            "of": self.of,
            "expected": self.expected,
            "missing": list(self.missing) if self.counted else None,
            "under_covered": list(self.under_covered),
            "p_value": self.p_value,
            "reverse_kl": self.reverse_kl.to_json(),
            "high_quality": None if self.high_quality is None else self.high_quality.to_json(),
            "modes": [mode.to_json() for mode in self.modes],
        }

    def __str__(self) -> str:
        quality = "" if self.high_quality is None else f"; {self.high_quality}"
        return f"{self.covered} of {self.of} modes (equal laws: {self.expected:.1f}); {self.reverse_kl}{quality}"


def mode_coverage(real_modes: Sequence[Any], fake_modes: Sequence[Any], level: float = 0.05) -> ModeCoverage:
    """Compare two sets of labels.

    The tests are exact but conservative: counts are discrete, and Holm allows for any dependence.

    Arguments:
        real_modes: Each real pattern's mode, shape ``(n,)``.
        fake_modes: Each sample's mode, shape ``(m,)``; if a classifier gave it, see
            :func:`~pushforward.auditing.assigned_modes.assigned_coverage`.
        level: The chance of naming any mode under-covered if the laws are equal.

    Raises:
        InputError: There are no labels.

    Example:
        >>> mode_coverage([0, 1, 2] * 40, [0, 1] * 60).missing
        ('2',)
    """
    from scipy.stats import hypergeom

    if min(len(real_modes), len(fake_modes)) == 0:
        raise InputError("there are no labels of modes: give one for each pattern, real and fake")
    n, m = len(real_modes), len(fake_modes)
    names, index = np.unique(np.concatenate([np.asarray(real_modes), np.asarray(fake_modes)]), return_inverse=True)
    a, b = (np.bincount(part, minlength=len(names)) for part in (index[:n], index[n:]))
    p_values = hypergeom.cdf(b, n + m, a + b, m)
    expected = float(np.sum(1 - (1 - a / n) ** m))
    modes = compared_modes([str(name) for name in names], a.tolist(), a / n, b, b > 0, p_values, level)
    return ModeCoverage(modes, int((a > 0).sum()), expected, reverse_kl(b, a, level))


def mixture_modes(
    fake: Float[np.ndarray, "m d"],
    centres: Float[np.ndarray, "k d"],
    sd: float,
    level: float = 0.05,
    weights: Float[np.ndarray, " k"] | None = None,
) -> ModeCoverage:
    """Which components of a known mixture of spherical normals the samples cover.

    A sample belongs to the nearest centre and is of high quality within three standard deviations of it; a mode
    is covered if it has one of those (Srivastava et al. 2017; Lin et al. 2018).

    Arguments:
        fake: Samples, shape ``(m, D)``.
        centres: The components' means, shape ``(K, D)``.
        sd: Their standard deviation.
        level: The chance of naming any mode under-covered if the laws are equal.
        weights: Their weights, shape ``(K,)``; equal if not given.

    Raises:
        InputError: The widths differ.

    Example:
        >>> centres = np.array([[-4.0, 0.0], [4.0, 0.0]])
        >>> coverage = mixture_modes(centres[[0] * 100] + 0.1, centres, 0.1)
        >>> coverage.missing, coverage.high_quality.value
        (('1',), 1.0)
    """
    from scipy.spatial.distance import cdist
    from scipy.stats import binom, chi2

    if fake.ndim != 2 or len(fake) == 0 or fake.shape[1] != centres.shape[1]:
        raise InputError(
            f"the samples have shape {fake.shape}: give rows of {centres.shape[1]} columns, as the centres"
        )
    m, count = len(fake), len(centres)
    weights = np.full(count, 1 / count) if weights is None else weights / weights.sum()
    if len(weights) != count or not (weights > 0).all() or not sd > 0:
        raise InputError(f"sd = {sd} with {len(weights)} weights for {count} centres: give a positive sd and weights")
    distances = cdist(fake, centres)
    nearest, good = distances.argmin(1), distances.min(1) <= 3 * sd
    b = np.bincount(nearest, minlength=count)
    covered = np.bincount(nearest[good], minlength=count) > 0
    within = float(chi2.cdf(9, fake.shape[1]))
    modes = compared_modes(
        [str(j) for j in range(count)], [None] * count, weights, b, covered, binom.cdf(b, m, weights), level
    )
    quality = Estimate(
        "samples within 3 sd of a mode", int(good.sum()) / m, *wilson(int(good.sum()), m, level), m, "share", 1 - level
    )
    null = Null(binom.ppf((np.arange(400) + 0.5) / 400, m, within) / m)
    expected = float(np.sum(1 - (1 - weights * within) ** m))
    return ModeCoverage(modes, count, expected, reverse_kl_from(b, weights, level), Figure(quality, null))


def compared_modes(
    names: list[str],
    real_counts: list[int] | list[None],
    real_shares: Float[np.ndarray, " k"],
    fake_counts: Int[np.ndarray, " k"],
    covered: Bool[np.ndarray, " k"],
    p_values: Float[np.ndarray, " k"],
    level: float,
) -> tuple[Mode, ...]:
    """The modes with their counts, shares and p-values, each alone and all at once."""
    adjusted = _holm(p_values)
    m = int(fake_counts.sum())
    return tuple(
        Mode(
            name, real_counts[j], int(fake_counts[j]), float(real_shares[j]), int(fake_counts[j]) / m,
            bool(covered[j]), float(p_values[j]), float(adjusted[j]), bool(adjusted[j] <= level),
        )
        for j, name in enumerate(names)
    )  # fmt: skip


def _holm(p_values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Holm's (1979) adjusted p-values: the i-th smallest of K times K − i + 1, made rising."""
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted
