"""The pure statistics against scipy, quadrature and simulation."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, binomtest, norm

from pushforward.auditing import compare_columns, js_lower_bound, noticeable_accuracy, two_sample_accuracy
from pushforward.auditing.statistics import critical_count
from pushforward.evidence import Kind


@pytest.mark.parametrize(("correct", "n"), [(0, 50), (30, 60), (210, 360), (101, 200), (60, 60)])
def test_accuracy_agrees_with_scipys_exact_test(correct: int, n: int) -> None:
    ours, oracle = two_sample_accuracy(correct, n), binomtest(correct, n, 0.5, alternative="greater")
    interval = oracle.proportion_ci(0.95)
    both = binomtest(correct, n).proportion_ci(0.95, method="exact")
    assert ours.p_value == pytest.approx(oracle.pvalue, abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx((both.low, both.high), abs=1e-9)
    assert ours.low <= interval.low or correct == 0


@pytest.mark.parametrize(("correct", "n"), [(-1, 10), (11, 10), (0, 0)])
def test_accuracy_refuses_impossible_counts(correct: int, n: int) -> None:
    with pytest.raises(ValueError, match="correct"):
        two_sample_accuracy(correct, n)


@pytest.mark.parametrize("n", [50, 51, 180, 360, 5000])
def test_noticeable_accuracy_has_the_power_it_claims(n: int) -> None:
    critical = critical_count(n)
    assert binom.sf(critical - 1, n, 0.5) <= 0.05 < binom.sf(critical - 2, n, 0.5)
    assert two_sample_accuracy(critical, n).p_value <= 0.05 < two_sample_accuracy(critical - 1, n).p_value
    assert binom.sf(critical - 1, n, noticeable_accuracy(n)) == pytest.approx(0.8, abs=1e-9)


def test_nothing_is_noticeable_with_four_answers() -> None:
    assert math.isnan(noticeable_accuracy(4))


def test_the_level_holds_for_a_classifier_of_any_preference() -> None:
    """A fixed rule on equal laws; the further from half its answers are 'real', the more conservative."""
    rng = np.random.default_rng(0)
    for threshold, least in ((0.0, 0.02), (1.0, 0.0)):
        real, fake = rng.normal(size=(2, 2000, 100))
        correct = (real > threshold).sum(1) + (fake <= threshold).sum(1)
        rejected = np.mean([two_sample_accuracy(int(c), 200).p_value <= 0.05 for c in correct])
        exact = binom.sf(critical_count(200) - 1, 200, 0.5)
        assert least < rejected <= exact + 3 * math.sqrt(exact * (1 - exact) / 2000)


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
