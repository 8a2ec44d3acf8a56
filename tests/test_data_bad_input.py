"""Every way to give bad data, in one table: a name, what makes it, the words its one sentence must hold."""

from __future__ import annotations

import gzip
import io
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pushforward.data import Dataset, Schema, load, split
from pushforward.errors import InputError

Make = Callable[[Path], dict[str, Any]]


def rows(n: int = 40, header: str = "a,b", delimiter: str = ",") -> list[str]:
    rng = np.random.default_rng(1)
    return [header, *(delimiter.join(f"{v:.6f}" for v in row) for row in rng.standard_normal((n, 2)))]


def text(content: str | bytes | list[str], name: str = "t.csv", **options: Any) -> Make:
    def make(folder: Path) -> dict[str, Any]:
        data = "\n".join(content) + "\n" if isinstance(content, list) else content
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
        return {"source": folder / name, **options}

    return make


def replaced(line: int, by: str, **options: Any) -> Make:
    """A good table with one line, counted from 1 with the header, replaced."""
    lines = rows()
    lines[line - 1] = by
    return text(lines, **options)


def npz(**arrays: Any) -> Make:
    def make(folder: Path) -> dict[str, Any]:
        np.savez(folder / "t.npz", **arrays)
        return {"source": folder / "t.npz"}

    return make


def memory(source: Any, **options: Any) -> Make:
    return lambda folder: {"source": source, **options}


def png(side: int = 8, seed: int = 0) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)).save(file, "PNG")
    return file.getvalue()


def bomb(side: int = 60000) -> bytes:
    """A PNG of a few bytes that claims side × side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def pictures(extra: dict[str, bytes], n: int = 30, **options: Any) -> Make:
    def make(folder: Path) -> dict[str, Any]:
        (folder / "pics").mkdir()
        for name, data in ({f"{i:03d}.png": png(seed=i) for i in range(n)} | extra).items():
            (folder / "pics" / name).write_bytes(data)
        return {"source": folder / "pics", **options}

    return make


def archive(names: dict[str, bytes]) -> Make:
    def make(folder: Path) -> dict[str, Any]:
        with zipfile.ZipFile(folder / "p.zip", "w") as file:
            for name, data in names.items():
                file.writestr(name, data)
        return {"source": folder / "p.zip"}

    return make


def empty_folder(folder: Path) -> dict[str, Any]:
    (folder / "none").mkdir()
    return {"source": folder / "none"}


def parquet_with_text(folder: Path) -> dict[str, Any]:
    pd.DataFrame({"a": np.arange(1200.0), "town": [f"town {i}" for i in range(1200)]}).to_parquet(folder / "t.parquet")
    return {"source": folder / "t.parquet"}


def npy_of_objects(folder: Path) -> dict[str, Any]:
    np.save(folder / "t.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    return {"source": folder / "t.npy"}


def truncated_npy(folder: Path) -> dict[str, Any]:
    np.save(folder / "t.npy", np.zeros((100, 4)))
    (folder / "t.npy").write_bytes((folder / "t.npy").read_bytes()[:500])
    return {"source": folder / "t.npy"}


def frame(**columns: Any) -> Make:
    return memory(pd.DataFrame({"a": np.arange(30.0), **columns}))


MANY = np.random.default_rng(0).standard_normal((40, 3))
WITH_NAN = MANY.copy()
WITH_NAN[6, 2] = np.nan
WITH_INF = MANY.astype(np.float32)
WITH_INF[0, 1] = -np.inf

BAD_INPUT: list[tuple[str, Make, tuple[str, ...]]] = [
    ("missing file", memory("no/such/file.csv"), ("no file or folder", "no/such/file.csv")),
    ("name with a NUL", memory("a\0b.csv"), ("cannot be opened", "check the path")),
    ("empty file", text(""), ("t.csv is empty",)),
    ("only blank lines", text("\n\n\n"), ("t.csv is empty",)),
    ("unknown kind", text("x", "t.docx"), ("t.docx is of no known kind", ".csv")),
    ("not text", text(b"\xff\xfe\x00a,b\n1,2\n"), ("t.csv is not UTF-8 text", "save it as UTF-8")),
    ("not gzip", text("a,b\n1,2\n", "t.csv.gz"), ("t.csv.gz cannot be read as gzip",)),
    (
        "gzip cut short",
        text(gzip.compress("\n".join(rows(5000)).encode())[:20000], "t.csv.gz"),
        ("t.csv.gz cannot be read", "runcated", "damaged"),
    ),
    ("header only", text("a,b\n"), ("t.csv has a header and no rows",)),
    ("semicolons", text(rows(header="a;b", delimiter=";")), ("looks separated by ';'", "--delimiter ';'")),
    ("tabs", text(rows(header="a\tb", delimiter="\t")), ("looks separated by tab", "--delimiter tab")),
    ("bars", text(rows(header="a|b", delimiter="|")), ("looks separated by '|'", "--delimiter '|'")),
    ("commas in a tsv", text(rows(), "t.tsv"), ("looks separated by ','", "--delimiter ','")),
    ("delimiter of two characters", text(rows(), delimiter=";;"), ("--delimiter must be one character",)),
    (
        "an empty cell before a column of names",
        text(["a,town", "1,Bonn", ",Ghent", *["3,Bonn"] * 20]),
        ("row 2 (line 3)", "column 'a' is empty", "--drop a"),
    ),
    (
        "an empty cell among truths",
        text(["a,b", *["1,true", "2,False"] * 20, "1,"]),
        ("row 41 (line 42), column 'b' is em",),
    ),
    (
        "NA among truths",
        text(["a,b", *["1,true", "2,false"] * 20, "1,NA"]),
        ("row 41", "'b' is neither true nor false (NA)"),
    ),
    ("an empty cell beside truths", text(["a,b", *["1,true", "2,0"] * 20, ",true"]), ("row 41", "column 'a' is empty")),
    ("ragged beside names", text(["town,a", "Bonn,1", "Ghent,2,3", *["Bonn,3"] * 20]), ("row 2 (line 3) has 3 cells",)),
    ("mixed delimiters", replaced(5, "1.0;2.0"), ("row 4 (line 5)", "separated by ';'", "by ','")),
    ("ragged row, too long", replaced(5, "1,2,3"), ("row 4 (line 5) has 3 cells", "first has 2")),
    ("ragged row, too short", replaced(9, "1"), ("row 8 (line 9) has 1 cells", "first has 2")),
    ("empty cell", replaced(7, "1,"), ("row 6 (line 7), column 'b' is empty", "--drop b")),
    ("empty context", replaced(7, "1,", context="b"), ("row 6 (line 7), column 'b' is empty", "fill it", "conditions")),
    ("text in a context", replaced(7, "1,x", context="b"), ("column 'b' holds the text", "mend it", "conditions")),
    ("NaN", replaced(7, "nan,2"), ("row 6 (line 7), column 'a' is not a number (nan)", "--drop a")),
    ("NA after a blank line", replaced(4, "\n1,NA"), ("row 3 (line 5), column 'b' is not a number (NA)",)),
    ("infinity", replaced(3, "1,-inf"), ("row 2 (line 3), column 'b' is infinite",)),
    ("overflow", replaced(3, "1,1e999"), ("row 2 (line 3), column 'b' is infinite",)),
    ("text in a column", replaced(8, "1,x7"), ("row 7 (line 8), column 'b' holds the text 'x7'", "--drop b")),
    (
        "an empty cell among text",
        text(["a,b", *["1.5,x", "2.5,y"] * 20, "1,"]),
        ("row 41 (line 42), column 'b' is empty",),
    ),
    (
        "identities",
        text(["a,b", *(f"{i / 7},id-{i}" for i in range(1200))]),
        ("column 'b'", "more than 1,000 different", "--drop b"),
    ),
    ("dates", text(["day,v", *(f"2020-01-{d:02d},{d}" for d in range(1, 31))]), ("'day'", "--drop day")),
    ("decimal commas", text(["a;b", "1,5;2"] * 20, delimiter=";"), ("'1,5'", "a decimal needs a point")),
    ("two columns of one name", text(rows(header="a,a")), ("several columns named 'a'",)),
    ("unknown column to drop", text(rows(), drop="c"), ("no column 'c'", "--drop", "'a', 'b'")),
    ("unknown column to model", text(rows(), columns="c"), ("no column 'c'", "--columns")),
    ("unknown context", text(rows(), context="c"), ("no column 'c'", "--context")),
    ("nothing left to model", text(rows(), drop="a", context="b"), ("no column is left to model",)),
    ("an option for pictures", text(rows(), size=8), ("--size", "t.csv", "a table")),
    ("all constant", text(["a,b"] + ["3,4.5"] * 40), ("all columns are constant", "nothing to learn")),
    ("too few rows", text(rows(12)), ("t.csv has 12 rows", "at least 24 are needed")),
    ("identities in parquet", parquet_with_text, ("column 'town'", "1,000 different", "--drop town")),
    (
        "damaged parquet",
        text(b"PAR1 and then nothing", "t.parquet"),
        ("t.parquet cannot be read as Parquet",),
    ),
    ("dates in a frame", frame(b=pd.date_range("2020", periods=30)), ("the frame", "column 'b'", "neither a number")),
    ("missing text in a frame", frame(b=["x"] * 29 + [None]), ("row 30, column 'b' is empty", "fill")),
    ("missing value in a frame", frame(b=[1.0] * 29 + [None]), ("row 30, column 'b' is empty",)),
    ("complex objects in a frame", frame(b=[1j] * 30), ("column 'b' holds complex numbers",)),
    ("fractions in a frame", frame(b=[Fraction(1, 3)] * 30), ("data type: Conversion failed for column b",)),
    ("complex column in a frame", frame(b=np.ones(30) * 1j), ("column 'b' holds complex numbers", "--drop b")),
    ("several arrays", npz(x=MANY, y=MANY[:5]), ("x (40×3 float64), y (5×3 float64)", "--key")),
    ("unknown key", lambda f: {**npz(x=MANY)(f), "key": "z"}, ("no array 'z'", "'x'")),
    ("archive of text", npz(x=np.array(["a", "b"])), ("holds no array of numbers",)),
    ("pickle in an archive", npz(x=np.array([{}], dtype=object)), ("Python objects", "never unpickled")),
    ("pickle in an array", npy_of_objects, ("t.npy", "cannot be read")),
    ("array cut short", truncated_npy, ("t.npy cannot be read", "damaged")),
    ("not an archive", text(b"nothing of the kind", "t.npz"), ("t.npz cannot be read",)),
    (
        "context of another length",
        lambda f: {**npz(x=MANY, c=np.arange(3))(f), "context": "c"},
        ("'c'", "40"),
    ),
    ("NaN in an array", memory(WITH_NAN), ("row 7, column 'x2' is not a number",)),
    ("infinity in an array", memory(WITH_INF), ("row 1, column 'x1' is infinite",)),
    ("masked array", memory(np.ma.masked_greater(MANY, 1.0)), ("masked values",)),
    ("complex array", memory(MANY + 1j), ("complex numbers",)),
    ("array of text", memory(np.array([["a"]])), ("text", "encode it as numbers")),
    ("array of dates", memory(np.array(["2020-01-01"], "M8[D]")), ("dates",)),
    ("array of records", memory(np.zeros(3, [("a", float)])), ("records",)),
    ("array of three axes", memory(np.zeros((30, 4, 4))), ("shape 30×4×4", "of uint8")),
    ("array without rows", memory(np.zeros((0, 3))), ("no values",)),
    ("sparse tensor", memory(torch.eye(3).to_sparse()), ("the tensor cannot be read",)),
    ("a list", memory([[1.0, 2.0]]), ("cannot be loaded from a list", "NumPy array")),
    ("folder without pictures", empty_folder, ("none holds no pictures", ".png")),
    ("corrupt picture", pictures({"017x.png": png()[:60]}), ("017x.png", "--skip-bad")),
    ("not a picture", pictures({"note.jpg": b"hello"}), ("note.jpg is not a picture", "--skip-bad")),
    ("only bad pictures", pictures({"a.png": b"x"}, n=0, skip_bad=True), ("no picture that can be read",)),
    ("unequal sizes", pictures({"big.png": png(9)}), ("000.png is 8×8", "big.png is 9×9", "--size")),
    ("decompression bomb", pictures({"boom.png": bomb()}), ("boom.png", "too many pixels")),
    ("bomb in the warning zone", pictures({"boom.png": bomb(9800)}), ("boom.png", "too many pixels")),
    ("zip that climbs", archive({"a.png": png(), "../evil.png": png()}), ("'../evil.png'", "leads out")),
    ("zip with an absolute name", archive({"/etc/evil.png": png()}), ("'/etc/evil.png'", "leads out")),
    ("zip without pictures", archive({"a.txt": b"x"}), ("p.zip holds no pictures",)),
    ("not a zip", text(b"PK but no more", "p.zip"), ("p.zip cannot be read as a zip",)),
    ("equal pictures", memory(np.full((40, 4, 4), 7, np.uint8)), ("all pictures are equal",)),
    ("columns of pictures", pictures({}, drop="a"), ("--drop", "pictures")),
    ("size of nothing", pictures({}, size=0), ("--size", "whole numbers")),
    ("unknown mode", pictures({}, mode="CMYK"), ("--mode is L", "'CMYK'")),
    ("unknown context of digits", memory("digits", context="colour"), ("'colour'", "'label'")),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in BAD_INPUT], ids=[case[0] for case in BAD_INPUT])
def test_bad_input_is_refused_in_one_sentence(make: Make, words: tuple[str, ...], tmp_path: Path) -> None:
    options = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        Schema.fit(split(load(**options)).train)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert "\n" not in message and len(message) < 500
    assert [p for p in sorted(tmp_path.rglob("*")) if "cache" not in p.parts] == before


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case[0] for case in BAD_INPUT]
    assert len(set(names)) == len(names) >= 30


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    options = text(rows())(tmp_path)
    options["source"].chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        load(**options)


def test_an_unreadable_file_is_refused_whoever_runs_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np.lib.format, "open_memmap", deny)
    np.save(tmp_path / "t.npy", MANY)
    with pytest.raises(InputError, match=r"t\.npy cannot be read: permission denied"):
        load(tmp_path / "t.npy")


SUFFIXES = [".csv", ".tsv", ".csv.gz", ".txt.gz", ".parquet", ".npy", ".npz", ".zip"]
PREFIXES = [b"", b"a,b\n", b"\x93NUMPY\x01\x00", b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"1,2\n3,"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SUFFIXES), st.sampled_from(PREFIXES), st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_input_errors(
    tmp_path: Path, suffix: str, prefix: bytes, content: bytes
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(prefix + content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = load(path)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert isinstance(data, Dataset) and len(data) > 0 and np.isfinite(data.numeric()).all()


def _valid(kind: str, folder: Path) -> bytes:
    x = np.random.default_rng(0).standard_normal((30, 3))
    path = folder / f"valid{kind}"
    if kind == ".npy":
        np.save(path, x)
    elif kind == ".npz":
        np.savez_compressed(path, x=x, cols=np.array(["a", "b", "c"]))
    elif kind == ".parquet":
        pd.DataFrame(x, columns=list("abc")).to_parquet(path)
    elif kind == ".zip":
        archive({f"{i}.png": png(seed=i) for i in range(3)})(folder)["source"].rename(path)
    else:
        pd.DataFrame(x, columns=list("abc")).to_csv(path, index=False)
    return path.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([".npy", ".npz", ".parquet", ".zip", ".csv.gz", ".csv"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    st.floats(0.5, 1),
)
def test_damaged_files_raise_nothing_but_input_errors(
    tmp_path: Path, kind: str, flips: list[tuple[float, int]], kept: float
) -> None:
    content = bytearray(_valid(kind, tmp_path))
    for where, value in flips:
        content[int(where * len(content))] = value
    path = tmp_path / f"t{kind}"
    path.write_bytes(bytes(content[: max(1, int(kept * len(content)))]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert len(load(path)) > 0
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("cell", ["68.2%", "$12.34", "12 €", "£1.5"])
def test_numbers_with_a_sign_are_named(cell: str, tmp_path: Path) -> None:
    lines = [f"{cell},{i}" for i in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["a b,c", *lines]))
    with pytest.raises(InputError) as raised:
        load(tmp_path / "t.csv")
    assert f"holds the text '{cell}'" in str(raised.value)
    assert "without a sign of currency or per cent; drop it with --drop 'a b'" in str(raised.value)
