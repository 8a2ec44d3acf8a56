"""The command line, by its real door: what it prints for whom, and what it says when it cannot do what was asked."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from pushforward.cli import main
from pushforward.storage import read_json, write_json
from test_data_bad_input import BAD_INPUT, Make

SMALL = ["--set", "hidden=[16,16]", "--set", "batch=64"]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def pushforward(*arguments: object) -> Outcome:
    """What ``pushforward ARGUMENTS`` does, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["pushforward", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as caught,
    ):
        main()
    return Outcome(int(caught.value.code or 0), out.getvalue(), err.getvalue())


def succeed(*arguments: object) -> Outcome:
    outcome = pushforward(*arguments)
    assert outcome.code == 0, outcome.err
    return outcome


def frame(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """A continuous, an integer and a binary column that depend on one another."""
    rng = np.random.default_rng(seed)
    length = rng.normal(size=n)
    return pd.DataFrame(
        {"length": length, "count": rng.poisson(3 + np.abs(length)), "sold": (length + rng.normal(size=n) > 0) * 1}
    )


@dataclass(frozen=True)
class Shelf:
    """A table, and runs that have learnt from it."""

    folder: Path

    @property
    def table(self) -> Path:
        return self.folder / "table.csv"

    @property
    def samples(self) -> Path:
        """Rows of the same columns and another law."""
        return self.folder / "samples.csv"

    def copy(self, name: str, folder: Path) -> Path:
        """A run of one's own, to spoil."""
        return Path(shutil.copytree(self.folder / name, folder / name))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    frame().to_csv(shelf.table, index=False)
    frame(seed=1).assign(count=lambda t: t["count"] + 2).to_csv(shelf.samples, index=False)
    for name, model, more in (("flow", "flow", []), ("gan", "gan", []), ("given", "vae", ["--context", "sold"])):
        argv = ["fit", shelf.table, "--model", model, "--steps", 3, "--out", shelf.folder / name, *SMALL, *more]
        succeed(*argv, "--device", "cpu")
    return shelf


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHFORWARD_CACHE", str(tmp_path_factory.mktemp("cache")))


# ---------------------------------------------------------------------------------------------------- what cannot be


def everything_below(folder: Path) -> dict[str, str]:
    """Every file and folder, with a digest of what the files hold."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def assert_refused(arguments: list[object], words: tuple[str, ...], folder: Path) -> None:
    """One sentence on standard error, exit status 2, and nothing written or harmed."""
    before = everything_below(folder)
    outcome = pushforward(*arguments)
    assert outcome.code == 2, outcome
    assert outcome.err.startswith("pushforward: ") and outcome.err.count("\n") == 1, outcome.err
    assert not outcome.out
    for word in words:
        assert word in outcome.err
    assert "Traceback" not in outcome.err and len(outcome.err) < 600
    assert everything_below(folder) == before


def as_arguments(options: dict[str, Any]) -> list[object] | None:
    """Arguments of ``load`` as the command line has them; ``None`` where it has not."""
    source = options.pop("source")
    if not isinstance(source, str | Path) or "\0" in str(source) or options.get("size") == 0:
        return None
    flags = [flag for name, value in options.items() for flag in (f"--{name.replace('_', '-')}", value)]
    return [source, *(flag for flag in flags if flag is not True)]


def can_be_said(make: Make) -> bool:
    """Whether the data are not in memory, and the command line has no refusal of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return as_arguments(make(Path(folder))) is not None


SAID = [case for case in BAD_INPUT if can_be_said(case[1])]


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in SAID], ids=[case[0] for case in SAID])
def test_bad_data_are_refused(make: Make, words: tuple[str, ...], tmp_path: Path) -> None:
    arguments = as_arguments(make(tmp_path))
    assert arguments is not None
    assert_refused(["fit", *arguments, "--steps", 1, "--out", tmp_path / "run"], words, tmp_path)


Prepare = Callable[[Shelf, Path], list[object]]


def fitting(*arguments: object) -> Prepare:
    return lambda shelf, folder: ["fit", shelf.table, "--out", folder / "run", "--steps", 1, *arguments]


def with_run(command: str, name: str, *arguments: object, out: str | None = None) -> Prepare:
    """A command on a run, perhaps with a place to write to."""

    def prepare(shelf: Shelf, folder: Path) -> list[object]:
        filled = [shelf.table if a is TABLE else a for a in arguments]
        return [command, shelf.folder / name, *filled, *([] if out is None else ["--out", folder / out])]

    return prepare


TABLE = object()  # stands for the path of the shelf's table


def onto_existing(command: str) -> Prepare:
    def prepare(shelf: Shelf, folder: Path) -> list[object]:
        there = folder / "there.csv"
        there.write_text("dear to somebody")
        arguments = {
            "fit": [shelf.table, "--steps", 1],
            "compare": [shelf.table, "--steps", 1],
            "sample": [shelf.folder / "flow", "-n", 3],
            "score": [shelf.folder / "flow", shelf.table],
            "audit": [shelf.table, shelf.samples],
        }
        return [command, *arguments[command], "--out", there]

    return prepare


def onto_a_folder(shelf: Shelf, folder: Path) -> list[object]:
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.txt").write_text("dear to somebody")
    return ["fit", shelf.table, "--steps", 1, "--out", folder / "thesis", "--force"]


def below_a_file(command: str) -> Prepare:
    def prepare(shelf: Shelf, folder: Path) -> list[object]:
        (folder / "file").write_text("not a folder")
        arguments = onto_existing(command)(shelf, folder)
        return [*arguments[:-1], folder / "file" / "out.csv"]

    return prepare


def spoilt(command: str, name: str, spoil: Callable[[Path], None], *arguments: object) -> Prepare:
    """A command on a run in which something was spoilt."""

    def prepare(shelf: Shelf, folder: Path) -> list[object]:
        run = shelf.copy(name, folder)
        spoil(run)
        filled = [folder / "out.csv" if a is OUT else a for a in arguments]
        return [command, run, *filled]

    return prepare


OUT = object()  # stands for a place to write to


def from_the_future(run: Path) -> None:
    write_json(run / "run.json", {**read_json(run / "run.json"), "format": 99})


def edited(run: Path) -> None:
    path = run / "run.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))


def cut_short(run: Path) -> None:
    path = run / "run.json"
    path.write_bytes(path.read_bytes()[:200])


def flip_bytes(*names: str) -> Callable[[Path], None]:
    def spoil(run: Path) -> None:
        for path in (path for name in names for path in run.glob(name)):
            content = bytearray(path.read_bytes())
            for place in range(len(content) - 64, len(content)):
                content[place] ^= 1
            path.write_bytes(content)

    return spoil


def lose_the_data(run: Path) -> None:
    record = read_json(run / "run.json")
    record["data"]["origin"]["source"] = str(run / "gone.csv")
    write_json(run / "run.json", record)


def change_the_data(run: Path) -> None:
    record = read_json(run / "run.json")
    frame(seed=1).to_csv(run.parent / "changed.csv", index=False)
    record["data"]["origin"]["source"] = str(run.parent / "changed.csv")
    write_json(run / "run.json", record)


def other_columns(command: str, rename: dict[str, str], run: str = "flow") -> Prepare:
    def prepare(shelf: Shelf, folder: Path) -> list[object]:
        frame().rename(columns=rename).to_csv(folder / "other.csv", index=False)
        first = shelf.table if command == "audit" else shelf.folder / run
        return [command, first, folder / "other.csv"]

    return prepare


def few_rows(shelf: Shelf, folder: Path) -> list[object]:
    frame(20).to_csv(folder / "few.csv", index=False)
    return ["audit", folder / "few.csv", shelf.samples]


def nothing_there(command: str, *arguments: object) -> Prepare:
    return lambda shelf, folder: [command, folder / "no-run", *[shelf.table if a is TABLE else a for a in arguments]]


BAD_COMMANDS: list[tuple[str, Prepare, tuple[str, ...]]] = [
    ("fit onto something", onto_existing("fit"), ("there.csv exists already", "--force")),
    ("compare onto something", onto_existing("compare"), ("there.csv exists already", "--force")),
    ("sample onto something", onto_existing("sample"), ("there.csv exists", "--force")),
    ("score onto something", onto_existing("score"), ("there.csv exists", "--force")),
    ("audit onto something", onto_existing("audit"), ("there.csv exists already", "--force")),
    ("force onto what is no run", onto_a_folder, ("thesis", "--force", "choose another --out")),
    ("fit below a file", below_a_file("fit"), ("cannot write", "file/out.csv", "choose another place")),
    ("compare below a file", below_a_file("compare"), ("file/out.csv", "choose another")),
    ("sample below a file", below_a_file("sample"), ("file", "choose another")),
    ("score below a file", below_a_file("score"), ("file", "choose another")),
    ("audit below a file", below_a_file("audit"), ("file does not exist", "choose another --out")),
    ("unknown model", fitting("--model", "diffusion"), ("'diffusion'", "flow, autoregressive, vae, gan")),
    ("unknown option of a model", fitting("--set", "layers=3"), ("'layers'", "it has architecture, ", "transforms")),
    ("option without a value", fitting("--set", "hidden"), ("'hidden'", "name=value")),
    (
        "an option set twice",
        fitting("--set", "bins=4", "--set", "bins=6"),
        ("'bins' is set more than once", "'bins=6'"),
    ),
    ("a yes that is text", fitting("--set", "whiten=yes"), ('cannot be "yes"; give it the form of true',)),
    ("a number for a yes", fitting("--set", "whiten=1"), ("cannot be 1; give it the form of true",)),
    ("nothing for a yes", fitting("--set", "whiten=None"), ("cannot be null; give it the form of true",)),
    ("rate out of range", fitting("--set", "learning_rate=1e9"), ("a number from 0 to below 1,000,000,000",)),
    ("width out of range", fitting("--set", "hidden=[64,0]"), ("[64, 0]", "a number from 1 to below")),
    ("batch of nothing", fitting("--set", "batch=0"), ("batch", "cannot be 0")),
    ("hidden layers that are text", fitting("--set", "hidden=wide"), ("hidden", "wide")),
    ("too few bins", fitting("--set", "bins=0"), ("bin", "0")),
    ("learning rate that is text", fitting("--set", "learning_rate=fast"), ("learning_rate", "fast")),
    ("learning rate below zero", fitting("--set", "learning_rate=-1"), ("learning_rate", "-1")),
    ("unknown loss", fitting("--model", "gan", "--set", "loss=wasserstein"), ("loss", "wasserstein", "minimax")),
    ("code without dimensions", fitting("--model", "vae", "--set", "latent=0"), ("latent", "0")),
    ("unknown device", fitting("--device", "abacus"), ("'abacus'", "--device cpu")),
    ("budget that is no time", lambda s, f: ["fit", s.table, "--out", f / "r", "--budget", "soon"], ("'soon'", "90s")),
    ("budget of nothing", lambda s, f: ["fit", s.table, "--out", f / "r", "--budget", "0s"], ("'0s'", "90s")),
    ("steps and a budget", fitting("--budget", "1s"), ("exactly one of steps and budget",)),
    ("no steps", fitting("--steps", 0), ("at least one step",)),
    ("size that is none", fitting("--size", "big"), ("'big'", "32x48")),
    ("size of nothing", fitting("--size", 0), ("'0'", "32x48")),
    ("no model to compare", lambda s, f: ["compare", s.table, "--out", f / "c", "--models", ","], ("no model",)),
    (
        "a model compared with itself",
        lambda s, f: ["compare", s.table, "--out", f / "c", "--models", "vae,vae"],
        ("named twice",),
    ),
    (
        "unknown model to compare",
        lambda s, f: ["compare", s.table, "--out", f / "c", "--models", "vae,ebm"],
        ("'ebm'", "choose one of"),
    ),
    ("no samples", with_run("sample", "flow", "-n", 0, out="s.csv"), ("0 patterns", "-n")),
    ("fewer than no samples", with_run("sample", "flow", "-n", -3, out="s.csv"), ("-3 patterns", "-n")),
    ("samples of an unknown kind", with_run("sample", "flow", "-n", 3, out="s.docx"), ("s.docx", ".csv")),
    ("no context", with_run("sample", "given", "-n", 3, out="s.csv"), ("'sold'", "--given sold=VALUE")),
    (
        "unknown context",
        with_run("sample", "given", "-n", 3, "--given", "colour=1", "--given", "sold=1", out="s.csv"),
        ("colour", "sold"),
    ),
    (
        "context that is text",
        with_run("sample", "given", "-n", 3, "--given", "sold=yes", out="s.csv"),
        ("sold=yes", "not a number"),
    ),
    (
        "unseen category",
        with_run("sample", "given", "-n", 3, "--given", "sold=7", out="s.csv"),
        ("'sold' is given as 7", "0, 1", "give one of these"),
    ),
    (
        "a value given twice",
        with_run("sample", "given", "-n", 3, "--given", "sold=1", "--given", "sold=0", out="s.csv"),
        ("'sold' is set more than once",),
    ),
    (
        "context of a model that has none",
        with_run("sample", "flow", "-n", 3, "--given", "sold=1", out="s.csv"),
        ("sold",),
    ),
    ("likelihood of a GAN", with_run("score", "gan", TABLE), ("gan has no density", "pushforward audit")),
    ("bound of no samples", with_run("score", "given", TABLE, "--k", 0), ("at least one importance sample", "0")),
    ("bound of fewer", with_run("score", "given", TABLE, "--k", -2), ("at least one importance sample", "-2")),
    ("score other columns", other_columns("score", {"count": "amount"}), ("count", "amount")),
    (
        "score without the context",
        other_columns("score", {"sold": "bought"}, "given"),
        ("no column 'sold'", "the model is conditioned on it"),
    ),
    (
        "audit without the context",
        lambda s, f: [*other_columns("audit", {"sold": "bought"})(s, f)[::2], s.folder / "given"],
        ("no column 'sold'", "the model is conditioned on it"),
    ),
    ("score other columns of a context", other_columns("score", {"count": "amount"}, "given"), ("count", "amount")),
    ("audit other columns", other_columns("audit", {"count": "amount"}), ("lacks count", "also has amount")),
    ("audit few rows", few_rows, ("20 patterns", "needs 50")),
    ("audit at no level", lambda s, f: ["audit", s.table, s.samples, "--level", 0], ("level", "0")),
    ("audit at an impossible level", lambda s, f: ["audit", s.table, s.samples, "--level", 2], ("level", "2")),
    ("show what is no run", nothing_there("show"), ("no-run is not a run", "pushforward fit")),
    ("resume what is no run", nothing_there("resume"), ("no-run is not a run",)),
    ("score what is no run", nothing_there("score", TABLE), ("no-run is not a run",)),
    ("sample what is no run", nothing_there("sample", "-n", 3, "--out", "s.csv"), ("no-run is not a run",)),
    ("resume what is finished", with_run("resume", "flow"), ("finished", "--steps or --budget")),
    ("resume by nothing", with_run("resume", "flow", "--steps", 0), ("at least one step",)),
    ("resume elsewhere", with_run("resume", "flow", "--steps", 1, "--device", "abacus"), ("'abacus'",)),
    ("run of a newer format", spoilt("show", "flow", from_the_future), ("format 99", "upgrade pushforward")),
    ("record edited", spoilt("show", "flow", edited), ("run.json", "checksum", "restore")),
    ("record cut short", spoilt("show", "flow", cut_short), ("run.json is truncated or altered", "restore")),
    (
        "weights altered",
        spoilt("sample", "flow", flip_bytes("model.safetensors"), "-n", 3, "--out", OUT),
        ("model.safetensors", "altered"),
    ),
    (
        "every checkpoint altered",
        spoilt("resume", "flow", flip_bytes("checkpoints/*"), "--steps", 1),
        ("step-", "altered"),
    ),
    ("data lost", spoilt("resume", "flow", lose_the_data, "--steps", 1), ("needs the data", "gone.csv", "restore it")),
    ("data changed", spoilt("resume", "flow", change_the_data, "--steps", 1), ("changed.csv", "fingerprint")),
]


@pytest.mark.parametrize(
    ("prepare", "words"), [case[1:] for case in BAD_COMMANDS], ids=[case[0] for case in BAD_COMMANDS]
)
def test_bad_commands_are_refused(prepare: Prepare, words: tuple[str, ...], shelf: Shelf, tmp_path: Path) -> None:
    arguments = prepare(shelf, tmp_path)
    assert_refused(arguments, words, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("fit", ("missing argument 'source'", "pushforward fit --help")),
        ("fit digits", ("missing option '--out'", "pushforward fit --help")),
        ("fit digits --out a --seed -1", ("'--seed'", "pushforward fit --help")),
        ("frobnicate", ("frobnicate", "see pushforward --help")),
        ("--frobnicate", ("--frobnicate", "see pushforward --help")),
        ("show a --nonsense", ("--nonsense", "pushforward show --help")),
        ("sample a -n many --out b.csv", ("'--number'", "pushforward sample --help")),
    ],
)
def test_misuse_is_told_in_a_sentence(arguments: str, words: tuple[str, ...], tmp_path: Path) -> None:
    assert_refused(list(arguments.split()), words, tmp_path)


def test_no_command_at_all_is_told_the_commands() -> None:
    outcome = pushforward()
    assert outcome.code == 2 and not outcome.out
    assert outcome.err == succeed("--help").out


@pytest.mark.parametrize("command", ["fit", "sample", "score"])
def test_a_full_disk_leaves_nothing_behind(
    command: str, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    there = "run" if command == "fit" else "out.csv"
    arguments = [*onto_existing(command)(shelf, tmp_path)[:-1], tmp_path / there]
    monkeypatch.setattr(os, "fsync", full)
    assert_refused(arguments, (there, "No space left"), tmp_path)


def test_a_full_disk_takes_an_audits_page_and_not_its_verdict(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pair = ["audit", shelf.table, shelf.samples]
    told = succeed(*pair).out
    monkeypatch.setattr(os, "fsync", full)
    outcome = pushforward(*pair, "--out", tmp_path / "page.html")
    assert outcome.code == 2 and outcome.out == told, "the verdict comes before the page"
    assert "page.html: No space left" in outcome.err and outcome.err.count("\n") == 1
    assert not everything_below(tmp_path)


def test_a_full_disk_in_training_leaves_the_last_checkpoint(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shelf.copy("flow", tmp_path)
    weights = everything_below(run)["model.safetensors"]

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        outcome = pushforward("resume", run, "--steps", 2)
    assert outcome.code == 2 and "No space left" in outcome.err and outcome.err.count("\n") == 1
    assert everything_below(run)["model.safetensors"] == weights
    assert not list(run.rglob("*.tmp"))
    succeed("resume", run, "--steps", 2)


def test_force_replaces_a_run(shelf: Shelf, tmp_path: Path) -> None:
    run = shelf.copy("flow", tmp_path)
    succeed("fit", shelf.table, "--model", "vae", "--steps", 1, "--out", run, "--force", *SMALL)
    assert succeed("show", run, "--json").json["model"] == "vae"


# --------------------------------------------------------------------------------------------------- what can be done


def assert_likelihood(value: dict[str, Any], kind: str) -> None:
    assert {"kind", "nats", "se", "n", "bits_per_dim"} <= set(value)
    assert value["kind"] == kind and np.isfinite(value["nats"]) and value["se"] > 0 and value["n"] > 0


def assert_audit(value: dict[str, Any]) -> None:
    classifier, js = value["classifier"], value["js_lower_bound"]
    assert classifier["low"] <= classifier["accuracy"] <= classifier["high"]
    assert 0 <= classifier["p_value"] <= 1 and classifier["n"] > 0
    assert js["low"] <= js["nats"] <= js["high"]
    assert isinstance(value["distinguishable"], bool)


def test_a_run_from_fit_to_show(shelf: Shelf, tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted = succeed(
        "fit", shelf.table, "--model", "autoregressive", "--steps", 40, "--out", run, *SMALL, "--json"
    ).json
    assert_likelihood(fitted["log_likelihood"], "exact")
    assert fitted["steps"] == 40 and fitted["status"] == "finished" and fitted["log_likelihood"]["bits_per_dim"] is None
    page = Path(fitted["report"])
    assert page == run / "report.html" and "<html" in page.read_text()[:200].lower()

    further = succeed("resume", run, "--steps", 10, "--json").json
    assert further["steps"] == 50
    shown = succeed("show", run, "--json").json
    assert shown == further
    assert str(page) in succeed("show", run).out

    succeed("sample", run, "-n", 25, "--out", tmp_path / "s.csv", "--seed", 3)
    succeed("sample", run, "-n", 25, "--out", tmp_path / "again.csv", "--seed", 3)
    samples, original = pd.read_csv(tmp_path / "s.csv"), frame()
    assert list(samples) == list(original) and list(samples.dtypes) == list(original.dtypes)
    assert len(samples) == 25 and set(samples["sold"]) <= {0, 1}
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()

    scored = succeed("score", run, shelf.table, "--out", tmp_path / "scores.csv", "--json").json
    assert_likelihood(scored["log_likelihood"], "exact")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == len(original) and list(scores) == ["log_prob"]
    assert scores["log_prob"].mean() == pytest.approx(scored["log_likelihood"]["nats"], rel=1e-6)


@pytest.mark.parametrize(("text", "value"), [("True", True), ("False", False), ("true", True), ("false", False)])
def test_yes_and_no_may_be_spelt_as_in_python(text: str, value: bool, shelf: Shelf, tmp_path: Path) -> None:
    succeed("fit", shelf.table, "--out", tmp_path / "run", "--steps", 1, *SMALL, "--set", f"whiten={text}")
    assert read_json(tmp_path / "run" / "run.json")["model"]["whiten"] is value


def test_a_bound_is_called_one(shelf: Shelf, tmp_path: Path) -> None:
    scored = succeed("score", shelf.folder / "given", shelf.table, "--out", tmp_path / "s.csv", "--k", 5, "--json")
    assert_likelihood(scored.json["log_likelihood"], "lower bound")
    assert list(pd.read_csv(tmp_path / "s.csv")) == ["log_prob_lower_bound"]
    assert "≥" in succeed("score", shelf.folder / "given", shelf.table, "--k", 5).out


def test_rows_that_cannot_be_are_counted_and_the_first_is_explained(shelf: Shelf, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    frame().assign(sold=lambda t: t["sold"].where(~t.index.isin([1, 7]), 2)).to_csv(there, index=False)
    why = "column 'sold' holds 2, and training had 0 or 1"
    scored = succeed("score", shelf.folder / "flow", there, "--json").json
    assert (scored["impossible"], scored["first_impossible"], scored["why"]) == (2, 2, why)
    assert scored["log_likelihood"]["nats"] is None
    printed = succeed("score", shelf.folder / "flow", there).out
    assert f"2 of 300 rows are impossible under the model; the first is row 2: {why}\n" in printed
    possible = succeed("score", shelf.folder / "flow", shelf.table, "--json").json
    assert (possible["impossible"], possible["first_impossible"], possible["why"]) == (0, None, None)


def test_a_gan_has_no_likelihood_and_says_so(shelf: Shelf) -> None:
    assert succeed("show", shelf.folder / "gan", "--json").json["log_likelihood"] is None
    assert "none: a GAN has no density" in succeed("show", shelf.folder / "gan").out


def test_samples_under_a_context(shelf: Shelf, tmp_path: Path) -> None:
    succeed("sample", shelf.folder / "given", "-n", 7, "--given", "sold=1", "--out", tmp_path / "s.csv")
    samples = pd.read_csv(tmp_path / "s.csv")
    assert len(samples) == 7 and (samples["sold"] == 1).all()


def test_without_a_verdict_it_says_what_would_bring_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"]).to_csv(tmp_path / "t.csv", index=False)
    said = succeed("fit", tmp_path / "t.csv", "--model", "flow", "--steps", 1, "--out", tmp_path / "rows").out
    assert "no verdict: fewer than 50 patterns were kept for it; give more\n" in said
    steps = ["--series", "--model", "autoregressive", "--steps", 1]
    said = succeed("fit", tmp_path / "t.csv", *steps, "--out", tmp_path / "steps").out
    assert "windows that do not overlap were kept for it; give a longer series, or a smaller --window" in said


def test_a_name_may_hold_the_sign_between_name_and_value(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    pd.DataFrame(x, columns=["x=y", "x"]).to_csv(tmp_path / "t.csv", index=False)
    succeed("fit", tmp_path / "t.csv", "--model", "autoregressive", "--steps", 2, "--out", tmp_path / "run")
    succeed("sample", tmp_path / "run", "-n", 5, "--given", "x=y=0.5", "--out", tmp_path / "s.csv")
    assert (pd.read_csv(tmp_path / "s.csv")["x=y"] == 0.5).all()


def test_an_audit_of_two_files_and_of_a_run(shelf: Shelf, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    value = succeed("audit", shelf.table, shelf.samples, "--out", page, "--json").json
    assert_audit(value)
    assert value["distinguishable"] and page.is_file()
    assert "can be told from the data" in succeed("audit", shelf.table, shelf.samples).out
    frame(200, seed=2).to_csv(tmp_path / "new.csv", index=False)
    assert_audit(value := succeed("audit", tmp_path / "new.csv", shelf.folder / "flow", "--json").json)
    assert value["copying"]["reference"] == "training data"


def test_where_copies_are_looked_for_is_said_if_what_a_run_learnt_from_is_gone(shelf: Shelf, tmp_path: Path) -> None:
    spoilt = shelf.copy("flow", tmp_path)
    lose_the_data(spoilt)
    frame(200, seed=2).to_csv(tmp_path / "new.csv", index=False)
    value = succeed("audit", tmp_path / "new.csv", spoilt, "--json").json
    assert value["copying"]["reference"] == "data"
    assert any("learnt from is not there any more" in note for note in value["notes"])


def test_a_folder_that_takes_no_file_is_refused_before_the_work(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the work was done all the same")

    monkeypatch.setattr("tempfile.TemporaryFile", closed)
    monkeypatch.setattr("pushforward.reporting.sides", never)
    for option in ("--out", "--game"):
        arguments = ["audit", shelf.table, shelf.samples, option, tmp_path / "page.html"]
        assert_refused(arguments, (tmp_path.name, "cannot be written to", "Permission denied", option), tmp_path)


def test_a_comparison_of_two_families(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "both"
    value = succeed("compare", shelf.table, "--models", "vae,gan", "--steps", 5, "--out", out, "--json").json
    assert list(value["runs"]) == ["vae", "gan"] and Path(value["report"]).is_file()
    assert_likelihood(value["runs"]["vae"]["log_likelihood"], "lower bound")
    assert value["runs"]["gan"]["log_likelihood"] is None
    refused = pushforward("compare", shelf.table, "--models", "vae", "--steps", 5, "--out", out)
    assert refused.code == 2 and "--force" in refused.err


def test_a_comparison_ends_with_a_verdict_a_line_and_the_page(shelf: Shelf, tmp_path: Path) -> None:
    out = tmp_path / "both"
    printed = succeed("compare", shelf.table, "--models", "autoregressive,vae", "--steps", 5, "--out", out).out
    lines = printed.splitlines()
    assert any(line.startswith("autoregressive ") and "exact" in line for line in lines)
    assert any(line.startswith("vae ") and "≥" in line and "bound" in line for line in lines)
    assert f"The page: {out / 'report.html'}" in printed


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_ctrl_c_saves_and_prints_the_command_that_goes_on(shelf: Shelf, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "pushforward.cli", "fit", shelf.table, "--out", run, "--budget", "10m", *SMALL]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not (run / "metrics.jsonl").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and not out
    assert f"pushforward resume {run}" in err and "Traceback" not in err
    assert succeed("show", run, "--json").json["status"] == "interrupted"
    assert succeed("resume", run, "--steps", 2, "--json").json["status"] == "finished"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 4 bytes")])
def test_memory_that_does_not_suffice_is_one_sentence(error: Exception) -> None:
    with mock.patch("pushforward.run.Run.__init__", side_effect=error):
        refused = pushforward("show", "anywhere")
    assert refused.code == 2 and refused.err.startswith("pushforward: this machine's memory does not suffice;")


def test_an_error_of_ours_is_no_sentence() -> None:
    with (
        mock.patch("pushforward.run.Run.__init__", side_effect=RuntimeError("a mistake of ours")),
        pytest.raises(RuntimeError, match="of ours"),
        mock.patch.object(sys, "argv", ["pushforward", "show", "anywhere"]),
    ):
        main()


def test_who_interrupts_the_measuring_is_told_how_to_go_on(shelf: Shelf, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with mock.patch("pushforward.reporting.finish", side_effect=KeyboardInterrupt):
        stopped = pushforward("fit", shelf.table, "--out", run, "--steps", 2, *SMALL)
    assert stopped.code == 130 and f"pushforward resume {run}" in stopped.err and not (run / "report.html").exists()
    assert succeed("resume", run, "--json").json["status"] == "finished"
    assert (run / "report.html").exists()


def test_the_version_and_the_help() -> None:
    import pushforward as package

    assert succeed("--version").out.strip() == package.__version__
    printed = succeed("--help").out
    assert all(name in printed for name in ("fit", "resume", "sample", "score", "audit", "compare", "show"))
