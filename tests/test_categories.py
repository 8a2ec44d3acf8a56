"""Columns of names, from file to page: read, encoded, learnt, drawn, scored and judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.auditing.columns import column_differences
from pushforward.auditing.features import extract
from pushforward.auditing.pairs import compare_table
from pushforward.data import Dataset, Schema, export, load, split
from pushforward.errors import InputError
from pushforward.event import Block, Event
from pushforward.families import FAMILIES
from pushforward.models.gan import GAN
from pushforward.report.columns import marginals
from pushforward.report.examples import Rows
from pushforward.report.records import FamilyRecord, ReportData
from test_cli import assert_refused, succeed

TOWNS = ("Bern", "Chur", "Genève, la", 'Z"ug"')


def people(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """A mixed table in which income follows the town, and one town is so rare that few parts have it."""
    rng = np.random.default_rng(seed)
    town = rng.choice(4, n, p=[0.5, 0.3, 0.2, 0.0])
    town[0] = 3
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "town": np.array(TOWNS, dtype=object)[town],
            "income": rng.normal(10.0 * town, 1.0),
            "size": pd.Categorical(rng.choice([1, 2, 10], n)),
            "owner": pd.Categorical(rng.choice([False, True], n)),
            "member": rng.choice([False, True], n),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("categories")
    people().to_csv(place / "people.csv", index=False)
    people(300, seed=1).to_csv(place / "more.csv", index=False)
    return place


def same(a: Dataset, b: Dataset) -> None:
    assert a.columns == b.columns and a.fingerprint() == b.fingerprint()
    for name in a.columns:
        assert a.entries(name).dtype == b.entries(name).dtype
        np.testing.assert_array_equal(a.entries(name), b.entries(name))


# ------------------------------------------------------------------------------------------------------------- reading


def test_text_has_the_names_it_has_and_numbers_stay_numbers(folder: Path) -> None:
    data = load(folder / "people.csv")
    assert data.categories.keys() == {"town"}
    assert data.categories["town"].levels == TOWNS
    assert data.entries("town").tolist() == people()["town"].tolist()
    assert data.column("age").dtype == np.int64 and data.column("member").dtype == bool


def test_pandas_says_what_is_a_category(tmp_path: Path) -> None:
    people().to_parquet(tmp_path / "people.parquet")
    for data in (load(people()), load(tmp_path / "people.parquet")):
        assert {name: c.levels for name, c in data.categories.items()} == {
            "town": TOWNS,
            "size": (1, 2, 10),
            "owner": (False, True),
        }
        assert [data.categories[name].dtype for name in ("town", "size")] == ["str", "category"]


def test_names_that_do_not_occur_are_forgotten() -> None:
    frame = people().astype({"town": "category"})
    assert load(frame[frame["town"] != "Chur"]).categories["town"].levels == ("Bern", *TOWNS[2:])


def test_text_may_begin_after_the_first_block(tmp_path: Path) -> None:
    lines = ["a,b", *(f"{i}.5,{'x' if i < 80_000 else 'new'}{i % 3}" for i in range(120_000))]
    (tmp_path / "long.csv").write_text("\n".join(lines))
    data = load(tmp_path / "long.csv")
    assert data.categories["b"].levels == ("new0", "new1", "new2", "x0", "x1", "x2")
    assert data.entries("b")[[0, 79_999, 80_000]].tolist() == ["x0", "x1", "new2"]


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        (["1st", "2", "none", "NA"], ("1st", "2", "NA", "none")),  # a quarter numbers, and NA in text is text
        (["yes", "no"], ("no", "yes")),
        (["1,5x", "ü"], ("1,5x", "ü")),
    ],
)
def test_text_with_few_numbers_is_text(cells: list[str], levels: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n" + "".join(f"1.5;{cell}\n" for cell in cells * 10))
    assert load(tmp_path / "t.csv", delimiter=";").categories["b"].levels == levels


def test_numbers_with_few_texts_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1.5,2\n1.5,3\n1.5,oops\n" * 10)
    with pytest.raises(InputError, match=r"row 3 \(line 4\), column 'b' holds the text 'oops'"):
        load(tmp_path / "t.csv")


@pytest.mark.parametrize("context", [None, "town"])
def test_the_cell_at_fault_is_named_and_no_column_of_text(context: str | None, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("town,b\n" + "Bern,1.5\n" * 10 + "Bern,inf\n")
    with pytest.raises(InputError, match=r"row 11 \(line 12\), column 'b' is infinite"):
        load(tmp_path / "t.csv", context=context)


# ------------------------------------------------------------------------------------------------------------ encoding


def test_encoding_is_inverted_exactly() -> None:
    data = load(people())
    schema = Schema.from_json(json.loads(json.dumps(Schema.fit(data).to_json())))
    assert [block.categories for block in schema.event.blocks] == [0, 4, 0, 3, 2, 0]
    for dtype in (torch.float32, torch.float64):
        y = schema.encode(data, dtype)
        assert set(y[:, 1].tolist()) == {0.0, 1.0, 2.0, 3.0}
        back = schema.decode(y)
        for name in ("town", "size", "owner", "member", "age"):
            np.testing.assert_array_equal(back.entries(name), data.entries(name))
    same(schema.decode(schema.encode(data, torch.float64)).take([]), data.take([]))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".csv.gz"])
def test_what_is_written_is_read_again(suffix: str, tmp_path: Path) -> None:
    frame = people() if suffix == ".parquet" else people().drop(columns=["size", "owner"])  # text knows no categories
    data = load(frame)
    same(load(export(data, tmp_path / f"people{suffix}")), data)


def test_an_array_has_no_place_for_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows with text cannot be written as '\.npy'; use \.csv"):
        export(load(people()), tmp_path / "x.npy")


def test_the_order_of_names_is_no_matter_between_sets() -> None:
    schema = Schema.fit(load(people()))
    few = load(people()[lambda f: f["town"].isin(TOWNS[1:])])
    assert few.column("town")[0] != schema.encode(few)[0, 1], "its own codes are others"
    back = schema.decode(schema.encode(few))
    np.testing.assert_array_equal(back.entries("town"), few.entries("town"))


def test_a_name_that_only_other_parts_have_is_possible() -> None:
    parts = split(load(people()), seed=0)
    rest = parts.train.take(np.flatnonzero(parts.train.entries("town") != TOWNS[3]))
    schema = Schema.fit(rest)
    assert schema.event.blocks[1].categories == 4
    whole = load(people())
    assert schema.encode(whole)[0, 1] == 3 and bool(schema.log_det(whole).isfinite().all())


def test_equal_and_constant_text_is_restored() -> None:
    frame = people().assign(twin=lambda f: f["town"], land="CH", number=lambda f: f["town"].map(TOWNS.index))
    data = load(frame)
    schema = Schema.fit(data)
    kinds = {line.split(":")[0]: line.split(": ")[1] for line in schema.describe().splitlines()}
    assert kinds["twin"].startswith("equal to town") and kinds["land"] == "constant, 'CH', restored and not modelled"
    assert kinds["town"] == "4 categories, 'Bern', 'Chur', 'Genève, la', 'Z\"ug\"'"
    assert kinds["number"] == "integer, 0 to 3", "equal codes are not equal columns"
    same(schema.decode(schema.encode(data, torch.float64)).take([]), data.take([]))
    torn = load(frame.assign(twin="Bern", land=["DE", *["CH"] * 399]))
    assert schema.log_det(torn).isfinite().sum() == (frame["town"] == "Bern").sum()


def test_context_of_text_conditions() -> None:
    data = load(people(), context="town,size")
    schema = Schema.from_json(json.loads(json.dumps(Schema.fit(data).to_json())))
    c = schema.encode_context(data)
    assert c is not None and c.shape == (400, 7) and bool((c.sum(1) == 2).all())
    back = schema.decode(schema.encode(data), c)
    np.testing.assert_array_equal(back.entries("town"), data.entries("town"))
    np.testing.assert_array_equal(back.entries("size"), data.entries("size"))
    given = schema.context_from({"town": "Chur", "size": 10}, 2)
    assert given is not None and given.tolist() == [[0, 1, 0, 0, 0, 0, 1]] * 2
    assert schema.context_from({"town": "Chur", "size": "10"}, 2).equal(given)
    answers = Schema.fit(load(people().assign(town=["true", "false"] * 200), context="town,owner"))
    assert answers.context_from({"town": True, "owner": True}, 1).tolist() == [[0, 1, 0, 1]], "as JSON reads them"
    with pytest.raises(InputError, match=r"'town' is given as Basel.*'Bern', 'Chur'.*give one of these"):
        schema.context_from({"town": "Basel", "size": 10}, 2)


def test_the_fingerprint_is_of_values_and_not_of_codes() -> None:
    some = load(people()).take(np.arange(1, 50))
    assert some.fingerprint() == load(people()[1:50]).fingerprint() != load(people()[2:51]).fingerprint()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"town": "Basel"}, ("row 1, column 'town' holds Basel", "'Bern', 'Chur'", "leave such rows out")),
        ({"town": 3}, ("column 'town' holds numbers", "fitted on text")),
        ({"age": "old"}, ("column 'age' holds text", "fitted on numbers")),
    ],
)
def test_what_a_model_never_saw_is_named(change: dict[str, object], words: tuple[str, ...]) -> None:
    schema = Schema.fit(load(people()))
    with pytest.raises(InputError) as caught:
        schema.encode(load(people().assign(**change)))
    assert all(word in str(caught.value) for word in words), str(caught.value)


# -------------------------------------------------------------------------------------------------------------- models


def test_features_are_inverted() -> None:
    event = Event((Block("continuous", 2), Block.categorical(3, 2), Block.binary()))
    x = event.snap(torch.randn(50, 5, dtype=torch.float64).mul(3))
    f = event.features(x)
    assert f.shape == (50, 9) and torch.equal(event.patterns(f), x)
    assert torch.equal(f[:, 2:5].argmax(1), x[:, 2].long()) and torch.equal(
        f[:, 2:8].sum(1), torch.full((50,), 2.0).double()
    )


def test_a_generator_learns_which_category_to_choose() -> None:
    torch.manual_seed(0)
    model = GAN(Event((Block("continuous"), Block.categorical(5))), latent=4, hidden=(16,))
    features = model.features().rsample((64,))
    assert set(features[:, 1:].detach().flatten().tolist()) == {0.0, 1.0}
    logits = model.generator.last.weight
    (gradient,) = torch.autograd.grad(model.logit(features).sum(), logits)
    assert bool((gradient[1:].abs().sum(1) > 0).all()), "every category's logit is moved, chosen or not"


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_family_learns_draws_scores_and_goes_on(family: str, folder: Path, tmp_path: Path) -> None:
    run = pushforward.fit(folder / "people.csv", family, out=tmp_path / "run", steps=8)
    drawn = run.sample(60)
    assert set(drawn.entries("town")) <= set(TOWNS) and drawn.column("member").dtype == bool
    assert load(export(drawn, tmp_path / "drawn.csv")).entries("town").tolist() == drawn.entries("town").tolist()
    if FAMILIES[family].density:
        values, _ = run.score_samples(folder / "more.csv", k=2)
        assert values.shape == (300,) and bool(np.isfinite(values).all())
    again = pushforward.resume(tmp_path / "run", steps=4)
    assert again.record["trained"]["step"] == 12


def test_an_exact_model_learns_what_follows_from_a_name(folder: Path) -> None:
    run = pushforward.fit(folder / "people.csv", "autoregressive", steps=300)
    drawn = run.sample(500)
    means = [drawn.column("income")[drawn.entries("town") == town].mean() for town in TOWNS[:3]]
    np.testing.assert_allclose(means, [0, 10, 20], atol=1.5)
    shares = [(drawn.entries("town") == town).mean() for town in TOWNS[:3]]
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.09)


# ---------------------------------------------------------------------------------------------------- audit and report


def test_any_two_categories_are_equally_far_apart() -> None:
    x = np.column_stack([np.repeat([0.0, 1.0, 2.0], [80, 15, 5]), np.linspace(0, 1, 100)])
    rows = extract("columns", x, categories=(3, 0)).sets[0][:, :3]
    apart = [np.linalg.norm(rows[i] - rows[j]) for i, j in ((0, 80), (0, 99), (80, 99))]
    np.testing.assert_allclose(apart, apart[0])
    assert np.square(rows).mean(0).sum() == pytest.approx(1.0)
    assert extract("columns", x, categories=(3, 0)).name == "2 columns"


def test_columns_name_the_category_that_differs_most() -> None:
    real, fake = (np.repeat([0.0, 1.0, 2.0], counts)[:, None] for counts in ([50, 30, 20], [50, 10, 40]))
    (found,) = column_differences(real, fake, ("town",), levels=[TOWNS[:3]])
    assert found.statistic == "total variation" and found.distance == pytest.approx(0.2)
    assert found.most in (
        "Chur: 30.0 % of the data, 10.0 % of the samples",
        "Genève, la: 20.0 % of the data, 40.0 % of the samples",
    )


def test_pairs_with_categories_have_no_rank_correlation() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 3, 600).astype(float)
    real = np.column_stack([code, 5.0 * (code == 1) + rng.normal(size=600), rng.normal(size=600)])
    fake = np.column_stack([rng.permutation(code), real[:, 1:]])
    table = compare_table(real, fake, ("town", "income", "age"), rng, levels=[TOWNS[:3], (), ()])
    (pair,) = [p for p in table.pairs if p.differs]
    assert (pair.first, pair.second, pair.rank_real) == ("town", "income", None)
    assert str(pair).startswith("town and income: dependence apart by .")
    assert all(p.rank_real is not None for p in table.pairs if p.first == "income")
    json.dumps(table.to_json(), allow_nan=False)


def test_sets_are_compared_by_names_whatever_their_codes() -> None:
    frame, more = people(), people(300, seed=1)
    result = pushforward.audit(frame, more[more["town"] != "Bern"])
    (town,) = [c for c in result.columns if c.column == "town"]
    assert town.differs and town.most.startswith("Bern: ") and town.most.endswith(" 0.0 % of the samples")
    assert not pushforward.audit(frame, more.sample(frac=1.0, random_state=0)).distinguishable


def test_text_is_not_compared_with_numbers() -> None:
    with pytest.raises(InputError, match=r"column 'town' holds text in .* and numbers in"):
        pushforward.audit(people(), people().assign(town=1.5))


def test_bars_and_examples_show_names() -> None:
    rng = np.random.default_rng(0)
    levels = tuple(f"place {i}" for i in range(12))
    real, fake = (np.column_stack([rng.integers(0, 12, 300), rng.normal(size=300)]) for _ in range(2))
    record = FamilyRecord("flow", fake)
    shown = marginals(ReportData("t", "d", {}, 0, real, [record], columns=("place", "age"), levels=(levels, ())))
    places, ages = shown["plots"]
    assert [bar["name"] for bar in places["bars"]][-1] == "5 others" and len(places["bars"]) == 8
    assert not ages["bars"]
    rows = Rows(("place", "age"), real, (levels, ())).matched(("sample", "nearest"), (fake[:2], real[:2]))
    column = rows["head"].index("place")
    assert [cells[column] for _, cells in rows["lines"]] == [levels[int(x[i, 0])] for i in (0, 1) for x in (fake, real)]
    group = Rows(("place", "age"), real, (levels, ())).group(real[real[:, 0] == 4])
    assert group["lines"][0][1][group["head"].index("place")] == "place 4 100 %"


# -------------------------------------------------------------------------------------------------------- command line


def test_the_command_line_from_text_to_text(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    succeed("fit", folder / "people.csv", "--model", "autoregressive", "--steps", 20, "--out", run)
    page = (run / "report.html").read_text()
    assert "Genève, la" in page
    assert "town: 4 categories" in succeed("show", run).out
    succeed("sample", run, "-n", 300, "--out", tmp_path / "drawn.csv")
    assert set(pd.read_csv(tmp_path / "drawn.csv")["town"]) <= set(TOWNS)
    found = succeed("audit", folder / "more.csv", tmp_path / "drawn.csv", "--json").json
    assert found["table"]["columns"]
    modes = succeed("audit", folder / "people.csv", folder / "more.csv", "--modes", "town", "--json").json["modes"]
    assert {mode["name"] for mode in modes["modes"]} >= set(TOWNS[:3])


def test_the_command_line_names_what_it_cannot_use(folder: Path, tmp_path: Path) -> None:
    succeed(
        "fit", folder / "people.csv", "--model", "flow", "--steps", 2, "--context", "town", "--out", tmp_path / "run"
    )
    assert_refused(
        ["sample", tmp_path / "run", "-n", 3, "--given", "town=Basel", "--out", tmp_path / "no.csv"],
        ("'town'", "Basel", "Bern"),
        tmp_path,
    )
    succeed("sample", tmp_path / "run", "-n", 3, "--given", "town=Bern", "--out", tmp_path / "bern.csv")
    assert set(pd.read_csv(tmp_path / "bern.csv")["town"]) == {"Bern"}
    pd.concat([people()] * 4).assign(name=[f"n{i}" for i in range(1600)]).to_csv(tmp_path / "names.csv", index=False)
    words = ("names.csv", "column 'name'", "1,000", "--drop name")
    assert_refused(["fit", tmp_path / "names.csv", "--model", "flow", "--out", tmp_path / "no"], words, tmp_path)
