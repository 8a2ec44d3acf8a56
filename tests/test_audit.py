"""The audit from patterns to verdict."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from pushforward.auditing import Audit, audit
from pushforward.auditing import patterns as patterns_module
from pushforward.auditing.convolutional import convolutions
from pushforward.auditing.discriminator import calibrated, temperature, trees
from pushforward.errors import InputError


def gaussian(n: int, d: int = 3, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def pictures(n: int, blur: bool = False, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, 8, 8))
    return (x + np.roll(x, 1, axis=2)) / math.sqrt(2) if blur else x


def test_equal_laws_keep_the_level_and_unequal_ones_are_found() -> None:
    """Thirty null audits at the smallest size: Bin(30, .05) exceeds 6 once in a thousand times."""
    null = [audit(gaussian(60, seed=s), gaussian(60, seed=1000 + s), seed=s) for s in range(30)]
    assert sum(a.distinguishable for a in null) <= 6
    assert sum(a.js.low > 0 for a in null) <= 5
    assert audit(gaussian(60), gaussian(60, shift=1.5, seed=1)).distinguishable


def test_training_parts_leave_everything_else_for_the_verdict() -> None:
    result = audit(
        gaussian(80, seed=1),
        gaussian(100, shift=1.0, seed=2),
        train_real=gaussian(300, seed=3),
        train_fake=gaussian(200, shift=1.0, seed=4),
    )
    assert (result.n_train, result.n_test) == (400, 160)
    assert sorted(result.index_real) == list(range(80))
    assert len(set(result.index_fake)) == 80 and result.index_fake.max() < 100
    assert result.distinguishable and result.js.low > 0


def test_without_them_both_are_halved_without_overlap() -> None:
    result = audit(gaussian(101), gaussian(140, seed=1))
    assert result.n_train == 100 and result.n_test == 102
    assert len(set(result.index_real)) == len(result.index_real) == 51


def test_the_log_odds_belong_to_the_patterns_they_name() -> None:
    real, fake = gaussian(400, 1), gaussian(400, 1, shift=3.0, seed=1)
    result = audit(real, fake)
    assert np.corrcoef(real[result.index_real, 0], result.log_odds_real)[0, 1] < -0.2
    correct = (result.log_odds_real > 0).sum() + (result.log_odds_fake <= 0).sum()
    assert result.classifier.value == correct / result.n_test > 0.85


def test_the_bound_is_positive_and_below_the_divergence_of_separate_laws() -> None:
    result = audit(gaussian(800), gaussian(800, shift=6.0, seed=1))
    assert 0.55 < result.js.low <= result.js.value <= math.log(2)
    assert 0.8 < result.share_of_log2 <= 1


def test_the_classifier_knows_dependence_that_no_column_shows() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1500, 1))
    real = np.hstack([z, z + 0.4 * rng.normal(size=z.shape)])
    fake = np.stack([rng.permutation(column) for column in gaussian_like(real, rng).T], 1)
    result = audit(real, fake)
    assert result.distinguishable and not any(c.differs for c in result.columns)


def gaussian_like(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    z = rng.normal(size=(len(x), 1))
    return np.hstack([z, z + 0.4 * rng.normal(size=z.shape)])


def test_pictures_are_judged_by_a_network() -> None:
    told = audit(pictures(160), pictures(160, blur=True, seed=1))
    assert told.distinguishable and told.js.low > 0 and "network" in told.classifier_name
    assert told.columns == ()
    equal = audit(pictures(160), pictures(160, seed=1))
    assert not equal.distinguishable


def test_faint_grain_where_pictures_are_blank_is_noticed() -> None:
    rng = np.random.default_rng(0)
    blank = np.zeros((2, 160, 12, 12))
    blank[:, :, 3:9, 3:9] = rng.uniform(0, 16, size=(2, 160, 6, 6))
    blank[1] += rng.random((160, 12, 12)) < 0.1
    assert audit(blank[0], blank[1]).distinguishable


def test_colour_pictures_and_bytes_are_welcome() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, size=(2, 60, 20, 24, 3), dtype=np.uint8)
    assert audit(real, fake).n_test == 60


@pytest.mark.parametrize("make", [trees, convolutions])
def test_the_same_seed_gives_the_same_answers_and_no_global_state_moves(make: object) -> None:
    draw = gaussian if make is trees else lambda n, seed=0: pictures(n, seed=seed)[..., None]
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 - the global state is what is watched
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (make(draw(80), draw(80, seed=1), seed)(draw(50, seed=2)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_temperature_recovers_the_scale_of_overconfident_answers() -> None:
    rng, n, shift = np.random.default_rng(0), 40_000, 1.0
    real, fake = (3.0 * (shift**2 / 2 - shift * x) for x in (rng.normal(size=n), shift + rng.normal(size=n)))
    assert temperature(real, fake) == pytest.approx(1 / 3, rel=0.05)


def test_calibrated_answers_keep_their_sign_and_their_limit() -> None:
    answer = calibrated(lambda x: x, 0.5, 99)
    assert answer(np.array([-1000.0, -1.0, 0.0, 2.0, 1000.0])) == pytest.approx(
        [-math.log(100), -0.5, 0.0, 1.0, math.log(100)]
    )


def test_the_verdict_never_speaks_without_its_power() -> None:
    equal, told = audit(gaussian(200), gaussian(200, seed=1)), audit(gaussian(200), gaussian(200, shift=2.0))
    for result in (equal, told):
        assert f"being right on {100 * result.noticeable:.0f} %" in result.verdict()
        assert "four times in five" in result.verdict()
        assert "indistinguishable" not in result.verdict()
    assert not equal.distinguishable and "chance explains" in equal.verdict()
    assert told.distinguishable and "can be told" in told.verdict()


def test_json_holds_the_promised_keys() -> None:
    value = json.loads(json.dumps(audit(gaussian(60), gaussian(60, seed=1)).to_json(), allow_nan=False))
    assert {"accuracy", "low", "high", "p_value", "n"} <= value["classifier"].keys()
    assert {"nats", "low", "high", "share_of_log2"} <= value["js_lower_bound"].keys()
    assert isinstance(value["distinguishable"], bool) and isinstance(value["verdict"], str)
    assert 0.5 < value["noticeable"] < 1


def with_value(value: float) -> np.ndarray:
    x = gaussian(60)
    x[17, 1] = value
    return x


BAD = {
    "columns": (gaussian(60, 3), gaussian(60, 4), {}, "3 columns.*4 columns"),
    "picture sizes": (pictures(60), pictures(60)[:, :, :7], {}, "8×8.*8×7.*resize"),
    "kinds": (pictures(60), gaussian(60), {}, "pictures.*rows"),
    "few": (gaussian(60), gaussian(49), {}, "fake has 49 patterns.*50"),
    "few to learn from": (
        gaussian(60),
        gaussian(60, seed=1),
        {"train_real": gaussian(10), "train_fake": gaussian(60)},
        "train_real has 10",
    ),
    "half of the training": (gaussian(60), gaussian(60, seed=1), {"train_real": gaussian(60)}, "go together"),
    "nan": (
        gaussian(60),
        with_value(np.nan),
        {"columns": ["a", "b", "c"]},
        "fake holds nan in row 17, column 'b'",
    ),
    "infinity": (with_value(-np.inf), gaussian(60), {}, "real holds -inf in row 17, column 1"),
    "text": (np.array([["a"]] * 60), gaussian(60), {}, "must hold numbers"),
    "identical": (gaussian(60), gaussian(60)[::-1], {}, "fake is identical to real"),
    "names": (gaussian(60), gaussian(60, seed=1), {"columns": ["a"]}, "1 column names.*3 columns"),
    "not pictures": (gaussian(60), gaussian(60, seed=1), {"pictures": True}, "pictures need"),
    "no columns": (np.zeros((60, 0)), np.zeros((60, 0)), {}, "shape"),
    "scales": (
        np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8),
        np.random.default_rng(0).random((60, 8, 8)),
        {},
        "0…255.*0…1",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    real, fake, options, message = BAD[case]
    with pytest.raises(InputError, match=message):
        audit(real, fake, **options)


def test_copies_and_fractions_are_noted() -> None:
    real = gaussian(200)
    assert any("copies" in note for note in audit(real, real[:80]).notes)
    whole = np.round(10 * real)
    result = audit(whole, whole[::-1] + gaussian(200, seed=1) / 10, columns=["age", "b", "c"])
    assert any("age" in note and "whole numbers" in note for note in result.notes)


def test_equal_rows_of_few_values_are_no_copies() -> None:
    coins = np.random.default_rng(0).integers(0, 2, size=(2, 100, 1))
    assert audit(coins[0], coins[1]).notes == ()


def test_constant_columns_and_one_column_are_fine() -> None:
    result = audit(np.ones((60, 2)), np.ones((70, 2)))
    assert result.classifier.value == 0.5 and not result.distinguishable
    assert audit(gaussian(60, 1)[:, 0], gaussian(60, 1, seed=1)[:, 0]).columns[0].column == "x0"


def test_very_many_rows_are_thinned_openly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns_module, "MOST", 150)
    result = audit(gaussian(400), gaussian(120, seed=1))
    assert result.notes == ("real: 150 of 400 patterns were drawn at random for the audit",)
    assert result.n_test == 120


def test_importing_the_audit_loads_no_heavy_package() -> None:
    code = "import sys, pushforward.auditing; print([m for m in ('scipy', 'sklearn', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_audit_prints_its_verdict() -> None:
    result = audit(gaussian(60), gaussian(60, seed=1))
    assert isinstance(result, Audit) and str(result).startswith("A classifier")
