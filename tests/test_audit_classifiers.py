"""The discriminators, the order in which they learn, and the test that their answers make."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from pushforward.auditing.classifier_test import ClassifierTest, classifier_test
from pushforward.auditing.discriminators import FEATURES, PICTURES, Learnt, combined, limited
from pushforward.auditing.discriminators.folds import cross_fitted, subset
from pushforward.auditing.discriminators.learnt import balance
from pushforward.auditing.stages import BLOCKS, Pool, given_parts, one_after_another

LEARNERS = {**FEATURES, **PICTURES}


def two_sets(n: int, m: int, shift: float = 0.0, d: int = 2, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    real = np.arange(n + m) < n
    return Pool(real, rng.normal(size=(n + m, d)) + np.where(real, 0.0, shift)[:, None])


def judge(pool: Pool, seed: int = 0) -> ClassifierTest:
    rng = np.random.default_rng(seed)
    return classifier_test(pool, one_after_another(pool, rng), rng)


def patterns(name: str, pool: Pool) -> np.ndarray:
    """The features, or each of them as a picture."""
    return pool.features if name in FEATURES else np.tile(pool.features[:, None, None], (1, 6, 6, 1))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_discriminator_learns_a_shift_and_is_calibrated(name: str) -> None:
    """With log p/q = −2s·x + … known, its held-out answers must rise with it and have the right scale."""
    pool = two_sets(400, 400, shift=1.0)
    x = patterns(name, pool)
    learnt = LEARNERS[name](x, pool.real, 0)
    new = two_sets(300, 300, shift=1.0, seed=1)
    answers = learnt.answer(patterns(name, new)) * combined([learnt], pool.real)[0]
    truth = (0.5 - new.features).sum(1)
    assert np.corrcoef(answers, truth)[0, 1] > 0.7
    assert np.mean((answers > 0) == new.real) > 0.68  # the best possible is Φ(√2/2) = .76
    loss = np.logaddexp(0, np.where(new.real, -answers, answers)).mean()
    assert loss < math.log(2) - 0.08


@pytest.mark.parametrize("name", LEARNERS)
def test_held_out_answers_were_given_without_the_pattern(name: str) -> None:
    """On labels that mean nothing, answers to what was learnt do well, and held-out answers must not."""
    pool = two_sets(150, 150, d=6)
    learnt = LEARNERS[name](patterns(name, pool), pool.real, 0)
    known = np.isfinite(learnt.held_out)
    accuracy = np.mean((learnt.held_out[known] > 0) == pool.real[known])
    assert accuracy < 0.5 + 3.5 * 0.5 / math.sqrt(known.sum())


@pytest.mark.parametrize("name", LEARNERS)
def test_few_of_one_kind_weigh_as_much_as_many_of_the_other(name: str) -> None:
    pool = two_sets(60, 540, shift=1.2)
    learnt = LEARNERS[name](patterns(name, pool), pool.real, 0)
    answers = learnt.answer(patterns(name, two_sets(300, 300, shift=1.2, seed=1))) > 0
    assert answers[:300].mean() > 0.5 > answers[300:].mean()


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_seed_gives_the_same_answers_and_no_global_state_moves(name: str) -> None:
    pool = two_sets(90, 90, shift=0.5)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is watched
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    x = patterns(name, pool)
    first, again = (LEARNERS[name](x, pool.real, 3).answer(x) for _ in range(2))
    assert np.array_equal(first, again)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_weights_recover_the_scale_of_overconfident_answers() -> None:
    rng, n, shift = np.random.default_rng(0), 40_000, 1.0
    real = np.arange(2 * n) < n
    x = rng.normal(size=2 * n) + np.where(real, 0.0, shift)
    told = Learnt(np.ravel, 3.0 * (shift**2 / 2 - shift * x))
    noise = Learnt(np.ravel, rng.normal(size=2 * n))
    assert combined([told, noise], real) == pytest.approx([1 / 3, 0.0], abs=0.03)


def test_answers_are_limited_by_what_was_learnt_from() -> None:
    assert limited(np.array([-1000.0, 2.0, 1000.0]), 99) == pytest.approx([-math.log(100), 2.0, math.log(100)])


def test_balance_gives_both_kinds_the_same_weight() -> None:
    real = np.arange(50) < 10
    weights = balance(real)
    assert weights[real].sum() == pytest.approx(25) and weights[~real].sum() == pytest.approx(25)


def test_cross_fitting_never_answers_on_what_it_learnt() -> None:
    x, real = np.arange(30.0)[:, None], np.arange(30) % 2 == 0

    def remember(part: np.ndarray, _: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda new: np.isin(new[:, 0], part[:, 0]).astype(float)

    assert cross_fitted(remember, x, real, 0).sum() == 0


def test_a_subset_keeps_the_proportion() -> None:
    real = np.arange(1000) < 100
    chosen = subset(real, 200, 0)
    assert len(chosen) == len(set(chosen)) == 200 and real[chosen].sum() == 20


def test_every_pattern_but_the_first_block_is_judged_once_by_what_came_before() -> None:
    pool = two_sets(101, 57)
    stages = one_after_another(pool, np.random.default_rng(0))
    judged = np.concatenate([stage.test for stage in stages])
    assert len(stages) == BLOCKS - 1 and len(set(judged)) == len(judged)
    assert len(judged) == pytest.approx(158 * (1 - 1 / BLOCKS), abs=2)
    seen = set(stages[0].train)
    for stage in stages:
        assert set(stage.train) == seen and not seen & set(stage.test)
        seen |= set(stage.test)
        assert 0 < pool.real[stage.test].sum() < len(stage.test)


def test_rows_that_repeat_one_another_stay_in_one_block_unless_they_crowd_it() -> None:
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(100, 2))
    pool = Pool(np.arange(300) < 150, np.concatenate([distinct, distinct, np.zeros((100, 2))]))
    parts = [stage.test for stage in one_after_another(pool, rng)]
    for part in parts:
        pairs = part[part < 200] % 100
        assert all(np.sum(pairs == i) == 2 for i in pairs)
        assert 10 < np.sum(part >= 200) < 40


def test_given_parts_are_learnt_from_and_never_judged() -> None:
    learn_from = np.arange(10) >= 6
    (stage,) = given_parts(np.arange(10) % 2 == 0, learn_from)
    assert list(stage.train) == [6, 7, 8, 9] and list(stage.test) == [0, 1, 2, 3, 4, 5]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two discriminators that take milliseconds."""
    for name in set(FEATURES) - {"nearest neighbours", "logistic regression"}:
        monkeypatch.delitem(FEATURES, name)


@pytest.mark.parametrize(("n", "m"), [(60, 60), (250, 50)])
@pytest.mark.usefixtures("quick")
def test_equal_laws_are_told_apart_no_more_often_than_the_level_allows(n: int, m: int) -> None:
    """Fifty null tests; the rates themselves are measured in ``benchmarks/calibration``."""
    tests = [judge(two_sets(n, m, seed=s), s) for s in range(50)]
    assert sum(t.p_value <= 0.05 for t in tests) <= 8
    for name in tests[0].each:
        assert sum(float(t.each[name].p_value or 0) <= 0.05 for t in tests) <= 9
    assert np.mean([t.js.estimate.low > 0 for t in tests]) <= 0.08
    assert np.mean([t.accuracy.value for t in tests]) == pytest.approx(0.5, abs=0.02)


def test_a_shift_is_found_by_all_and_by_their_combination() -> None:
    found = judge(two_sets(400, 300, shift=0.8))
    assert found.p_value == 0.001 and all(f.p_value == 0.001 for f in found.each.values())
    assert found.js.estimate.low > 0.02 and found.accuracy.value > 0.65
    assert found.accuracy.null is not None and found.accuracy.null.high < found.accuracy.value
    assert found.js.null is not None and found.js.null.high < found.js.value


def test_patterns_that_are_all_alike_are_not_told_apart() -> None:
    found = judge(Pool(np.arange(120) < 60, np.ones((120, 3))))
    assert found.p_value == 1.0 and found.accuracy.value == 0.5


def test_the_log_odds_belong_to_the_patterns_they_name() -> None:
    pool = two_sets(200, 200, shift=3.0, d=1)
    found = judge(pool)
    assert np.corrcoef(pool.features[found.position, 0], found.log_odds)[0, 1] < -0.6
