"""What the simulations say: how often each test rejected, and ours against each other on the same data."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.power.alternatives import ALTERNATIVES, EQUAL, POINTS, Point
from benchmarks.power.contestants import CLASSIFIERS, CRITICAL, KERNELS, LEVEL, OURS, TESTS, overall
from benchmarks.power.running import Lines
from pushforward.auditing.shares import wilson

__all__ = ["compared", "markdown", "rejections", "row"]

FEWEST = 10
"""Simulations of which a share is worth a line."""


def rejections(lines: Lines, point: Point) -> dict[str, dict[int, bool]]:
    """Whether each test rejected, by simulation.

    Where the classifiers have not been run, what the kernels leave undecided counts as not told apart: so ours is at
    least this powerful. Under equal laws only simulations with both count.
    """
    found: dict[str, dict[int, bool]] = defaultdict(dict)
    bounds = {test: _critical(lines, test, point) for test in CRITICAL}
    for i, known in lines.get(point, {}).items():
        for test, value in known.items():
            if test not in bounds:
                found[test][i] = value <= LEVEL
            elif math.isfinite(bounds[test]):
                found[test][i] = value > bounds[test]
        if KERNELS in known and (CLASSIFIERS in known or point.alternative != EQUAL):
            found[OURS][i] = overall(known[KERNELS], known.get(CLASSIFIERS, 1.0)) <= LEVEL
    return found


def _critical(lines: Lines, test: str, point: Point) -> float:
    """The accuracy that c2st exceeds no oftener than the level under equal laws of this size; none without enough."""
    equal = lines.get(Point(EQUAL, 0.0, *point[2:]), {}).values()
    null = sorted(known[test] for known in equal if test in known)
    allowed = math.floor(LEVEL * (len(null) + 1))
    return null[-allowed] + 1e-9 if allowed and point.alternative != EQUAL else math.inf


def row(lines: Lines, point: Point) -> dict[str, Any]:
    """Each test's share of rejections with Wilson's interval, of how many simulations."""
    shares = {}
    for test, found in rejections(lines, point).items():
        if len(found) < FEWEST:
            continue
        low, high = wilson(sum(found.values()), len(found))
        shares[test] = {"power": float(np.mean(list(found.values()))), "low": low, "high": high, "n": len(found)}
    return {**point._asdict(), "tests": shares}


def compared(lines: Lines, points: list[Point]) -> dict[str, dict[str, float]]:
    """Ours less each other test's power over all these points, with its interval and McNemar's exact p-value."""
    from scipy.stats import binomtest, norm

    pairs: dict[str, list[int]] = defaultdict(list)
    for found in (rejections(lines, point) for point in points):
        for test in found:
            both = found[test].keys() & found[OURS].keys()
            pairs[test] += [int(found[OURS][i]) - int(found[test][i]) for i in both]
    result = {}
    for test, signs in pairs.items():
        if len(signs) >= FEWEST and not test.startswith(OURS):
            ahead, apart, n = signs.count(1), len(signs) - signs.count(0), len(signs)
            difference = float(np.mean(signs))
            half = float(norm.isf(0.025)) * math.sqrt(apart / n - difference**2) / math.sqrt(n)
            p = float(binomtest(ahead, apart).pvalue) if apart else 1.0
            result[test] = {"ahead": difference, "low": difference - half, "high": difference + half, "p": p, "n": n}
    return result


def markdown(lines: Lines) -> str:
    """Powers in hundredths, and ours less the others' over all effects of each alternative."""
    rows = [row(lines, point) for point in POINTS if lines.get(point)]
    names = [test for test in TESTS if any(test in r["tests"] for r in rows)]
    head = ["alternative", "effect", "d", "n, m", *names]
    powers = [
        [
            r["alternative"],
            f"{r['effect']:g}",
            str(r["d"]),
            f"{r['n']}, {r['m']}",
            *map(_share, map(r["tests"].get, names)),
        ]
        for r in rows
    ]
    others = [test for test in names if not test.startswith(OURS)]
    pooled = []
    for name, (_, effects) in ALTERNATIVES.items():
        against = compared(lines, [Point(name, effect) for effect in effects])
        pooled.append([name, *map(_difference, map(against.get, others))])
    return f"{_table(head, powers)}\n\n{_table(['alternative', *others], pooled)}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    value, low, high = (f"{100 * found[key]:.0f}" for key in ("power", "low", "high"))
    return f"{value} [{low}, {high}]" + (f" of {found['n']}" if found["n"] != 100 else "")


def _difference(found: dict[str, float] | None) -> str:
    if found is None:
        return "–"
    text = "{:+.0f} [{:+.0f}, {:+.0f}]".format(*(100 * found[key] for key in ("ahead", "low", "high")))
    return text.replace("-", "−") + (" *" if found["p"] < 0.05 and found["ahead"] < 0 else "")
