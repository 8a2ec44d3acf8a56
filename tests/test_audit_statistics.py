"""The pure statistics against scipy, quadrature and simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, norm

from pushforward.auditing import (
    balanced_accuracy,
    compare_columns,
    js_divergence,
    js_lower_bound,
    noticeable_accuracy,
)
from pushforward.auditing.shares import excess, score_interval, wilson
from pushforward.evidence import Kind


@pytest.mark.parametrize(("count", "n"), [(0, 50), (30, 60), (210, 360), (60, 60)])
def test_wilsons_interval_agrees_with_scipy(count: int, n: int) -> None:
    oracle = binomtest(count, n).proportion_ci(0.95, method="wilson")
    assert wilson(count, n) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_the_excess_of_shares_has_the_published_interval() -> None:
    """56 of 70 against 48 of 80: the sixth method of Newcombe (1998)."""
    assert excess(56, 70, 48, 80) == pytest.approx((0.0528, 0.3382), abs=5e-5)


@pytest.mark.parametrize(
    ("b", "m", "a", "n"), [(0, 20, 0, 10), (1, 100, 0, 200), (3, 50, 4, 250), (9, 10, 3, 10), (20, 20, 0, 10)]
)
def test_the_excess_ends_where_the_likeliest_shares_no_longer_allow_it(b: int, m: int, a: int, n: int) -> None:
    def within(delta: float) -> bool:
        ends = max(0.0, -delta), min(1.0, 1 - delta)

        def unlikely(p: float) -> float:
            return float(-binom.logpmf(a, n, p) - binom.logpmf(b, m, p + delta))

        p = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
        p = min((*ends, float(p)), key=unlikely)  # it looks inside alone
        variance = (p + delta) * (1 - p - delta) / m + p * (1 - p) / n
        return bool((b / m - a / n - delta) ** 2 <= norm.isf(0.025) ** 2 * (n + m) / (n + m - 1) * variance)

    low, high = excess(b, m, a, n)
    assert low <= b / m - a / n <= high
    assert within(low + 1e-4) and within(high - 1e-4)
    assert (low - 1e-4 < -1 or not within(low - 1e-4)) and (high + 1e-4 > 1 or not within(high + 1e-4))
    assert excess(a, n, b, m) == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("value", "fixed", "ratio"), [(4.0, 0.0, 1.0), (0.1, 0.3, 0.2), (-0.2, 0.5, 0.1)])
def test_a_score_interval_holds_what_its_own_variance_allows(value: float, fixed: float, ratio: float) -> None:
    for end in score_interval(value, fixed, ratio, 1.96):
        assert (value - end) ** 2 == pytest.approx(1.96**2 * (fixed + ratio * end), rel=1e-9)


@pytest.mark.parametrize(("real", "fake", "n", "m"), [(0.5, 0.5, 90, 90), (0.7, 0.4, 400, 60), (0.95, 0.9, 60, 60)])
def test_the_accuracys_interval_covers_it(real: float, fake: float, n: int, m: int) -> None:
    rng = np.random.default_rng(0)
    counts = zip(rng.binomial(n, real, 2000), rng.binomial(m, fake, 2000), strict=True)
    intervals = [balanced_accuracy(int(a), n, int(b), m) for a, b in counts]
    covered = np.mean([e.low <= (real + fake) / 2 <= e.high for e in intervals])
    assert 0.935 <= covered <= 0.98


@pytest.mark.parametrize(("n", "m"), [(50, 50), (180, 180), (500, 50)])
def test_noticeable_accuracy_has_the_power_it_claims(n: int, m: int) -> None:
    rng, share = np.random.default_rng(1), noticeable_accuracy(n, m)
    half = 0.5 * math.sqrt(0.25 / n + 0.25 / m)
    drawn = 0.5 * (rng.binomial(n, share, 20_000) / n + rng.binomial(m, share, 20_000) / m)
    assert np.mean(drawn >= 0.5 + norm.isf(0.05) * half) == pytest.approx(0.8, abs=0.06)  # counts are whole numbers


def test_nothing_is_noticeable_with_two_answers() -> None:
    assert math.isnan(noticeable_accuracy(1, 1))


def _log_odds(x: np.ndarray, shift: float) -> np.ndarray:
    """log N(x; 0, 1) − log N(x; shift, 1)."""
    return shift**2 / 2 - shift * x


def _divergence(shift: float) -> float:
    """JS(N(0, 1), N(shift, 1)) by quadrature of its definition (14)."""

    def integrand(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x, shift)
        m = (p + q) / 2
        return 0.5 * (p * math.log(p / m) + q * math.log(q / m))

    return float(quad(integrand, -8, 8 + shift, epsabs=1e-10)[0])


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_the_bound_is_tight_for_the_optimal_discriminator(shift: float) -> None:
    rng, n = np.random.default_rng(1), 200_000
    bound = js_lower_bound(_log_odds(rng.normal(size=n), shift), _log_odds(shift + rng.normal(size=n), shift), 1e-4)
    truth = _divergence(shift)
    assert bound.kind is Kind.LOWER_BOUND
    assert bound.low <= truth <= bound.high
    assert bound.value == pytest.approx(truth, abs=2e-3)


def _entropy_form(shift: float) -> float:
    """(15): the entropy of the mixture less the mean of the entropies."""

    def surprise(x: float) -> float:
        m = (norm.pdf(x) + norm.pdf(x, shift)) / 2
        return -m * math.log(m)

    of_mixture = quad(surprise, -12, 12 + shift, epsabs=1e-11, limit=200)[0]
    return float(of_mixture - 0.5 * math.log(2 * math.pi * math.e))


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, 5.0])
def test_the_divergence_of_known_laws_is_covered(shift: float) -> None:
    truth = _divergence(shift)
    assert truth == pytest.approx(_entropy_form(shift), abs=1e-8)
    rng = np.random.default_rng(6)
    found = [
        js_divergence(_log_odds(a, shift), _log_odds(shift + b, shift)) for a, b in rng.normal(size=(1000, 2, 200))
    ]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.97
    assert np.mean([e.value for e in found]) == pytest.approx(truth, abs=0.005)


def test_any_other_discriminator_stays_below_the_divergence() -> None:
    rng, n, shift = np.random.default_rng(2), 200_000, 1.0
    real, fake = rng.normal(size=n), shift + rng.normal(size=n)
    truth = _divergence(shift)
    for scale, offset in ((0.3, 0.0), (2.5, 0.0), (1.0, 0.8)):
        answers = (scale * _log_odds(x, shift) + offset for x in (real, fake))
        assert js_lower_bound(*answers).high < truth
    swapped = js_lower_bound(_log_odds(fake, shift), _log_odds(real, shift))
    assert swapped.high < 0


@pytest.mark.parametrize(("shift", "n"), [(0.5, 100), (2.0, 100), (4.0, 50), (6.0, 200)])
def test_the_bounds_lower_end_seldom_exceeds_the_divergence(shift: float, n: int) -> None:
    """Also where the discriminator errs so seldom that most samples show no error."""
    rng, truth = np.random.default_rng(3), _divergence(shift)
    exceeded = [
        js_lower_bound(_log_odds(a, shift), _log_odds(shift + b, shift)).low > truth
        for a, b in rng.normal(size=(600, 2, n))
    ]
    assert np.mean(exceeded) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 600)


@pytest.mark.parametrize(("confidence", "share", "n"), [(50.0, 0.01, 50), (10.0, 0.01, 50), (5.0, 0.005, 200)])
def test_a_discriminator_surer_than_it_should_be_is_not_believed(confidence: float, share: float, n: int) -> None:
    """Most samples show no mistake at all."""
    rng, truth = np.random.default_rng(4), math.log(2) - share * confidence
    wrong = rng.random((600, 2, n)) < share
    odds = confidence * np.where(wrong, -1.0, 1.0) * rng.uniform(0.7, 1.3, wrong.shape)
    exceeded = [js_lower_bound(a, -b).low > truth for a, b in odds]
    assert np.mean(exceeded) <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / 600)


@pytest.mark.parametrize(("shift", "slope"), [(0.5, 0.7), (2.0, 1.0), (4.0, 0.7)])
def test_the_bound_of_a_fixed_discriminator_is_covered(shift: float, slope: float) -> None:
    rng = np.random.default_rng(5)
    truth = math.log(2) - quad(lambda x: norm.pdf(x) * np.logaddexp(0, -slope * _log_odds(x, shift)), -12, 12)[0]
    found = [
        js_lower_bound(slope * _log_odds(a, shift), slope * _log_odds(shift + b, shift))
        for a, b in rng.normal(size=(1000, 2, 200))
    ]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.985


def test_a_constant_discriminator_gives_a_bound_of_zero() -> None:
    bound = js_lower_bound(np.zeros(50), np.zeros(50))
    assert (bound.low, bound.value, bound.high) == (0.0, 0.0, 0.0)


def test_extreme_log_odds_stay_finite_and_below_log_2() -> None:
    bound = js_lower_bound(np.full(50, 800.0), np.full(50, -800.0))
    assert bound.value == pytest.approx(math.log(2))
    assert math.isfinite(bound.low) and bound.high <= math.log(2) + 1e-12


def test_columns_are_ranked_and_false_discoveries_rare() -> None:
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(2, 300, 20))
    fake[:, 7] += 1.0
    fake[:, 3] += 0.5
    columns = compare_columns(real, fake, [f"c{j}" for j in range(20)])
    assert [c.column for c in columns[:2]] == ["c7", "c3"]
    assert columns[0].differs and columns[1].differs
    found = [
        any(c.differs for c in compare_columns(*rng.normal(size=(2, 100, 10)), list("abcdefghij"))) for _ in range(200)
    ]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_discoveries_follow_benjamini_and_hochberg() -> None:
    from scipy.stats import false_discovery_control

    rng = np.random.default_rng(5)
    real, fake = rng.normal(size=(2, 150, 30))
    fake[:, :12] += np.linspace(0.1, 0.5, 12)
    columns = sorted(compare_columns(real, fake, [str(j) for j in range(30)]), key=lambda c: c.index)
    adjusted = false_discovery_control([c.p_value for c in columns])
    assert [c.differs for c in columns] == list(adjusted <= 0.05)
    assert 0 < sum(c.differs for c in columns) < 30


def test_a_constant_column_does_not_differ() -> None:
    (column,) = compare_columns(np.ones((60, 1)), np.ones((80, 1)), ["constant"])
    assert column.distance == 0 and not column.differs
