"""Columns and pairs against scipy, and their error rates by simulation."""

import math

import numpy as np
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, fisher_exact, ks_2samp, spearmanr

from pushforward.auditing import pairs as module
from pushforward.auditing.columns import cells, column_differences
from pushforward.auditing.pairs import compare_table
from pushforward.errors import InputError


def _mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Dependent, heavy-tailed, few-valued, mostly zero and rare-valued columns."""
    x = rng.normal(size=(n, 2))
    tails = rng.standard_t(1.5, size=(n, 1))
    few = rng.integers(0, 5, size=(n, 1))
    zeros = np.where(rng.random((n, 1)) < 0.9, 0.0, rng.lognormal(size=(n, 1)))
    rare = rng.random((n, 1)) < 0.02
    return np.hstack([x, x[:, :1] + x[:, 1:], tails, tails**2, few, np.minimum(few, 2), zeros, rare]).astype(float)


def test_each_column_has_the_statistic_that_fits_it() -> None:
    rng = np.random.default_rng(0)
    real, fake = _mixed(rng, 300), _mixed(rng, 200)
    found = column_differences(real, fake, list("abcdefghi"))
    assert [c.statistic[0] for c in found] == ["K", "K", "K", "K", "K", "t", "t", "t", "t"]
    oracle = ks_2samp(real[:, 0], fake[:, 0], method="asymp")
    assert (found[0].distance, found[0].p_value) == pytest.approx((oracle.statistic, oracle.pvalue))
    table = np.stack([np.bincount(x[:, 5].astype(int), minlength=5) for x in (real, fake)])
    assert found[5].p_value == pytest.approx(chi2_contingency(table).pvalue)
    assert found[5].distance == pytest.approx(np.abs(table[0] / 300 - table[1] / 200).sum() / 2)
    rare = np.stack([np.bincount(x[:, 8].astype(int), minlength=2) for x in (real, fake)])
    assert found[8].p_value == pytest.approx(fisher_exact(rare).pvalue)


@pytest.mark.parametrize(("n", "m"), [(200, 200), (500, 50)])
def test_levels_hold_for_columns_and_pairs(n: int, m: int) -> None:
    rng, times = np.random.default_rng(1), 60
    columns, pairs = [], []
    for _ in range(times):
        table = compare_table(_mixed(rng, n), _mixed(rng, m), list("abcdefghi"), rng)
        columns.append([c.p_value for c in sorted(table.columns, key=lambda c: c.index)])
        pairs.append([p.p_value for p in sorted(table.pairs, key=lambda p: (p.first, p.second))])
    for p_values in (np.array(columns), np.array(pairs)):
        rejected = (p_values <= 0.05).mean(0)
        assert rejected.max() <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / times)
        assert 0.02 < rejected.mean() <= 0.06
        assert (p_values <= 0.001).mean() <= 0.01  # pairs of one column fall together


@pytest.mark.parametrize("few", [False, True])
def test_intervals_cover_the_distance(few: bool) -> None:
    """N(0, 1) against N(½, 1): 0.1974; thirds against ½, ¼, ¼: a sixth. None is three times as wide as it must be."""
    rng, covered, distances, widths = np.random.default_rng(2), [], [], []
    truth = 1 / 6 if few else math.erf(0.25 / math.sqrt(2))
    for _ in range(200):
        real, fake = rng.normal(size=(100, 1)), rng.normal(0.5, 1.0, size=(150, 1))
        if few:
            real, fake = rng.choice(3, (100, 1)), rng.choice(3, (150, 1), p=[0.5, 0.25, 0.25])
        (c,) = column_differences(real.astype(float), fake.astype(float), ["a"])
        covered.append(c.low <= truth <= c.high)
        distances.append(c.distance)
        widths.append(c.high - c.low)
    assert np.mean(covered) >= 0.95
    assert np.median(widths) < 3 * 2 * 1.96 * np.std(distances)


def test_intervals_of_equal_laws_cover_as_often_as_asked_and_agree_with_the_test() -> None:
    rng = np.random.default_rng(11)
    found = [column_differences(*rng.normal(size=(2, 200, 1)), ["a"])[0] for _ in range(1500)]
    assert 0.935 <= np.mean([c.low == 0 for c in found]) <= 0.975
    assert all((c.low == 0) == (c.p_value >= 0.05) for c in found)


def test_two_values_may_differ_by_as_much_as_shares_of_a_half() -> None:
    real, fake = (np.repeat([0.0, 1.0], n)[:, None] for n in (200, 50))
    (c,) = column_differences(real, fake, ["a"])
    assert c.distance == 0 and c.high == pytest.approx(1.959964 * math.sqrt(0.25 * (1 / 400 + 1 / 100)))


def test_cells_ignore_labels_keep_atoms_apart_and_leave_none_sparse() -> None:
    rng = np.random.default_rng(3)
    x = np.concatenate([np.zeros(300), np.full(200, 1.0), rng.uniform(-1, 2, 500)])
    codes = cells(x, 8, 20)
    assert np.bincount(codes).min() >= 20
    assert len(set(codes[:300])) == len(set(codes[300:500])) == 1
    assert (codes == codes[0]).sum() == 300 and (codes == codes[300]).sum() == 200
    order = rng.permutation(1000)
    assert (cells(x[order], 8, 20) == codes[order]).all()


def test_shuffled_columns_lose_their_pairs_and_nothing_else() -> None:
    rng = np.random.default_rng(4)
    x = _mixed(rng, 600)
    names = list("abcdefghi")
    table = compare_table(x, rng.permuted(_mixed(rng, 500), axis=0), names, rng)
    assert not any(c.differs for c in table.columns)
    assert {(p.first, p.second) for p in table.pairs if p.differs} == {("a", "c"), ("b", "c"), ("d", "e"), ("f", "g")}
    lost = next(p for p in table.pairs if (p.first, p.second) == ("a", "c"))
    assert lost.rank_real == pytest.approx(spearmanr(x[:, 0], x[:, 2]).statistic, abs=0.02)
    assert abs(lost.rank_fake) < 0.15


def test_dependence_without_correlation_is_seen() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 2))
    y = rng.normal(size=(400, 1))
    fake = np.hstack([y, np.abs(y) * rng.choice([-1, 1], (400, 1))])
    (pair,) = compare_table(x, fake, ("a", "b"), rng).pairs
    assert pair.differs and abs(pair.rank_fake) < 0.15


def test_shifted_marginals_of_independent_columns_leave_pairs_alone() -> None:
    rng = np.random.default_rng(6)
    table = compare_table(rng.normal(size=(500, 5)), rng.normal(0.5, 1, size=(500, 5)), list("abcde"), rng)
    assert all(c.differs for c in table.columns) and not any(p.differs for p in table.pairs)


def test_discoveries_are_controlled_over_columns_and_pairs_together() -> None:
    rng = np.random.default_rng(7)
    real, fake = rng.normal(size=(2, 300, 6))
    fake[:, 0] += 0.3
    fake[:, 2] += fake[:, 1]
    table = compare_table(real, fake, list("abcdef"), rng)
    both = [*table.columns, *table.pairs]
    assert [c.adjusted for c in both] == pytest.approx(false_discovery_control([c.p_value for c in both]))
    assert [c.differs for c in both] == [c.adjusted <= 0.05 for c in both]
    assert table.to_json()["n_pairs"] == 15


def test_the_distance_of_a_pair_is_that_of_its_tables() -> None:
    rng = np.random.default_rng(8)
    real, fake = rng.integers(0, 2, (100, 2)), rng.integers(0, 2, (80, 2))
    (pair,) = compare_table(real.astype(float), fake.astype(float), ("a", "b"), rng).pairs
    # of two values by two, all four entries are the covariance in size
    assert pair.distance == pytest.approx(2 * abs(np.cov(real.T, ddof=0)[0, 1] - np.cov(fake.T, ddof=0)[0, 1]))


def test_too_many_columns_are_drawn_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_COLUMNS", 3)
    rng = np.random.default_rng(9)
    table = compare_table(*rng.normal(size=(2, 100, 5)), list("abcde"), rng)
    assert (len(table.columns), len(table.pairs), table.n_columns) == (5, 3, 3)


def test_constant_columns_and_identical_tables_do_not_differ() -> None:
    rng = np.random.default_rng(10)
    x = np.hstack([np.ones((60, 1)), rng.normal(size=(60, 2))])
    table = compare_table(x, x, ("a", "b", "c"), rng)
    assert all(c.p_value == 1 and not c.differs for c in [*table.columns, *table.pairs])
    (single,) = compare_table(x[:, :1], x[:, :1], ("a",), rng).columns
    assert single.distance == 0


def test_tables_of_other_widths_are_refused() -> None:
    with pytest.raises(InputError, match="the data have 2 columns, the samples 3 and 2 are named"):
        compare_table(np.zeros((60, 2)), np.zeros((60, 3)), ("a", "b"), np.random.default_rng(0))
