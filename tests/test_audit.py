"""The audit from patterns to verdict."""

import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from pushforward.auditing import Audit, audit
from pushforward.auditing import patterns as patterns_module
from pushforward.auditing.wording import percent
from pushforward.errors import InputError
from pushforward.evidence import Estimate


def gaussian(n: int, d: int = 3, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


def pictures(n: int, blur: bool = False, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, 8, 8))
    return (x + np.roll(x, 1, axis=2)) / math.sqrt(2) if blur else x


@pytest.fixture(scope="module")
def equal() -> Audit:
    return audit(gaussian(200), gaussian(200, seed=1))


@pytest.fixture(scope="module")
def shifted() -> Audit:
    return audit(gaussian(200), gaussian(240, shift=1.0, seed=1), columns=["a", "b", "c"])


def test_training_parts_leave_everything_else_for_the_verdict() -> None:
    result = audit(
        gaussian(80, seed=1),
        gaussian(100, shift=1.0, seed=2),
        train_real=gaussian(300, seed=3),
        train_fake=gaussian(200, shift=1.0, seed=4),
    )
    assert (result.classifiers.n_train, result.n_test) == (500, 180)
    assert sorted(result.index_real) == list(range(80))
    assert sorted(result.index_fake) == list(range(100))
    assert result.distinguishable and result.js.low > 0
    assert result.copying.reference == "training data"


def test_without_them_all_but_a_quarter_are_judged(shifted: Audit) -> None:
    assert shifted.n_test == 3 * (200 + 240) // 4
    assert len(set(shifted.index_real)) == len(shifted.index_real) == 150
    assert len(set(shifted.index_fake)) == len(shifted.index_fake) == 180
    assert shifted.index_fake.min() >= 0 and shifted.index_fake.max() < 240


def test_the_log_odds_belong_to_the_patterns_they_name() -> None:
    real, fake = gaussian(200, 1), gaussian(200, 1, shift=3.0, seed=1)
    result = audit(real, fake)
    assert np.corrcoef(real[result.index_real, 0], result.log_odds_real)[0, 1] < -0.2
    assert np.corrcoef(fake[result.index_fake, 0], result.log_odds_fake)[0, 1] < -0.2


def test_the_verdicts_p_value_is_that_of_two_tests(equal: Audit, shifted: Audit) -> None:
    for result in (equal, shifted):
        assert result.p_value == min(1.0, result.classifiers.p_value / 0.1, result.kernel.p_value / 0.9)
    assert shifted.distinguishable and not equal.distinguishable


def test_the_bound_is_positive_and_below_the_divergence_of_separate_laws() -> None:
    result = audit(gaussian(800), gaussian(800, shift=6.0, seed=1))
    assert 0.55 < result.js.low <= result.js.value <= math.log(2)
    assert 0.8 < result.share_of_log2 <= 1


def test_dependence_that_no_column_shows_is_found_and_named() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 1))
    real = np.hstack([z, z + 0.4 * rng.normal(size=z.shape), rng.normal(size=z.shape)])
    fake = np.stack([rng.permutation(column) for column in real.T], 1)
    result = audit(real, fake, columns=["a", "b", "c"])
    assert result.distinguishable and not any(c.differs for c in result.columns)
    assert result.table is not None
    assert [(p.first, p.second) for p in result.table.pairs if p.differs] == [("a", "b")]


def test_pictures_are_judged_by_a_network_too() -> None:
    told = audit(pictures(120), pictures(120, blur=True, seed=1))
    assert told.distinguishable and told.js.low > 0
    assert "a convolutional network" in told.classifiers.each
    assert told.columns == () and told.table is None
    assert "convolutions" in told.features


def test_faint_grain_where_pictures_are_blank_is_noticed() -> None:
    rng = np.random.default_rng(0)
    blank = np.zeros((2, 160, 12, 12))
    blank[:, :, 3:9, 3:9] = rng.uniform(0, 16, size=(2, 160, 6, 6))
    blank[1] += rng.random((160, 12, 12)) < 0.1
    assert audit(blank[0], blank[1]).distinguishable


def test_colour_pictures_and_bytes_are_welcome() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, size=(2, 60, 20, 24, 3), dtype=np.uint8)
    assert audit(real, fake).n_test == 90


def test_the_verdict_never_speaks_without_its_power(equal: Audit, shifted: Audit) -> None:
    for result in (equal, shifted):
        assert result.resolution.sentence() in result.verdict()
        assert "four times in five" in result.verdict()
        assert "indistinguishable" not in result.verdict()
    assert "were not told from the data" in equal.verdict()
    assert "can be told" in shifted.verdict() and "strongest evidence" in shifted.verdict()


def test_the_strongest_evidence_explains_the_p_value(shifted: Audit) -> None:
    """In a clear case no p-value can rank: of the classifiers the most accurate is named, and a distance beside it."""
    each = shifted.classifiers.each
    assert {figure.p_value for figure in each.values()} == {0.001} and shifted.kernel.clear
    best = max(figure.value for figure in each.values())
    assert each[shifted.classifiers.strongest].value == best > each["gradient-boosted trees"].value
    assert f"({shifted.classifiers.strongest}, right on {100 * best:.0f} %" in shifted.verdict()
    assert f"and {shifted.kernel.strongest}, alike: no relabelling" in shifted.verdict()
    assert shifted.kernel.statistics[shifted.kernel.strongest].p_value == shifted.kernel.p_value == 0.002
    faint = replace(shifted, kernel=replace(shifted.kernel, p_value=0.3, clear=False))
    assert "The strongest evidence is a classifier (" in faint.verdict() and "alike" not in faint.verdict()
    assert shifted.kernel.strongest not in faint.verdict()
    unlearnt = replace(shifted, classifiers=replace(shifted.classifiers, p_value=0.02))
    assert f"The strongest evidence is {shifted.kernel.strongest}." in unlearnt.verdict()


def test_a_missing_mode_inventions_and_copies_are_each_named() -> None:
    rng = np.random.default_rng(0)
    place = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    real = place[rng.integers(4, size=400)] + rng.normal(size=(400, 2))
    fake = place[rng.integers(3, size=400)] + rng.normal(size=(400, 2))
    fake[:40] = 30.0 + rng.normal(size=(40, 2))
    fake[40:80] = real[np.flatnonzero(real.sum(1) < 14)[:40]]
    told, missed, invented, copied = audit(real, fake).answers()
    assert told.found and missed.found and invented.found and copied.found
    assert missed.figure.value == pytest.approx(0.25, abs=0.06)
    assert invented.figure.value == pytest.approx(0.1, abs=0.03)
    assert copied.figure.value == pytest.approx(0.1, abs=0.03)


def test_what_is_missed_is_told_by_what_the_samples_lack_there(equal: Audit) -> None:
    """A region with most of the data and most of the samples is not one that the samples lie outside of."""
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(size=(435, 2)), 9 + rng.normal(size=(65, 2))])
    fake = np.concatenate([rng.normal(size=(335, 2)), 9 + rng.normal(size=(165, 2))])
    result = audit(real, fake)
    (cluster,) = result.missed.clusters
    lost = result.missed.lost
    assert (cluster.real_count, cluster.fake_count) == (435, 335)
    assert lost.value == pytest.approx(0.2) and 0.14 < lost.low < 0.17 and 0.23 < lost.high < 0.26
    assert result.answers()[1].figure.estimate == lost
    assert cluster.ratio.high < 1
    assert "elsewhere" not in result.verdict()
    assert re.search(
        r"One region with 87 % \[84, 90\] of the data holds only 67 % \[63, 71\] of the samples \(p < .001\): "
        r"20 % \[15, 25\] of the data is missed.",
        result.verdict(),
    )
    gone = audit(real, np.concatenate([20 + rng.normal(size=(480, 2)), rng.normal(size=(20, 2))]))
    assert "The samples lie elsewhere than most of the data." in gone.verdict()
    assert (equal.missed.lost.value, equal.missed.lost.high) == (0.0, equal.missed.share.high)


def test_known_modes_are_counted() -> None:
    rng = np.random.default_rng(0)
    mode = rng.integers(5, size=300)
    real, fake = (10.0 * m[:, None] + rng.normal(size=(300, 2)) for m in (mode, np.minimum(mode, 3)))
    result = audit(real, fake, modes=mode)
    covered = result.modes
    assert "Of 5 known modes the samples cover 4, and too few have 4 (p < .001)." in result.verdict()
    assert covered is not None and covered.of == 5
    assert [m.name for m in covered.modes if not m.covered] == ["4"]
    with pytest.raises(InputError, match="one mode for each"):
        audit(real, fake, modes=mode[:-1])


def test_json_holds_the_promised_keys(equal: Audit) -> None:
    value = json.loads(json.dumps(equal.to_json(), allow_nan=False))
    assert {"accuracy", "low", "high", "p_value", "n"} <= value["classifier"].keys()
    assert {"nats", "low", "high", "share_of_log2"} <= value["js_lower_bound"].keys()
    assert {"frechet", "kernel", "copying", "missed", "unsupported", "resolution"} <= value.keys()
    for name in ("precision", "recall", "density", "coverage"):
        assert {"value", "low", "high", "null"} <= value["support"][name].keys()
    assert isinstance(value["distinguishable"], bool) and isinstance(value["verdict"], str)
    assert 0.5 < value["resolution"]["accuracy"] < 1 and 0 < value["resolution"]["missed_share"] < 1


def test_the_same_seed_gives_the_same_audit_and_observers_see_every_step() -> None:
    steps: list[tuple[int, int]] = []
    results = [
        audit(gaussian(60), gaussian(60, seed=1), seed=4, observe=lambda _, done, total: steps.append((done, total)))
        for _ in range(2)
    ]
    assert results[0].to_json() == results[1].to_json()
    total = steps[0][1]
    assert [done for done, _ in steps[: total + 1]] == list(range(total + 1))


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
    "half of the training": (gaussian(60), gaussian(60, seed=1), {"train_fake": gaussian(60)}, "go together"),
    "features": (gaussian(60), gaussian(60, seed=1), {"features": "magic"}, "magic.*columns"),
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


def test_a_few_training_rows_repeated_many_times_are_noted() -> None:
    train = gaussian(200)
    repeated = train[np.random.default_rng(0).integers(0, 10, size=200)]
    assert any("equal one of the real patterns exactly" in note for note in audit(train, repeated).notes)
    held_out = audit(gaussian(200, seed=1), repeated, train_real=train)
    assert any("200 of the 200 fake patterns equal one of the training patterns" in note for note in held_out.notes)
    counts = np.random.default_rng(0).poisson(4.0, size=(2, 200, 3))
    assert not any("equal one of" in note for note in audit(counts[0], counts[1]).notes)


def test_data_that_were_made_unique_are_not_said_to_be_copied() -> None:
    """Two columns of counts: no advice to drop rows that recur, and where they were dropped, what that breaks."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(8.0, size=(2, 300, 2)).astype(float)
    assert not any("repeat" in note for note in audit(*counts).notes)
    unique = [np.unique(x, axis=0) for x in counts]
    notes = " ".join(audit(*unique).notes)
    assert "equal one of the real patterns exactly" in notes and "they are copies" not in notes
    assert "made unique" in notes and "independent draws" in notes


def test_a_grid_is_said_to_break_what_the_copying_test_presumes() -> None:
    result = audit(np.linspace(0, 1, 300)[:, None], np.random.default_rng(0).random((1000, 1)))
    assert not result.copying.copied or any("lie on a grid" in note for note in result.notes)


def test_repeats_of_values_that_do_not_recur_are_noted_without_a_file() -> None:
    x = gaussian(200)
    note = patterns_module.repeated("samples of runs/flow", np.concatenate([x, x[:20]]))
    assert note and "20 of 220 patterns repeat another exactly" in note and "file" not in note


def test_a_mode_that_the_classifier_never_names_is_said() -> None:
    real, fake = gaussian(200), gaussian(200, seed=1)
    mode = np.repeat(["left", "right", "rare"], [95, 100, 5])
    real[95:195] += 8.0
    fake[95:195] += 8.0
    found = audit(real, fake, modes=mode)
    assert any("recognises none of the data of rare" in note for note in found.notes)
    assert "Of 3 known modes the samples cover 2" in found.verdict()


def test_modes_that_the_columns_do_not_show_are_not_counted() -> None:
    mode = np.random.default_rng(2).integers(3, size=200)
    found = audit(gaussian(200), gaussian(200, seed=1), modes=mode)
    assert found.modes is not None and not found.modes.counted and found.modes.to_json()["covered"] is None
    assert "known modes the samples cover is not known" in found.verdict()
    assert any("a classifier hardly tells the modes apart" in note for note in found.notes)


def test_samples_that_name_their_modes_are_counted_by_these_names() -> None:
    mode, of_fake = (np.random.default_rng(seed).integers(3, size=200) for seed in (2, 3))
    of_fake[of_fake == 2] = 0
    found = audit(gaussian(200), gaussian(200, seed=1), modes=mode, fake_modes=of_fake).modes
    assert found is not None and found.missing == ("2",)
    assert [m.fake_count for m in found.modes] == np.bincount(of_fake, minlength=3).tolist()
    with pytest.raises(InputError, match="fake_modes has shape"):
        audit(gaussian(200), gaussian(200, seed=1), modes=mode, fake_modes=of_fake[1:])
    with pytest.raises(InputError, match="modes too"):
        audit(gaussian(200), gaussian(200, seed=1), fake_modes=of_fake)


def test_equal_rows_of_few_values_are_no_copies() -> None:
    coins = np.random.default_rng(0).integers(0, 2, size=(2, 100, 1))
    assert audit(coins[0], coins[1]).notes == ()


@pytest.mark.parametrize("kind", [np.ndarray.copy, lambda x: x.reshape(-1, 1, 1).repeat(6, 1).repeat(6, 2)])
def test_one_set_of_few_values_given_twice_is_named(kind) -> None:
    coins = np.random.default_rng(0).integers(0, 3, size=(120, 1))
    with pytest.raises(InputError, match="fake is identical to real"):
        audit(kind(coins), kind(coins))
    (shuffled,) = audit(kind(coins), kind(coins[::-1])).notes
    assert shuffled.startswith("fake has the values of real, and each of them as often")
    assert any("one file given twice" in note for note in audit(kind(0 * coins), kind(0 * coins)).notes)


def test_patterns_that_are_all_alike_let_nothing_be_noticed() -> None:
    alike = audit(np.ones((80, 2)), np.ones((81, 2)))
    told = alike.to_json()["resolution"]
    assert {told[name] for name in ("accuracy", "js_nats", "missed_share", "unsupported_share", "copied_share")} == {
        None
    }
    assert "Nothing would have been noticed" in alike.verdict() and "all alike" in alike.verdict()
    assert audit(np.ones((80, 2)), np.zeros((80, 2))).resolution.accuracy < 0.8, (
        "two different constants are told apart"
    )


def test_constant_columns_and_one_column_are_fine() -> None:
    result = audit(np.ones((60, 2)), np.ones((70, 2)))
    assert result.classifier.value == 0.5 and not result.distinguishable
    assert not any(answer.found for answer in result.answers())
    json.dumps(result.to_json(), allow_nan=False)
    assert audit(gaussian(60, 1)[:, 0], gaussian(60, 1, seed=1)[:, 0]).columns[0].column == "x0"


def test_very_many_rows_are_thinned_openly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns_module, "MOST", 80)
    result = audit(gaussian(400), gaussian(70, seed=1))
    (note,) = result.notes
    assert note.startswith("real: 80 of 400 patterns were drawn at random")
    assert len(set(result.kept["real"])) == 80 and list(result.kept["fake"]) == list(range(70))
    assert (result.n_real, result.n_fake) == (80, 70)


def test_rows_that_were_copied_into_the_file_do_not_pass_for_a_difference() -> None:
    """Every row twice: kept together and said so, they are told apart about as seldom as the level allows."""
    results = [
        audit(np.repeat(gaussian(60, seed=s), 2, 0), np.repeat(gaussian(60, seed=50 + s), 2, 0)) for s in range(4)
    ]
    assert all("repeat another exactly" in " ".join(r.notes) for r in results)
    assert sum(r.classifiers.p_value <= 0.05 for r in results) <= 2


@pytest.mark.parametrize("times", [2, 3, 10])
def test_rows_that_were_all_copied_are_named_however_often(times: int) -> None:
    note = patterns_module.repeated("real", np.repeat(gaussian(100), times, 0))
    assert note and note.startswith(f"real: {100 * (times - 1):,} of {100 * times:,} patterns repeat another exactly")


@pytest.mark.parametrize("values", [1, 2, 20, 100])
def test_draws_of_few_values_are_no_copies(values: int) -> None:
    rng = np.random.default_rng(0)
    assert not any(patterns_module.repeated("real", rng.integers(values, size=(400, 1))) for _ in range(50))


def test_importing_the_audit_loads_no_heavy_package() -> None:
    code = "import sys, pushforward.auditing; print([m for m in ('scipy', 'sklearn', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_audit_prints_its_verdict() -> None:
    result = audit(gaussian(60), gaussian(60, seed=1))
    assert isinstance(result, Audit) and str(result).startswith("At the 5 % level")


def test_a_share_of_nothing_has_no_sign() -> None:
    assert percent(Estimate("share", -0.0001, -0.02, 0.02, 100, "share")) == "0.0 % [−2.0, 2.0]"


def test_inventions_of_unknown_number_are_not_counted(shifted: Audit) -> None:
    share = shifted.unsupported.share
    unsure = replace(shifted.unsupported, share=replace(share, estimate=replace(share.estimate, low=-0.01)))
    sentence = replace(shifted, unsupported=unsure).answers()[2].sentence
    assert "is not known" in sentence and "%" not in sentence
