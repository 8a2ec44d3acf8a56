"""Mean embeddings of two laws: kernels summed over pairs of patterns, and the distances that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.transport import directions, energy_gram, lines

__all__ = ["Discrepancy", "Pooled", "grams", "u_statistic"]

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Bandwidths in units of the median distance of pooled patterns (Gretton et al. 2012)."""
FREQUENCIES = 100
LINES = 50
SOME = 1_000
"""Patterns among which the median distance of a larger pool is taken."""
KNOWN = 10
"""So many patterns for each feature, and their covariance is known well enough to divide by it."""
STRIP = 256
"""Rows or columns of a gram matrix taken at once."""
ENERGY = "energy distance"


@dataclass(frozen=True, eq=False)
class Pooled:
    """Patterns in blocks of ``size``, and labellings of the blocks, the true one first."""

    patterns: Float[np.ndarray, "n d"] = field(repr=False)
    labels: Bool[np.ndarray, "draws blocks"] = field(repr=False)
    size: int = 1

    @property
    def real(self) -> Bool[np.ndarray, " blocks"]:
        """Which blocks are data."""
        return np.asarray(self.labels[0])


def grams(pool: Pooled, rng: np.random.Generator) -> Iterator[tuple[str, Float[np.ndarray, "blocks blocks"]]]:
    """Each kernel summed over the pairs of patterns of two blocks; equal patterns of one block make no pair."""
    return _of_all_pairs(pool.patterns, rng) if pool.size == 1 else _of_random_features(pool, rng)


def _of_all_pairs(
    z: Float[np.ndarray, "n d"], rng: np.random.Generator
) -> Iterator[tuple[str, Float[np.ndarray, "n n"]]]:
    squares, median = _squared_distances(z), _median(z, rng)
    single = squares.astype(np.float32)
    for scale in SCALES:
        near = single * np.float32(-0.5 / (scale * median) ** 2)
        yield _gaussian(scale), np.exp(near, out=near)
    yield ENERGY, -np.sqrt(squares, out=squares)
    for name, seen in _views(z):
        inner = seen @ (seen.T / z.shape[1])
        yield name, np.square(inner, out=inner)


def _of_random_features(pool: Pooled, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    z, d = pool.patterns, pool.patterns.shape[1]
    median = _median(z, rng)
    towards = rng.normal(size=(d, FREQUENCIES)).astype(np.float32)
    for scale in SCALES:
        yield _gaussian(scale), _summed(pool, towards / np.float32(scale * median), _waves)
    yield ENERGY, energy_gram(list(lines(z, pool.labels[:1], directions(d, LINES, rng), pool.size)), pool.size, d)
    for name, seen in _views(z):
        towards = directions(seen.shape[1], FREQUENCIES, rng).astype(np.float32)
        yield name, _summed(replace(pool, patterns=seen), towards, _powers)


def _views(z: Float[np.ndarray, "n d"]) -> Iterator[tuple[str, Float[np.ndarray, "n d"]]]:
    """The patterns whose second moments are compared: as they are, and with equal spread in all directions."""
    yield "MMD², second moments", z
    n, d = z.shape
    if n < KNOWN * d:
        return
    spread, axes = np.linalg.eigh(z.T @ z / n)
    known = spread > 1e-12 * spread[-1]  # less is what rounding leaves of a direction without spread
    if known.any():
        yield "MMD², second moments, whitened", z @ (axes[:, known] / np.sqrt(spread[known]))


def _gaussian(scale: float) -> str:
    return f"MMD², Gaussian kernel of {scale:g} × median distance"


def _waves(u: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n 2k"]:
    """Random Fourier features of the Gaussian kernel."""
    return np.concatenate([np.cos(u), np.sin(u)], axis=1) / np.float32(math.sqrt(u.shape[1]))


def _powers(u: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Squares along random directions; their kernel sees second moments too, though it weighs them otherwise."""
    return np.asarray(np.square(u) / np.float32(math.sqrt(u.shape[1])))


def _summed(
    pool: Pooled, towards: Float[np.ndarray, "d k"], feature: Callable[[np.ndarray], np.ndarray]
) -> Float[np.ndarray, "blocks blocks"]:
    """The kernel of random features, a hundredth of the pool at a time."""
    sums, squares = [], []
    for patterns in np.array_split(pool.patterns.reshape(len(pool.real), pool.size, -1), 100):
        seen = feature(patterns.reshape(-1, patterns.shape[2]).astype(np.float32) @ towards)
        of_block = seen.reshape(*patterns.shape[:2], -1)
        sums.append(of_block.sum(1, dtype=np.float64))
        squares.append(np.square(of_block).sum((1, 2), dtype=np.float64))
    total = np.concatenate(sums)
    return np.asarray(total @ total.T - np.diag(np.concatenate(squares)))


def _squared_distances(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    squares = z @ z.T
    norms = np.diag(squares).copy()
    squares *= -2
    squares += norms[:, None]
    squares += norms
    squares[squares < 1e-12 * norms.max()] = 0.0  # equal patterns, summed in another order
    return np.asarray(squares)


def _median(z: Float[np.ndarray, "n d"], rng: np.random.Generator) -> float:
    """The median distance of different patterns; 1 if all are equal."""
    squares = _squared_distances(z if len(z) <= SOME else z[rng.choice(len(z), SOME, replace=False)])
    different = squares[squares > 0]
    return math.sqrt(np.median(different)) if len(different) else 1.0


@dataclass(frozen=True, eq=False)
class Discrepancy:
    r"""MMD² of two samples without bias, and what its error is made of.

    With :math:`m` the difference of the mean embeddings and :math:`S` the covariance of its estimate, the variance is
    :math:`2 \operatorname{tr} S^2 + 4 \langle m, S m \rangle` (Hoeffding 1948; Gretton et al. 2012).

    Arguments:
        value: The statistic.
        values: The statistic under every labelling.
        error: :math:`2 \operatorname{tr} S^2`, :math:`\langle m, S m \rangle`, both without bias,
            :math:`\langle m, S^2 m \rangle / \langle m, S m \rangle`, a variance along one direction, by how much
            :math:`\langle m, S m \rangle` grows with the distance, and the relative variance of its estimate.
    """

    value: float
    values: Float[np.ndarray, " draws_plus_1"] = field(repr=False)
    error: Float[np.ndarray, " 5"]

    def interval(self, level: float) -> tuple[float, float]:
        r"""The score interval: all :math:`\theta` from which the value is no further than their own error allows.

        The normal part of the variance grows with the distance, as a binomial's with its share, so it is taken at each
        :math:`\theta`, not at the estimate: :math:`(U - \theta)^2 \le t^2 (2 \operatorname{tr} S^2 +
        4 \theta \sigma^2)` with :math:`\sigma^2 = \langle m, S m \rangle / \lVert m \rVert^2`. Near equal laws
        the direction of :math:`m` is not known, and the variance along one drawn towards the widest takes its place.

        Where patterns further off also scatter more, as under a kernel without bound, the variance grows faster than
        :math:`\theta`. So beyond :math:`U` its normal part grows as it does when the laws are tilted along the
        statistic's influence :math:`l_i = \langle m, c_i \rangle`, with :math:`c_i` what a pattern adds to :math:`m`,

        .. math:: \frac{d \langle m, S m \rangle}{d \theta} = \frac{\langle m, S^2 m \rangle + \frac12 \sum_i l_i^3}
            {\langle m, S m \rangle},

        but no slower than :math:`\theta` and no faster than :math:`\theta^2`. And as the variance rests on few patterns
        where few of one kind are given, or a few stand out, t is Student's quantile, of the degrees of freedom that fit
        the variance of :math:`\sum_i l_i^2` (Satterthwaite 1946).

        Sources: Wilson (1927) for the form; Efron (1987) for the tilt.
        """
        from scipy.stats import t

        degenerate, along, steep, growth, noise = (max(0.0, float(part)) for part in self.error)
        share = 4 * along / (4 * along + degenerate) if along > 0 else 0.0
        degrees = 2 / (share**2 * noise) if share**2 * noise > 0 else math.inf
        z, spread = float(t.isf(level / 2, degrees)), math.sqrt(degenerate)
        distance = max(0.0, self.value) + spread
        if distance == 0:
            return self.value, self.value
        faster = min(max(along, growth * distance), 2 * along)
        below, above = (2 * z**2 * (part + spread * steep) / distance for part in (along, faster))
        squared = 2 * self.value * below + z**2 * degenerate  # of the half width, were the variance the same everywhere
        low, high = (
            self.value + slope + sign * math.sqrt(max(0.0, slope**2 + squared))
            for slope, sign in ((below, -1), (above, 1))
        )
        return low if self.value > z * spread else self.value - z * spread, high


def u_statistic(gram: Float[np.ndarray, "blocks blocks"], pool: Pooled) -> Discrepancy:
    """MMD² under every labelling, the first one's error beside it; the gram matrix is used up."""
    real, size = pool.real, pool.size
    unit = 2.0 ** float(np.frexp(max(gram.max(), -gram.min()))[1])  # single precision holds no cubes of large features
    gram /= gram.dtype.type(unit)
    selves = np.diag(gram).astype(np.float64)
    if size == 1:
        np.fill_diagonal(gram, 0.0)  # a pattern makes no pair with itself
    n, m = size * int(real.sum()), size * int((~real).sum())
    mean = _centre(gram, size)
    sides = np.stack([real, ~real], axis=1)
    sums = (gram @ sides.astype(gram.dtype)).astype(np.float64)
    total = float(sums.sum())
    values = _mmd(_within(gram, pool.labels), pool.labels @ sums.sum(1), total, n, m)
    value = _mmd(sums[real, 0].sum(), sums[real].sum(), total, n, m)
    error = _error(gram, sides, sums, selves - mean if size == 1 else np.zeros(len(real)))
    units = np.array([unit**2, unit**2, unit, unit, 1.0]) / np.array([size**4, size**4, size**2, size**2, 1.0])
    return Discrepancy(unit * float(value), unit * values, units * error)


def _within(gram: Float[np.ndarray, "n n"], labels: Bool[np.ndarray, "draws n"]) -> Float[np.ndarray, " draws"]:
    """Sums among real patterns, in single precision; the matrix is symmetric, so one half of it will do."""
    labels, found = labels.astype(np.float32), np.zeros(len(labels))
    for start in range(0, len(gram), STRIP):
        here, after = slice(start, start + STRIP), slice(start + STRIP, None)
        corner, below = (gram[rows, here].astype(np.float32, copy=False) for rows in (here, after))
        reached = labels[:, here] @ corner + 2 * (labels[:, after] @ below)
        found += np.einsum("bn,bn->b", reached, labels[:, here], dtype=np.float64)
    return found


def _mmd(within: Any, of_real: Any, total: float, n: int, m: int) -> Any:
    """From the kernel's sums among real patterns, of real with any, and of any with any."""
    across = of_real - within
    return within / (n * (n - 1)) + (total - of_real - across) / (m * (m - 1)) - 2 * across / (n * m)


def _error(
    gram: Float[np.ndarray, "n n"],
    sides: Bool[np.ndarray, "n 2"],
    sums: Float[np.ndarray, "n 2"],
    selves: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " 5"]:
    """The parts of the variance, each block counted as one pattern."""
    own = np.diag(gram).astype(np.float64)
    strips = (gram[start : start + STRIP] for start in range(0, len(gram), STRIP))
    squares = np.concatenate([np.square(strip) @ sides.astype(gram.dtype) for strip in strips]).astype(np.float64)
    counts = sides.sum(0)
    beyond, towards = _across(squares, sides, sums), np.zeros(len(gram))
    sloped = noise = skewed = 0.0
    for k, side in enumerate(sides.T):
        n = counts[k]
        to_own = sums[side, k] - own[side]
        beyond += _spread(float(squares[side, k].sum() - np.square(own[side]).sum()), to_own) / (n * (n - 1))
        witness = to_own / (n - 1) - sums[side, 1 - k] / counts[1 - k]
        sloped += witness.var(ddof=1) / n
        influence = (witness - witness.mean()) / n
        noise += n * float(np.square(influence).var())
        skewed += float((influence**3).sum())
        towards[side] = (1 - 2 * k) * influence / (n - 1)
    if sloped == 0:
        return np.array([2 * beyond, -beyond, 0.0, 0.0, 0.0])
    widest = float(towards @ (gram @ towards.astype(gram.dtype)) + selves @ towards**2)
    return np.array([2 * beyond, sloped - beyond, widest / sloped, (widest + skewed / 2) / sloped, noise / sloped**2])


def _spread(squares: float, sums: Float[np.ndarray, " n"]) -> float:
    """tr Σ² without bias, from the kernel's squares over pairs and its sums over rows (Song et al. 2012)."""
    n = len(sums)
    rows = 2 * float(sums @ sums) / (n - 2) - float(sums.sum()) ** 2 / ((n - 1) * (n - 2))
    return float((squares - rows) / (n * (n - 3)))


def _across(squares: Float[np.ndarray, "n 2"], sides: Bool[np.ndarray, "n 2"], sums: Float[np.ndarray, "n 2"]) -> float:
    """2 tr ΣΣ' / nm of the two covariances, from the pairs of one real and one fake pattern."""
    (n, m), real = sides.sum(0), sides[:, 0]
    rows, columns = sums[real, 1], sums[~real, 0]
    double = squares[real, 1].sum() - rows @ rows / m - columns @ columns / n + rows.sum() ** 2 / (n * m)
    return float(2 * double / (n * m * (n - 1) * (m - 1)))


def _centre(gram: Float[np.ndarray, "blocks blocks"], size: int) -> float:
    """Take off its mean over pairs, in place, which changes no MMD² but leaves more digits to the rest."""
    n = len(gram) * size
    mean = float(gram.sum(dtype=np.float64)) / (n * (n - 1))
    diagonal = np.diag(gram) - mean * size * (size - 1)
    gram -= mean * size**2
    np.fill_diagonal(gram, diagonal)
    if max(gram.max(), -gram.min()) <= 1e-6 * abs(mean) * size**2:
        gram[:] = 0.0  # what rounding leaves of a constant
    return mean
