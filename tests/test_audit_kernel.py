"""The kernel tests against double loops, scipy and simulation."""

import json
import warnings

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binom, energy_distance, foldnorm, wasserstein_distance

from pushforward.auditing.embeddings import Pooled, grams, u_statistic
from pushforward.auditing.kernel import WEIGHTS, KernelTests, kernel_inception_distance, kernel_test
from pushforward.auditing.transport import directions, lines, sliced_wasserstein
from pushforward.errors import InputError

MEDIAN = "MMD², Gaussian kernel of 1 × median distance"


def draw(n: int, m: int, d: int, seed: int = 0, shift: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(shift, 1.2, size=(m, d))


def run(x: np.ndarray, y: np.ndarray, draws: int = 99, seed: int = 1) -> KernelTests:
    return kernel_test(x, y, np.random.default_rng(seed), draws=draws)


def brute_mmd(x: np.ndarray, y: np.ndarray, kernel) -> float:
    n, m = len(x), len(y)
    within = sum(kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j) / (n * (n - 1))
    beside = sum(kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j) / (m * (m - 1))
    return within + beside - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


@pytest.mark.parametrize(("n", "m", "d"), [(30, 30, 3), (25, 11, 2), (6, 9, 20)])
def test_statistics_agree_with_double_loops(n: int, m: int, d: int) -> None:
    x, y = draw(n, m, d)
    pool = np.concatenate([x, y])
    median, mean = np.median(cdist(pool, pool)[np.triu_indices(n + m, 1)]), pool.mean(0)
    found = run(x, y).statistics
    for scale in (0.25, 0.5, 1, 2, 4):
        width = 2 * (scale * median) ** 2
        oracle = brute_mmd(x, y, lambda a, b, width=width: np.exp(-np.sum((a - b) ** 2) / width))
        ours = found[f"MMD², Gaussian kernel of {scale:g} × median distance"].value
        assert ours == pytest.approx(oracle, abs=2e-6)
    energy = brute_mmd(x, y, lambda a, b: -np.linalg.norm(a - b))
    assert found["energy distance"].value == pytest.approx(energy, abs=1e-9)
    moments = brute_mmd(x, y, lambda a, b: ((a - mean) @ (b - mean) / d) ** 2)
    assert found["MMD², second moments"].value == pytest.approx(moments, abs=1e-9)


def test_features_of_any_size_keep_their_p_values() -> None:
    x, y = draw(60, 60, 3)
    one, other = (run(factor * x, factor * y).statistics for factor in (1.0, 2.0**40))
    assert [figure.p_value for figure in one.values()] == [figure.p_value for figure in other.values()]
    cubes = [kernel_inception_distance(2.0**k * x, 2.0**k * y, np.random.default_rng(0)) for k in (20, 40)]
    assert cubes[0].p_value == cubes[1].p_value
    assert cubes[1].value == pytest.approx(2.0**120 * cubes[0].value, rel=1e-6)
    assert np.isfinite([cubes[1].estimate.low, cubes[1].estimate.high]).all()


def test_whitened_moments_do_not_change_with_the_scale_of_columns() -> None:
    x, y = draw(300, 300, 3)
    scales = np.array([1.0, 1e3, 1e-2])
    one, other = (run(a, b).statistics["MMD², second moments, whitened"] for a, b in [(x, y), (x * scales, y * scales)])
    assert other.value == pytest.approx(one.value, rel=1e-6)
    assert one.p_value == other.p_value


@pytest.mark.parametrize(("n", "m"), [(40, 40), (50, 23)])
def test_in_one_dimension_scipy_agrees(n: int, m: int) -> None:
    x, y = draw(n, m, 1)
    found = run(x, y).statistics
    assert found["sliced Wasserstein distance"].value == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), abs=1e-9)
    unbiased = found["energy distance"].value
    within = [cdist(z, z).sum() / len(z) ** 2 / (len(z) - 1) for z in (x, y)]  # scipy counts a pattern with itself
    assert unbiased + sum(within) == pytest.approx(energy_distance(x[:, 0], y[:, 0]) ** 2, abs=1e-9)


def test_sliced_wasserstein_is_scipys_along_every_line() -> None:
    x, y = draw(60, 35, 4)
    axes = directions(4, 20, np.random.default_rng(3))
    labels = np.stack([np.arange(95) < 60, np.arange(95) >= 35])
    pool = np.concatenate([x, y])
    found = sliced_wasserstein(lines(pool, labels, axes), labels[0])
    for real, ours, digits in zip(labels, found.values, (1e-9, 1e-5), strict=True):  # the null is in single precision
        oracle = np.mean([wasserstein_distance(pool[real] @ a, pool[~real] @ a) for a in axes.T])
        assert ours == pytest.approx(oracle, abs=digits)
    assert found.potential[:60].mean() - found.potential[60:].mean() == pytest.approx(found.values[0], abs=1e-9)


def test_kid_is_its_formula() -> None:
    x, y = draw(50, 40, 6)
    oracle = brute_mmd(x, y, lambda a, b: (a @ b / 6 + 1) ** 3)
    figure = kernel_inception_distance(x, y, np.random.default_rng(0))
    assert figure.value == pytest.approx(oracle, abs=1e-9)


def test_relabelled_values_are_those_of_relabelled_patterns() -> None:
    x, y = draw(20, 30, 3)
    pool = np.concatenate([x, y])
    order = np.random.default_rng(5).permutation(50)
    labels = np.zeros((2, 50), bool)
    labels[0, :20] = labels[1, order[:20]] = True
    gram = -cdist(pool, pool)
    found = u_statistic(gram, Pooled(pool, labels))
    value, values = found.value, found.values
    oracle = brute_mmd(pool[order[:20]], pool[order[20:]], lambda a, b: -np.linalg.norm(a - b))
    assert value == pytest.approx(values[0], abs=1e-5)
    assert values[1] == pytest.approx(oracle, abs=1e-5)


def test_blocks_of_random_features_estimate_the_same_distances() -> None:
    x, y = draw(1_000, 1_000, 5, shift=0.2)
    pool = np.concatenate([x, y])
    pool -= pool.mean(0)
    whole = dict(grams(Pooled(pool, (np.arange(2_000) < 1_000)[None]), np.random.default_rng(0)))
    parts = Pooled(pool, (np.arange(500) < 250)[None], 4)
    for name, gram in grams(parts, np.random.default_rng(0)):
        if "moments" in name:  # their random features belong to another kernel
            continue
        exact = u_statistic(whole[name], Pooled(pool, (np.arange(2_000) < 1_000)[None])).value
        assert u_statistic(gram, parts).value == pytest.approx(exact, rel=0.5), name
    axes = directions(5, 10, np.random.default_rng(0))
    single = (np.arange(2_000) < 1_000)[None]
    fine = sliced_wasserstein(lines(pool, single, axes), single[0]).values
    coarse = sliced_wasserstein(lines(pool, parts.labels, axes, 4), parts.real).values
    assert coarse == pytest.approx(fine, rel=0.01)


def test_a_random_feature_statistic_is_unbiased_for_the_pairs_it_counts() -> None:
    """A block's patterns make pairs with one another but never with themselves: equal laws give 0 on average."""
    pool = np.random.default_rng(0).normal(size=(4_200, 2))
    labels = np.concatenate(
        [
            (np.arange(600) < 300)[None],
            np.random.default_rng(1).permuted(np.tile(np.arange(600) < 300, (400, 1)), axis=1),
        ]
    )
    for name, gram in grams(Pooled(pool, labels, 7), np.random.default_rng(0)):
        values = u_statistic(gram, Pooled(pool, labels, 7)).values
        assert abs(values.mean()) < 5 * values.std() / 20, name


@pytest.mark.parametrize(("n", "m", "d"), [(60, 60, 2), (100, 12, 5), (20, 20, 50)])
def test_level(n: int, m: int, d: int) -> None:
    rng = np.random.default_rng(7)
    scale = rng.lognormal(size=d)
    p = [
        kernel_test(rng.standard_t(3, (n, d)) * scale, rng.standard_t(3, (m, d)) * scale, rng, draws=19).p_value
        for _ in range(80)
    ]
    assert binom.sf(sum(v <= 0.1 for v in p) - 1, 80, 0.1) > 1e-3
    assert binom.cdf(sum(v <= 0.1 for v in p), 80, 0.1) > 1e-3


@pytest.mark.parametrize("sizes", [(210, 210), (600, 40)])
def test_level_of_large_pools(sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "kernel.LARGEST": 400,
        "kernel.BLOCKS": 100,
        "kernel.SUBSET": 100,
        "embeddings.SOME": 200,
    }.items():
        monkeypatch.setattr(f"pushforward.auditing.{name}", value)
    p = [run(*draw_equal(*sizes, seed), draws=19, seed=seed).p_value for seed in range(12)]
    assert binom.sf(sum(v <= 0.1 for v in p) - 1, 12, 0.1) > 1e-3
    assert binom.cdf(sum(v <= 0.5 for v in p), 12, 0.5) > 1e-3


def draw_equal(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(100 + seed)
    return rng.normal(size=(n, 3)), rng.normal(size=(m, 3))


def test_it_sees_what_differs() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    mixed = x @ np.linalg.cholesky(0.3 + 0.7 * np.eye(4)).T
    alternatives = {
        "shift": x + np.array([0.4, 0, 0, 0]),
        "scale": x * np.array([1.4, 1, 1, 1]),
        "dependence": mixed,
        "mode": np.where(rng.random((300, 1)) < 0.15, 4.0, 0.0) + x,
    }
    for name, y in alternatives.items():
        assert np.median([run(rng.normal(size=(300, 4)), y).p_value for _ in range(3)]) <= 0.02, name


def test_the_combination_is_the_largest_by_weight() -> None:
    for seed in range(4):
        found = run(*draw(40, 30, 3, seed, shift=0.1), seed=seed)
        values = np.array([[f.estimate.value, *f.null.values] for f in found.statistics.values()])
        standard = (values - values.mean(1, keepdims=True)) / values.std(1, keepdims=True)
        weights = np.array([WEIGHTS.get(name, 1.0) for name in found.statistics])
        largest = (weights[:, None] * standard).max(0)
        assert found.p_value == pytest.approx(np.mean(largest >= largest[0] - 1e-3), abs=1e-9)
    assert set(WEIGHTS) <= set(found.statistics)


def test_a_large_pool_sees_a_small_shift_and_says_how() -> None:
    x, y = draw_equal(3_000, 3_000, 0)
    found = run(x, y + 0.1)
    assert found.p_value == 0.01
    assert "3,000 real and 3,000 fake" in found.notes[0]
    assert "random features" in found.name
    far_unequal = run(np.tile(x, (2, 1)), y[:50])
    assert "1,000 real and 50 fake" in far_unequal.notes[0]


@pytest.mark.parametrize("n", [80, 200])
@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4, 1.0])
def test_intervals_of_kid_cover(n: int, shift: float) -> None:
    rng, truth = np.random.default_rng(11), kid_of_shifted_gaussians(shift)
    ends = [
        kernel_inception_distance(rng.normal(size=(n, 1)), rng.normal(shift, 1, (n, 1)), rng, draws=9).estimate
        for _ in range(100)
    ]
    assert binom.cdf(sum(e.low <= truth <= e.high for e in ends), 100, 0.95) > 1e-3


def test_the_interval_of_kid_covers_where_few_samples_scatter_more() -> None:
    """Third powers of far patterns: the variance grows with the distance squared, and fifty patterns know it badly."""
    rng, n, m, repeats = np.random.default_rng(13), 500, 50, 400
    truth, held = kid_of_shifted_gaussians(1.0, 1.5), 0
    for _ in range(repeats):
        x, y = rng.normal(size=(n, 1)), rng.normal(1.0, 1.5, size=(m, 1))
        estimate = kernel_inception_distance(x, y, rng, draws=9).estimate
        held += estimate.low <= truth <= estimate.high
    assert binom.cdf(held, repeats, 0.95) > 1e-3


def test_the_parts_of_the_error_are_what_they_are_defined_to_be() -> None:
    """With the patterns for features, the embeddings are there to compute with."""
    rng = np.random.default_rng(0)
    x, y = rng.gamma(2.0, size=(400, 3)), [1.0, 0.0, 0.0] + 1.5 * rng.gamma(2.0, size=(300, 3))
    pool, apart = np.concatenate([x, y]), x.mean(0) - y.mean(0)
    added = np.concatenate([(x - x.mean(0)) / 400, -(y - y.mean(0)) / 300])
    covariance, influence = added.T @ added, added @ apart
    along = apart @ covariance @ apart
    steep = apart @ covariance @ covariance @ apart
    of_kind = np.square(influence[:400]), np.square(influence[400:])
    noise = sum(len(squares) * squares.var() for squares in of_kind)
    defined = [
        2 * np.trace(covariance @ covariance),
        along - np.trace(covariance @ covariance),
        steep / along,
        (steep + (influence**3).sum() / 2) / along,
        noise / along**2,
    ]
    found = u_statistic(pool @ pool.T, Pooled(pool, (np.arange(700) < 400)[None])).error
    assert found == pytest.approx(np.array(defined), rel=0.05)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.4, 1.0])
def test_other_intervals_cover_too(shift: float) -> None:
    rng, missed = np.random.default_rng(12), {"energy distance": 0, "sliced Wasserstein distance": 0}
    truth = {"energy distance": energy_of_shifted_gaussians(shift), "sliced Wasserstein distance": shift}
    for _ in range(40):
        found = kernel_test(rng.normal(size=(80, 1)), rng.normal(shift, 1, (80, 1)), rng, draws=39).statistics
        for name in missed:
            estimate = found[name].estimate
            missed[name] += not estimate.low <= truth[name] <= estimate.high
    for name, misses in missed.items():
        assert binom.sf(misses - 1, 40, 0.05) > 1e-3, name


def energy_of_shifted_gaussians(shift: float) -> float:
    """2 E|X − Y| − E|X − X′| − E|Y − Y′|, each difference normal with variance 2."""
    return 2 * (foldnorm.mean(shift / 2**0.5, scale=2**0.5) - foldnorm.mean(0, scale=2**0.5))


def kid_of_shifted_gaussians(shift: float, scale: float = 1.0) -> float:
    """(xy + 1)³ in one dimension: Σ C(3, k) (E xᵏ − E yᵏ)²."""
    second = shift**2 + scale**2
    return 3 * shift**2 + 3 * (second - 1) ** 2 + (shift**3 + 3 * shift * scale**2) ** 2


def test_exchanging_the_two_changes_no_value() -> None:
    x, y = draw(60, 40, 3)
    one, other = run(x, y), run(y, x)
    for name, figure in one.statistics.items():
        if "sliced" not in name:
            assert figure.value == pytest.approx(other.statistics[name].value, abs=1e-6), name
    assert run(x, y, seed=1).to_json() == run(x, y, seed=1).to_json()
    assert run(x, y, seed=1).to_json() != run(x, y, seed=2).to_json()


def test_constant_patterns_cannot_be_told_apart() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for constant in (np.full((30, 3), 0.1), np.zeros((30, 3))):
            found = run(constant, constant[:20])
            assert found.p_value == 1.0
            assert {figure.p_value for figure in [*found.statistics.values(), found.kid]} == {1.0}
        large = run(np.full((2_100, 2), 0.1), np.full((2_100, 2), 0.1), draws=9)
    assert large.p_value == 1.0


def test_ties_and_identical_sets_are_no_evidence() -> None:
    x = np.random.default_rng(0).integers(0, 2, (200, 3)).astype(float)
    assert run(x[:100], x[100:]).p_value > 0.05
    assert run(x, x.copy()).p_value > 0.5


def test_figures_are_in_order_and_become_json() -> None:
    x, y = draw(80, 60, 3)
    found = run(x, y)
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(plain) == {"name", "p_value", "statistics", "kid", "strongest", "notes"}
    assert MEDIAN in plain["statistics"]
    for figure in [*found.statistics.values(), found.kid]:
        assert figure.estimate.low <= figure.value <= figure.estimate.high
        assert "features" in figure.estimate.name


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        (np.zeros((60, 3)), np.zeros((60, 4)), "real features have 3 columns and fake ones 4"),
        (np.zeros(60), np.zeros(60), "give a table"),
        (np.zeros((3, 2)), np.zeros((60, 2)), "at least 5 rows"),
        (np.zeros((60, 2)), np.full((60, 2), np.nan), "fake features hold NaN"),
    ],
)
def test_bad_input_is_named(real: np.ndarray, fake: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(real, fake)


def test_sliced_wasserstein_leaves_out_no_distance_only_where_relabelling_does() -> None:
    rng, low, p_values = np.random.default_rng(21), [], []
    for shift in (0.0, 0.0, 0.0, 0.3, 0.6, 1.0) * 5:
        real, fake = rng.normal(size=(60, 5)), shift + rng.normal(size=(20, 5))
        figure = kernel_test(real, fake, rng, draws=99).statistics["sliced Wasserstein distance"]
        low.append(figure.estimate.low)
        p_values.append(figure.p_value)
    assert all(a == 0.0 for a, p in zip(low, p_values, strict=True) if p > 0.05)
    assert any(a > 0.0 for a in low)
