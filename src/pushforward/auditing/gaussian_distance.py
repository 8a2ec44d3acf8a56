"""The Fréchet distance of two Gaussian laws: from their moments, and from those of samples of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from pushforward.errors import InputError

__all__ = ["Moments", "distances", "frechet_distance", "principal"]


def frechet_distance(
    mean_a: Float[np.ndarray, " d"],
    cov_a: Float[np.ndarray, "d d"],
    mean_b: Float[np.ndarray, " d"],
    cov_b: Float[np.ndarray, "d d"],
) -> float:
    r"""The squared Wasserstein-2 distance of two Gaussian laws.

    .. math:: \mathrm{FD} = \lVert \mu_1 - \mu_2 \rVert^2
        + \operatorname{tr}\left(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\right).

    The trace of the root is the sum of the roots of the eigenvalues of :math:`L^\top \Sigma_2 L`, where
    :math:`\Sigma_1 = L L^\top`: these are those of :math:`\Sigma_1 \Sigma_2`, and the matrix is symmetric.
    Source: Dowson & Landau (1982); as a distance of features Heusel et al. (2017).

    Raises:
        InputError: for means and covariances that do not fit each other or are not finite.

    Example:
        >>> frechet_distance(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
        11.0
    """
    mean_a, cov_a, mean_b, cov_b = (np.asarray(x, np.float64) for x in (mean_a, cov_a, mean_b, cov_b))
    d = mean_a.size
    if not (mean_a.shape == mean_b.shape == (d,) and cov_a.shape == cov_b.shape == (d, d)):
        shapes = ", ".join(str(x.shape) for x in (mean_a, cov_a, mean_b, cov_b))
        raise InputError(f"means and covariances have shapes {shapes}: give (d,), (d, d), (d,), (d, d) of one d")
    if not all(np.isfinite(x).all() for x in (mean_a, cov_a, mean_b, cov_b)):
        raise InputError("a mean or covariance is not finite: remove the features' rows that are not finite first")
    return _distance(mean_a - mean_b, cov_a, cov_b, _product_eigenvalues(cov_a, cov_b))


class Moments(NamedTuple):
    """Sums over patterns: those of the patterns left out are a difference."""

    size: int
    total: Float[np.ndarray, " d"]
    squares: Float[np.ndarray, "d d"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "n d"]) -> Moments:
        """The sums over rows."""
        return cls(len(x), x.sum(0), x.T @ x)

    def less(self, part: Moments) -> Moments:
        """The sums over the patterns that are not in a part of them."""
        return Moments(self.size - part.size, self.total - part.total, self.squares - part.squares)

    @property
    def mean(self) -> Float[np.ndarray, " d"]:
        """Their mean."""
        return self.total / self.size

    @property
    def covariance(self) -> Float[np.ndarray, "d d"]:
        """Their covariance, without bias."""
        return (self.squares - np.outer(self.total, self.mean)) / (self.size - 1)


def distances(real: Moments, fake: Moments) -> tuple[float, float]:
    """The plain figure, and the one that is consistent for Gaussian features (NaN if n is no greater than d)."""
    a, b = real.covariance, fake.covariance
    eigenvalues = _product_eigenvalues(a, b)
    plain = _distance(real.mean - fake.mean, a, b, eigenvalues)
    noise = float(np.trace(a)) / real.size + float(np.trace(b)) / fake.size
    return plain, plain - noise - 2 * _missing(eigenvalues, real.size - 1, fake.size - 1)


def principal(pool: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n rank"]:
    """The patterns about their mean, turned onto the axes along which they vary at all: distances stay as they are."""
    pool = pool - pool[0]  # so a constant column becomes 0 exactly
    pool = pool - pool.mean(0)
    n, d = pool.shape
    values, vectors = np.linalg.eigh(pool.T @ pool if d <= n else pool @ pool.T)
    kept = values > _slack(values)
    turned = pool @ vectors[:, kept] if d <= n else vectors[:, kept] * np.sqrt(values[kept])
    return turned if kept.any() else np.zeros((n, 1))


def _distance(shift: np.ndarray, a: np.ndarray, b: np.ndarray, eigenvalues: np.ndarray) -> float:
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * np.sqrt(eigenvalues).sum())


def _product_eigenvalues(a: Float[np.ndarray, "d d"], b: Float[np.ndarray, "d d"]) -> Float[np.ndarray, " rank"]:
    """Those of the product of two covariances, but for zeros."""
    try:
        root = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:  # singular: an eigenvalue is 0
        values, vectors = np.linalg.eigh(a)
        kept = values > _slack(values)
        root = vectors[:, kept] * np.sqrt(values[kept])
    found = np.linalg.eigvalsh(root.T @ b @ root)
    return np.asarray(found[found > _slack(found)])


def _slack(values: Float[np.ndarray, " d"]) -> float:
    """Up to which eigenvalues are rounding."""
    return len(values) * float(np.finfo(float).eps) * float(values.max(initial=0.0))


def _missing(eigenvalues: Float[np.ndarray, " rank"], n: int, m: int) -> float:
    r"""By how much the root's trace exceeds the sum of roots of sampled eigenvalues, for Gaussian features.

    With :math:`v(s) = \sum_i \lambda_i / (s + \lambda_i)` of the eigenvalues of :math:`S_1 S_2`, in the limit of many
    features :math:`s \mapsto s / ((1 - v/n)(1 - v/m))` takes the sampled law's transform to that of
    :math:`\Sigma_1 \Sigma_2`, so that

    .. math:: \operatorname{tr} (\Sigma_1 \Sigma_2)^{1/2} - \sum_i \sqrt{\lambda_i} = \frac2\pi \int_0^\infty \sqrt{s}
        \left(\frac1{\sqrt{(1 - v/n)(1 - v/m)}} - 1\right) \left(-\frac{dv}{ds}\right) ds.

    In :math:`\log s` the integrand is analytic in a strip and falls off exponentially, so equal steps suffice.
    Source: the contour integral of Tiomoko & Couillet (2019), turned onto the negative axis.
    """
    if len(eigenvalues) >= min(n, m):
        return math.nan
    if len(eigenvalues) == 0:
        return 0.0
    low, high = np.log(eigenvalues[[0, -1]])
    s = np.exp(np.arange(low - 16, high + 17))  # to 1e-8 of the largest root, in steps of e
    shares = eigenvalues / (s[:, None] + eigenvalues)
    v, slope = shares.sum(1), (shares / (s[:, None] + eigenvalues)).sum(1)
    excess = 1 / np.sqrt((1 - v / n) * (1 - v / m)) - 1
    return float(2 / math.pi * (s**1.5 * slope * excess).sum())  # one s is that of ds = s d(log s)
