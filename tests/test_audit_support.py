"""Precision, recall, density and coverage against their definitions, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pushforward.auditing import neighbours
from pushforward.auditing import support as module
from pushforward.auditing.neighbours import in_balls, nearest
from pushforward.auditing.support import FIGURES, Support, support
from pushforward.errors import InputError


def by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> list[float]:
    """The four figures as the papers write them, with whole matrices of distances."""
    of_real = np.sort(cdist(real, real), axis=1)[:, [k]]
    of_fake = np.sort(cdist(fake, fake), axis=1)[:, [k]]
    inside, reached = cdist(real, fake) <= of_real, cdist(fake, real) <= of_fake
    return [inside.any(0).mean(), reached.any(0).mean(), inside.sum() / (k * len(fake)), inside.any(1).mean()]


def values(result: Support) -> list[float]:
    return [getattr(result, name).value for name in FIGURES]


def expected_coverage(n: int, m: int, k: int) -> float:
    return 1 - math.prod((n - j) / (n + m - j) for j in range(1, k + 1))


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 99)
    monkeypatch.setattr(module, "DEGREES", 8)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(("n", "m", "d", "k"), [(150, 90, 3, 5), (60, 200, 1, 1), (80, 80, 300, 3), (12, 12, 40, 5)])
def test_the_figures_are_their_definitions(n: int, m: int, d: int, k: int) -> None:
    rng = np.random.default_rng(n)
    real, fake = rng.normal(size=(n, d)), 0.9 * rng.normal(size=(m, d)) + 0.1
    result = support(real, fake, rng, k)
    assert values(result) == pytest.approx(by_definition(real, fake, k), abs=1e-12)
    inside = cdist(real, fake) <= np.sort(cdist(real, real), axis=1)[:, [k]]
    np.testing.assert_array_equal(result.balls, inside.sum(0))
    np.testing.assert_array_equal(result.covered, inside.any(1))


@pytest.mark.parametrize("d", [5, 200])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_neighbours_survive_offsets_outliers_and_near_duplicates(
    d: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", 1000)  # many strips
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, d))
    x[:20] = x[0] + 1e-4 * rng.normal(size=(20, d))
    x[-1] *= 1e5
    x += offset
    squared, places = nearest(x, 4)
    oracle = cdist(x, x)
    np.fill_diagonal(oracle, np.inf)
    assert np.sqrt(squared) == pytest.approx(np.sort(oracle, axis=1)[:, :4], rel=1e-4)
    np.testing.assert_array_equal(places[:20], np.argsort(oracle[:20], axis=1)[:, :4])
    radii = 1.01 * squared[:, -1]
    covered, reached, balls = in_balls(x[:60], x[60:], radii[:60], radii[60:])
    inside = cdist(x[:60], x[60:]) <= np.sqrt(radii[:60, None])
    np.testing.assert_array_equal(covered, inside.any(1))
    np.testing.assert_array_equal(balls, inside.sum(0))
    np.testing.assert_array_equal(reached, (cdist(x[:60], x[60:]) <= np.sqrt(radii[60:])).any(1))


@pytest.mark.parametrize(("n", "m"), [(200, 200), (300, 40), (40, 300)])
def test_relabelling_finds_the_figures_themselves(n: int, m: int) -> None:
    pooled = np.random.default_rng(1).normal(size=(n + m, 4))
    lengths = module._enough(n, n + m, 5), module._enough(m, n + m, 5)
    assert (min(lengths) < max(lengths)) == (n != m)  # the commoner kind needs shorter lists
    places = nearest(pooled, max(lengths))[1]
    real = np.arange(n + m) < n
    for seed in range(3):
        labels = np.random.default_rng(seed).permutation(real)
        oracle = by_definition(pooled[labels], pooled[~labels], 5)
        assert module._relabelled(places, labels, 5, lengths) == pytest.approx(oracle, abs=1e-12)


@pytest.mark.usefixtures("quickly")
def test_a_set_far_larger_than_the_other_is_thinned_and_its_figures_say_so() -> None:
    rng = np.random.default_rng(8)
    result = support(rng.normal(size=(20, 2)), rng.normal(size=(5000, 2)), rng)
    assert "n = 20 against 400)" in result.precision.estimate.name
    assert (len(result.covered), len(result.balls)) == (20, 400)


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("law", ["normal", "binary", "constant", "constant column"])
def test_equal_laws_put_density_at_1_and_coverage_at_its_closed_form(law: str) -> None:
    rng = np.random.default_rng(2)
    x = {
        "normal": rng.normal(size=(350, 3)),
        "binary": rng.integers(2, size=(350, 3)).astype(float),  # eight points: nothing but ties
        "constant": np.full((350, 2), 7.0),
        "constant column": np.c_[rng.normal(size=350), np.zeros(350)],
    }[law]
    result = support(x[:200], x[200:], rng)
    assert result.density.null is not None and result.coverage.null is not None
    assert result.density.null.mean == pytest.approx(1, abs=0.03)
    assert result.coverage.null.mean == pytest.approx(expected_coverage(200, 150, 5), abs=0.01)
    assert result.p_value > 0.01
    assert all(getattr(result, name).estimate.low <= values(result)[j] for j, name in enumerate(FIGURES))


def test_the_tests_keep_their_level_and_the_intervals_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS", 79)
    n, m, repeats = 80, 60, 120
    rejected, covered = np.zeros(5), np.zeros(2)
    truth = [("density", 1.0), ("coverage", expected_coverage(n, m, 3))]
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        result = support(rng.normal(size=(n, 4)), rng.normal(size=(m, 4)), rng, k=3)
        tests = [*(getattr(result, name).p_value for name in FIGURES), result.p_value]
        rejected += np.array(tests) <= 0.05
        intervals = [getattr(result, name).estimate for name, _ in truth]
        covered += [e.low <= value <= e.high for e, (_, value) in zip(intervals, truth, strict=True)]
    assert (rejected / repeats <= 0.12).all()  # of a level of .05: .12 is 3.5 standard errors beyond it
    assert (covered / repeats >= 0.88).all() and (covered / repeats < 1).any()


@pytest.mark.usefixtures("quickly")
def test_samples_outside_the_data_are_found() -> None:
    rng = np.random.default_rng(3)
    real, fake = rng.normal(size=(200, 3)), rng.normal(size=(100, 3))
    fake[:30] += 20
    result = support(real, fake, rng)
    assert not result.balls[:30].any() and (result.balls[30:] > 0).mean() > 0.8
    assert result.precision.value < 0.71 and result.precision.p_value == 0.01 and result.p_value < 0.04
    far = support(real, fake[:30], rng)
    assert values(far) == [0, 0, 0, 0]
    assert all(0 < getattr(far, name).estimate.high < 0.3 for name in FIGURES)


@pytest.mark.usefixtures("quickly")
def test_missing_modes_lower_coverage_and_copies_do_not() -> None:
    rng = np.random.default_rng(4)
    real = rng.normal(size=(300, 2)) + 10 * rng.integers(2, size=(300, 1))
    one_mode = rng.normal(size=(300, 2))
    result = support(real, one_mode, rng)
    assert result.coverage.value == pytest.approx((real.sum(1) < 10).mean(), abs=0.06)
    assert result.recall.p_value == result.coverage.p_value == 0.01
    same = support(real, real.copy(), rng)
    assert [same.precision.value, same.recall.value, same.coverage.value] == [1, 1, 1]
    # of copies coverage does not vary, but its interval is no narrower than the null law asks, which parts equal rows:
    # of 200 such sets of normal patterns it begins at .952 on average, and at .975 by parts of the data alone
    assert same.coverage.estimate.low > 0.93 and same.coverage.estimate.high == 1


@pytest.mark.usefixtures("quickly")
def test_one_seed_gives_one_answer_with_its_protocol() -> None:
    real, fake = np.random.default_rng(5).normal(size=(2, 60, 3))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    once, again = (support(real, fake, np.random.default_rng(0), features="columns").to_json() for _ in range(2))
    assert once == again
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    assert list(once) == [*FIGURES, "p_value", "k", "features", "note"]
    assert once["coverage"]["name"] == "coverage (k = 5, columns, n = 60 against 60)"
    assert {"value", "low", "high", "null", "p_value"} <= set(once["precision"])


@pytest.mark.parametrize(
    ("real", "fake", "k", "said"),
    [
        (np.zeros((30, 2)), np.zeros((30, 2)), 30, "smaller k"),
        (np.zeros((30, 2)), np.zeros((11, 2)), 5, "12 patterns"),
        (np.zeros((30, 2)), np.zeros((30, 2)), 0, "k = 0"),
        (np.zeros((30, 2)), np.zeros((30, 3)), 5, "columns"),
        (np.zeros((30, 2)), np.full((30, 2), np.nan), 5, "NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(real: np.ndarray, fake: np.ndarray, k: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        support(real, fake, np.random.default_rng(0), k)
