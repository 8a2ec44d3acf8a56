"""The audit's further doors on the command line: training data, modes, features, and the game."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pushforward.errors import InputError
from pushforward.judging import audit
from pushforward.run import Run
from pushforward.sides import sides
from test_cli import assert_refused, succeed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training data, held-out data and samples that copy a fifth of the training data and lack one kind."""
    folder, rng = tmp_path_factory.mktemp("audit"), np.random.default_rng(0)
    kind = rng.integers(4, size=480)
    x = np.array([[0, 0], [8, 0], [0, 8], [8, 8]])[kind] + rng.normal(size=(480, 2))
    rows = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "kind": kind})
    train, held_out, fake = (rows.iloc[i : i + 160] for i in (0, 160, 320))
    fake = pd.concat([fake[fake.kind != 3], train[train.kind != 3].iloc[:30]])
    for name, part in (("train", train), ("held-out", held_out), ("fake", fake)):
        part.drop(columns="kind").to_csv(folder / f"{name}.csv", index=False)
    held_out.to_csv(folder / "labelled.csv", index=False)
    np.save(folder / "pictures.npy", rng.integers(0, 256, (80, 6, 6), dtype=np.uint8))
    np.save(folder / "others.npy", rng.integers(0, 200, (80, 6, 6), dtype=np.uint8))
    return folder


def test_copies_are_looked_for_in_the_training_data(folder: Path) -> None:
    value = succeed(
        "audit", folder / "held-out.csv", folder / "fake.csv", "--train", folder / "train.csv", "--json"
    ).json
    assert value["copying"]["reference"] == "training data" and value["copying"]["copied"]
    copies = {(pair["sample"], pair["training"]) for pair in value["copying"]["duplicates"] if pair["distance"] == 0}
    assert len(copies) == 30
    train, fake = (pd.read_csv(folder / f"{name}.csv").to_numpy() for name in ("train", "fake"))
    assert all(np.array_equal(fake[i], train[j]) for i, j in copies)


def test_known_modes_are_counted_and_not_compared(folder: Path) -> None:
    value = succeed("audit", folder / "labelled.csv", folder / "fake.csv", "--modes", "kind", "--json").json
    assert [mode["name"] for mode in value["modes"]["modes"] if not mode["covered"]] == ["3"]
    assert [column["column"] for column in value["table"]["columns"]] in (["a", "b"], ["b", "a"])


def test_features_are_chosen_by_name(folder: Path) -> None:
    value = succeed("audit", folder / "pictures.npy", folder / "others.npy", "--features", "pixels", "--json").json
    assert "pixel values" in value["features"] and value["distinguishable"]
    assert all(
        "pixel values" in value["support"][name]["name"] for name in ("precision", "recall", "density", "coverage")
    )


def test_corrupt_pictures_that_are_left_out_are_counted(folder: Path, tmp_path: Path) -> None:
    for name, pictures in (("photographs", "pictures"), ("drawn", "others")):
        (tmp_path / name).mkdir()
        for i, x in enumerate(np.load(folder / f"{pictures}.npy")):
            Image.fromarray(x).save(tmp_path / name / f"{i}.png")
    (tmp_path / "photographs" / "torn.png").write_bytes(b"torn")
    argv = "audit", tmp_path / "photographs", tmp_path / "drawn", "--features", "pixels", "--skip-bad", "--json"
    assert "photographs: corrupt pictures left out: 1" in succeed(*argv).json["notes"]


def test_a_game_is_written_and_its_answers_are_pooled(folder: Path, tmp_path: Path) -> None:
    game = tmp_path / "game.html"
    printed = succeed("audit", folder / "pictures.npy", folder / "others.npy", "--game", game).out
    assert printed.endswith(f"The game: {game}\n") and game.stat().st_size < 5_000_000
    assert not re.search(r'(src|href)="http', game.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("real", "options", "words"),
    [
        ("labelled.csv", ["--modes", "sort"], ("sort",)),
        ("held-out.csv", ["--features", "magic"], ("magic", "columns")),
        ("held-out.csv", ["--features", "pixels"], ("pixels", "pictures")),
        ("held-out.csv", ["--train", "labelled.csv"], ("labelled.csv", "kind")),
        ("held-out.csv", ["--game", "game.html"], ("pictures",)),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, real: str, options: list[str], words: tuple[str, ...]) -> None:
    places = [str(folder / o) if o.endswith((".csv", ".html")) else o for o in options]
    assert_refused(["audit", folder / real, folder / "fake.csv", *places], words, folder)


def test_what_is_wrong_with_a_file_is_said_of_the_file(folder: Path, tmp_path: Path) -> None:
    data, short = folder / "held-out.csv", tmp_path / "short.csv"
    pd.read_csv(data).head(49).to_csv(short, index=False)
    few = "has 49 patterns"
    assert_refused(["audit", data, short], (f"fake (short.csv) {few}",), tmp_path)
    assert_refused(["audit", short, data], (f"real (short.csv) {few}",), tmp_path)
    assert_refused(["audit", data, folder / "fake.csv", "--train", short], (f"train_real (short.csv) {few}",), tmp_path)
    assert_refused(["audit", data, data], ("fake (held-out.csv) is identical to real (held-out.csv)",), tmp_path)


def test_foreign_answers_are_refused(tmp_path: Path) -> None:
    (tmp_path / "answers.json").write_text(json.dumps({"game": 1}), encoding="utf-8")
    assert_refused(["game", tmp_path / "answers.json"], ("answers.json", "game's page"), tmp_path)


def test_places_of_page_and_game_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    pair = ["audit", folder / "pictures.npy", folder / "others.npy"]
    (tmp_path / "kept.html").touch()
    assert_refused([*pair, "--game", tmp_path / "kept.html"], ("kept.html", "another --game"), tmp_path)
    assert_refused([*pair, "--out", tmp_path, "--force"], ("is a folder", "--out"), tmp_path)
    both = tmp_path / "both.html"
    assert_refused([*pair, "--out", both, "--game", both], ("--out and --game",), tmp_path)


def test_a_refused_audit_leaves_no_game(folder: Path, tmp_path: Path) -> None:
    pair = ["audit", folder / "pictures.npy", folder / "others.npy"]
    assert_refused([*pair, "--game", tmp_path / "game.html", "--level", "0"], ("level",), tmp_path)
    assert not list(tmp_path.iterdir())


def test_pictures_that_differ_in_size_or_kind_are_named(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.zeros((60, 8, 8), np.uint8))
    np.save(tmp_path / "colour.npy", np.zeros((60, 6, 6, 3), np.uint8))
    for name, words in (("large.npy", ("8×8", "6×6", "--size 6x6")), ("colour.npy", ("colour", "--mode L or"))):
        assert_refused(["audit", folder / "pictures.npy", tmp_path / name], (name, *words), tmp_path)
    assert_refused(["audit", folder / "pictures.npy", folder / "fake.csv"], ("two tables",), tmp_path)


def test_beside_the_digits_no_option_is_named_that_they_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "shots").mkdir()
    for i in range(50):
        Image.fromarray(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(tmp_path / "shots" / f"{i}.png")
    monkeypatch.chdir(tmp_path / "shots")
    remedy = "; give pictures of 8×8 in grey beside the digits, in their 17 levels"
    assert_refused(["audit", "digits", "."], ("with shots (", remedy), tmp_path)
    assert_refused(["audit", ".", "digits"], ("cannot compare shots (", remedy), tmp_path)


def test_sides_from_memory_are_called_by_their_roles() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    frame = pd.DataFrame(x, columns=["a", "b"])
    text = frame.assign(b=["x", "y"] * 30)
    gaps = frame.assign(b=frame["b"].where(frame.index != 3))
    for real, fake, words in (
        (text, frame, "column 'b' holds text in real and numbers in fake"),
        (frame, gaps, "fake: row 4, column 'b' is empty"),
        (x, np.where(x == x[5, 1], np.nan, x), "fake: row 6, column 'x1'"),
        (frame, frame[["a"]], "fake \\(the samples\\) lacks b, unlike real \\(the data\\)"),
        (x, x, "fake is identical to real:"),
    ):
        with pytest.raises(InputError, match=words):
            audit(real, fake)


@pytest.mark.parametrize(("values", "words"), [([1] * 160, "1 different mode "), (range(160), "160 different modes")])
def test_modes_that_are_no_groups_are_refused(folder: Path, tmp_path: Path, values: list[int], words: str) -> None:
    labelled = pd.read_csv(folder / "labelled.csv").assign(kind=values)
    labelled.to_csv(tmp_path / "modes.csv", index=False)
    paths = [tmp_path / "modes.csv", folder / "fake.csv"]
    assert_refused(["audit", *paths, "--modes", "kind"], (words, "two or more"), tmp_path)
    assert_refused(["audit", *paths, "--modes", "sort"], ("sort", "--modes"), tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links are POSIX's")
def test_a_link_that_leads_nowhere_is_not_replaced_unasked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to(tmp_path / "gone.html")
    arguments = ["audit", folder / "held-out.csv", folder / "fake.csv", "--out", tmp_path / "page.html"]
    assert_refused(arguments, ("page.html exists already", "--force"), tmp_path)


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hours of two variables: data, what a generator learnt from, and samples that replay a part of that."""
    folder, rng = tmp_path_factory.mktemp("series"), np.random.default_rng(0)
    for name, steps in (("real", 800), ("train", 800), ("long", 1600)):
        values = np.sin(np.arange(steps) * np.pi / 6)[:, None] + rng.normal(size=(steps, 2))
        rows = pd.DataFrame(values, columns=["load", "wind"])
        rows.insert(0, "date", pd.date_range("2020-01-01", periods=steps, freq="h"))
        rows.to_csv(folder / f"{name}.csv", index=False)
    train = pd.read_csv(folder / "train.csv")
    fake = train.assign(load=rng.normal(size=800), wind=rng.normal(size=800))
    fake.loc[: 12 * 30 - 1, ["load", "wind"]] = train.iloc[5 : 12 * 30 + 5, 1:].to_numpy()
    fake[["date", "wind", "load"]].to_csv(folder / "fake.csv", index=False)
    pd.read_csv(folder / "long.csv").iloc[::2].to_csv(folder / "sparse.csv", index=False)
    return folder


def test_two_series_are_audited_by_windows_that_do_not_overlap(series: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    pair = ["audit", series / "real.csv", series / "fake.csv", "--time", "date", "--window", 12, "--out", page]
    value = succeed(*pair, "--train", series / "train.csv", "--json").json
    assert (value["n_real"], value["n_fake"]) == (66, 66) and "load at 11" in page.read_text(encoding="utf-8")
    copies = {pair["sample"]: pair["training"] for pair in value["copying"]["duplicates"] if pair["distance"] == 0}
    assert copies == {i: 12 * i + 5 for i in range(30)}, "the windows of training begin at every step"


def test_windows_are_as_long_as_those_of_the_real_series(tmp_path: Path) -> None:
    """The default of a series follows from its number of steps, and the other one may have more."""
    rng = np.random.default_rng(0)
    for name, steps in (("real", 900), ("fake", 3000)):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(steps, 1)))
    pair = [tmp_path / "real.npy", tmp_path / "fake.npy"]
    assert_refused(["audit", *pair, "--series"], ("real.npy has 10 windows of 90 steps", "--window"), tmp_path)
    assert_refused(["audit", *pair[::-1], "--series"], ("windows of 120 steps", "--window"), tmp_path)


@pytest.mark.parametrize(
    ("fake", "options", "words"),
    [
        ("fake.csv", ["--time", "date"], ("10 windows of 80 steps", "--window")),
        ("sparse.csv", ["--time", "date", "--window", "12"], ("7200s", "3600s", "resample")),
        ("fake.csv", ["--time", "day", "--window", "12"], ("real.csv", "--time")),
        ("fake.csv", ["--window", "12"], ("--window", "table")),
    ],
)
def test_series_that_cannot_be_compared_are_refused(
    series: Path, fake: str, options: list[str], words: tuple[str, ...]
) -> None:
    assert_refused(["audit", series / "real.csv", series / fake, *options], words, series)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables, a run of each, and another of the first that keeps other rows for the verdict."""
    folder = tmp_path_factory.mktemp("runs")
    for name, data, seed in (("a", "a", 0), ("b", "b", 0), ("other", "a", 1)):
        x = np.random.default_rng(ord(data)).normal(size=(500, 2))
        pd.DataFrame(x, columns=["x", "y"]).to_csv(folder / f"{data}.csv", index=False)
        small = ["--steps", 2, "--set", "hidden=[8,8]", "--seed", seed]
        succeed("fit", folder / f"{data}.csv", "--out", folder / name, "--device", "cpu", *small)
    return folder


@pytest.mark.parametrize(("real", "fake"), [("a", "b"), ("a", "other"), ("b.csv", "a"), ("a", "a")])
def test_copies_are_looked_for_in_what_the_run_of_the_samples_learnt_from(runs: Path, real: str, fake: str) -> None:
    both, learnt = sides(runs / real, runs / fake), Run(runs / fake).splits().train
    assert both.train_real is not None and both.train_real.fingerprint() == learnt.fingerprint()
    assert (both.train_fake is not None) == (real == fake), "rows kept for the verdict must not be learnt from"
    assert any("divided by another seed" in note for note in both.notes) == (fake == "other")


def test_copies_in_a_file_are_looked_for_in_what_the_run_that_stands_for_the_data_learnt_from(
    runs: Path, tmp_path: Path
) -> None:
    learnt = Run(runs / "a").splits().train
    pd.DataFrame(learnt.numeric(), columns=list(learnt.columns)).to_csv(tmp_path / "replayed.csv", index=False)
    value = succeed("audit", runs / "a", tmp_path / "replayed.csv", "--json").json["copying"]
    assert value["reference"] == "training data" and value["copied"] and value["copies"]["low"] > 0.9


def test_training_data_that_are_the_data_themselves_are_refused(folder: Path, series: Path, tmp_path: Path) -> None:
    data = folder / "held-out.csv"
    pd.read_csv(data).sample(frac=1, random_state=0).to_csv(tmp_path / "shuffled.csv", index=False)
    for train in (data, tmp_path / "shuffled.csv"):
        said = (train.name, "data themselves", "leave --train out")
        assert_refused(["audit", data, folder / "fake.csv", "--train", train], said, tmp_path)
    same = ["audit", series / "real.csv", series / "fake.csv", "--time", "date", "--window", 12]
    assert_refused([*same, "--train", series / "real.csv"], ("data themselves",), tmp_path)


def test_beside_a_run_that_stands_for_data_copies_are_looked_for_in_what_is_given_or_in_what_it_learnt_from(
    runs: Path,
) -> None:
    by_itself = sides(runs / "a", runs / "b.csv")
    assert by_itself.train_real is not None and by_itself.reference == "test part"
    assert by_itself.train_real.fingerprint() == Run(runs / "a").splits().train.fingerprint()
    given = sides(runs / "a", runs / "b.csv", train=runs / "b.csv")
    assert given.train_real is not None and given.reference == "held-out data" and len(given.train_real) == 500


def test_what_a_run_learnt_from_is_brought_into_the_order_of_the_data(runs: Path, tmp_path: Path) -> None:
    pd.read_csv(runs / "a.csv")[["y", "x"]].assign(x=0.5).to_csv(tmp_path / "turned.csv", index=False)
    both = sides(tmp_path / "turned.csv", runs / "b")
    assert both.train_real is not None and both.train_real.columns == both.fake.columns == ("y", "x")


def test_a_run_whose_data_are_gone_is_audited_with_a_note(runs: Path, tmp_path: Path) -> None:
    shutil.copy(runs / "b.csv", tmp_path / "c.csv")
    small = ["--steps", 2, "--set", "hidden=[8,8]", "--device", "cpu"]
    succeed("fit", tmp_path / "c.csv", "--out", tmp_path / "c", *small)
    (tmp_path / "c.csv").unlink()
    assert "is not there any more" in sides(runs / "a", tmp_path / "c").notes[0]
    words = f"{tmp_path / 'c'} needs the data that it learnt from, but there is no {tmp_path / 'c.csv'} any more"
    assert_refused(["audit", tmp_path / "c", runs / "b.csv"], (words, "restore it"), tmp_path)


def test_modes_are_counted_beside_a_run(folder: Path, tmp_path: Path) -> None:
    """The column that the model does not know, that it is told, and that it learnt."""
    data, small = folder / "labelled.csv", ["--steps", 2, "--set", "hidden=[8,8]", "--device", "cpu"]
    for name, options in (("blind", ["--drop", "kind"]), ("told", ["--context", "kind"]), ("whole", [])):
        rows = pd.concat([pd.read_csv(data)] * 5) + np.random.default_rng(0).normal(size=(800, 3)) * [1, 1, 0]
        rows.astype({"kind": int}).to_csv(tmp_path / "many.csv", index=False)
        succeed("fit", tmp_path / "many.csv", "--out", tmp_path / name, *options, *small)
    for real in (data, tmp_path / "many.csv", tmp_path / "blind"):
        both = sides(real, tmp_path / "blind", modes="kind")
        assert both.modes is not None and len(both.modes) == len(both.real) and both.fake_modes is None
        assert both.real.columns == ("a", "b")
    assert (both.train_fake is not None) and set(both.modes) == {0, 1, 2, 3}
    assert sides(tmp_path / "blind", folder / "fake.csv", modes="kind").modes is not None
    told = sides(data, tmp_path / "told", modes="kind")
    assert told.modes is not None and told.fake_modes is None, "the conditions are the data's own"
    whole = sides(data, tmp_path / "whole", modes="kind")
    assert whole.fake_modes is not None and len(whole.fake_modes) == len(whole.fake)
    assert any("is also one of the columns that were compared" in note for note in whole.notes)
    assert_refused(
        ["audit", data, tmp_path / "blind", "--modes", "sort"], ("labelled.csv", "sort", "--modes"), tmp_path
    )
    assert_refused(["audit", tmp_path / "blind", data, "--modes", "sort"], ("many.csv", "sort", "--modes"), tmp_path)


def test_samples_with_a_column_of_modes_are_counted_by_it(folder: Path, tmp_path: Path) -> None:
    fake = pd.read_csv(folder / "fake.csv")
    fake.assign(kind=np.arange(len(fake)) % 3).to_csv(tmp_path / "fake.csv", index=False)
    value = succeed("audit", folder / "labelled.csv", tmp_path / "fake.csv", "--modes", "kind", "--json").json
    assert value["modes"]["missing"] == ["3"]
    assert sum(mode["fake_count"] for mode in value["modes"]["modes"]) == len(fake)
    assert any("labelled with" in note for note in value["notes"])
