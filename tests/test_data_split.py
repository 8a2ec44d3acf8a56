"""Splits are partitions by seed that keep equal rows on one side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pushforward.data import Dataset, Splits, load, split
from pushforward.errors import InputError

RNG = np.random.default_rng(0)


def parts(s: Splits) -> list[Dataset]:
    return [s.train, s.validation, s.test]


def test_digits_are_split_as_the_page_says() -> None:
    s = split(load("digits", context="label"))
    assert [len(p) for p in parts(s)] == [1437, 180, 180]
    assert (s.repeated, s.note) == (0, "")
    assert [len(p.context["label"]) for p in parts(s)] == [1437, 180, 180]


def test_a_split_is_a_partition_by_seed_in_the_datas_order() -> None:
    data = load(np.arange(1000.0))
    s = split(data, seed=3)
    values = [p.values[:, 0] for p in parts(s)]
    assert sorted(np.concatenate(values)) == list(range(1000))
    assert all((np.diff(v) > 0).all() for v in values)
    np.testing.assert_array_equal(split(data, seed=3).test.values, s.test.values)
    assert not np.array_equal(split(data, seed=4).test.values, s.test.values)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(100, 200))
def test_equal_rows_stay_on_one_side(seed: int, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((distinct, 2))
    x = values[rng.integers(0, distinct, 300)]
    s = split(load(x), seed=seed, duplicates="together")
    sets = [{tuple(row) for row in p.values} for p in parts(s)]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert s.repeated == 300 - len(np.unique(x, axis=0))
    assert sum(len(p) for p in parts(s)) == 300
    assert 20 <= len(s.test) <= 45


@pytest.mark.parametrize(
    "x",
    [
        RNG.integers(0, 256, (200, 5, 5), np.uint8),
        RNG.integers(0, 256, (200, 5, 5, 3), np.uint8),
        RNG.standard_normal((200, 3)).astype(np.float32),
        RNG.integers(-(2**62), 2**62, (200, 3)),
    ],
    ids=["grey", "colour", "float32", "int64"],
)
def test_repeats_are_counted_in_all_kinds_of_data(x: np.ndarray) -> None:
    x = x.copy()
    x[100:115] = x[:15]
    near = x[40].copy()
    near.flat[-1] += 1  # one place differs, and the row is another
    x[150] = near
    data = load(x)
    s, those = split(data), "pictures" if data.kind == "pictures" else "rows"
    assert s.repeated == 15
    assert s.note == f"15 {those} repeat another exactly; equal {those} were kept on one side"


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros((1, 2)), "one has 1 row, too few to learn from"),
        (np.zeros((20, 4, 4), np.uint8), "one has 20 pictures, too few to learn from"),
    ],
)
def test_too_few_patterns_are_called_what_they_are(x: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=f"{said} .* at least 24 are needed, so give more"):
        split(load(x, name="one"))


def test_tables_of_several_types_and_signed_zeros() -> None:
    a, b = np.arange(100.0), np.arange(100)
    a[0], a[1], b[1] = 0.0, -0.0, 0
    data = Dataset("table", {"a": a, "b": b, "c": b > 3}, columns=("a", "b", "c"))
    assert split(data).repeated == 1


def test_repetition_that_belongs_to_the_law_is_left_alone() -> None:
    x = (RNG.random((2000, 6)) < 0.3).astype(np.int8)
    s = split(load(x))
    assert s.repeated > 1900 and "property of the law" in s.note
    assert [len(p) for p in parts(s)] == [1600, 200, 200]
    assert "kept on one side" in split(load(x), duplicates="together").note


def test_kept_together_one_row_repeated_over_and_over_goes_to_training() -> None:
    x = RNG.standard_normal((400, 2))
    x[:200] = x[0]
    for seed in range(5):
        s = split(load(x), seed=seed, duplicates="together")
        assert (s.train.values == x[0]).all(axis=1).sum() == 200
        assert [len(p) for p in parts(s)] == [320, 40, 40]


def test_fractions() -> None:
    data = load(np.arange(100.0))
    assert [len(p) for p in parts(split(data, fractions=(0.9, 0.1, 0.0)))] == [90, 10, 0]
    with pytest.raises(InputError, match="sum to 1"):
        split(data, fractions=(0.9, 0.2, 0.1))
    with pytest.raises(InputError, match="at least 24"):
        split(data.take(slice(23)))
    assert len(split(data.take(slice(24))).train) == 20


def test_an_atom_of_a_continuous_law_is_in_every_part() -> None:
    rng = np.random.default_rng(0)
    rain = rng.exponential(size=(2000, 2)) * (rng.random(2000) > 0.4)[:, None]
    parts = split(load(rain))
    shares = [float((part.numeric() == 0).all(1).mean()) for part in (parts.train, parts.validation, parts.test)]
    assert all(0.3 < share < 0.5 for share in shares), shares
