"""Generators are ordered by paired differences, whichever of the real patterns their audits judged."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pushforward.auditing.ranking import ranking
from pushforward.auditing.statistics import gains, js_lower_bound


def _audit(real: np.ndarray, fake: np.ndarray, judged: np.ndarray, kept: np.ndarray | None = None) -> Any:
    """What ``ranking`` reads of an audit: log-odds on the real patterns at ``judged``, and on its own samples."""
    return SimpleNamespace(
        js=js_lower_bound(real[judged], fake),
        log_odds_real=real[judged],
        log_odds_fake=fake,
        index_real=judged,
        kept={"real": np.arange(len(real)) if kept is None else kept},
        level=0.05,
    )


def _two(rng: np.random.Generator, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of two generators on the same real patterns, much alike, and on samples of each."""
    common = rng.normal(1.0, 1.0, size=n)
    return common + 0.3 * rng.normal(size=(2, n)), -rng.normal(1.0, 1.0, size=(2, n))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0], ids=["the same patterns", "half of them", "none"])
def test_the_interval_covers_a_difference_of_zero_as_often_as_it_says(share: float) -> None:
    rng, n = np.random.default_rng(0), 150
    covered, widths = [], []
    for _ in range(400):
        real, fake = _two(rng, 2 * n)
        order, shift = rng.permutation(2 * n), round((1 - share) * n)
        judged = order[:n], rng.permutation(order[shift : shift + n])
        audits = {k: _audit(real[k], fake[k, :n], judged[k]) for k in (0, 1)}
        (before,) = ranking(audits)
        assert before.difference.n == round(share * n) and before.difference.value >= 0
        covered.append((before.difference.low <= 0) and (before.difference.p_value >= 0.05))
        widths.append(before.difference.high - before.difference.low)
    assert 0.95 - 3 * math.sqrt(0.05 * 0.95 / 400) <= np.mean(covered) < 1
    assert np.mean(widths) < 0.2


def test_the_order_in_which_patterns_were_judged_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    real, fake = _two(rng)
    paired = 0.5 * (gains(real[1]) - gains(real[0]))
    of_fake = [0.5 * gains(-f) for f in fake]
    se = math.sqrt(sum(x.var(ddof=1) / len(x) for x in (paired, *of_fake)))
    found = [
        ranking({k: _audit(real[k], fake[k], rng.permutation(150) if shuffled else np.arange(150)) for k in (0, 1)})[0]
        for shuffled in (False, True)
    ]
    for before in found:
        assert before.difference.high - before.difference.value == pytest.approx(1.959964 * se)
        assert before.difference.value == pytest.approx(abs(paired.mean() + of_fake[1].mean() - of_fake[0].mean()))


def test_patterns_are_matched_by_their_place_among_all_that_were_given() -> None:
    """Two audits that were thinned differently share only what both kept."""
    rng = np.random.default_rng(2)
    real, fake = _two(rng)
    kept = np.arange(0, 300, 2), np.arange(100, 250)
    audits = {k: _audit(real[k], fake[k], np.arange(150), kept[k]) for k in (0, 1)}
    assert ranking(audits)[0].difference.n == len(np.intersect1d(*kept))


def test_generators_are_ordered_nearest_first() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    audits = {name: _audit(far + x, -far - x, np.arange(200)) for name, far in (("c", 3.0), ("a", 0.5), ("b", 1.5))}
    order = ranking(audits)
    assert [(b.first, b.second) for b in order] == [("a", "b"), ("b", "c")]
    assert all(b.difference.low > 0 for b in order)
