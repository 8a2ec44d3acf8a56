"""Differences of moments: against their definition, blocks of patterns, and columns that say nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy.stats import binom

from pushforward.auditing.moments import MomentDifference, moment_differences
from pushforward.auditing.resampling import relabellings

NAMES = (
    "moments of the most different column",
    "moments of all columns",
    "the most different mean",
    "the most different spread",
    "the most different product",
)


def differences(x: np.ndarray, labels: np.ndarray, size: int = 1) -> dict[str, np.ndarray]:
    return {found.name: found.values for found in moment_differences(x, labels, size)}


def labellings(n: int, m: int, count: int = 19) -> np.ndarray:
    return np.concatenate([(np.arange(n + m) < n)[None], relabellings(n, m, count, np.random.default_rng(1))])


def test_they_are_what_they_are_defined_to_be() -> None:
    x = np.random.default_rng(0).gamma(2.0, size=(50, 3))
    labels = labellings(20, 30)
    z = (x - x.mean(0)) / x.std(0)
    columns = []
    for j in range(3):
        phi = np.stack([z[:, j], z[:, j] ** 2, np.cos(1.2 * z[:, j])], 1)
        inverse = np.linalg.inv(np.cov(phi.T, bias=True))
        delta = np.array([phi[real].mean(0) - phi[~real].mean(0) for real in labels])
        columns.append(np.einsum("bi,ij,bj->b", delta, inverse, delta))  # Mahalanobis, whatever the whitening
    products = np.stack([z[:, i] * z[:, j] for i in range(3) for j in range(i + 1, 3)], 1)
    largest = [
        (np.array([u[real].mean(0) - u[~real].mean(0) for real in labels]) ** 2 / u.var(0)).max(1)
        for u in (z, z**2, products)
    ]
    expected = (np.max(columns, 0), np.sum(columns, 0), *largest)
    found = differences(x, labels)
    assert tuple(found) == NAMES
    for name, values in zip(NAMES, expected, strict=True):
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)


def test_blocks_are_relabelled_as_a_whole() -> None:
    x, blocks = np.random.default_rng(0).normal(size=(60, 2)), labellings(4, 8)
    for name, values in differences(x, np.repeat(blocks, 5, axis=1)).items():
        np.testing.assert_allclose(differences(x, blocks, 5)[name], values, rtol=1e-9, err_msg=name)


def test_units_do_not_matter() -> None:
    x, labels = np.random.default_rng(0).normal(size=(40, 2)), labellings(20, 20)
    for name, values in differences(x * [1e6, 1e-6] - [1e6, 0.0], labels).items():
        np.testing.assert_allclose(values, differences(x, labels)[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("column", [np.zeros(40), np.full(40, 1e9), np.arange(40) % 2.0])
def test_a_column_of_one_or_two_values_is_no_trouble(column: np.ndarray) -> None:
    labels = labellings(20, 20)
    x = np.random.default_rng(0).normal(size=(40, 1))
    found = differences(np.concatenate([x, column[:, None]], 1), labels)
    alone = differences(x, labels)
    assert all(np.isfinite(values).all() for values in found.values())
    if column.std() == 0:
        assert all(np.allclose(found[name], alone[name]) for name in alone)


@pytest.mark.parametrize("d", [1, 91])
def test_without_pairs_or_with_too_many_they_are_left_out(d: int) -> None:
    x, labels = np.random.default_rng(0).normal(size=(20, d)), labellings(10, 10)
    assert tuple(differences(x, labels)) == NAMES[:4]


@pytest.mark.parametrize(("of", "change"), [(0, "tail"), (2, "shift"), (3, "spread"), (4, "correlation")])
def test_each_sees_its_own(of: int, change: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300, 4))
    if change == "tail":
        y[:, 0] = rng.standard_t(3, 300) / np.sqrt(3)
    if change == "shift":
        y[:, 1] += 0.5
    if change == "spread":
        y[:, 1] *= 1.5
    if change == "correlation":
        y[:, 2] = 0.6 * y[:, 3] + 0.8 * y[:, 2]
    values = differences(np.concatenate([x, y]), labellings(300, 300, 199))[NAMES[of]]
    assert values[0] > values[1:].max()


def single(found: Iterable[MomentDifference]) -> dict[str, MomentDifference]:
    """Norms of the largest single moment."""
    return {x.name: x for x in found if x.name in NAMES[2:]}


def test_the_interval_covers_a_known_norm() -> None:
    rng, covered = np.random.default_rng(0), 0
    for _ in range(100):
        x = rng.normal(size=(200, 3))
        x[:100, 0] += 0.5
        low, high = single(moment_differences(x, labellings(100, 100, 99)))[NAMES[2]].interval(0.05)
        covered += low <= 0.5**2 / (1 + 0.5**2 / 4) <= high  # in units of the pool, whose mean is between
    assert covered >= 95


def test_the_interval_covers_where_the_rarer_kind_varies_more() -> None:
    """Relabelled patterns have the pool's variance: by them alone too few intervals cover."""
    rng, n, m, repeats, missed = np.random.default_rng(0), 500, 50, 300, 0
    labels, scale, rare = labellings(n, m, 99), 2.5, m / (n + m)
    truth = 1 / (1 - rare + rare * scale**2 + rare * (1 - rare))  # a squared difference of 1, by the pool's variance
    for _ in range(repeats):
        x = np.concatenate([rng.normal(size=(n, 2)), [1.0, 0.0] + scale * rng.normal(size=(m, 2))])
        low, high = single(moment_differences(x, labels))[NAMES[2]].interval(0.05)
        missed += not low <= truth <= high
    assert binom.sf(missed - 1, repeats, 0.05) > 0.01


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(("name", "shift"), [(NAMES[2], 1.0), (NAMES[3], 0.0)])
def test_the_error_is_that_of_simulation(name: str, shift: float, size: int) -> None:
    rng, n, m = np.random.default_rng(1), 400, 100
    labels, seen = labellings(n // size, m // size, 3), []
    for _ in range(400):
        x = np.concatenate([rng.normal(size=n), rng.normal(shift, 1.5, size=m)])
        seen.append(single(moment_differences(x[:, None], labels, size))[name])
    norms = np.sqrt([found.values[0] for found in seen])
    assert np.mean([found.errors[1] for found in seen]) ** 0.5 == pytest.approx(norms.std(), rel=0.12)
    assert np.mean([found.errors[2] for found in seen]) ** 0.5 == pytest.approx(
        np.std([found.errors[1] for found in seen]),
        rel=0.5,  # it takes the unit as known
    )
