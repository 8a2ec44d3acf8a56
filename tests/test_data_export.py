"""What goes out comes in again, whole or not at all."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from pushforward.data import Dataset, export, load
from pushforward.errors import InputError

RNG = np.random.default_rng(0)
TABLE = Dataset(
    "table",
    {
        "a": RNG.standard_normal(30) * 10.0 ** RNG.integers(-200, 200, 30),
        "b, c": RNG.integers(-(2**62), 2**62, 30),
        "flag": RNG.random(30) < 0.5,
    },
    columns=("a", "b, c", "flag"),
    context={"label": RNG.integers(0, 3, 30)},
)
PICTURES = load(RNG.integers(0, 256, (30, 5, 4, 3), np.uint8))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet"])
def test_tables_come_back_bit_for_bit(suffix: str, tmp_path: Path) -> None:
    back = load(export(TABLE, tmp_path / f"new/t{suffix}"), context=["label"])
    assert back.columns == TABLE.columns
    for name in TABLE.columns:
        np.testing.assert_array_equal(back.column(name), TABLE.column(name), strict=True)
    np.testing.assert_array_equal(back.context["label"], TABLE.context["label"])


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".parquet"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "bool"])
def test_arrays_come_back(suffix: str, dtype: str, tmp_path: Path) -> None:
    data = load((RNG.standard_normal((30, 3)) * 3).astype(dtype))
    back = load(export(data, tmp_path / f"t{suffix}"))
    assert back.columns == data.columns
    np.testing.assert_array_equal(back.numeric().astype(dtype), data.values, strict=True)
    if suffix.startswith(".np"):
        assert back.fingerprint() == data.fingerprint()


def test_a_table_as_npz_keeps_names_and_context(tmp_path: Path) -> None:
    data = Dataset("table", {"u": np.arange(30.0), "v": np.ones(30)}, columns=("u", "v"), context=TABLE.context)
    back = load(export(data, tmp_path / "t.npz"), context="label")
    assert back.columns == ("u", "v")
    np.testing.assert_array_equal(back.numeric(), data.numeric())
    np.testing.assert_array_equal(back.context["label"], TABLE.context["label"])


@pytest.mark.parametrize("name", ["pics", "p.npy", "p.npz"])
def test_pictures_come_back_byte_for_byte(name: str, tmp_path: Path) -> None:
    back = load(export(PICTURES, tmp_path / name))
    np.testing.assert_array_equal(back.values, PICTURES.values, strict=True)


def test_digits_are_visible_as_pngs(tmp_path: Path) -> None:
    digits = load("digits").take(slice(30))
    back = load(export(digits, tmp_path / "pics"))
    assert back.values.max() == 255
    np.testing.assert_array_equal(np.rint(back.values * (16 / 255)), digits.values)


def test_what_exists_is_never_overwritten_unasked(tmp_path: Path) -> None:
    path = export(TABLE, tmp_path / "t.csv")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"t\.csv exists; .*--force"):
        export(TABLE.take(slice(3)), path)
    assert path.read_bytes() == before
    export(TABLE.take(slice(3)), path, force=True)
    assert len(load(path)) == 3


def test_only_a_folder_of_samples_is_replaced(tmp_path: Path) -> None:
    folder = export(PICTURES, tmp_path / "pics")
    export(PICTURES.take(slice(4)), folder, force=True)
    assert len(list(folder.iterdir())) == 4
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        export(PICTURES, folder, force=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(("suffix", "renamed"), [(".csv", 0), (".npz", 0), ("", 0), ("", 1)])
def test_a_write_that_fails_leaves_nothing_and_harms_nothing(
    suffix: str, renamed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TABLE if suffix == ".csv" else PICTURES
    path = export(data, tmp_path / f"t{suffix}")

    calls = itertools.count()
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if next(calls) == renamed:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        export(data.take(slice(5)), path, force=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert len(load(path, **({"drop": "label"} if suffix == ".csv" else {}))) == 30


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (PICTURES, "p.csv", "pictures cannot be written as '.csv'"),
        (TABLE, "t", "rows cannot be written as a folder; use"),
        (TABLE, "t.docx", ".parquet"),
    ],
)
def test_a_form_that_does_not_suit_the_data_is_refused(data: Dataset, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        export(data, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        export(TABLE, tmp_path / "file" / "t.csv")
