"""The calibration in small: cheap tests keep their level, cheap intervals their coverage; and the benchmark itself."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.calibration import __main__ as command
from benchmarks.calibration.figures import PARTS, audit_cells
from benchmarks.calibration.known import known_cells, mean_gain, truth
from benchmarks.calibration.laws import LAWS, Setting
from benchmarks.calibration.running import Cell, Found, read, simulate
from benchmarks.calibration.tables import Rate, markdown, rates
from scipy.stats import binom

from pushforward.evidence import Estimate

ONCE_IN = 1e-5
"""The chance that a sound figure fails; the seeds are fixed, so it fails always or never."""
NOTHING = "of nothing|equal|Gaussian|100|100|2"


def _rates(cells: list[Cell], simulations: int) -> list[Rate]:
    return rates({cell.key: {i: cell.simulate(i) for i in range(simulations)} for cell in cells})


def _pooled(found: list[Rate], kind: str) -> dict[str, tuple[int, int]]:
    """By figure how often what was counted happened, of how many simulations."""
    names = {r.figure for r in found if r.kind == kind}
    own = {name: [r for r in found if (r.kind, r.figure) == (kind, name)] for name in names}
    return {name: (sum(r.count for r in of), sum(r.simulations for r in of)) for name, of in own.items()}


@pytest.mark.parametrize(
    ("parts", "simulations"),
    [
        (["missed", "unsupported"], 20),
        (["copying", "copying, training data"], 20),
        (["table"], 30),
        (["kernel"], 12),
    ],
)
def test_no_test_rejects_equal_laws_too_often(parts: list[str], simulations: int) -> None:
    settings = [Setting("equal", law, 100, m, d) for law, (m, d) in itertools.product(LAWS, [(100, 2), (60, 20)])]
    cells = [PARTS[part].cell(part, setting) for part in parts for setting in settings]
    for name, (count, of) in _pooled(_rates(cells, simulations), "level").items():
        assert count <= binom.ppf(1 - ONCE_IN, of, 0.05), name


def test_known_values_are_held_by_their_intervals() -> None:
    cells = [c for c in known_cells() if "|1000|" not in c.key and "|apart|" not in c.key]
    found = _rates(cells, 100)
    levels, held = _pooled(found, "level"), _pooled(found, "coverage")
    assert len(held) == 5 and set(levels) == {"under-covered modes, any", "probability integral transform"}
    for name, (count, of) in levels.items():
        assert count <= binom.ppf(1 - ONCE_IN, of, 0.05), name
    for name, (count, of) in held.items():
        assert count >= binom.ppf(ONCE_IN, of, 0.94), name


def _cell(p_value: Callable[[np.random.Generator], float], simulations: int = 400) -> Cell:
    return Cell(NOTHING, lambda rng: {"test": p_value(rng)}, simulations)


def test_a_test_that_rejects_too_often_is_seen() -> None:
    (sound,), (broken,) = (_rates([_cell(p)], 1000) for p in (lambda g: g.uniform(), lambda g: g.uniform() / 2))
    assert sound.ends[0] < 0.05 < sound.ends[1] and broken.ends[0] > 0.05
    assert "0 above 6.4 %, 0 above 7.5 %" in markdown([sound]) and "1 above 7.5 %" in markdown([broken])
    (few,) = _rates([_cell(lambda g: g.uniform() / 2)], 300)
    assert "Of 1 cells of fewer 1 lie above 5 %" in markdown([few])


def test_an_interval_is_held_against_the_truth_or_the_figures_own_mean() -> None:
    def run(rng: np.random.Generator) -> dict[str, Estimate]:
        v = rng.normal()
        return {"figure": Estimate("figure", 7 + v, 7 + v - 1.645, 7 + v + 1.645, 1)}

    near = Cell("part|near|heavy-tailed|100|100|2", run, 400)
    (own,) = _rates([near], 400)
    assert 0.86 < own.rate < 0.94 and own.truth is None
    equal = Cell("part|equal|Gaussian|100|100|2", run, 10)
    (wrong,) = _rates([equal], 10)
    assert (wrong.truth, wrong.rate, wrong.below) == (0.0, 0.0, 0)


def test_a_lower_limit_is_held_against_what_it_is_below() -> None:
    def run(rng: np.random.Generator) -> dict[str, Estimate]:
        v = rng.normal()
        return {"Jensen–Shannon bound, lower end": Estimate("", v, v - 1.96, np.inf, 1)}

    (limit,) = _rates([Cell("bound|near|Gaussian|100|100|1", run, 400)], 400)
    assert limit.kind == "limit" and limit.truth is not None and limit.rate < 0.06
    assert "1 cells of fewer 0 lie above 2.5 %" in markdown([limit])
    assert _rates([Cell("bound|near|heavy-tailed|100|100|1", run, 400)], 3) == [], "no truth, no rate"


def test_simulations_can_be_stopped_and_resumed(tmp_path: Path) -> None:
    path, seen = tmp_path / "records.jsonl", []

    def p_value(rng: np.random.Generator) -> float:
        seen.append(rng.uniform())
        return seen[-1]

    simulate([_cell(p_value, 40)], path, seconds=0)
    assert len(seen) == 1
    path.write_text(path.read_text() + '{"cell": "of noth')  # stopped while it wrote
    simulate([_cell(p_value, 40)], path)
    assert len(seen) == len(set(seen)) == 40, "none is lost, none done twice, each has a seed of its own"
    assert [found["test"][0] for found in read(path)[NOTHING].values()] == pytest.approx(seen)


def test_truths() -> None:
    def of(name: str, scenario: str, law: str, part: str = "part") -> float | None:
        return truth(part, name, scenario, law, 200, 200, 2)

    assert of("Fréchet distance", "far", "Gaussian") == 1.5
    assert of("Fréchet distance", "equal", "mixed-scale") == 0.0
    assert of("Fréchet distance at this n", "equal", "Gaussian") is None
    assert of("coverage", "equal", "Gaussian", "support") == pytest.approx(1 - 0.5**5, abs=2e-3)
    assert of("copies, training data given", "copied", "Gaussian") == 0.05
    far = of("Jensen–Shannon bound, lower end", "far", "Gaussian")
    one = truth("bound", "Jensen–Shannon bound, lower end", "far", "Gaussian", 200, 200, 1)
    assert far is not None and one is not None and 0 < one < far < np.log(2)


def test_the_truth_by_quadrature_is_the_mean_of_many() -> None:
    from benchmarks.calibration.known import DATA, MIXTURES, log_ratio

    from pushforward.auditing.statistics import gains

    rng, fake = np.random.default_rng(0), MIXTURES["far"]
    of_real, of_fake = (0.7 * log_ratio(law.draw(100_000, rng), fake) + 0.2 for law in (DATA, fake))
    assert mean_gain(fake, 0.7, 0.2) == pytest.approx(0.5 * (gains(of_real).mean() + gains(-of_fake).mean()), abs=0.005)


def test_the_command_resumes_only_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "records.jsonl"
    only = ["--records", str(path), "--only", r"^accuracy\|near\|known\|200"]
    for more in (["--sims", "3"], ["--sims", "5", "--resume"], ["--report", "--json"]):
        monkeypatch.setattr(sys, "argv", ["calibration", *only, *more])
        command.main()
    assert '"simulations": 5' in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["calibration", *only])
    with pytest.raises(SystemExit):
        command.main()
    assert "--resume" in capsys.readouterr().err


def test_cells_are_named_once_and_their_parts_are_found() -> None:
    keys = [c.key for c in [*audit_cells(), *known_cells()]]
    assert len(keys) == len(set(keys)) and all(len(key.split("|")) == 6 for key in keys)
    assert {key.split("|")[0] for key in keys} >= set(PARTS)
    found: Found = PARTS["table"].cell("table", Setting("equal", "Gaussian", 60, 60, 2)).simulate(0)["columns, any"]
    assert found[0] is not None and found[1:] == (None, None, None)
