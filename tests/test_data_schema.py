"""The encoding is exact, invertible, fitted on the training part alone, and its log-determinant is right."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from pushforward.data import Dataset, Schema, load
from pushforward.data.column import Column
from pushforward.data.columns import Columns
from pushforward.data.context import ContextColumn
from pushforward.data.windows import Windows
from pushforward.errors import InputError
from pushforward.event import Block

RNG = np.random.default_rng(0)


def table(**columns: Any) -> Dataset:
    values = {name: np.asarray(x) for name, x in columns.items()}
    return Dataset("table", values, columns=tuple(values), file_kind="csv")


MIXED = table(
    height=RNG.standard_normal(50) * 3 + 170,
    age=RNG.integers(17, 91, 50),
    change=RNG.integers(-40, 40, 50).astype(np.int16),
    sex=RNG.integers(1, 3, 50),
    vote=RNG.random(50) < 0.3,
    unit=np.full(50, 7.25),
    rooms=RNG.integers(0, 9, 50).astype(np.float32),
)
MIXED = table(**MIXED.values, age2=MIXED.values["age"].astype(np.float64))


def equal(a: Dataset, b: Dataset) -> None:
    assert (a.kind, a.columns, a.levels) == (b.kind, b.columns, b.levels)
    if a.kind == "pictures":
        np.testing.assert_array_equal(a.values, b.values, strict=True)
    for name in a.columns:
        np.testing.assert_array_equal(a.column(name), b.column(name), strict=True)


def test_kinds_of_columns() -> None:
    schema = Schema.fit(MIXED)
    kinds = {c.name: c.kind for c in schema.patterns.columns}
    assert kinds == {
        "height": "continuous",
        "age": "integer",
        "change": "integer",
        "sex": "binary",
        "vote": "binary",
        "unit": "constant",
        "rooms": "integer",
        "age2": "duplicate",
    }
    blocks = schema.event.blocks
    assert [b.kind for b in blocks] == ["continuous", "grid", "grid", "binary", "grid"]
    assert blocks[3] == Block.binary(2)
    age, change = MIXED.values["age"], MIXED.values["change"]
    assert math.isclose(blocks[1].width, 1 / age.std())
    assert math.isclose(blocks[1].low, -round(age.mean()) / age.std())
    assert blocks[2].low is None and math.isclose(blocks[2].width, 1 / change.std())


def test_encoded_values_lie_where_the_event_says() -> None:
    schema = Schema.fit(MIXED)
    y = schema.encode(MIXED, torch.float64)
    assert y.shape == (50, schema.event.size)
    torch.testing.assert_close(schema.event.snap(y), y, rtol=0, atol=1e-12)
    torch.testing.assert_close(y[:, 0].mean(), torch.tensor(0.0, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(y[:, 0].std(correction=0), torch.tensor(1.0, dtype=torch.float64))


def test_discrete_columns_survive_float32_exactly() -> None:
    back = Schema.fit(MIXED).decode(Schema.fit(MIXED).encode(MIXED))
    for name in MIXED.columns[1:]:
        np.testing.assert_array_equal(back.column(name), MIXED.column(name), strict=True)
    np.testing.assert_allclose(back.column("height"), MIXED.column("height"), rtol=1e-6)


DTYPES = st.sampled_from(["float64", "float32", "float16", "int64", "int8", "uint8", "uint64", "bool"])


@st.composite
def columns(draw: st.DrawFn) -> np.ndarray:
    dtype = np.dtype(draw(DTYPES))
    n = 25
    if dtype.kind == "f":
        bound = min(float(np.finfo(dtype).max), 1e100)
        low = draw(st.sampled_from([-bound, -1.0, 0.0]))
        elements = st.floats(low, bound, width=8 * dtype.itemsize, allow_nan=False)
        if draw(st.booleans()):
            elements = st.integers(-5, 5).map(float)
        return draw(arrays(dtype, n, elements=elements))
    if dtype.kind == "b":
        return draw(arrays(dtype, n))
    info = np.iinfo(dtype)
    start = draw(st.integers(int(info.min), int(info.max)))
    width = draw(st.sampled_from([0, 1, 100, 2**40]))
    values = st.integers(start, min(start + width, int(info.max)))
    return draw(arrays(dtype, n, elements=values))


def test_the_bound_of_whole_numbers_far_from_it_is_none() -> None:
    """A grid that begins 2⁵³ steps below its values gave no finite likelihood."""
    x = np.random.default_rng(0).integers(0, 9, 50)
    near, far = (Column.fit("n", first + x).block for first in (2**19, 2**53))
    assert far.low is None and near.low is not None and far.width > 0


def test_whole_numbers_that_float64_cannot_tell_apart_come_back() -> None:
    x = np.repeat(np.array([2**62, 2**62 + 1, 2**62 + 2]), 10)
    data = table(a=x, b=np.arange(30.0))
    schema = Schema.fit(data)
    np.testing.assert_array_equal(schema.decode(schema.encode(data, torch.float64)).column("a"), x)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(columns(), min_size=1, max_size=5))
def test_random_tables_come_back(given_columns: list[np.ndarray]) -> None:
    data = table(**{f"c{j}": x for j, x in enumerate(given_columns)})
    try:
        schema = Schema.fit(data)
    except InputError as error:
        assert "all columns are constant" in str(error)
        return
    schema = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    back = schema.decode(schema.encode(data, torch.float64))
    assert back.columns == data.columns
    kinds = {c.name: c for c in schema.patterns.columns}
    for name in data.columns:
        x, z, column = data.column(name), back.column(name), kinds[name]
        assert z.dtype == x.dtype
        original = kinds[column.source] if column.source else column
        beyond = float(original.high) - float(original.low) > 2**51  # than float64 can count
        if original.kind == "continuous" and (beyond or not original.integral):
            slack = np.abs(x.astype(np.float64)).max() * 1e-14
            np.testing.assert_allclose(z, x, rtol=1e-12 if x.dtype == np.float64 else 1e-3, atol=slack)
        else:
            np.testing.assert_array_equal(z, x)
    assert torch.isfinite(schema.log_det(data)).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_narrow_floats_come_back_exactly(dtype: str) -> None:
    data = load((RNG.standard_normal((200, 3)) * [1, 20, 1000] + [0, 100, -500]).astype(dtype))
    schema = Schema.fit(data)
    back = schema.decode(schema.encode(data, torch.float64))
    if dtype == "float64":
        np.testing.assert_allclose(back.values, data.values, rtol=1e-13, atol=1e-12)
    else:
        np.testing.assert_array_equal(back.values, data.values, strict=True)


def test_log_det_is_the_jacobian_of_the_encoding() -> None:
    data = load(RNG.gamma(2.0, 3.0, (40, 4)))
    schema = Schema.fit(data)
    step = 1e-4
    jacobian = np.empty((4, 4))
    for j in range(4):
        moved = data.values.copy()
        moved[:, j] += step
        difference = schema.encode(load(moved), torch.float64) - schema.encode(data, torch.float64)
        jacobian[:, j] = difference[0].numpy() / step
    expected = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(schema.log_det(data), np.full(40, expected), rtol=1e-8)


def test_a_gaussian_keeps_its_likelihood_in_the_datas_units() -> None:
    x = RNG.standard_normal((3000, 1)) * 5 + 2
    data = load(x)
    schema = Schema.fit(data)
    law = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    ours = law.log_prob(schema.encode(data, torch.float64)).sum(-1) + schema.log_det(data)
    theirs = torch.distributions.Normal(*torch.tensor([x.mean(), x.std()], dtype=torch.float64)).log_prob(
        torch.from_numpy(x[:, 0])
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_discrete_columns_add_nothing_to_log_det() -> None:
    schema = Schema.fit(MIXED)
    expected = -math.log(MIXED.values["height"].std())
    np.testing.assert_allclose(schema.log_det(MIXED), np.full(50, expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "value", "had"),
    [
        ("unit", 7.5, "7.25 alone"),
        ("age2", 0.0, "the same as in 'age'"),
        ("sex", 3, "1 or 2"),
        ("rooms", 0.5, "whole numbers from 0 on"),
        ("rooms", -1.0, "whole numbers from 0 on"),
        ("age", -1, "whole numbers from 0 on"),
    ],
)
def test_what_contradicts_the_schema_has_probability_zero(name: str, value: float, had: str) -> None:
    changed = {column: x.copy() for column, x in MIXED.values.items()}
    changed[name][3] = value
    if name == "age":
        changed["age2"][3] = value
    schema, other = Schema.fit(MIXED), table(**changed)
    log_det = schema.log_det(other)
    assert log_det[3] == -math.inf
    assert torch.isfinite(log_det).sum() == 49
    assert schema.contradiction(other, 3) == f"column {name!r} holds {value}, and training had {had}"
    assert not schema.contradiction(other, 4)


def test_nothing_is_learned_from_other_data() -> None:
    schema = Schema.fit(MIXED)
    before = json.dumps(schema.to_json())
    other = table(**{**MIXED.values, "height": MIXED.values["height"] * 1000})
    assert schema.encode(other, torch.float64)[:, 0].mean() > 100, "test data are not standardised by themselves"
    schema.log_det(other)
    assert json.dumps(schema.to_json()) == before


def test_samples_stay_within_their_types() -> None:
    data = table(a=RNG.integers(-128, 128, 60).astype(np.int8), b=RNG.standard_normal(60).astype(np.float16))
    back = Schema.fit(data).decode(torch.tensor([[1e6, 1e9], [-1e6, -1e9]]))
    assert back.column("a").tolist() == [127, -128]
    assert np.isfinite(back.column("b")).all()


def test_too_many_levels_are_rounded() -> None:
    data = table(a=RNG.integers(0, 10**9, 100), b=RNG.integers(0, 2**60, 100))
    schema = Schema.fit(data)
    assert schema.event.is_continuous
    back = schema.decode(schema.encode(data, torch.float64))
    np.testing.assert_array_equal(back.column("a"), data.column("a"), strict=True)
    np.testing.assert_allclose(back.column("b"), data.column("b"), rtol=1e-12)


def test_an_array_of_bits_is_binary_throughout() -> None:
    x = np.zeros((40, 5), np.uint8)
    x[:20, 1] = x[:20, 2] = 1
    schema = Schema.fit(load(x))
    assert schema.event.blocks == (Block.binary(5),)
    assert (schema.log_det(load(1 - x)) == 0).all()
    equal(schema.decode(schema.encode(load(x))), load(x))


@pytest.mark.parametrize("levels", [256, 17])
@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_pictures_come_back_byte_for_byte(levels: int, shape: tuple[int, ...]) -> None:
    x = RNG.integers(0, levels, (30, *shape), np.uint8)
    x[:, 0, 0] = 3  # a constant pixel is a pixel
    data = Dataset("pictures", x, levels=levels)
    schema = Schema.fit(data)
    channels = 3 if len(shape) == 3 else 1
    assert schema.event.picture == (channels, 5, 4)
    assert schema.event.blocks == (Block("grid", 20 * channels, 2 / (levels - 1), -1.0, 1.0),)
    for dtype in (torch.float32, torch.float64):
        y = schema.encode(data, dtype)
        assert y.dtype == dtype
        equal(schema.decode(y), data)
        torch.testing.assert_close(schema.event.snap(y), y)
    first = y.reshape(30, channels, 5, 4)
    torch.testing.assert_close(
        first[:, -1], torch.from_numpy(x.reshape(30, 5, 4, channels)[..., -1] / ((levels - 1) / 2) - 1)
    )
    assert (schema.log_det(data) == 0).all()
    if levels < 256:
        x[2, 1, 1] = levels
        assert schema.log_det(data)[2] == -math.inf
        assert schema.contradiction(data, 2) == f"a pixel holds {levels}, and training had 0 to {levels - 1}"


@pytest.mark.parametrize("high", [1, 255])
def test_pictures_of_two_values_are_binary(high: int) -> None:
    x = np.where(RNG.random((30, 4, 4)) < 0.5, high, 0).astype(np.uint8)
    data = load(x)
    schema = Schema.fit(data)
    assert schema.event.blocks == (Block.binary(16),)
    assert set(schema.encode(data).unique().tolist()) == {0.0, 1.0}
    equal(schema.decode(schema.encode(data)), data)


def test_context_round_trips() -> None:
    x = RNG.standard_normal((60, 2))
    context = {"label": RNG.integers(0, 4, 60), "size": RNG.standard_normal(60), "year": np.arange(60)}
    data = Dataset("array", x, columns=("a", "b"), context=context)
    schema = Schema.from_json(json.loads(json.dumps(Schema.fit(data).to_json())))
    c = schema.encode_context(data)
    assert schema.context_size == c.shape[1] == 4 + 1 + 1
    assert (c[:, :4].argmax(1).numpy() == context["label"]).all() and (c[:, :4].sum(1) == 1).all()
    back = schema.decode(schema.encode(data), c)
    np.testing.assert_array_equal(back.context["label"], context["label"], strict=True)
    np.testing.assert_array_equal(back.context["year"], context["year"], strict=True)
    np.testing.assert_allclose(back.context["size"], context["size"], rtol=1e-5, atol=1e-6)
    given_ = schema.context_from({"label": "2", "size": 0.5, "year": 3}, 7)
    assert given_.shape == (7, 6) and (given_[:, 2] == 1).all()
    assert schema.encode_context(data).dtype == torch.float32


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "--given label=VALUE"),
        ({"label": 9}, "'label' is given as 9, .* 0, 1, 2, 3.*; give one of these"),
        ({"label": "x"}, "not a number"),
    ],
)
def test_a_wrong_context_is_named(given_: dict[str, Any], words: str) -> None:
    data = Dataset("array", RNG.standard_normal((60, 2)), columns=("a", "b"), context={"label": np.arange(60) % 4})
    with pytest.raises(InputError, match=words):
        Schema.fit(data).context_from(given_, 3)
    with pytest.raises(InputError, match="'hue'"):
        Schema.fit(data).prefix_from({"hue": 1})
    with pytest.raises(InputError, match="lacks the context 'label'"):
        Schema.fit(data).encode_context(Dataset("array", data.values, columns=("a", "b")))


def test_few_frequent_whole_numbers_are_categories_whichever_part_has_them() -> None:
    x = RNG.standard_normal((400, 1))
    context = {
        "group": np.repeat([0, 1, 7], [195, 200, 5]),
        "count": np.repeat([0, 1, 2, 7], [195, 150, 54, 1]),
        "rare": np.repeat([False, True], [396, 4]),
    }
    data = Dataset("array", x, "t.csv", columns=("a",), context=context)
    schema = Schema.fit(data.take(np.arange(0, 300)), data)
    assert schema.context_size == 3 + 1 + 1
    c = schema.encode_context(data)
    back = schema.decode(schema.encode(data), c)
    for name, values in context.items():
        np.testing.assert_array_equal(back.context[name], values, strict=True)


@pytest.mark.parametrize(
    ("context", "words"),
    [
        (
            {"label": np.array([0, 9]), "size": np.zeros(2)},
            "t.csv: row 2, context 'label' holds 9, .*leave such rows out",
        ),
        (
            {"label": np.zeros(2, int), "size": np.array([5.9, 6.1])},
            "t.csv: row 2, context 'size' holds 6.1, .*-2 to 2 ",
        ),
        ({"label": np.zeros(2, int), "size": np.array(["a", "b"])}, "t.csv: context 'size' holds text"),
    ],
)
def test_rows_under_a_context_far_from_all_that_was_seen_are_named(context: dict[str, Any], words: str) -> None:
    seen = {"label": np.arange(60) % 4, "size": np.linspace(-2, 2, 60)}
    schema = Schema.fit(Dataset("array", RNG.standard_normal((60, 1)), columns=("a",), context=seen))
    with pytest.raises(InputError, match=words):
        schema.encode_context(Dataset("array", np.zeros((2, 1)), "t.csv", columns=("a",), context=context))
    with pytest.raises(InputError, match=r"'size' is given as -6.1, far outside the -2 to 2 .*nearer to these"):
        schema.context_from({"label": 1, "size": -6.1}, 3)
    assert schema.context_from({"label": 1, "size": -5.9}, 3).shape == (3, 5)


def test_a_context_of_before_its_range_was_kept_is_read() -> None:
    old = {"name": "size", "dtype": "float64", "categories": [], "shift": 1.0, "scale": 2.0}
    column = ContextColumn.from_json(old)
    column.check(np.array([1e9]))
    assert column.encode(np.array([5.0])).tolist() == [[2.0]]


def test_other_data_are_refused_by_their_difference() -> None:
    rows, pictures = load(RNG.standard_normal((30, 3))), load(RNG.integers(0, 256, (30, 4, 4), np.uint8))
    columns, pixels = Schema.fit(rows), Schema.fit(pictures)
    cases = [
        (columns, load(np.ones((5, 2))), "lacks 'x2'"),
        (columns, load(np.ones((5, 4))), "has 'x3' besides"),
        (columns, pictures, "was fitted on columns"),
        (pixels, rows, "was fitted on pictures"),
        (pixels, load(np.zeros((5, 4, 5), np.uint8)), "pictures of 4×5, but the model was fitted on 4×4"),
        (pixels, load(np.zeros((5, 4, 4, 3), np.uint8)), "--mode L"),
        (pixels, Dataset("pictures", np.zeros((5, 4, 4), np.uint8), levels=17), "17 levels"),
    ]
    for schema, data, words in cases:
        with pytest.raises(InputError, match=words):
            schema.check(data)


def test_columns_are_found_by_name_whatever_their_order() -> None:
    schema = Schema.fit(MIXED)
    turned = table(**dict(reversed(MIXED.values.items())))
    torch.testing.assert_close(schema.encode(turned), schema.encode(MIXED), rtol=0, atol=0)


def test_too_few_rows_and_wrong_shapes() -> None:
    with pytest.raises(InputError, match="19 rows to learn from; at least 20"):
        Schema.fit(MIXED.take(slice(19)))
    with pytest.raises(ValueError, match=r"expected vectors of shape \(n, 6\), received \(2, 5\)"):
        Schema.fit(MIXED).decode(torch.zeros(2, 5))


def test_describe_has_a_line_a_column() -> None:
    lines = Schema.fit(MIXED).describe().splitlines()
    age = MIXED.values["age"]
    assert lines[1] == f"age: integer, {age.min()} to {age.max()}"
    assert lines[5] == "unit: constant, 7.25, restored and not modelled"
    assert len(lines) == 8


LAWS = {
    "lognormal": stats.lognorm(2),
    "cauchy": stats.cauchy(),
    "pareto": stats.pareto(1.5),
    "minus lognormal": stats.lognorm(1.5, scale=1e6),
    "normal": stats.norm(5, 3),
    "uniform": stats.uniform(),
}


@pytest.mark.parametrize("name", LAWS)
def test_far_values_are_drawn_in_where_tails_are_heavy(name: str) -> None:
    x = (-1 if name.startswith("minus") else 1) * LAWS[name].rvs(5000, random_state=0)
    table = Dataset("table", {"x": x, "z": np.arange(5000.0) ** 1.1}, columns=("x", "z"))
    schema = Schema.fit(table)
    assert isinstance(schema.patterns, Columns)
    assert [column.bent for column in schema.patterns.columns] == [name not in ("normal", "uniform"), False]
    y = schema.encode(table, torch.float64)
    assert stats.kurtosis(y[:, 0].numpy()) < 3, "little is left of the tail"
    back = schema.decode(y)
    np.testing.assert_allclose(back.column("x"), x, rtol=1e-9, atol=1e-12 * np.abs(x).max())
    again = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    torch.testing.assert_close(again.encode(table, torch.float64), y, rtol=0, atol=0)


def test_the_log_determinant_of_a_bend_is_that_of_its_derivative() -> None:
    x = stats.lognorm(2).rvs(1000, random_state=0)
    step = 1e-6 * x
    up, at, down = (Dataset("array", v[:, None], columns=("x",)) for v in (x + step, x, x - step))
    schema = Schema.fit(at)
    slope = (schema.encode(up, torch.float64) - schema.encode(down, torch.float64))[:, 0] / torch.from_numpy(2 * step)
    torch.testing.assert_close(schema.log_det(at), slope.log(), rtol=1e-6, atol=1e-6)


def test_a_bend_knows_no_units() -> None:
    x = stats.t(2).rvs((2000, 1), random_state=0)
    metres, kilometres = (Dataset("array", v, columns=("x",)) for v in (1000 * x, x))
    schemas = [Schema.fit(data) for data in (metres, kilometres)]
    codes = [schema.encode(data, torch.float64) for schema, data in zip(schemas, (metres, kilometres), strict=True)]
    torch.testing.assert_close(*codes)
    torch.testing.assert_close(
        schemas[1].log_det(kilometres) - schemas[0].log_det(metres), torch.full((2000,), 1000.0).double().log()
    )


def test_the_variables_of_a_series_are_not_bent() -> None:
    data = load(pd.DataFrame({"x": stats.cauchy().rvs(400, random_state=0)}), series=True, window=8)
    patterns = Schema.fit(data).patterns
    assert isinstance(patterns, Windows) and not patterns.columns.columns[0].bent


def test_bends_do_not_depend_on_the_order_of_rows_and_see_the_farthest() -> None:
    x = np.random.default_rng(0).normal(size=20_001)
    x[[1, 2001, 4001]] = 1e7
    found = [Column.fit("x", np.roll(x, k), bend=True) for k in range(3)]
    assert found[0].bent and len({(column.shift, column.scale) for column in found}) == 1
    y = found[0].encode(x)
    assert abs(y.mean()) < 1e-9 and y.std() == pytest.approx(1)


@pytest.mark.parametrize("n", [4, 10, 600, 20_001])
@pytest.mark.parametrize(
    "values", [[0.1, 0.7], [0.5, 1.5, 2.5], [0.5, 3.7, 8.1], [-1e300, 0.3], [1.0, 1.0 + 2e-16, 3.5]]
)
def test_columns_of_few_values_are_lines_or_bent_but_no_error(values: list[float], n: int) -> None:
    rng = np.random.default_rng(n)
    for share in (0.5, 0.999):
        x = np.where(rng.random(n) < share, values[0], rng.choice(values, n))
        x[:2] = values[:2]
        column = Column.fit("x", x, bend=True)
        assert np.isfinite(column.encode(x)).all() and np.isfinite(column.log_det(x)).all()
        assert not (column.bent and len(values) == 2)
        np.testing.assert_allclose(column.decode(column.encode(x)), x, rtol=1e-12, atol=1e-12 * np.abs(x).max())


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_great_whole_numbers_are_bent_and_stay_whole(dtype: type) -> None:
    x = np.floor(stats.lognorm(2, scale=1e6).rvs(5000, random_state=0)).astype(dtype)
    column = Column.fit("x", x, bend=True)
    assert column.bent and column.integral and column.kind == "continuous"
    back = column.decode(column.encode(x))
    assert back.dtype == dtype and (back == np.rint(back)).all()
    np.testing.assert_allclose(back, x, rtol=1e-12, atol=0.5)


def test_a_value_that_many_share_is_spoken_of() -> None:
    rng = np.random.default_rng(0)
    money = np.where(rng.random(1000) < 0.6, 0.0, rng.lognormal(size=1000))
    table = {"money": money, "size": rng.normal(size=1000), "count": rng.poisson(0.1, 1000)}
    schema = Schema.fit(Dataset("table", table, "t", tuple(table)))
    share = 100 * (money == 0).mean()
    assert "% of them 0\nsize: continuous, -" in schema.describe()
    assert schema.caution.startswith(f"Of money {share:.0f} % are 0: a density has no upper bound")
    assert Schema.from_json(schema.to_json()).caution == schema.caution
    assert not Schema.fit(Dataset("table", {"size": table["size"]}, "t", ("size",))).caution
