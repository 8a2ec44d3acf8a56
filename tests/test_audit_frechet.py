"""The Fréchet distance is that of its closed forms; extrapolated, it is free of the bias that n and d bring."""

import json
import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from pushforward.auditing.frechet import frechet
from pushforward.auditing.gaussian_distance import _missing, frechet_distance
from pushforward.errors import InputError


def _covariance(rng: np.random.Generator, d: int, rank: int) -> np.ndarray:
    x = rng.normal(size=(d, rank))
    return x @ x.T / rank


def _of_features(x: np.ndarray, y: np.ndarray) -> float:
    return frechet_distance(x.mean(0), np.cov(x.T, ddof=1), y.mean(0), np.cov(y.T, ddof=1))


def test_diagonal_gaussians_have_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    (m, s), (k, t) = rng.normal(size=(2, 7)), rng.uniform(0.1, 3.0, size=(2, 7))
    expected = ((m - s) ** 2).sum() + ((k - t) ** 2).sum()
    assert frechet_distance(m, np.diag(k**2), s, np.diag(t**2)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("ranks", [(30, 40), (12, 40), (40, 12), (5, 7)], ids=["regular", "a", "b", "both singular"])
def test_equals_the_matrix_square_root(ranks: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    a, b = (_covariance(rng, 20, rank) for rank in ranks)
    m, k = rng.normal(size=(2, 20))
    root = sqrtm(a)
    expected = ((m - k) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(root @ b @ root)))
    assert frechet_distance(m, a, k, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(k, b, m, a) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rank", [3, 12, 40])
def test_a_law_is_at_distance_zero_from_itself(rank: int) -> None:
    a = _covariance(np.random.default_rng(2), 12, rank)
    assert frechet_distance(np.ones(12), a, np.ones(12), a) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("covariance", [np.eye(3), np.full((2, 2), math.nan)])
def test_moments_that_do_not_fit_or_are_not_finite_are_named(covariance: np.ndarray) -> None:
    with pytest.raises(InputError, match="covariance"):
        frechet_distance(np.zeros(2), np.eye(2), np.zeros(2), covariance)


def test_what_sampled_roots_miss_has_a_closed_form_for_equal_sizes() -> None:
    """The integral's residues: the eigenvalues of a rank-one change (Tiomoko & Couillet 2019)."""
    eigenvalues, n = np.sort(np.random.default_rng(3).uniform(0.01, 4.0, size=9)), 25
    roots = np.sqrt(eigenvalues)
    changed = np.linalg.eigvalsh(np.diag(eigenvalues) - np.outer(roots, roots) / n)
    expected = 2 * n * (roots.sum() - np.sqrt(changed).sum()) - roots.sum()
    assert _missing(eigenvalues, n, n) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("m", [60, 37])
def test_the_plain_figure_is_that_of_the_moments(m: int) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(60, 5)), rng.normal(0.5, 2.0, size=(m, 5))
    assert frechet(x, y, rng).plain.value == pytest.approx(_of_features(x, y), rel=1e-9)


def test_turning_moving_and_padding_features_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(60, 4)), rng.normal(size=(50, 4)) @ np.diag([1.0, 2.0, 0.5, 1.0])
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    x2, y2 = (np.column_stack([z @ turn + 7.0, np.full(len(z), 3.0)]) for z in (x, y))
    one, other = (frechet(*pair, np.random.default_rng(0)).extrapolated.estimate for pair in ((x, y), (x2, y2)))
    assert (one.value, one.low, one.p_value) == pytest.approx((other.value, other.low, other.p_value), rel=1e-6)


@pytest.mark.parametrize(
    ("d", "scale", "m", "times"), [(2, 1.0, 200, 60), (2, 1.2, 200, 60), (10, 1.3, 100, 30), (20, 1.0, 120, 30)]
)
def test_intervals_cover_the_known_distance_of_gaussians_and_the_plain_mean(
    d: int, scale: float, m: int, times: int
) -> None:
    rng, truth = np.random.default_rng(6), d * (scale - 1) ** 2
    found = [frechet(rng.normal(size=(200, d)), scale * rng.normal(size=(m, d)), rng, draws=39) for _ in range(times)]
    for figures, at in (
        ([f.extrapolated.estimate for f in found], truth),
        ([f.plain.estimate for f in found], float(np.mean([f.plain.value for f in found]))),
    ):
        values = np.array([figure.value for figure in figures])
        assert np.mean([f.low <= at <= f.high for f in figures]) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / times)
        assert abs(values.mean() - at) < 4 * values.std() / math.sqrt(times)
        assert np.median([f.high - f.low for f in figures]) < 2 * 2 * 1.96 * values.std()


def test_too_many_features_to_relabel_have_an_interval_by_halves_alone() -> None:
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=(60, 3)), rng.normal(1.0, 1.0, size=(60, 3))
    figure = frechet(x, y, rng, draws=0)
    for estimate in (figure.plain.estimate, figure.extrapolated.estimate):
        assert estimate.p_value is None and estimate.low < 3.0 < estimate.high
        assert estimate.high - estimate.value == pytest.approx(estimate.value - estimate.low)


def test_equal_laws_are_far_apart_at_this_n_but_not_at_infinite_n() -> None:
    rng = np.random.default_rng(7)
    figure = frechet(rng.normal(size=(200, 50)), rng.normal(size=(200, 50)), rng)
    assert figure.plain.value > 5
    assert figure.plain.null is not None
    assert figure.plain.null.low < figure.plain.value < figure.plain.null.high
    assert figure.extrapolated.estimate.low < 0 < figure.extrapolated.estimate.high < 2
    assert figure.extrapolated.p_value is not None
    assert figure.extrapolated.p_value > 0.05


def test_one_column_has_the_distance_of_means_and_deviations() -> None:
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=(2000, 1)), rng.normal(1.0, 2.0, size=(2000, 1))
    estimate = frechet(x, y, rng).extrapolated.estimate
    assert estimate.low < 2.0 < estimate.high < 2.5
    assert estimate.p_value == 0.005


def test_with_more_features_than_patterns_there_is_an_upper_limit_alone() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.normal(size=(30, 80)), rng.normal(1.0, 1.0, size=(20, 80))
    figure = frechet(x, y, rng)
    assert figure.plain.value == pytest.approx(_of_features(x, y), rel=1e-6)
    assert math.isnan(figure.extrapolated.value)
    assert figure.extrapolated.estimate.high > 80
    assert figure.extrapolated.p_value == 0.005
    assert "fewer than 3 patterns" in figure.notes[0]


def test_identical_sets_are_said_to_be_closer_than_two_samples_can_be() -> None:
    x = np.random.default_rng(10).normal(size=(100, 4))
    figure = frechet(x, x, np.random.default_rng(0))
    assert figure.plain.value == pytest.approx(0.0, abs=1e-9)
    assert figure.extrapolated.estimate.high < 0
    assert "same patterns" in figure.notes[0]


def test_constant_features_are_at_distance_zero() -> None:
    figure = frechet(np.full((20, 3), 0.1), np.full((30, 3), 0.1), np.random.default_rng(0))
    assert (figure.plain.value, figure.extrapolated.value, figure.extrapolated.p_value) == (0.0, 0.0, 1.0)


def test_equal_seeds_give_equal_plain_values_and_the_name_carries_the_protocol() -> None:
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(50, 3))
    one, other = (frechet(x, y, np.random.default_rng(1), "pixels", "test").to_json() for _ in range(2))
    assert one == other == json.loads(json.dumps(one))
    expected = "Fréchet distance, extrapolated to infinite n (pixels, n = 40 against 50, reference: test)"
    assert one["name"] == expected
    assert {"value", "low", "high", "null", "p_value", "n", "plain", "features", "reference"} <= one.keys()


@pytest.mark.parametrize(
    ("real", "fake", "match"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), "2 columns and fake ones 3"),
        (np.zeros((4, 2)), np.zeros((9, 2)), "real features have shape"),
        (np.zeros((9, 2)), np.full((9, 2), math.nan), "fake features hold NaN"),
    ],
)
def test_bad_features_are_named(real: np.ndarray, fake: np.ndarray, match: str) -> None:
    with pytest.raises(InputError, match=match):
        frechet(real, fake, np.random.default_rng(0))
