"""Pictures of mixed sizes and modes, from folders and zips, through the cache."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pushforward import fit
from pushforward.data import export, load
from pushforward.data.categories import Categories
from pushforward.errors import InputError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (30, 6, 5), np.uint8)
COLOUR = RNG.integers(0, 256, (30, 6, 5, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_of(x: np.ndarray, folder: Path) -> Path:
    (folder / "pics" / "sub").mkdir(parents=True)
    for i, picture in enumerate(x):
        where = "sub/" if i >= len(x) // 2 else ""
        Image.fromarray(picture).save(folder / "pics" / f"{where}{i:03d}.png")
    return folder / "pics"


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as file:
        for p in folder.rglob("*"):
            file.write(p, p.relative_to(folder))
    return path


@pytest.mark.parametrize("x", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("way", ["folder", "zip"])
def test_pictures_come_in_by_the_order_of_their_names(x: np.ndarray, way: str, tmp_path: Path) -> None:
    folder = folder_of(x, tmp_path)
    data = load(folder if way == "folder" else zipped(folder))
    assert (data.file_kind, data.levels, data.skipped) == (way, 256, 0)
    np.testing.assert_array_equal(data.values, x)


def test_mixed_modes_become_one(tmp_path: Path) -> None:
    tmp_path = tmp_path / "m"
    tmp_path.mkdir()
    Image.fromarray(COLOUR[0]).save(tmp_path / "0.png")
    Image.fromarray(GREY[0]).save(tmp_path / "1.png")
    Image.fromarray(GREY[1].astype(np.uint16) * 257).save(tmp_path / "2.png")
    clear = np.dstack([COLOUR[1], np.zeros((6, 5), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "3.png")
    Image.fromarray(GREY[2] > 99).save(tmp_path / "4.png")
    x = load(tmp_path).values
    assert x.shape == (5, 6, 5, 3)
    np.testing.assert_array_equal(x[0], COLOUR[0])
    np.testing.assert_array_equal(x[1], GREY[0][..., None].repeat(3, -1))
    np.testing.assert_array_equal(x[2], GREY[1][..., None].repeat(3, -1))
    assert (x[3] == 255).all(), "what is transparent is white"
    np.testing.assert_array_equal(x[4, ..., 0], np.where(GREY[2] > 99, 255, 0))
    grey = load(tmp_path, mode="L").values
    np.testing.assert_array_equal(grey[1], GREY[0])
    assert grey.shape == (5, 6, 5)


def test_the_shorter_side_is_resized_and_the_middle_kept(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 200  # the middle third
    Image.fromarray(wide).save(folder / "a.png")
    Image.fromarray(wide.T).save(folder / "b.png")
    Image.fromarray(np.full((40, 40), 77, np.uint8)).save(folder / "c.png")
    x = load(folder, size=10).values
    assert (x[0] == 200).all() and (x[1] == 200).all() and (x[2] == 77).all()
    assert load(folder, size=(10, 20)).values.shape == (3, 10, 20)


def test_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    halves = np.repeat(np.array([[0], [200]], np.uint8), 8, axis=0).repeat(24, axis=1)  # dark above, light below
    Image.fromarray(halves).save(folder / "a.jpg", exif=exif, quality=100)
    two = {"format": "MPO", "save_all": True, "append_images": [Image.fromarray(halves)]}  # as cameras write them
    Image.fromarray(halves).save(folder / "b.jpg", exif=exif, quality=100, **two)
    for x in load(folder).values.astype(int):
        assert x.shape == (24, 16)
        assert np.abs(x - np.rot90(halves, -1)).max() <= 2


def test_corrupt_pictures_are_skipped_and_counted(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(GREY, tmp_path)
    whole = (folder / "003.png").read_bytes()
    (folder / "003.png").write_bytes(whole[:-40])  # its header is good, its pixels are cut short
    (folder / "004.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"pics: 004\.png is not a picture"):
        load(folder)
    assert not list(cache.glob("*")), "nothing half done is kept"
    for _ in range(2):  # decoded, then from the cache
        data = load(folder, skip_bad=True)
        assert data.skipped == 2
        np.testing.assert_array_equal(data.values, np.delete(GREY, [3, 4], axis=0))


def test_the_cache_is_used_mapped_and_renewed(tmp_path: Path, cache: Path) -> None:
    folder = folder_of(GREY, tmp_path)
    seen: list[tuple[int, int]] = []
    first = load(folder, progress=lambda done, total: seen.append((done, total)))
    assert isinstance(first.values, np.memmap) and seen == [(30, 30)]
    load(folder, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == 1, "the second time it comes from the cache"
    (kept,) = cache.glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:200])  # a damaged cache is made anew
    np.testing.assert_array_equal(load(folder).values, GREY)
    Image.fromarray(GREY[5]).save(folder / "000.png")
    (folder / "001.png").unlink()
    changed = load(folder).values
    np.testing.assert_array_equal(changed[0], GREY[5])
    assert len(changed) == 29


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    data = load(folder_of(GREY, tmp_path), cache=tmp_path / "file" / "cache")
    np.testing.assert_array_equal(data.values, GREY)


def test_a_zip_is_not_extracted(tmp_path: Path) -> None:
    path = zipped(folder_of(GREY, tmp_path))
    before = {p for p in tmp_path.rglob("*") if "cache" not in p.parts}
    load(path)
    assert {p for p in tmp_path.rglob("*") if "cache" not in p.parts} == before


def test_arrays_of_pictures_are_framed_like_files(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (20, 16, 12), np.uint8)
    from_files = load(folder_of(x, tmp_path), size=6).values
    np.testing.assert_array_equal(load(x, size=6).values, from_files)
    assert load(COLOUR, mode="L").values.shape == (30, 6, 5)


def labelled(folder: Path, each: int = 3) -> Path:
    """Pictures of three labels, one of them with a further subfolder."""
    for j, label in enumerate(("cat/old", "dog", "ant")):
        (folder / label).mkdir(parents=True)
        for i in range(each):
            Image.fromarray(GREY[each * j + i]).save(folder / label / f"{i}.png")
    return folder


@pytest.mark.parametrize("way", ["folder", "zip", "zip of a folder"])
def test_subfolders_are_labels_where_they_are_asked_for(way: str, tmp_path: Path, cache: Path) -> None:
    folder = labelled(tmp_path / "pets" / "all")
    source = {"folder": folder, "zip": zipped(folder), "zip of a folder": zipped(folder.parent)}[way]
    for _ in range(2):  # decoded, then from the cache
        data = load(source, context="label")
        assert data.entries("label").tolist() == ["ant"] * 3 + ["cat"] * 3 + ["dog"] * 3
        np.testing.assert_array_equal(data.values, GREY[[6, 7, 8, 0, 1, 2, 3, 4, 5]])
    assert not load(source).context
    with pytest.raises(InputError, match="has no context 'colour'; it has 'label'"):
        load(source, context="colour")


def test_labels_are_those_of_the_pictures_that_can_be_read(tmp_path: Path, cache: Path) -> None:
    folder = labelled(tmp_path / "pets")
    (folder / "ant" / "1.png").write_bytes(b"no picture")
    cut = (folder / "cat/old/0.png").read_bytes()
    (folder / "cat/old/0.png").write_bytes(cut[:60])  # its header is whole
    for _ in range(2):
        data = load(folder, context="label", skip_bad=True)
        assert (data.entries("label").tolist(), data.skipped) == (["ant"] * 2 + ["cat"] * 2 + ["dog"] * 3, 2)


def test_pictures_without_a_subfolder_have_no_label(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "pets")
    Image.fromarray(GREY[0]).save(folder / "stray.png")
    with pytest.raises(InputError, match=r"pets: stray.png lies in no subfolder, whose name would be its label"):
        load(folder, context="label")


def test_labelled_samples_come_back_with_their_labels(tmp_path: Path) -> None:
    run = fit(labelled(tmp_path / "pets", each=10), "flow", context="label", steps=2, out=tmp_path / "run")
    export(run.sample(4, given={"label": "dog"}), tmp_path / "dogs")
    assert sorted(p.name for p in (tmp_path / "dogs" / "dog").iterdir()) == [f"{i:05d}.png" for i in range(4)]
    assert load(tmp_path / "dogs", context="label").entries("label").tolist() == ["dog"] * 4
    export(run.sample(2, given={"label": "cat"}), tmp_path / "dogs", force=True)
    assert [p.name for p in (tmp_path / "dogs").iterdir()] == ["cat"]
    with pytest.raises(InputError, match="never saw"):
        run.sample(1, given={"label": "cow"})
    assert np.isfinite(run.log_likelihood(tmp_path / "pets").nats)
    flat = folder_of(GREY, tmp_path / "flat")
    with pytest.raises(InputError, match=r"pics: 000.png lies in no subfolder, whose name would be its label; put"):
        run.log_likelihood(flat)


def test_a_label_that_leads_elsewhere_names_no_folder(tmp_path: Path) -> None:
    data = load(labelled(tmp_path / "pets"), context="label")
    for name in ("../out", "..", "a/b", ""):
        leading = replace(data, categories={"label": Categories((name, "b", "c"))})
        with pytest.raises(InputError, match="no folder can be named"):
            export(leading, tmp_path / "samples")
    assert not (tmp_path / "samples").exists() and not (tmp_path / "out").exists()


def test_a_data_set_is_no_folder_of_samples(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "pets")
    with pytest.raises(InputError, match="holds other things than samples"):
        export(load(folder, context="label"), folder, force=True)
    assert len(list(folder.rglob("*.png"))) == 9


def test_numbered_pictures_of_a_data_set_are_no_samples(tmp_path: Path) -> None:
    """MNIST and others come as PNGs that are numbered in each folder, or lie deeper than samples do."""
    data = load(labelled(tmp_path / "pets"), context="label")
    layouts = [["cat/00000.png", "dog/00000.png"], ["train/cat/00000.png", "train/cat/00001.png"], ["cat/00001.png"]]
    for i, names in enumerate(layouts):
        place = tmp_path / f"precious{i}"
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"dear")
        with pytest.raises(InputError, match="other things than samples"):
            export(data, place, force=True)
        assert all((place / name).exists() for name in names)
    (tmp_path / "empty" / "a").mkdir(parents=True)
    with pytest.raises(InputError, match="other things than samples"):
        export(data, tmp_path / "empty", force=True)
    export(data, tmp_path / "samples")
    export(data, tmp_path / "samples", force=True)
    assert load(tmp_path / "samples", context="label").entries("label").tolist() == data.entries("label").tolist()


@pytest.mark.parametrize("way", ["folder", "zip"])
def test_hidden_folders_hold_no_pictures(way: str, tmp_path: Path) -> None:
    folder = labelled(tmp_path / "pets")
    for name in (".thumbnails", "__MACOSX", "cat/.old"):
        (folder / name).mkdir()
        Image.fromarray(GREY[0]).save(folder / name / "0.png")
    (folder / "dog" / "folder.png").mkdir()
    data = load(folder if way == "folder" else zipped(folder), context="label")
    assert data.entries("label").tolist() == ["ant"] * 3 + ["cat"] * 3 + ["dog"] * 3


def test_folders_that_links_lead_to_hold_pictures(tmp_path: Path) -> None:
    """A set of labels is often a folder of links; one that leads back up would have no end."""
    for i, picture in enumerate(GREY):
        place = tmp_path / "elsewhere" / f"animal-{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{i:03d}.png")
    (tmp_path / "pets").mkdir()
    for link, target in {"cat": "elsewhere/animal-0", "dog": "elsewhere/animal-1", "cat/up": "pets"}.items():
        (tmp_path / "pets" / link).symlink_to(tmp_path / target, target_is_directory=True)
    data = load(tmp_path / "pets", context="label")
    assert len(data) == len(GREY)
    assert data.context["label"].tolist() == [0] * 15 + [1] * 15


def test_a_label_is_text(tmp_path: Path) -> None:
    folder = labelled(tmp_path / "pets")
    (folder / "ant").rename(folder / os.fsdecode(b"caf\xe9"))
    with pytest.raises(InputError, match=r"subfolder 'caf\\udce9' is no text in UTF-8; rename it"):
        load(folder, context="label")
