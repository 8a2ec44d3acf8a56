"""Runs: stopped, killed, damaged and resumed, they end where they would have ended, or say what is wrong."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import pushforward as pf
from pushforward import fitting
from pushforward.errors import DivergedError, InputError, NoDensityError, RunError
from pushforward.families import FAMILIES
from pushforward.storage import read_json, read_tensors, write_json, write_tensors
from pushforward.training.loop import Settings

SMALL = {"hidden": [16, 16], "batch": 32}
OFTEN = Settings(checkpoint_seconds=0.0, patience=1000)  # a checkpoint after every step
forkserver = multiprocessing.get_context("forkserver")
forkserver.set_forkserver_preload(["pushforward.fitting", "pushforward.models.flow", "pyarrow", "sklearn.datasets"])


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def table(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    x[:, 1] += x[:, 0] ** 2
    return x


def fit_small(family: str, out: Path, steps: int, settings: Settings = OFTEN) -> pf.Run:
    return pf.fit(table(), family, out=out, steps=steps, options=SMALL, settings=settings, device="cpu")


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return read_tensors(directory / "model.safetensors")[0]


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


# ------------------------------------------------------------------------------------------------------------- killing


def _fit_or_resume(family: str, out: Path, steps: int) -> None:
    torch.set_num_threads(1)
    if (out / "run.json").exists():
        pf.resume(out, device="cpu")
    else:
        fit_small(family, out, steps)


def _die_within_a_checkpoint(family: str, out: Path, steps: int, after: int) -> None:
    """Fit, but kill this process between the writing of a checkpoint and its renaming."""
    written = 0
    fsync = os.fsync

    def deadly(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written > after:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)

    os.fsync = deadly
    _fit_or_resume(family, out, steps)


def _started(target, *arguments) -> multiprocessing.Process:
    process = forkserver.Process(target=target, args=arguments)
    process.start()
    return process


@pytest.mark.parametrize("family", FAMILIES)
def test_killed_at_twenty_moments_it_ends_bit_for_bit(family: str, tmp_path: Path) -> None:
    steps, moments = 200, random.Random(family)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    began = time.monotonic()
    process = _started(_fit_or_resume, family, whole, steps)
    process.join()
    assert process.exitcode == 0
    duration = time.monotonic() - began
    deaths = 0
    for moment in range(20):
        if moment % 4 == 3:
            process = _started(_die_within_a_checkpoint, family, killed, steps, moments.randrange(4, 40))
            process.join()
        else:
            process = _started(_fit_or_resume, family, killed, steps)
            process.join(moments.uniform(0.02, 0.12) * duration)
            process.kill()
            process.join()
        deaths += process.exitcode == -signal.SIGKILL
        if process.exitcode == 0:
            break
    if not (killed / "run.json").exists() or pf.Run(killed).status == "running":
        process = _started(_fit_or_resume, family, killed, steps)
        process.join()
        assert process.exitcode == 0
    assert deaths >= 5
    assert_same(weights(whole), weights(killed))
    metrics = [row["step"] for row in pf.Run(killed).metrics()]
    assert metrics == [row["step"] for row in pf.Run(whole).metrics()]
    assert not list(tmp_path.rglob("*.tmp")) or deaths  # what a kill leaves is never taken for the real thing


def _fit_long(out: Path) -> None:
    torch.set_num_threads(1)
    fit_small("vae", out, 1_000_000, Settings(checkpoint_seconds=30.0, patience=10_000))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_goes_on(number: int, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _started(_fit_long, out)
    until = time.monotonic() + 30
    while not (out / "metrics.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(process.pid, number)
    process.join(30)
    assert process.exitcode == 0
    run = pf.Run(out)
    assert run.status == "interrupted" and run.record["trained"]["step"] > 0
    assert run.sample(5).numeric().shape == (5, 3)


# ------------------------------------------------------------------------------------------------------------ resuming


def test_a_finished_run_is_taken_further_and_not_without_saying_how_far(tmp_path: Path) -> None:
    run = fit_small("flow", tmp_path / "run", 20)
    run.record["results"] = {"log_likelihood": None, "audit": None}
    run.save()
    (run.directory / "report.html").write_text("a page")
    with pytest.raises(InputError, match="--steps or --budget"):
        pf.resume(run.directory)
    further = pf.resume(run.directory, steps=15, device="cpu")
    assert further.record["trained"]["step"] == 35 and further.status == "finished"
    assert [row["step"] for row in further.metrics()] == list(range(1, 36))


def test_data_from_memory_are_kept_and_changed_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    np.savetxt(path, table(), delimiter=",", header="a,b,c", comments="")
    run = pf.fit(path, "vae", out=tmp_path / "run", steps=3, options=SMALL, device="cpu")
    path.write_text(path.read_text().replace("0", "1"))
    with pytest.raises(RunError, match="fingerprint"):
        pf.resume(run.directory, steps=1)
    digits = pf.load("digits", context="label").take(slice(0, 300))
    kept = pf.fit(digits, "vae", out=tmp_path / "kept", steps=2, options=SMALL, device="cpu")
    assert kept.data().fingerprint() == digits.fingerprint()


@pytest.mark.parametrize("family", FAMILIES)
def test_context_reaches_the_model_through_every_door(family: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    group = np.arange(400) % 2
    x = np.stack([rng.normal(size=400) + 8 * group, rng.normal(size=400)], 1)
    import pandas as pd

    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "group": group})
    options = SMALL | {"learning_rate": 5e-3}
    run = pf.fit(frame, family, context="group", out=tmp_path / "run", steps=150, options=options, device="cpu")
    low, high = (run.sample(200, given={"group": g}).column("a").mean() for g in (0, 1))
    assert high - low > 4
    with pytest.raises(InputError, match="group"):
        run.sample(3)
    if FAMILIES[family].density:
        values, _ = run.score_samples(frame, k=10)
        assert values.shape == (400,) and np.isfinite(values).all()


def test_figures_of_another_model_are_forgotten_and_a_missing_page_is_made_up_for(tmp_path: Path) -> None:
    from pushforward.reporting import finish

    run = fit_small("vae", tmp_path / "run", 10)
    assert pf.resume(run.directory, device="cpu").results == {}  # it lacks its page alone, which is no error
    assert finish(run).results["log_likelihood"] and (run.directory / "report.html").exists()
    further = pf.resume(run.directory, steps=5, device="cpu")
    assert further.results == {} and not (run.directory / "report.html").exists()


def test_a_damaged_checkpoint_of_a_later_leg_changes_nothing(tmp_path: Path) -> None:
    ends = []
    for name in ("whole", "damaged"):
        run = fit_small("vae", tmp_path / name, 12)
        if name == "damaged":
            run.record["legs"].append({"first_step": 12, "first_second": 0.0, "steps": 8, "seconds": None})
            run.record["status"] = "running"
            run.save()
            run.checkpoints.files[-1].write_bytes(b"")
            with pytest.warns(UserWarning, match="step-"):
                pf.resume(run.directory, device="cpu")
        else:
            pf.resume(run.directory, steps=8, device="cpu")
        ends.append(weights(run.directory))
    assert_same(*ends)


def test_damaged_weights_are_refused_and_made_again(tmp_path: Path) -> None:
    run = fit_small("vae", tmp_path / "run", 12)
    path, before = run.directory / "model.safetensors", weights(run.directory)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunError, match="resume"):
        pf.open(run.directory).sample(3)
    pf.resume(run.directory, device="cpu")
    assert_same(weights(run.directory), before)


def test_one_impossible_validation_row_does_not_end_training(tmp_path: Path) -> None:
    x = table(400)
    x[:, 2] = x[:, 2] > 0
    clean = pf.fit(x, "autoregressive", out=tmp_path / "b", steps=200, options=SMALL, device="cpu")
    one = clean.splits().validation.numeric()[0]
    x[(x == one).all(1), 2] = 2
    run = pf.fit(x, "autoregressive", out=tmp_path / "c", steps=200, options=SMALL, device="cpu")
    assert run.record["trained"]["step"] == 200
    assert abs(run.record["trained"]["best"] - clean.record["trained"]["best"]) < 1


def test_a_number_of_the_context_seen_only_in_held_out_rows_conditions(tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame({"a": table(400)[:, 0], "group": np.arange(400) % 2})
    parts = pf.split(pf.load(frame, context="group"), seed=0)
    one = parts.test.numeric()[0, 0]
    frame.loc[frame["a"] == one, "group"] = 7
    run = pf.fit(frame, "vae", context="group", out=tmp_path / "run", steps=1, options=SMALL)
    assert run.schema.context_size == 1, "one 7 makes no category"
    assert np.isfinite(run.score_samples(frame, k=2)[0]).all()


@pytest.mark.parametrize("family", ["flow", "autoregressive"])
def test_what_training_begins_with_is_kept_where_few_rows_teach_nothing_better(family: str, tmp_path: Path) -> None:
    """A normal law of eight columns from 100 rows: flows of the default size learn those by heart."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(8, 8))
    x, fresh = rng.normal(size=(100, 8)) @ mixing, rng.normal(size=(2000, 8)) @ mixing
    fitted = multivariate_normal(x.mean(0), np.cov(x.T)).logpdf(fresh).mean()
    run = pf.fit(x, family, steps=100, out=tmp_path / "run")
    values, _ = run.score_samples(fresh)
    assert values.mean() > fitted - 1.0  # without its start among them 5 and 2 nats less
    assert run.record["trained"]["best_step"] < 20


# What torch imports to compile warns of its own past.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles with a C++ compiler")
def test_a_compiled_run_learns_what_the_same_run_learns_uncompiled(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2)) @ [[1.0, 0.5], [0.0, 0.3]]
    plain, fused = (
        pf.fit(x, "autoregressive", steps=20, out=tmp_path / name, settings=Settings(compile=fuse, patience=99))
        for name, fuse in (("plain", False), ("fused", True))
    )
    (mine, _), (own, _) = fused.score_samples(x), plain.score_samples(x)
    np.testing.assert_allclose(mine, own, atol=1e-3)
    assert pf.resume(tmp_path / "fused", steps=5).record["trained"]["step"] == 25


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_cannot_be_compiled_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, settings = np.random.default_rng(0).normal(size=(100, 2)), Settings(compile=True)
    with pytest.raises(InputError, match="gan is not compiled"):
        pf.fit(x, "gan", steps=1, out=tmp_path / "run", settings=settings)
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, "/no/such/compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    torch.compiler.reset()
    with pytest.raises(InputError, match=r"compiled on this machine .*without compiling"):
        pf.fit(x, "flow", steps=1, out=tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()


def test_budgets_end_in_time(tmp_path: Path) -> None:
    began = time.monotonic()
    patient = Settings(patience=10_000)  # a fast machine would stop early, before the time is over
    run = pf.fit(table(), "vae", out=tmp_path / "run", budget="1s", options=SMALL, device="cpu", settings=patient)
    assert time.monotonic() - began < 5 and run.record["trained"]["seconds"] >= 1


# ------------------------------------------------------------------------------------------------------------- damage


def test_flipped_bytes_are_recognised_and_the_earlier_checkpoint_serves(tmp_path: Path) -> None:
    run = fit_small("vae", tmp_path / "run", 12)
    older, newest = run.checkpoints.files
    content = bytearray(newest.read_bytes())
    rng = random.Random(0)
    for place in rng.sample(range(len(content) // 2, len(content)), 64):
        content[place] ^= 1 << rng.randrange(8)
    newest.write_bytes(content)
    with pytest.raises(RunError, match=newest.name):
        read_tensors(newest)
    with pytest.warns(UserWarning, match=newest.name):
        _, record = run.checkpoints.latest()
    assert record["step"] == int(older.stem.removeprefix("step-"))
    older.write_bytes(older.read_bytes()[:100])
    with pytest.raises(RunError, match="checksum"):
        run.checkpoints.latest()


@pytest.mark.parametrize("seed", range(40))
def test_no_altered_byte_goes_unnoticed(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    tensors = {"a": torch.randn(5, 3), "b": torch.arange(4), "c": torch.zeros((), dtype=torch.bfloat16)}
    write_tensors(tmp_path / "t.safetensors", tensors, {"step": 3})
    write_json(tmp_path / "r.json", {"x": [1.5, None, "é"], "y": {"z": 2}})
    for path, read in ((tmp_path / "t.safetensors", read_tensors), (tmp_path / "r.json", read_json)):
        content = bytearray(path.read_bytes())
        place = rng.randrange(len(content))
        content[place] ^= 1 << rng.randrange(8)
        before = read(path)
        path.write_bytes(content)
        try:
            after = read(path)
        except RunError as error:
            assert path.name in str(error)
        else:  # only white space between the values may differ
            assert json.dumps(after if path.suffix == ".json" else after[1]) == json.dumps(
                before if path.suffix == ".json" else before[1]
            )
            if path.suffix != ".json":
                assert_same(before[0], after[0])


def test_a_newer_format_and_a_folder_that_is_no_run_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"run\.json"):
        pf.open(tmp_path)
    write_json(tmp_path / "run.json", {"format": 99})
    with pytest.raises(RunError, match="format 99"):
        pf.open(tmp_path)
    lacking = {"format": 2, "family": "autoregressive", "architecture": "steps"}
    write_json(tmp_path / "run.json", lacking)
    with pytest.raises(RunError, match="'steps' of format 2"):
        pf.open(tmp_path)
    write_json(tmp_path / "run.json", lacking | {"format": 4})
    with pytest.raises(RunError, match="'steps' of format 4"):
        pf.open(tmp_path)
    write_json(tmp_path / "run.json", {"format": 3})
    with pytest.raises(RunError, match="lacks status"):
        pf.open(tmp_path)
    event = {"blocks": [{"kind": "binary", "size": 2, "width": 1.0, "low": 0.0, "high": 1.0}]}
    write_json(
        tmp_path / "run.json", {"format": 3, "family": "flow", "architecture": "vector", "model": {"event": event}}
    )
    with pytest.raises(RunError, match="discrete columns or pixels of format 3"):
        pf.open(tmp_path)


def test_a_diverging_run_names_the_step_and_keeps_its_checkpoint(tmp_path: Path) -> None:
    options = SMALL | {"learning_rate": 1e8}
    with pytest.raises(DivergedError, match=r"step \d+.*checkpoint.*learning"):
        pf.fit(table(), "vae", out=tmp_path / "run", steps=50, options=options, device="cpu")
    tensors, _ = pf.Run(tmp_path / "run").checkpoints.latest()
    assert all(t.isfinite().all() for t in tensors.values() if t.is_floating_point())


# ------------------------------------------------------------------------------------------------------------- manners


def test_the_global_random_state_is_left_alone_and_seeds_decide(tmp_path: Path) -> None:
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002  # the global state is what is watched
    before, before_numpy = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    run = fit_small("gan", tmp_path / "a", 5)
    one, again, other = run.sample(20, seed=1), run.sample(20, seed=1), run.sample(20, seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], before_numpy)  # noqa: NPY002
    assert np.array_equal(one.numeric(), again.numeric()) and not np.array_equal(one.numeric(), other.numeric())
    assert_same(weights(fit_small("gan", tmp_path / "b", 5).directory), weights(run.directory))


def test_a_gan_is_asked_for_no_likelihood(tmp_path: Path) -> None:
    run = fit_small("gan", tmp_path / "run", 2)
    with pytest.raises(NoDensityError, match="audit"):
        run.log_likelihood()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
def test_every_type_of_array_is_welcome_and_comes_back(dtype: type, tmp_path: Path) -> None:
    x = np.clip(table() * 10 + 50, 0, 255).astype(dtype)
    run = pf.fit(x, "vae", out=tmp_path / "run", steps=3, options=SMALL, device="cpu")
    drawn = run.sample(10)
    assert drawn.numeric().shape == (10, 3) and drawn.values.dtype == dtype


def test_force_replaces_a_run_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("dear")
    with pytest.raises(InputError, match="not a run"):
        pf.fit(table(), "vae", out=tmp_path / "letters", steps=1, options=SMALL, force=True)
    assert (tmp_path / "letters" / "dear.txt").read_text() == "dear"
    first = fit_small("vae", tmp_path / "run", 1)
    again = pf.fit(table(), "flow", out=first.directory, steps=1, options=SMALL, force=True, device="cpu")
    assert again.name == "flow" and pf.open(first.directory).name == "flow"


def test_tensorboard_files_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = pf.fit(table(), "vae", out=tmp_path / "run", steps=3, options=SMALL, device="cpu", tensorboard=True)
    assert list((run.directory / "tensorboard").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("within", ["first_checkpoint", "stream_of"])
def test_who_stops_it_before_the_first_step_can_go_on(
    within: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = getattr(fitting, within)

    def stopping(*arguments: object) -> object:
        os.kill(os.getpid(), number)
        return was(*arguments)

    monkeypatch.setattr(fitting, within, stopping)
    run = fit_small("vae", tmp_path / "run", 5)
    assert run.status == "interrupted" and run.record["trained"]["step"] == 1
    monkeypatch.setattr(fitting, within, was)
    assert pf.resume(run.directory, device="cpu").status == "finished"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 2.5}, "the number of steps is a whole number, not 2.5"),
        ({"steps": True}, "the number of steps is a whole number, not True"),
        ({"steps": "3"}, "the number of steps is a whole number, not '3'"),
        ({"seed": None}, "a seed is a whole number from 0 on, below 2⁶³, not None"),
        ({"seed": "a"}, "a seed is a whole number from 0 on, below 2⁶³, not 'a'"),
        ({"seed": -1}, "a seed is a whole number from 0 on, below 2⁶³, not -1"),
        ({"options": [8]}, r"the options are values by name, not \[8\]"),
    ],
)
def test_what_a_fit_is_not_asked_for(wrong: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        pf.fit(table(), **{"steps": 1, "out": tmp_path / "run", **wrong})
    assert not list(tmp_path.iterdir())


def test_what_a_run_is_not_asked_for(tmp_path: Path) -> None:
    run, x = fit_small("vae", tmp_path / "run", 1), table(20)
    for k in (0, -1, 1.5, True, "3"):
        for ask in (lambda k: run.score_samples(x, k=k), lambda k: run.log_likelihood(x, k=k)):
            with pytest.raises(InputError, match="the number k of importance samples is a whole number from 1 on"):
                ask(k)
    for n in (2.5, "3", True, None):
        with pytest.raises(InputError, match="the number of patterns is a whole number"):
            run.sample(n)
    for seed in (-1, "a", None, 2**63):
        for ask in (lambda seed: run.sample(3, seed), lambda seed: run.score_samples(x, seed=seed)):
            with pytest.raises(InputError, match="a seed is a whole number from 0 on"):
                ask(seed)
    with pytest.raises(InputError, match=r"the values given are values by name, not \['x0'\]"):
        run.sample(3, given=["x0"])


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    options = {"transforms": np.int64(2), "hidden": np.array([8, 8]), "learning_rate": np.float32(0.001)}
    run = pf.fit(table(), steps=np.int64(2), seed=np.int32(3), options=options, out=tmp_path / "run", device="cpu")
    again = pf.open(run.directory)
    assert again.seed == 3 and again.record["model"]["transforms"] == 2 and again.record["model"]["hidden"] == [8, 8]
    assert np.array_equal(run.sample(np.int64(3), np.int64(1)).numeric(), again.sample(3, 1).numeric())
    assert run.log_likelihood(table(20), k=np.int64(2)).n == 20


def test_one_family_may_be_compared_by_its_name(tmp_path: Path) -> None:
    compared = pf.compare(table(), "vae", out=tmp_path / "one", steps=1, device="cpu")
    assert [run.name for run in compared.runs] == ["vae"]


def test_what_cannot_be_used_leaves_nothing_behind(tmp_path: Path) -> None:
    for wrong in ({"options": {"nonsense": 1}}, {"model": "diffusion"}, {"device": "abacus"}, {"budget": "soon"}):
        with pytest.raises(InputError):
            pf.fit(table(), **{"model": "flow", "out": tmp_path / "run", **wrong})
    assert not list(tmp_path.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit_small("flow", tmp_path / "run", 1)
    with pytest.raises(InputError, match="--force"):
        fit_small("flow", tmp_path / "run", 1)


@pytest.mark.parametrize("family", ["flow", "autoregressive"])
@pytest.mark.parametrize(("first", "spread"), [(10**9, 200_000), (3 * 10**6, 10), (2 * 10**7, 2000), (10**12, 1000)])
def test_whole_numbers_far_from_zero_are_possible(first: int, spread: int, family: str, tmp_path: Path) -> None:
    """Dates as 20180101, times of Unix, prices in cents: zero, where their grid begins, is millions of steps away."""
    rng = np.random.default_rng(0)
    x = np.stack([first + rng.integers(0, spread, 400), rng.integers(0, 5, 400)], 1)
    run = pf.fit(x, family, steps=2, out=tmp_path / family)
    assert np.isfinite(run.score_samples(x)[0]).all()
    assert np.isfinite(run.score_samples(run.sample(50))[0]).all()
    assert (run.score_samples(x + 0.5)[0] == -np.inf).all()
