"""Sampling given the first columns of an autoregressive model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import pushforward as pf
from pushforward.cli.app import app
from pushforward.data import Schema
from pushforward.data.categories import Categories
from pushforward.run import Run


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    pet = rng.choice(["cat", "dog"], 2000)
    weight = np.where(pet == "dog", 20.0, 4.0) + rng.normal(size=2000)
    path = tmp_path_factory.mktemp("pets") / "pets.csv"
    rows = "\n".join(f"{p},{w:.4f},{w > 12:d}" for p, w in zip(pet, weight, strict=True))
    path.write_text(f"pet,weight,heavy\n{rows}\n")
    return path


@pytest.fixture(scope="module")
def run(table: Path) -> Run:
    return pf.fit(table, "autoregressive", steps=150, device="cpu")


def test_what_is_given_stays_and_decides_the_rest(run: Run) -> None:
    dogs, cats = (run.sample(300, given={"pet": pet}) for pet in ("dog", "cat"))
    assert set(dogs.entries("pet")) == {"dog"} and set(cats.entries("pet")) == {"cat"}
    assert dogs.column("weight").mean() == pytest.approx(20, abs=2) and cats.column("weight").mean() < 8
    both = run.sample(50, given={"pet": "dog", "weight": 19.5})
    assert np.allclose(both.column("weight"), 19.5, atol=1e-5)


def test_what_is_given_is_written_as_it_was_given() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)) * 1.7 + 0.3
    whole = np.rint(x[:, 2] * 1e12).astype(np.int64)
    frame = pd.DataFrame({"a": x[:, 0], "same": x[:, 0], "whole": whole, "b": x[:, 1], "c": x[:, 3]})
    run = pf.fit(frame, "autoregressive", context="c", steps=2, device="cpu")
    drawn = run.sample(5, given={"a": 0.5, "whole": 123456789, "c": "0.7"})
    for name, value in {"a": 0.5, "same": 0.5, "whole": 123456789, "c": 0.7}.items():
        assert drawn.entries(name).tolist() == [value] * 5
    assert len(set(drawn.entries("b"))) == 5


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"weight": 3.0}, "first columns"),
        ({"pet": "bird"}, "no category bird"),
        ({"pet": "dog", "weight": "much"}, "cannot hold much"),
        ({"pet": "dog", "weight": 1e6}, "'weight' is given as 1e.06, far outside the 0?.* to 2"),
        ({"colour": "red"}, "not conditioned on .colour.; give the first of 'pet', "),
    ],
)
def test_what_cannot_be_conditioned_on_is_named(run: Run, given: dict[str, object], word: str) -> None:
    with pytest.raises(pf.InputError, match=word):
        run.sample(3, given=given)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Names that read as numbers, as truth values or as nothing, and great whole numbers."""
    rng, n = np.random.default_rng(0), 200
    names = rng.choice(["3.10", "1e3", "true", "x", "y", "z"], n)
    whole = np.int64(2) ** 53 + rng.integers(0, 9, n)
    frame = pd.DataFrame({"name": names, "whole": whole, "flag": rng.choice([True, False], n), "c": names[::-1]})
    return pf.fit(frame, "autoregressive", context="c", steps=2, device="cpu", options={"hidden": [4, 4]})


@pytest.mark.parametrize("name", ["3.10", "1e3", "true", "x"])
def test_a_name_is_asked_for_as_it_is_written(odd: Run, name: str, tmp_path: Path) -> None:
    """They were read as JSON, and then there was no such name."""
    out, whole = tmp_path / "s.csv", 2**53 + 5
    given = [f"name={name}", f"whole={whole}", "flag=false", f"c={name}"]
    pairs = [word for pair in given for word in ("--given", pair)]
    made = CliRunner().invoke(app, ["sample", str(odd.directory), "-n", "2", "--out", str(out), *pairs])
    assert made.exit_code == 0, made.exception
    drawn = pd.read_csv(out, dtype=str)
    assert drawn.to_numpy().tolist() == [[name, str(whole), "false", name]] * 2


def test_a_number_for_a_name_is_that_name_where_it_is_written_so() -> None:
    assert Categories(("2", "3")).asked(3) == 1 and Categories((2.5, 3.0)).asked("3") == 1
    assert Categories(("false", "true")).asked(True) == 1 and Categories((False, True)).asked("false") == 0
    assert Categories(("3.10",)).asked("3.1") == Categories(("3.10",)).asked(3.1) == -1


def test_what_can_be_given_instead_is_named() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60), "k": 5, "c": rng.normal(size=60)})
    run = pf.fit(frame, "autoregressive", context="c", steps=1, device="cpu")
    instead = r"give its context, 'c' and the first of 'a', 'b', where it is autoregressive of one order"
    with pytest.raises(pf.InputError, match=rf"'k' \(k: constant, 5, restored and not modelled\); {instead}"):
        run.sample(3, given={"k": 7, "c": 0.0})
    with pytest.raises(pf.InputError, match=f"'z'; {instead}"):
        run.sample(3, given={"z": 7, "c": 0.0})
    pictures = pf.fit("digits", "vae", steps=1, device="cpu")
    with pytest.raises(pf.InputError, match="'z'; it is conditioned on nothing, so give nothing"):
        pictures.sample(3, given={"z": 7})


def test_a_flow_says_that_it_cannot(table: Path) -> None:
    flow = pf.fit(table, "flow", steps=2, device="cpu")
    with pytest.raises(pf.InputError, match="use --model autoregressive"):
        flow.sample(3, given={"pet": "dog"})


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_a_context_is_given_its_own_values_whatever_its_precision(kind: str) -> None:
    for values in (np.full(400, 0.1), np.linspace(-60_000, 60_000, 400)):
        frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=400), "c": values.astype(kind)})
        schema = Schema.fit(pf.load(frame, context="c"))
        assert schema.context_from({"c": float(values[0])}, 2).shape == (2, 1)
        schema.encode_context(pf.load(frame, context="c"))
