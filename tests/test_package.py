"""The package as a whole: what importing it costs, who may import whom, and what is promised on the outside."""

from __future__ import annotations

import ast
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import pushforward as pf

SOURCE = Path(pf.__file__).parent
PROJECT = Path(__file__).parent.parent

LAYERS = [
    {"errors"},
    {"evidence", "event", "storage", "arguments"},
    {"networks"},
    {"bijections"},
    {"distributions", "data", "auditing"},
    {"models", "report"},
    {"objectives"},
    {"training", "sizes"},
    {"families", "forecasting"},
    {"record"},
    {"run"},
    {"sides", "feeding"},
    {"beginning"},
    {"fitting", "judging", "scoring", "calibration", "fans"},
    {"reporting"},
    {"comparison"},
    {"waiting"},
    {"cli"},
]
"""The house, from the ground up: a part imports from lower floors alone."""

FORBIDDEN = [
    ("auditing", {"models", "networks", "distributions", "bijections", "training", "objectives", "data"}),
    ("data", {"models", "networks", "distributions", "bijections", "training", "objectives", "auditing"}),
    ("networks", {"distributions", "evidence"}),
    ("report", {"models", "distributions", "data", "run"}),
]
"""Walls within and beside the floors."""

HEAVY = ["torch", "numpy", "pandas", "pyarrow", "sklearn", "scipy", "matplotlib", "jinja2", "PIL", "rich", "typer"]


def imports(path: Path) -> Iterator[str]:
    """The parts of the package that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("pushforward."))


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    """For each part of the package, the other parts it imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        found[part] |= set(imports(path)) - {part, "__version__"}
    found.pop("__init__")
    return found


def test_imports_run_one_way(graph: dict[str, set[str]]) -> None:
    floor = {part: i for i, layer in enumerate(LAYERS) for part in layer}
    assert set(graph) == set(floor), "every part has its floor"
    upward = [f"{part} → {other}" for part, others in graph.items() for other in others if floor[other] >= floor[part]]
    assert not upward


@pytest.mark.parametrize(("part", "walled_off"), FORBIDDEN, ids=[part for part, _ in FORBIDDEN])
def test_walls_stand(part: str, walled_off: set[str], graph: dict[str, set[str]]) -> None:
    assert not graph[part] & walled_off


def loaded_by(module: str) -> set[str]:
    code = f"import sys, json, {module}; print(json.dumps([p for p in {HEAVY} if p in sys.modules]))"
    return set(json.loads(subprocess.check_output([sys.executable, "-c", code], text=True)))


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("pushforward", set()),
        ("pushforward.cli", {"typer"}),
        ("pushforward.data", {"torch", "numpy"}),
        ("pushforward.auditing", {"torch", "numpy"}),
        ("pushforward.report", {"torch", "numpy"}),
        ("pushforward.comparison", {"torch", "numpy"}),  # and with it everything but the command line
    ],
)
def test_nothing_is_imported_before_it_is_needed(module: str, allowed: set[str]) -> None:
    assert loaded_by(module) <= allowed


def seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return time.perf_counter() - began


def test_importing_costs_torch_and_nothing_more() -> None:
    ours, torchs = [], []
    for _ in range(3):
        ours.append(seconds("-c", "import pushforward"))
        torchs.append(seconds("-c", "import torch"))
    assert statistics.median(ours) <= 1.1 * statistics.median(torchs)


def test_help_answers_at_once() -> None:
    assert min(seconds("-m", "pushforward.cli", "--help") for _ in range(5)) < 0.5


def test_nothing_is_ever_unpickled() -> None:
    pattern = re.compile(r"\bimport (pickle|dill|cloudpickle|joblib|shelve|marshal)\b|torch\.(load|save)\(|read_pickle")
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not pattern.search(text), path
        assert not re.search(r"allow_pickle\s*=\s*True|\beval\(|\bexec\(", text.replace(".eval()", "")), path


def test_every_public_name_is_there() -> None:
    assert len(set(pf.__all__)) == len(pf.__all__)
    for name in pf.__all__:
        assert getattr(pf, name) is not None
    assert dir(pf) == sorted(pf.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = pf.nonsense


def test_the_changelog_knows_the_version() -> None:
    latest = re.search(r"^## \[?(\d+\.\d+\.\d+)", (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert latest is not None and latest[1] == pf.__version__


def test_the_examples_in_the_documents_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of Python in the README and the documents, each document in a folder of its own."""
    blocks = 0
    for document in [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]:
        folder = tmp_path / document.stem
        folder.mkdir()
        monkeypatch.chdir(folder)
        code = re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), re.M | re.S)
        namespace: dict[str, object] = {"__name__": document.stem}
        for block in code:
            exec(compile(block, str(document), "exec"), namespace)
        blocks += len(code)
    assert blocks >= 2


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *(PROJECT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.skipif(os.name != "posix", reason="make is POSIX's")
def test_make_says_what_there_is_to_make() -> None:
    printed = subprocess.check_output(["make", "-s", "help"], cwd=PROJECT, text=True)
    assert all(f"make {target} " in printed for target in ("demo", "test", "check", "clean"))
