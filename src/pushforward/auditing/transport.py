"""How far one set of patterns must be carried to become another, seen along random lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.resampling import permutation_p_value

__all__ = ["Line", "Transport", "directions", "energy_gram", "lines", "sliced_wasserstein"]

BINS = 512
"""Quantiles between which patterns of large pools are not told apart along a line."""


@dataclass(frozen=True, eq=False)
class Line:
    r"""Two empirical distribution functions along one line, under every labelling.

    Arguments:
        width: Of the K steps on which both are constant.
        ahead: :math:`F - G` on each step under the first labelling.
        noise: Its standard error.
        relabelled: The same under every labelling, a column for each, in single precision.
        back: From a value on each step, as the width times a sign, to each pattern's (or block's) potential.
        below: The share of each block below every step; of single patterns it is not kept.
    """

    width: Float[np.ndarray, " k"]
    ahead: Float[np.ndarray, " k"]
    noise: Float[np.ndarray, " k"]
    relabelled: Float[np.ndarray, "k labellings"]
    back: Callable[[Float[np.ndarray, " k"]], Float[np.ndarray, " n"]]
    below: Float[np.ndarray, "n k"]


def directions(d: int, count: int, rng: np.random.Generator) -> Float[np.ndarray, "d count"]:
    """Unit vectors, uniform on the sphere; in one dimension there is but one line.

    Example:
        >>> directions(1, 50, np.random.default_rng(0)).shape, directions(3, 50, np.random.default_rng(0)).shape
        ((1, 1), (3, 50))
    """
    if d == 1:
        return np.ones((1, 1))
    towards = rng.normal(size=(d, count))
    return np.asarray(towards / np.linalg.norm(towards, axis=0))


def lines(
    pool: Float[np.ndarray, "n d"],
    labels: Bool[np.ndarray, "labellings blocks"],
    axes: Float[np.ndarray, "d count"],
    size: int = 1,
) -> Iterator[Line]:
    """The pool seen along each axis: exactly, or where labels are of blocks of ``size`` patterns on 512 quantiles."""
    of_each = np.ascontiguousarray(labels.T, dtype=np.float32)
    for u in np.asarray(pool @ axes).T:
        yield _exact(u, of_each) if size == 1 else _binned(u, of_each, size)


@dataclass(frozen=True, eq=False)
class Transport:
    r"""The sliced Wasserstein distance under every labelling, and the lines along which it was seen.

    Arguments:
        values: The distance under every labelling.
        seen: The lines, under the first labelling only.
        real: Which patterns (or blocks) are data.
    """

    values: Float[np.ndarray, " labellings"] = field(repr=False)
    seen: list[Line] = field(repr=False)
    real: Bool[np.ndarray, " blocks"] = field(repr=False)

    @property
    def potential(self) -> Float[np.ndarray, " blocks"]:
        """The Kantorovich potential, whose mean over real less that over fake patterns is the distance."""
        return self._carried(np.sign(self._steps[1]))

    def interval(self, level: float) -> tuple[float, float]:
        r"""An interval for the distance of the laws over all directions, not only those drawn.

        The distance of samples exceeds that of their laws, most where the laws are equal. So the difference seen is
        scaled by :math:`\lambda`, :math:`m(\lambda) = \mathbb E \int |\lambda (F - G)(t) + \varepsilon_t| \, dt` is
        what samples then show on average, and those :math:`\lambda` are kept from whose mean the value is no further
        than their error allows. Where the value itself is not among them, because it is mostly excess, the interval
        is drawn out to hold it; so in many dimensions, near equal laws, it covers more than it says. Nor does it leave
        out 0 where relabelling does not: of few patterns the error's law is not normal, and relabelling is exact.
        """
        from scipy.optimize import brentq
        from scipy.stats import norm

        value, z = float(self.values[0]), float(norm.isf(level / 2))
        if value == 0:
            return 0.0, z * float(self.values[1:].std())

        def beyond(scale: float, sign: int) -> float:
            mean, error = self._shown(scale)
            return mean + sign * z * error - value

        ends = []
        for sign in (1, -1):
            most = next((scale for scale in 2.0 ** np.arange(-1, 11) if beyond(scale, sign) >= 0), math.inf)
            exact = most < math.inf and beyond(0.0, sign) < 0
            ends.append(brentq(beyond, 0.0, most, (sign,), xtol=1e-3) if exact else 0.0 if most < 1e9 else most)
        low = min(ends[0], 1.0) * value if permutation_p_value(value, self.values[1:]) <= level else 0.0
        return low, max(ends[1], 1.0) * value

    def _shown(self, scale: float) -> tuple[float, float]:
        """What samples show on average if the laws differ ``scale`` times as much as seen, and its standard error."""
        from scipy.special import ndtr

        width, ahead, noise = self._steps
        ratio = scale * ahead / noise
        folded = math.sqrt(2 / math.pi) * np.exp(-0.5 * ratio**2) + ratio * (2 * ndtr(ratio) - 1)
        # the expected sign, but surer by √2: what was seen holds noise once already, which blurs it
        carried = self._carried(2 * ndtr(math.sqrt(2) * ratio) - 1)
        of_lines = scale**2 * float((width * np.abs(ahead)).sum(1).var()) / len(width)
        variance = float(self.values[1:].var()) + of_lines
        for kind in (self.real, ~self.real):
            variance += float(carried[kind].var(ddof=1)) / int(kind.sum())
        return float((width * noise * folded).sum(1).mean()), math.sqrt(variance)

    @cached_property
    def _steps(self) -> Float[np.ndarray, "3 lines k"]:
        return np.array([[getattr(line, name) for line in self.seen] for name in ("width", "ahead", "noise")])

    def _carried(self, signs: Float[np.ndarray, "lines k"]) -> Float[np.ndarray, " blocks"]:
        seen = zip(self.seen, signs * self._steps[0], strict=True)
        return np.asarray(sum(line.back(signed) for line, signed in seen) / len(self.seen))


def sliced_wasserstein(seen: Iterator[Line], real: Bool[np.ndarray, " blocks"]) -> Transport:
    r"""The mean over lines of the one-dimensional Wasserstein distance, under every labelling.

    .. math:: \mathrm{SW}_1 = \frac1L \sum_l \int |F_l(t) - G_l(t)| \, dt
        = \overline{\varphi}(\text{real}) - \overline{\varphi}(\text{fake}),

    where :math:`\varphi` is the Kantorovich potential of the first labelling. Sources: Rabin, Peyré, Delon &
    Bernot (2011); Bonneel et al. (2015).

    Example:
        >>> real = np.array([True, True, False, False])
        >>> axis, pool = np.ones((1, 1)), np.array([[0.0], [1.0], [2.0], [5.0]])
        >>> sliced_wasserstein(lines(pool, real[None], axis), real).values
        array([3.])
    """
    kept: list[Line] = []
    distances: Any = 0.0
    for line in seen:
        apart = (line.width.astype(np.float32) @ np.abs(line.relabelled)).astype(np.float64)
        apart[0] = line.width @ np.abs(line.ahead)
        distances = distances + apart
        kept.append(replace(line, relabelled=line.relabelled[:, :0].copy()))
    return Transport(distances / len(kept), kept, real)


def energy_gram(seen: list[Line], size: int, d: int) -> Float[np.ndarray, "blocks blocks"]:
    r"""Sums over pairs of patterns, block by block, of a kernel whose MMD² is the energy distance.

    Along a line it is twice :math:`\int (F - G)^2` (Cramér's distance), and
    :math:`\lVert x \rVert = \sqrt\pi\, \Gamma(\frac{d+1}2) / \Gamma(\frac d2) \; \mathbb E_\theta |\theta^\top x|`.
    Source: Székely & Rizzo (2013).
    """
    stretch = 2 * math.sqrt(math.pi) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2)) / len(seen)
    gram = np.zeros((len(seen[0].below), len(seen[0].below)))
    for line in seen:
        gram += size**2 * (line.below * line.width.astype(np.float32)) @ line.below.T
        gram[np.diag_indices_from(gram)] -= size * (line.below @ line.width)
    return stretch * gram


def _noise(f: Float[np.ndarray, " k"], g: Float[np.ndarray, " k"], n: int, m: int) -> Float[np.ndarray, " k"]:
    return np.asarray(np.sqrt(np.maximum(f * (1 - f) / n + g * (1 - g) / m, 1e-12)))


def _exact(u: Float[np.ndarray, " n"], labels: Float[np.ndarray, "n labellings"]) -> Line:
    order = np.argsort(u, kind="stable")
    n = int(labels[:, 0].sum())
    m = len(u) - n
    real = labels[order[:-1]]
    for i in range(1, len(real)):  # twice as fast as cumsum, which goes down one column at a time
        real[i] += real[i - 1]
    f = real[:, 0].astype(np.float64) / n
    g = (np.arange(1, n + m) - real[:, 0]) / m
    real *= np.float32(1 / n + 1 / m)
    real -= (np.arange(1, n + m, dtype=np.float32) / np.float32(m))[:, None]

    def back(signed: Float[np.ndarray, " k"]) -> Float[np.ndarray, " n"]:
        potential = np.zeros(len(u))
        potential[order[:-1]] = np.cumsum(signed[::-1])[::-1]
        return potential

    return Line(np.diff(u[order]), f - g, _noise(f, g, n, m), real, back, np.empty((len(u), 0)))


def _binned(u: Float[np.ndarray, " n"], labels: Float[np.ndarray, "blocks labellings"], size: int) -> Line:
    edges = np.quantile(u, np.linspace(0, 1, BINS + 1))
    below = _shares(np.searchsorted(edges[1:-1], u), size)
    n, m = int(labels[:, 0].sum()), int((1 - labels[:, 0]).sum())
    f, g = (below.T @ np.stack([labels[:, 0] / n, (1 - labels[:, 0]) / m], axis=1)).T
    middle = 0.5 * (edges[2:] - edges[:-2])  # each inner edge stands for half the bins beside it
    weights = labels * np.float32(1 / n + 1 / m) - np.float32(1 / m)
    return Line(
        middle, f - g, _noise(f, g, n * size, m * size), below.T @ weights, lambda signed: below @ signed, below
    )


def _shares(bins: Int[np.ndarray, " n"], size: int) -> Float[np.ndarray, "blocks k"]:
    """Of each block of ``size`` patterns, the share at or below each inner edge."""
    block = np.arange(len(bins)) // size
    counts = np.bincount(block * BINS + bins, minlength=(block[-1] + 1) * BINS).reshape(-1, BINS)
    return np.asarray(np.cumsum(counts[:, :-1], axis=1) / size, np.float32)
