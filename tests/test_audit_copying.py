"""Copies are found, and neither other laws nor repeated rows pass for them."""

import json
import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.special import comb, factorial, stirling2
from scipy.stats import mannwhitneyu, norm

from pushforward.auditing.copying import closeness, copying
from pushforward.auditing.near_duplicates import nearest
from pushforward.auditing.repeated_copies import repeated_copies
from pushforward.errors import InputError


def _p_values(draw, times: int = 60, m: int | None = None) -> np.ndarray:
    rng = np.random.default_rng(0)
    results = (copying(draw(rng, 150), draw(rng, m or 150), rng) for _ in range(times))
    return np.array([(r.p_value, r.closeness.p_value) for r in results])


def _table(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.minimum(rng.poisson(0.7, size=(n, 4)), 3).astype(float)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.normal(size=(n, 2)),
        lambda rng, n: rng.standard_t(1.5, size=(n, 20)),
        _table,
    ],
    ids=["gaussian", "heavy-tailed", "whole numbers"],
)
def test_equal_laws_are_seldom_called_copies(draw) -> None:
    assert ((_p_values(draw) <= 0.05).mean(0) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 60)).all()


@pytest.mark.parametrize("m", [150, 40])
def test_other_laws_are_not_called_copies_though_they_lie_closer(m: int) -> None:
    rng = np.random.default_rng(1)
    results = [copying(rng.normal(size=(200, 3)), 0.4 * rng.normal(size=(m, 3)), rng) for _ in range(25)]
    assert np.mean([r.copied for r in results]) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 25)
    assert np.median([r.closeness.p_value for r in results]) < 0.01


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_one_copy_in_twenty_is_noticed_and_listed(noise: float) -> None:
    rng = np.random.default_rng(2)
    for _ in range(4):
        real, fake = rng.normal(size=(2, 500, 10))
        fake[:25] = real[100:125] + noise * fake[:25]
        result = copying(real, fake, rng)
        assert result.copied
        assert result.copies.estimate.low <= 0.05 <= result.copies.estimate.high
        assert {(d.sample, d.training) for d in result.duplicates[:25]} == {(i, 100 + i) for i in range(25)}
        assert (result.neighbours[:, 0] == 100 + np.arange(12)).all()


def test_the_noticeable_share_is_noticed_four_times_in_five() -> None:
    rng, found = np.random.default_rng(3), []
    share = copying(*rng.normal(size=(2, 300, 8)), rng).noticeable
    for _ in range(40):
        real, fake = rng.normal(size=(2, 300, 8))
        count = math.ceil(share * 300)
        fake[:count] = real[:count]
        found.append(copying(real, fake, rng).copied)
    assert np.mean(found) >= 0.8 - 2 * math.sqrt(0.8 * 0.2 / 40)
    assert share < 0.05


def test_independent_samples_show_no_share_of_copies_half_the_time() -> None:
    """Also where far more training data than samples give chance many pairs to choose among."""
    rng, found = np.random.default_rng(9), []
    for _ in range(60):
        copies = copying(rng.normal(size=(40, 8)), rng.normal(size=(100, 8)), rng, rng.normal(size=(400, 8))).copies
        assert (copies.estimate.low > 0) == (copies.p_value <= 0.05)
        assert copies.null is not None and np.median(copies.null.values) == pytest.approx(0, abs=0.01)
        found.append(copies.value)
    assert 0.3 < np.mean(np.array(found) > 0) < 0.7


def test_a_level_that_no_relabelling_reaches_leaves_nothing_noticeable() -> None:
    real = np.random.default_rng(10).normal(size=(60, 2))
    result = copying(real, real, np.random.default_rng(0), level=1e-4)
    assert not result.copied and math.isnan(result.noticeable)
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["noticeable"] is None


def test_training_data_are_told_from_held_out_data() -> None:
    rng = np.random.default_rng(4)
    train, real, fake = rng.normal(size=(3, 400, 8))
    fake[:40] = real[:40]
    assert not copying(real, fake, rng, train).copied
    fake[:40] = train[:40]
    result = copying(real, fake, rng, train)
    assert result.copied and result.reference == "training data"
    assert "training data of 400" in result.copies.estimate.name


def test_copying_with_a_little_noise_everywhere_makes_c_t_negative() -> None:
    rng = np.random.default_rng(5)
    train, real, noise = rng.normal(size=(3, 400, 8))
    closer = copying(real, train + 0.3 * noise, rng, train)
    further = copying(real, 2.0 * noise, rng, train)
    assert closer.closeness.estimate.high < 0 < further.closeness.estimate.low
    assert closer.copied and not further.copied


def test_closeness_in_one_cell_is_mann_and_whitneys_z() -> None:
    rng = np.random.default_rng(6)
    train, real, fake = rng.integers(0, 20, size=(3, 90, 2)).astype(float)
    to_real, to_fake = (cdist(x, train).min(1) for x in (real, fake))
    oracle = mannwhitneyu(to_fake, to_real, alternative="less", method="asymptotic", use_continuity=False)
    assert copying(real, fake, rng, train).closeness.p_value == pytest.approx(oracle.pvalue, rel=1e-6)


def test_the_interval_of_closeness_covers_its_value() -> None:
    """Distances of 1-dimensional laws to a training set far away order as the patterns do."""
    rng, n, shift = np.random.default_rng(7), 80, 0.5
    truth = -math.sqrt(12 * n * n / (2 * n + 1)) * (norm.cdf(shift / math.sqrt(2)) - 0.5)
    train = np.full((20, 1), -100.0) + rng.normal(size=(20, 1))
    covered = []
    for _ in range(300):
        held_out, fake = rng.normal(size=(n, 1)), rng.normal(-shift, 1, (n, 1))
        estimate = closeness(train, held_out, fake, rng, 0.05, "columns").estimate
        covered.append(estimate.low <= truth <= estimate.high)
    assert abs(np.mean(covered) - 0.95) <= 3 * math.sqrt(0.95 * 0.05 / 300)


def test_nearest_agrees_with_all_distances() -> None:
    rng = np.random.default_rng(8)
    x, among = rng.normal(size=(30, 40)), rng.normal(size=(50, 40))
    among[7] = x[3]
    distances, index = nearest(x, among, 4)
    oracle = cdist(x, among)
    assert distances == pytest.approx(np.sort(oracle, axis=1)[:, :4])
    assert (np.take_along_axis(oracle, index, 1) == pytest.approx(distances)) and distances[3, 0] == 0


def test_constant_patterns_are_no_copies_but_identical_sets_are() -> None:
    rng = np.random.default_rng(9)
    assert not copying(np.ones((60, 3)), np.ones((50, 3)), rng).copied
    real = rng.normal(size=(60, 3))
    same = copying(real, real.copy(), rng)
    assert same.copied and same.copies.value == pytest.approx(1.0, abs=0.05)
    assert same.to_json()["copies"]["p_value"] == same.p_value


def test_the_same_seed_gives_the_same_answer() -> None:
    real, fake = np.random.default_rng(10).normal(size=(2, 100, 3))
    first, second = (copying(real, fake, np.random.default_rng(1)).to_json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("real", "fake", "message"),
    [
        (np.zeros((39, 2)), np.zeros((50, 2)), "real has 39 patterns"),
        (np.zeros((50, 2)), np.zeros((19, 2)), "fake has 19 patterns"),
        (np.zeros((50, 2)), np.zeros((50, 3)), "same features"),
        (np.zeros((50, 2)), np.full((50, 2), np.nan), "not finite"),
    ],
)
def test_bad_features_are_named(real: np.ndarray, fake: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        copying(real, fake, np.random.default_rng(0))


@pytest.mark.parametrize("train", [True, False], ids=["training data given", "data halved"])
def test_a_collapse_onto_training_patterns_is_copying(train: bool) -> None:
    rng = np.random.default_rng(11)
    learnt, held_out = rng.normal(size=(2, 400, 3))
    fake = np.concatenate([learnt[rng.integers(30, size=300)], rng.normal(size=(100, 3))])
    result = copying(held_out, fake, rng, learnt) if train else copying(learnt, fake, rng)
    assert result.copied and result.copies.estimate.low > 0.2
    elsewhere = copying(learnt, np.repeat(rng.normal(size=(30, 3)), 12, axis=0), rng)
    assert not elsewhere.copied and elsewhere.copies.value < 0.02


@pytest.mark.parametrize("d", [2, 10])
@pytest.mark.parametrize("times", [12, 20, 50])
def test_blurred_copies_are_found_however_often_they_are_repeated(d: int, times: int) -> None:
    rng = np.random.default_rng(11)
    learnt, held_out = rng.normal(size=(2, 400, d))
    fake = np.concatenate([np.repeat(learnt[:15], times, axis=0), rng.normal(size=(100, d))])
    result = copying(held_out, fake + 1e-3 * rng.normal(size=fake.shape), rng, learnt)
    assert result.copied and result.copies.estimate.value == pytest.approx(15 * times / len(fake), abs=0.01)


@pytest.mark.parametrize(
    ("known", "share", "noise"), [(300, 1.0, 0.0), (300, 1.0, 1e-3), (300, 0.5, 0.0), (2000, 1.0, 0.0)]
)
def test_the_interval_holds_the_share_of_copies_drawn_with_replacement(known: int, share: float, noise: float) -> None:
    """Copies of one pattern are each other's nearest, two to nine of them, and must not count against the share."""
    rng, times = np.random.default_rng(13), 10
    covered = 0
    for _ in range(times):
        learnt, held_out, fake = rng.normal(size=(known, 4)), rng.normal(size=(300, 4)), rng.normal(size=(300, 4))
        count = round(300 * share)
        fake[:count] = learnt[rng.integers(known, size=count)] + noise * fake[:count]
        copies = copying(held_out, fake, rng, learnt).copies.estimate
        covered += copies.low <= share <= copies.high
        assert copies.low > 0.8 * share - 0.05
    assert covered >= times - 2


@pytest.mark.parametrize("noise", [0.0, 1e-3, 0.05])
def test_copies_that_are_each_repeated_a_few_times_are_found_or_leave_the_share_open(noise: float) -> None:
    rng = np.random.default_rng(14)
    learnt, held_out = rng.normal(size=(2, 300, 4))
    fake = np.repeat(learnt[:60], 5, axis=0)
    result = copying(held_out, fake + noise * rng.normal(size=fake.shape), rng, learnt)
    assert result.copied and result.copies.estimate.high == 1
    assert noise == 0.05 or result.copies.estimate.low > 0.9


def test_samples_nearer_to_one_another_than_data_are_is_said() -> None:
    rng = np.random.default_rng(15)
    grid = np.linspace(0, 1, 300)[:, None]
    assert copying(grid, rng.random((1000, 1)), rng).denser
    found = [copying(*rng.normal(size=(2, 150, 3)), rng).denser for _ in range(40)]
    assert np.mean(found) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 40)


@pytest.mark.parametrize("blur", [0.0, 1e-4])
@pytest.mark.parametrize("cells", [6, 40])
def test_independent_samples_of_few_values_repeat_no_training_patterns(cells: int, blur: float) -> None:
    """Uniform laws on few values are the worst case; ten samples or more of each are frequent."""
    rng, found = np.random.default_rng(12), []
    for _ in range(200):
        known, fake = rng.integers(cells, size=(30, 1)).astype(float), rng.integers(cells, size=(600, 1)).astype(float)
        known, fake = (x + blur * rng.normal(size=x.shape) for x in (known, fake))
        frequent = repeated_copies(known, fake, 10)
        assert frequent is not None
        found.append(frequent.p_value)
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_occupied_cells_follow_stirlings_numbers() -> None:
    fake = np.repeat(np.arange(7.0), 10)[:, None]
    for known in ([0, 1, 2, 3], [0, 0, 1, 1, 2], [6] * 5, [0, 1, 2, 3, 4, 5, 6, 6, 9, 9]):
        balls = [x for x in known if x < 7]
        k, d = len(balls), len(set(balls))
        law = [comb(7, j) * factorial(j) * stirling2(k, j) / 7**k for j in range(d, 8)]
        found = repeated_copies(np.array(known, float)[:, None], fake, 10)
        assert found is not None and found.p_value == pytest.approx(min(1.0, sum(law)))
        assert found.samples == 10 * d
    assert repeated_copies(fake, np.arange(9.0)[:, None], 10) is None
