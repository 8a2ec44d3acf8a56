"""The harness: who runs when, what a ratio means, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import density
from benchmarks.harness import Case, Options, alternate, installed, main, table
from torch.distributions import MultivariateNormal

from pushforward.evidence import Kind, LogLikelihood


def test_contestants_take_turns() -> None:
    calls: list[str] = []
    times = alternate({name: lambda n=name: calls.append(n) for name in "abc"}, rounds=3)
    assert calls == ["a", "b", "c"] * (len(calls) // 3) and len(calls) > 9
    assert set(times) == set("abc") and all(t >= 0 for t in times.values())
    calls.clear()
    alternate({name: lambda n=name: calls.append(n) for name in "ab"}, rounds=1, warmup=0, in_a_row=3)
    assert calls == ["a"] * 3 + ["b"] * 3


def test_a_ratio_above_one_is_ahead_of_the_best_peer() -> None:
    assert Case("c", 2.0, {"slow": 9.0, "fast": 6.0}, "ms").ratio == 3.0
    assert Case("c", 2.0, {}, "ms").ratio is None
    assert Case("c", 2.0, {"peer": 2.0}, "nats", difference=1e-7).ratio is None


def test_a_missing_peer_is_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert installed(["torch", "no-such-package"]) == ["torch"]
    assert "no-such-package is not installed" in capsys.readouterr().err


def test_the_table_and_the_json_hold_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [Case("first", 2.0, {"peer": 3.0}, "ms", floor=1.0), Case("second", 0.001, {}, "ms")]
    assert table(cases).splitlines()[2:] == [
        "| first | ms | 2.00 | 3.00 | 1.50 | 1.00 | – |",
        "| second | ms | 1.0e-03 | – | – | – | – |",
    ]
    threads = torch.get_num_threads()
    seen: list[Options] = []
    main(
        lambda options: (seen.append(options), cases)[1],
        "doc",
        ["--json", "--quick", "--threads", str(threads)],
    )
    printed = json.loads(capsys.readouterr().out)
    assert {"case", "ours", "peers", "ratio", "unit"} <= set(printed[0]) and printed[0]["ratio"] == 1.5
    assert seen[0].quick and seen[0].threads == threads


@pytest.mark.parametrize("d", [3, 8])
def test_the_flow_equals_that_of_nflows_with_the_same_parameters(d: int) -> None:
    pytest.importorskip("nflows")
    from benchmarks.flows import equality

    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert equality(d).difference < 1e-9


def figure(nats: float) -> LogLikelihood:
    return LogLikelihood(nats, 0.01, 100, Kind.EXACT)


def test_a_likelihood_is_compared_by_its_difference_to_the_best_peer() -> None:
    case = density.result("case", {"ours": figure(1.5), "worse": figure(-3.0), "best": figure(1.0)})
    assert case["ratio"] is None and case["difference"] == 0.5 and case["kind"] == "exact" and case["n"] == 100
    assert density.table([case]).splitlines()[2] == (
        "| case | 1.500 ± 0.010 | −3.000 ± 0.010 | 1.000 ± 0.010 | +0.500 | 100 | exact |"
    )


def test_missing_data_are_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    density.main(["--quick", "--data", str(tmp_path), "--threads", str(torch.get_num_threads())])
    printed = capsys.readouterr()
    assert printed.out == "nothing was measured\n"
    assert "galaxies is skipped: no galaxies.npz" in printed.err and "POWER is skipped: no power-raw.npz" in printed.err


def test_power_follows_its_protocol(tmp_path: Path) -> None:
    columns = ["sm3", "gi", "gap", "voltage", "grp", "sm1", "sm2", "minute_of_day"]
    steps = {"gap": 0.001, "voltage": 0.01, "sm1": 1.0, "sm2": 1.0, "sm3": 1.0, "minute_of_day": 0.0}
    x = np.random.RandomState(0).randint(0, 50, (200, 8)).astype(np.float32)
    np.savez(tmp_path / "power-raw.npz", x=x, cols=np.array(columns))
    shuffled = x[:, [columns.index(name) for name in steps]].astype(np.float64)
    np.random.RandomState(42).shuffle(shuffled)
    parts, noised = density.power(tmp_path, 0, minute=0.0), density.power(tmp_path, 0, minute=1.0)
    assert [len(part) for part in parts] == [162, 18, 20]
    rest = torch.cat([parts.train, parts.validation]).double()
    torch.testing.assert_close(rest.mean(0), torch.zeros(6).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(rest.std(0, correction=0), torch.ones(6).double())
    raw = torch.cat([rest, parts.test.double()]).numpy()
    for j, step in enumerate(steps.values()):  # undo the standardisation by two values known up to the noise
        slope, offset = np.polyfit(raw[:, j], shuffled[:, j], 1)
        assert np.abs(slope * raw[:, j] + offset - shuffled[:, j]).max() < 0.7 * step + 1e-3
    assert torch.equal(parts.train[:, :5], noised.train[:, :5]) and not torch.equal(parts.train, noised.train)


def test_the_contestants_know_a_normal_law_when_they_see_one() -> None:
    generator = torch.Generator().manual_seed(0)
    mix = torch.tensor([[1.0, 0.9], [0.0, 0.4]])
    parts = density.Parts(*(torch.randn(n, 2, generator=generator) @ mix for n in (4000, 500, 1000)))
    truth = MultivariateNormal(torch.zeros(2), mix.T @ mix).log_prob(parts.test).mean().item()
    with torch.random.fork_rng():
        for name, contestant in density.contestants(sized=True, alone=False).items():
            found = contestant(parts, 1.0, 0).mean().item()
            assert abs(found - truth) < (0.05 if name in ("ours", "Gaussian", "mixture") else 1.0), name
