"""Missed clusters, unsupported samples and known modes against scipy, enumeration and simulation."""

import json
import math

import numpy as np
import pytest
from scipy.stats import fisher_exact, hypergeom

from pushforward.auditing.assigned_modes import assign_modes, assigned_coverage
from pushforward.auditing.missed import missed
from pushforward.auditing.modes import mixture_modes, mode_coverage
from pushforward.auditing.reverse_kl import reverse_kl
from pushforward.auditing.shares import share_ratio
from pushforward.auditing.shortfall import shortfall
from pushforward.auditing.unsupported import unsupported
from pushforward.errors import InputError

LAWS = {
    "Gaussian": lambda rng, n, d: rng.normal(size=(n, d)),
    "heavy-tailed": lambda rng, n, d: rng.standard_t(2, size=(n, d)),
    "mixed scale": lambda rng, n, d: rng.normal(size=(n, d)) * np.where(rng.random((n, 1)) < 0.5, 0.1, 3.0),
    "discrete": lambda rng, n, d: rng.poisson(1.0, size=(n, d)).astype(float),
}


def _mixture(rng: np.random.Generator, n: int, modes: int, d: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Ten well separated normals, of which the first ``modes`` are drawn."""
    centres = np.random.default_rng(99).normal(size=(10, d)) * 2.0
    which = rng.integers(modes, size=n)
    return centres[which] + rng.normal(size=(n, d)), which


def _rejects(rejected: np.ndarray, least: float = 0.0) -> None:
    """A share at 5 % within what its own chance allows, three standard errors either way."""
    slack = 3 * math.sqrt(0.05 * 0.95 / len(rejected))
    assert least <= rejected.mean() <= 0.05 + slack


# --- many sets at once ---


def test_p_values_are_fishers() -> None:
    present, lacking = np.array([30, 20, 50]), np.array([40, 5, 35])
    sets = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1]], bool)
    tests = shortfall(present, lacking, sets, np.random.default_rng(0))
    for j, members in enumerate(sets):
        a, b = present[members].sum(), lacking[members].sum()
        table = [[b, lacking.sum() - b], [a, present.sum() - a]]
        assert tests.p_values[j] == pytest.approx(fisher_exact(table, alternative="less").pvalue, abs=1e-12)


def test_adjusted_p_values_agree_with_enumeration() -> None:
    """Two bins and both as sets: the law of the smaller p-value is a sum over one hypergeometric count."""
    present, lacking = np.array([14, 26]), np.array([5, 35])
    tests = shortfall(present, lacking, np.eye(2, dtype=bool), np.random.default_rng(0))
    x = np.arange(20)
    law, below = hypergeom.pmf(x, 80, 19, 40), hypergeom.cdf(x, 80, 19, 40)
    smaller = np.minimum(below, hypergeom.cdf(40 - x, 80, 61, 40))
    exact = law[smaller <= tests.p_values[0] + 1e-12].sum()
    assert tests.adjusted[0] == pytest.approx(exact, abs=4 * math.sqrt(exact / 2000))


@pytest.mark.parametrize("level", [0.05, 1e-4])
def test_what_is_below_the_critical_value_is_a_discovery_and_nothing_else(level: float) -> None:
    """Also at levels that 1,999 relabellings cannot resolve."""
    for lacking in range(30):
        counts = np.array([30, 970]), np.array([lacking, 1000 - lacking])
        tests = shortfall(*counts, np.eye(2, dtype=bool), np.random.default_rng(0), level)
        np.testing.assert_array_equal(tests.p_values < tests.critical, tests.adjusted <= level)


def test_adjustment_keeps_the_level_when_sets_overlap() -> None:
    rng = np.random.default_rng(1)
    sets = np.concatenate([np.eye(8), np.tri(8)[1:7]]).astype(bool)
    rejected = []
    for _ in range(300):
        counts = rng.multinomial(200, np.full(8, 1 / 8), size=2)
        rejected.append(shortfall(counts[0], counts[1], sets, rng).adjusted.min() <= 0.05)
    _rejects(np.array(rejected), least=0.015)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("ratio", [0.4, 0.8, 1.0])
def test_intervals_of_a_ratio_of_shares_cover_it(share: float, ratio: float) -> None:
    """Within three standard errors of 95 %, for small shares and large ones alike."""
    rng = np.random.default_rng(2)
    a, b = rng.binomial(500, share, size=1500), rng.binomial(300, share * ratio, size=1500)
    ratios = [share_ratio(int(y), 300, int(x), 500) for x, y in zip(a, b, strict=True)]
    assert 0.93 <= np.mean([r.low <= ratio <= r.high for r in ratios]) <= 0.97


def test_a_ratio_of_shares_at_its_ends() -> None:
    assert share_ratio(0, 50, 5, 60).low == 0 < share_ratio(0, 50, 5, 60).high < 1
    everything = share_ratio(60, 60, 80, 80, 1e-4)
    assert everything.low < everything.value == 1 < everything.high
    assert share_ratio(0, 60, 80, 80).high < 0.1
    large = share_ratio(134, 200, 174, 200)  # Fisher's p-value of equal shares is 1e-6
    assert large.low > 0.68 and large.high < 0.88


# --- missed ---


@pytest.mark.parametrize("law", LAWS)
def test_missed_keeps_its_level(law: str) -> None:
    rng = np.random.default_rng(3)
    draws = [missed(LAWS[law](rng, 60, 3), LAWS[law](rng, 90, 3), rng) for _ in range(60)]
    rejected = np.array([bool(lost.clusters) for lost in draws])
    _rejects(rejected)
    assert (rejected == [lost.p_value <= 0.05 for lost in draws]).all()


def test_a_dropped_mode_is_found_whole_and_shown() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(6):
        (real, modes), (fake, _) = _mixture(rng, 500, 10), _mixture(rng, 500, 9)
        lost = missed(real, fake, rng)
        (cluster,) = lost.clusters
        assert (modes[list(cluster.examples)] == 9).all()
        assert cluster.fake_count <= 2
        assert cluster.real_count == pytest.approx((modes == 9).sum(), abs=4)
        assert cluster.ratio.high < 0.5
        covered += lost.share.low <= 0.1 <= lost.share.high
    assert covered >= 4


def test_examples_are_ordered_by_their_distance_from_the_centre() -> None:
    rng = np.random.default_rng(5)
    (real, _), (fake, _) = _mixture(rng, 500, 10), _mixture(rng, 400, 8)
    lost = missed(real, fake, rng)
    assert len(lost.clusters) >= 1
    assert [c.lost for c in lost.clusters] == sorted((c.lost for c in lost.clusters), reverse=True)
    for cluster in lost.clusters:
        assert (np.diff(np.linalg.norm(real[list(cluster.examples)] - cluster.centre, axis=1)) >= 0).all()


def test_the_smallest_missed_share_is_noticed_four_times_in_five() -> None:
    rng = np.random.default_rng(6)
    share = missed(rng.normal(size=(300, 5)), rng.normal(size=(300, 5)), rng).smallest_missed_share
    hits = 0
    for _ in range(40):
        real = rng.normal(size=(300, 5))
        real[rng.random(300) < share, 0] += 15.0
        hits += bool(missed(real, rng.normal(size=(300, 5)), rng).clusters)
    assert 0.02 < share < 0.05
    assert 24 <= hits <= 39


def test_missed_in_degenerate_cases() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(100, 3))
    for real, fake in ((x, x), (np.ones((60, 2)), np.ones((50, 2))), (x[:30, [0] * 40], x[30:60, [0] * 40])):
        lost = missed(real, fake, rng)
        assert lost.clusters == ()
        assert lost.share.value == 0 < lost.share.high
        assert lost.p_value > 0.05
    everything = missed(x, x + 1000.0, rng)
    assert everything.share.value == 1.0
    json.dumps(everything.to_json(), allow_nan=False)


# --- unsupported ---


@pytest.mark.parametrize("law", LAWS)
def test_unsupported_keeps_its_level_and_its_interval_covers(law: str) -> None:
    rng = np.random.default_rng(8)
    draws = [unsupported(LAWS[law](rng, 150, 3), LAWS[law](rng, 90, 3), rng) for _ in range(40)]
    _rejects(np.array([stray.p_value <= 0.05 for stray in draws]))
    ends = [(stray.share.estimate.low, stray.share.estimate.high) for stray in draws]
    assert np.mean([low <= 0 <= high for low, high in ends]) >= 0.85


def test_samples_between_and_beyond_modes_are_named() -> None:
    rng = np.random.default_rng(9)
    hits, purity = 0, []
    for _ in range(6):
        (real, _), (fake, which) = _mixture(rng, 600, 10), _mixture(rng, 600, 10)
        between = np.arange(30)
        fake[between] = 0.5 * (fake[between] + fake[[np.flatnonzero(which != which[i])[-1] for i in between]])
        stray = unsupported(real, fake, rng)
        hits += stray.p_value <= 0.05
        purity.append(np.mean([s.position < 30 for s in stray.samples[:10]]))
        assert stray.share.estimate.low < 0.05
    assert hits >= 3  # of 6; equal laws: at most one run in four hundred
    assert np.mean(purity) > 0.5  # ten times their share


def test_noise_on_the_tightest_mode_alone_is_seen() -> None:
    """Absolute distances are blind to it, for the other mode's are larger."""
    rng = np.random.default_rng(10)
    scale = np.where(np.arange(600) % 2, 0.01, 1.0)[:, None]
    real, fake = (rng.normal(size=(600, 5)) * scale + 9 * (scale < 1) for _ in range(2))
    fake[1:60:2] += 0.1 * rng.normal(size=(30, 5))
    stray = unsupported(real, fake, rng)
    assert stray.p_value < 0.01
    assert {s.position for s in stray.samples[:20]} <= set(range(1, 60, 2))


def test_the_nearest_pattern_is_in_the_reference() -> None:
    rng = np.random.default_rng(11)
    real, fake, reference = rng.normal(size=(200, 2)), rng.normal(size=(100, 2)) * 3, rng.normal(size=(300, 2))
    for stray in unsupported(real, fake, rng, reference=reference).samples:
        distances = np.linalg.norm(reference - fake[stray.position], axis=1)
        assert distances[stray.nearest] == distances.min()
    halved = unsupported(real, fake, rng)
    assert halved.samples[0].score >= halved.samples[-1].score > 1
    assert all(s.nearest < 200 for s in halved.samples)
    json.dumps(halved.to_json(), allow_nan=False)


def test_the_smallest_noticed_share_is_noticed_four_times_in_five() -> None:
    rng = np.random.default_rng(12)
    share = unsupported(rng.normal(size=(300, 3)), rng.normal(size=(300, 3)), rng).smallest_noticed_share
    hits = 0
    for _ in range(30):
        fake = rng.normal(size=(300, 3))
        fake[rng.random(300) < share] += 30.0
        hits += unsupported(rng.normal(size=(300, 3)), fake, rng).p_value <= 0.05
    assert 0.02 < share < 0.08
    assert hits >= 18


def test_unsupported_in_degenerate_cases() -> None:
    rng = np.random.default_rng(13)
    x = rng.normal(size=(80, 3))
    ones = np.ones((60, 2))
    for real, fake in ((x, x), (ones, ones), (x[:30, [0] * 40], x[30:60, [0] * 40])):
        assert unsupported(real, fake, rng).p_value > 0.05
    shifted = unsupported(ones, ones + 1.0, rng)
    assert (shifted.beyond, shifted.real_beyond) == (60, 0)
    assert shifted.p_value < 1e-6
    json.dumps(shifted.to_json(), allow_nan=False)


@pytest.mark.parametrize("judge", [missed, unsupported])
def test_features_that_cannot_be_compared_are_refused(judge) -> None:
    rng = np.random.default_rng(14)
    x = rng.normal(size=(60, 3))
    with pytest.raises(InputError, match="3 columns and fake ones 2"):
        judge(x, x[:, :2], rng)
    with pytest.raises(InputError, match="at least 20 rows"):
        judge(x, x[:5], rng)
    with pytest.raises(InputError, match="NaN"):
        judge(np.where(x > 2, np.nan, x), x, rng)


@pytest.mark.parametrize("judge", [missed, unsupported])
def test_the_same_seed_gives_the_same_answer_and_global_state_is_left_alone(judge) -> None:
    x = np.random.default_rng(15).normal(size=(100, 3))
    np.random.seed(1)  # noqa: NPY002
    first, second = (judge(x, x * 1.5, np.random.default_rng(5)).to_json() for _ in range(2))
    assert first == second
    after = np.random.random()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    assert after == np.random.random()  # noqa: NPY002


# --- modes ---


def test_modes_are_counted_and_the_missing_named() -> None:
    real, fake = np.repeat(np.arange(10), 30), np.repeat(np.r_[0:9, 11], 20)
    coverage = mode_coverage(real, fake)
    assert (coverage.covered, coverage.of, coverage.missing) == (9, 10, ("9",))
    assert coverage.under_covered == ("9",)
    assert coverage.expected == pytest.approx(10 * (1 - 0.9**200))
    assert str(coverage).startswith("9 of 10 modes")
    assert [mode.name for mode in coverage.modes if mode.real_count == 0] == ["11"]
    json.dumps(coverage.to_json(), allow_nan=False)


def test_mode_p_values_are_fishers_and_keep_the_level() -> None:
    rng = np.random.default_rng(16)
    real, fake = rng.integers(6, size=300), rng.integers(6, size=200)
    for mode in mode_coverage(real, fake).modes:
        table = [[mode.fake_count, 200 - mode.fake_count], [mode.real_count, 300 - mode.real_count]]
        assert mode.p_value == pytest.approx(fisher_exact(table, alternative="less").pvalue, abs=1e-12)
    draws = [mode_coverage(rng.integers(6, size=300), rng.integers(6, size=200)).p_value for _ in range(400)]
    _rejects(np.array(draws) <= 0.05)


@pytest.mark.parametrize("modes", [10, 50])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_the_reverse_kl_is_unbiased_and_its_interval_covers(modes: int, tilt: float) -> None:
    rng = np.random.default_rng(17)
    p = np.full(modes, 1 / modes)
    q = p * np.exp(tilt * rng.normal(size=modes))
    q /= q.sum()
    truth = float(q @ np.log(q / p))
    counts = zip(rng.multinomial(1500, q, size=400), rng.multinomial(1000, p, size=400), strict=True)
    figures = [reverse_kl(b, a) for b, a in counts]
    spread = float(np.std([f.value for f in figures]))
    if tilt:  # at 0 the value is cut off below
        assert np.mean([f.value for f in figures]) == pytest.approx(truth, abs=4 * spread / 20 + 0.1 * spread)
    covered = np.mean([f.low <= truth <= f.high for f in figures])
    assert covered >= 0.92
    assert not tilt or covered <= 0.985


def test_the_reverse_kl_of_a_dropped_half_is_log_2() -> None:
    coverage = mode_coverage([0, 1] * 2000, [0] * 4000)
    assert coverage.reverse_kl.value == pytest.approx(math.log(2), abs=0.001)
    assert mode_coverage([0] * 50, [0] * 50).reverse_kl.value < 0.001


def test_a_ring_of_modes_by_the_pacgan_protocol() -> None:
    rng = np.random.default_rng(18)
    angles = np.arange(8) * np.pi / 4
    centres = np.stack([np.cos(angles), np.sin(angles)], 1)
    fake = centres[rng.integers(7, size=2500)] + 0.01 * rng.normal(size=(2500, 2))
    fake[:50] = 0.0
    coverage = mixture_modes(fake, centres, 0.01)
    assert (coverage.covered, coverage.of, coverage.missing) == (7, 8, ("7",))
    assert coverage.reverse_kl.low < math.log(8 / 7) + 0.02
    quality = coverage.high_quality
    assert quality is not None
    assert quality.null.mean == pytest.approx(1 - math.exp(-4.5), abs=1e-3)
    assert quality.estimate.high < quality.null.low
    json.dumps(coverage.to_json(), allow_nan=False)


def test_modes_are_assigned_to_both_sets_with_the_same_errors() -> None:
    """The rare class is often mistaken; equal laws still seem equal."""
    rng = np.random.default_rng(19)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        modes = (rng.random(n) < 0.15).astype(int)
        return rng.normal(size=(n, 2)) + 1.2 * modes[:, None], modes

    rejected = []
    for _ in range(20):
        (real, modes), (fake, _) = draw(400), draw(400)
        assigned = assign_modes(real, modes, fake, rng)
        rejected.append(mode_coverage(assigned.real, assigned.fake).p_value <= 0.05)
        assert assigned.error.low < 0.12 < assigned.error.high + 0.05
    _rejects(np.array(rejected))
    against_truth = mode_coverage(modes, assigned.fake)
    assert against_truth.under_covered == ("1",)


def test_a_mode_of_a_single_pattern_is_left_to_the_others() -> None:
    """The fold without it has but one class to learn."""
    x = np.random.default_rng(21).normal(size=(60, 2))
    assigned = assign_modes(x, ["a"] * 59 + ["b"], x + 1.0, np.random.default_rng(0))
    assert len(assigned.fake) == 60 and assigned.error.value >= 1 / 60


def test_what_a_classifier_mistakes_for_a_mode_does_not_cover_it() -> None:
    """The samples lack mode 2, but some are called so; a mode that the classifier never names still counts."""
    rng = np.random.default_rng(22)

    def draw(n: int, modes: int) -> tuple[np.ndarray, np.ndarray]:
        mode = rng.integers(modes, size=n)
        return 3.0 * mode[:, None] + rng.normal(size=(n, 2)) * [1, 0.1] @ [[1, 1], [-1, 1]], mode

    wrongly = 0
    for _ in range(20):
        (real, mode), (lacking, _), (equal, _) = draw(600, 3), draw(600, 2), draw(600, 3)
        without = assigned_coverage(assign_modes(real, mode, lacking, rng))
        assert without.of == 3 and next(m for m in without.modes if m.name == "2").fake_count > 0
        wrongly += without.covered == 3
        assert assigned_coverage(assign_modes(real, mode, equal, rng)).covered == 3
    assert wrongly <= 3
    mode[:3] = 7
    coverage = assigned_coverage(assign_modes(real, mode, equal, rng))
    assert (coverage.of, coverage.covered, coverage.missing) == (4, 3, ())


def test_modes_that_cannot_be_compared_are_refused() -> None:
    rng = np.random.default_rng(20)
    x = rng.normal(size=(40, 2))
    with pytest.raises(InputError, match="no labels"):
        mode_coverage([], [1])
    with pytest.raises(InputError, match="rows of 2 columns"):
        mixture_modes(x[:, :1], x[:3], 0.1)
    with pytest.raises(InputError, match="positive"):
        mixture_modes(x, x[:3], 0.0)
    with pytest.raises(InputError, match="two or more"):
        assign_modes(x, [1] * 40, x, rng)
