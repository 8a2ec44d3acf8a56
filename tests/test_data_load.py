"""What comes in is what was there: values, types, names, whatever the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from pushforward.data import Dataset, load
from pushforward.errors import InputError

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "height": RNG.standard_normal(60),
        "count": RNG.integers(-5, 100, 60),
        "flag": RNG.random(60) < 0.5,
        "label": RNG.integers(0, 3, 60),
    }
)


def written(kind: str, folder: Path) -> Path:
    path = folder / f"t.{kind}"
    if kind == "parquet":
        TABLE.to_parquet(path)
    else:
        TABLE.to_csv(path, index=False, sep="\t" if "tsv" in kind else ",")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "tsv.gz", "txt.gz", "parquet", "frame"])
def test_tables_keep_values_types_and_names(kind: str, tmp_path: Path) -> None:
    data = load(TABLE if kind == "frame" else written(kind, tmp_path), context="label")
    assert data.kind == "table" and data.columns == ("height", "count", "flag")
    for name in data.columns:
        expected = TABLE[name].to_numpy()
        assert data.column(name).dtype == expected.dtype
        np.testing.assert_array_equal(data.column(name), expected)
    np.testing.assert_array_equal(data.context["label"], TABLE["label"])
    assert data.describe() == "60 rows × 3 columns"


def test_columns_are_chosen_ordered_and_dropped(tmp_path: Path) -> None:
    path = written("csv", tmp_path)
    assert load(path, columns="count,height").columns == ("count", "height")
    assert load(path, drop=["flag", "label"]).columns == ("height", "count")
    with_text = tmp_path / "text.csv"
    TABLE.assign(day="2020-01-01").to_csv(with_text, index=False)
    assert "day" not in load(with_text, drop="day").columns


def test_a_csv_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\n1,2.5\n3,4.5\n\n5,6.5\n")
    data = load(tmp_path / "t.csv")
    assert data.columns == ("x0", "x1")
    assert data.numeric().tolist() == [[1, 2.5], [3, 4.5], [5, 6.5]]
    assert data.column("x0").dtype == np.int64


def test_spaces_byte_order_mark_blank_lines_and_unnamed_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbf\n"a b", \n 1 , 2\n\n3,4\n')
    data = load(tmp_path / "t.csv")
    assert data.columns == ("a b", "column2")
    assert data.numeric().tolist() == [[1, 2], [3, 4]]


def test_another_delimiter(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;2\n3;4\n")
    assert load(tmp_path / "t.csv", delimiter=";").numeric().tolist() == [[1, 2], [3, 4]]
    (tmp_path / "u.csv").write_text("a\tb\n1\t2\n")
    assert load(tmp_path / "u.csv", delimiter="tab").columns == ("a", "b")


def test_whole_numbers_that_become_fractions_after_the_first_block(tmp_path: Path) -> None:
    n = 150_000  # some 2 MB: more than a block
    late = np.where(np.arange(n) < n - 5, 1.0, 2.5)
    whole = np.arange(n) + 10_000_000
    lines = (f"{w},{v:g}" for w, v in zip(whole, late, strict=True))
    (tmp_path / "t.csv").write_text("whole,late\n" + "\n".join(lines))
    data = load(tmp_path / "t.csv")
    np.testing.assert_array_equal(data.column("late"), late)
    np.testing.assert_array_equal(data.column("whole"), whole)
    assert data.column("whole").dtype == np.int64


def test_a_fault_after_the_first_block_is_named(tmp_path: Path) -> None:
    lines = ["a,b", *(f"{i + 0.5},{i}" for i in range(100_000))]
    lines[90_001] = "1.5,oops"
    (tmp_path / "t.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"row 90001 \(line 90002\), column 'b' holds the text 'oops'"):
        load(tmp_path / "t.csv")


ARRAYS = {
    "float64": RNG.standard_normal((30, 3)),
    "float32": RNG.standard_normal((30, 3)).astype(np.float32),
    "float16": RNG.standard_normal((30, 3)).astype(np.float16),
    "int64": RNG.integers(-9, 9, (30, 3)),
    "uint8 rows": RNG.integers(0, 2, (30, 3), np.uint8),
    "bool": RNG.random((30, 3)) < 0.5,
    "big-endian": RNG.standard_normal((30, 3)).astype(">f8"),
    "fortran": np.asfortranarray(RNG.standard_normal((30, 3))),
    "strided": RNG.standard_normal((60, 6))[::2, ::2],
    "pictures": RNG.integers(0, 256, (30, 5, 4), np.uint8),
    "colour": RNG.integers(0, 256, (30, 5, 4, 3), np.uint8),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("way", ["memory", "read-only", "npy", "npz", "tensor"])
def test_arrays_of_all_types_and_layouts(name: str, way: str, tmp_path: Path) -> None:
    x = ARRAYS[name]
    if way == "read-only":
        source = x.view()
        source.flags.writeable = False
    elif way == "npy":
        np.save(source := tmp_path / "x.npy", x)
    elif way == "npz":
        np.savez(source := tmp_path / "x.npz", x=x)
    elif way == "tensor":
        source = torch.from_numpy(np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="))))
    else:
        source = x
    data = load(source)
    assert data.kind == ("pictures" if x.ndim > 2 else "array")
    assert data.levels == (256 if x.ndim > 2 else None)
    assert data.values.dtype == x.dtype.newbyteorder("=")
    np.testing.assert_array_equal(data.values, x)


def test_unusual_arrays() -> None:
    assert load(np.arange(4.0)).numeric().tolist() == [[0], [1], [2], [3]]
    assert load(ARRAYS["colour"][..., :1]).values.shape == (30, 5, 4)
    bf16 = torch.tensor([[1.5, 2.0], [3.0, 0.25]], dtype=torch.bfloat16, requires_grad=True)
    assert load(bf16).numeric().tolist() == [[1.5, 2], [3, 0.25]]
    opaque = np.concatenate([ARRAYS["colour"], np.full((30, 5, 4, 1), 255, np.uint8)], axis=-1)
    np.testing.assert_array_equal(load(opaque).values, ARRAYS["colour"])
    opaque[..., 3] = 0
    assert (load(opaque).values == 255).all(), "what is transparent is white"


def test_npz_with_key_names_and_context(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=ARRAYS["float32"], cols=np.array(["a", "b", "c"]), label=np.arange(30), z=np.eye(3))
    data = load(path, key="x", context=["label", "c"])
    assert data.columns == ("a", "b")
    np.testing.assert_array_equal(data.context["label"], np.arange(30))
    np.testing.assert_array_equal(data.context["c"], ARRAYS["float32"][:, 2])


def test_digits() -> None:
    data = load("digits", context="label")
    expected = load_digits()
    assert (data.kind, data.levels, data.file_kind, data.values.dtype) == ("pictures", 17, "digits", np.uint8)
    np.testing.assert_array_equal(data.values, expected.images)
    np.testing.assert_array_equal(data.context["label"], expected.target)
    assert data.describe() == "1,797 pictures of 8×8"


def test_the_origin_makes_it_again(tmp_path: Path) -> None:
    path = written("csv", tmp_path)
    for data in (load("digits", context="label"), load(path, drop="flag", context="label", name="mine")):
        again = load(**data.origin)
        assert again.fingerprint() == data.fingerprint()
        assert tuple(again.context) == ("label",)
    assert load(TABLE).origin is None


def test_a_dataset_is_returned_as_it_is() -> None:
    data = load("digits")
    assert load(data) is data
    with pytest.raises(InputError, match="--context has no meaning"):
        load(data, context="label")


def test_the_fingerprint_sees_values_names_and_types_and_nothing_else() -> None:
    x = ARRAYS["float64"]
    data = load(x)
    assert load(np.asfortranarray(x), name="other").fingerprint() == data.fingerprint()
    changed = x.copy()
    changed[17, 1] = np.nextafter(changed[17, 1], 9)
    others = [changed, x.astype(np.float32), x[::-1]]
    prints = {data.fingerprint(), *(load(other).fingerprint() for other in others)}
    renamed = Dataset("array", x, columns=("a", "b", "c"))
    assert len(prints | {renamed.fingerprint()}) == 5


MEASURE = """
import sys
from pathlib import Path
from pushforward.data import load
def peak():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in l).split()[1])
load(sys.argv[1])
before = peak()
data = load(sys.argv[2])
print(len(data), (peak() - before) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's peak memory")
def test_a_large_csv_takes_at_most_three_times_its_array(tmp_path: Path) -> None:
    n, d = 600_000, 8
    frame = pd.DataFrame(np.tile(RNG.standard_normal((n // 20, d)), (20, 1)), columns=[f"c{j}" for j in range(d)])
    from pyarrow import Table, csv

    csv.write_csv(Table.from_pandas(frame, preserve_index=False), tmp_path / "large.csv")
    frame[:50].to_csv(tmp_path / "small.csv", index=False)
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "small.csv"), str(tmp_path / "large.csv")]
    rows, peak = map(int, subprocess.run(command, capture_output=True, check=True, text=True).stdout.split())
    assert rows == n
    assert peak < 3 * n * d * 8
