"""The harness: who runs when, what a ratio means, and what is printed."""

from __future__ import annotations

import json

import pytest
import torch
from benchmarks.harness import Case, Options, alternate, installed, main, table


def test_contestants_take_turns() -> None:
    calls: list[str] = []
    times = alternate({name: lambda n=name: calls.append(n) for name in "abc"}, rounds=3)
    assert calls == ["a", "b", "c"] * (len(calls) // 3) and len(calls) > 9
    assert set(times) == set("abc") and all(t >= 0 for t in times.values())


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
