"""The power benchmark: the alternatives are what they say, runs go on where they stopped, and ours is not flattered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.power import running
from benchmarks.power.alternatives import ALTERNATIVES, EQUAL, POINTS, Point, draw
from benchmarks.power.contestants import CLASSIFIERS, CRITICAL, KERNELS, OURS
from benchmarks.power.curves import curves
from benchmarks.power.running import Lines, recorded, simulate
from benchmarks.power.tables import compared, markdown, rejections, row

POINT = Point("scale", 1.35)


def test_the_data_are_those_of_the_point_and_the_simulation() -> None:
    for point in POINTS:
        x, y = draw(point, 3)
        assert x.shape == (point.n, point.d) and y.shape == (point.m, point.d)
        assert np.array_equal(x, draw(point, 3)[0]) and not np.array_equal(x, draw(point, 4)[0])


@pytest.mark.parametrize(
    ("alternative", "of"),
    [
        ("mean shift", lambda x: x.mean(0)[0]),
        ("scale", lambda x: x.std(0)[0]),
        ("correlation", lambda x: np.corrcoef(x.T)[0, 1]),
        ("dependence destroyed", lambda x: -np.corrcoef(x[:, 0] ** 2, x[:, 1])[0, 1]),
    ],
)
def test_an_alternative_differs_by_its_effect(alternative: str, of: Callable[[np.ndarray], float]) -> None:
    effect = ALTERNATIVES[alternative][1][-1]
    x, y = draw(Point(alternative, effect, n=100_000, m=100_000), 0)
    equal = 1.0 if alternative == "scale" else 0.0
    expected = {"dependence destroyed": 0.7**3}.get(alternative, effect - equal)  # corr(x₁², x₂) = 0.7² · √(2/2) · 0.7
    assert of(y) - of(x) == pytest.approx(expected, abs=0.02)
    assert x.var(0)[1:] == pytest.approx(y.var(0)[1:], abs=0.05)


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def kernels(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        calls.append(real[0, 0])
        return {KERNELS: 0.01 if len(calls) % 2 else 0.5}

    def classifiers(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> dict[str, float]:
        return {CLASSIFIERS: 0.3}

    monkeypatch.setattr(running, "CONTESTANTS", {"kernels": kernels, "classifiers": classifiers})
    file, names = tmp_path / "records.jsonl", ["kernels", "classifiers"]
    simulate(file, names, [POINT], 3, 0, 60.0)
    lines = simulate(file, names, [POINT], 4, 0, 60.0)
    assert len(calls) == len(set(calls)) == 4 and lines == recorded(file)
    assert [CLASSIFIERS in lines[POINT][i] for i in range(4)] == [False, True, False, True]  # where still undecided


def known(point: Point, found: list[dict[str, float]]) -> Lines:
    return {point: dict(enumerate(found))}


def test_what_is_undecided_is_not_counted_as_told_apart() -> None:
    found = [{KERNELS: 0.01}, {KERNELS: 0.2}, {KERNELS: 0.2, CLASSIFIERS: 0.001}, {CLASSIFIERS: 0.001}]
    assert rejections(known(POINT, found), POINT)[OURS] == {0: True, 1: False, 2: True}
    equal = Point(EQUAL, 0.0)
    assert rejections(known(equal, found), equal)[OURS] == {2: True}


def test_c2st_is_held_to_its_law_under_equal_laws() -> None:
    null = known(Point(EQUAL, 0.0), [{CRITICAL[0]: 0.4 + 0.01 * k} for k in range(20)])  # up to 0.59
    lines = {**null, **known(POINT, [{CRITICAL[0]: 0.59}, {CRITICAL[0]: 0.60}])}
    assert rejections(lines, POINT)[CRITICAL[0]] == {0: False, 1: True}
    assert CRITICAL[0] not in rejections(lines, Point(EQUAL, 0.0))
    assert CRITICAL[0] not in rejections(known(POINT, [{CRITICAL[0]: 0.6}]), POINT)


def test_comparisons_are_paired() -> None:
    ours, theirs = [0.01] * 14 + [0.5] * 6, [0.01] * 10 + [0.5] * 4 + [0.01] + [0.5] * 5
    lines = known(POINT, [{KERNELS: a, "hyppo: energy": b} for a, b in zip(ours, theirs, strict=True)])
    against = compared(lines, [POINT])["hyppo: energy"]
    assert against["ahead"] == pytest.approx(3 / 20) and against["n"] == 20
    assert against["p"] == pytest.approx(2 * 6 / 2**5)  # four ahead and one behind
    assert row(lines, POINT)["tests"][OURS]["power"] == 0.7
    assert "| scale | 1.35 | 5 | 200, 200 | 70 [48, 85] of 20 |" in markdown(lines)
    assert "<title>hyppo: energy</title>" in curves(lines)
