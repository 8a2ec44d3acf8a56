"""What fits a number of rows and columns better than the defaults of its kind: rules, each with what was tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pushforward.event import Event

__all__ = ["sized"]

Rule = Callable[[Event, int, Mapping[str, Any]], Mapping[str, Any]]


def sized(
    kind: str, family: str, architecture: str, event: Event, rows: int, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The options that the numbers of components and of training rows ask for, by name, beside those that are given."""
    rule = _RULES.get((kind, family, architecture))
    return {} if rule is None else rule(event, rows, options)


def _flow_of_a_table(event: Event, rows: int, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Columns move one after another, few by finer splines; very many in couplings, whose networks are cheaper.

    After a minute on POWER (6 columns, 1.7 million rows; two busy cores): 0.15 nats with couplings, 0.25 with masked
    networks of the same sizes, 0.29 with 3 transforms of 16 bins and 256 hidden units. On 25 narrow modes in the plane
    after half a minute: 1.08 nats from the law with couplings (a minute), 0.15 with 5 × 16 bins, 0.024 with 3 × 32.

    Edges want networks that can be steep: of few columns, deep and narrow ones, at a high rate. On squares of a
    checkerboard after 60 s of one processor: 0.0226 nats with 128 × 2 hidden units at 4e-3; with the bound 4 instead
    of 5, 0.0191 at 8e-3; with 3.5, 0.0176 at 12e-3 and 0.0130 with 64 × 3 at 1e-2. The nearer the bound the more bins
    lie among the patterns, but beyond it stays what the base has there: with 3 that cost 0.006 nats. Bins of a tenth of
    the least width (0.0243 with the bound 4), batches of 256 (0.0206 at 8e-3) and 6 couplings (0.0186 in one and a half
    times the time) were no better. With Student's t instead of a normal base it was 0.0138 instead of 0.0131.
    """
    if options.get("arrangement", "autoregressive") != "autoregressive" or options.get("map", "spline") != "spline":
        return {}  # the sizes are those of masked networks with splines
    if event.size <= FEWEST:
        shape = {"arrangement": "autoregressive", "transforms": 3, "bins": 32, "hidden": [64, 64, 64]}
        compact = options.get("base", "student") in ("student", "normal")  # the others have more beyond it
        near = {"bound": 3.5} if compact else {}
        return {**shape, **near, "learning_rate": 1e-2}
    if event.size <= FEW:
        return {"arrangement": "autoregressive", "transforms": 3, "bins": 16, "hidden": [256, 256]}
    if event.size <= MANY:
        return {"arrangement": "autoregressive", "transforms": 3, "bins": 8, "hidden": [256, 256]}
    return {}


def _masked_of_bits(event: Event, rows: int, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Few rows for so many columns want few hidden units, sparse direct links and several orders.

    On dna (1,600 rows × 180 columns; nats on its validation part): −96.7 with wide layers, dropout and decay, −84.3
    with eight orders of these, −80.4 with four hidden units and sparse direct links, −79.8 with four orders of those.
    """
    if rows < ROWS_A_COLUMN * event.size:
        return {"hidden": [4], "orders": 8, "sparsity": 0.006, "learning_rate": 1e-2}
    return {}


def _steps_of_a_series(event: Event, rows: int, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A window of few variables says little, so more of them make a batch; with many, training mixes windows.

    CRPS of 24 steps, fitted on the first 64 % of a series and forecast up to 80 %, means of two seeds, with 64 and with
    16 windows in a batch: etth1 (7 variables, 150 steps) 0.219 and 0.222, traffic (1, 200) 0.0875 and 0.0890, exchange
    (8, 100) 0.110 and 0.111; energy (26) 0.164 after 250 steps and 0.161 after 400 of a fourth of the cost. Not better
    on etth1: half or fewer hidden units (0.226), twice as many logistics (0.223), a rate of 5e-4 for 300 steps (0.225),
    dropout of 0.2 or 0.8 (0.223, 0.224), and means over past days among the features (0.229 for 0.224, 30 origins);
    on energy twice as many logistics (0.1654 for 0.1658).

    With variables hidden in training, each with a probability of up to a half (0.2174 and 0.1586), not better either:
    more lags (etth1 up to 48 steps 0.2193, energy up to 70 0.160), a stronger ridge on other variables (etth1 0.219),
    long autoregressions of each variable among the features (0.219, 0.159), direct links that stay as they start
    (0.2235, 0.1622), and likelihoods of the later half of each window alone (0.2218, 0.1606). A second fit that
    learns from the validation part too was better on some and worse on others (before variables were hidden: etth1
    0.2223 for 0.2207, traffic 0.0875 for 0.0854, energy 0.1589 for 0.1601, exchange 0.1039 for 0.1048).

    Mixing half of the windows with others (``WindowMixing``), two members, two or three seeds, 60 origins: energy
    0.1514 for 0.1534 and 4,862 held-out nats of a window for 4,830 (intervals cover 88.0 and 87.8 %). Of few variables
    it gains likelihood, but no forecasts: etth1 -782 for -811 nats, 0.2183 for 0.2176, and 88.4 for 89.9 % covered (in
    one of two members alone, two seeds: 0.2169 for 0.2174, 88.6 % covered); traffic 0.0848 for 0.0852; exchange, one
    member, 4,693 for 4,690 nats, 0.1049 for 0.1052.

    Hiding the calendar of every other window in training: etth1 0.2167 for 0.2184 (one member, two seeds), but traffic
    0.0864 for 0.0856 and energy, unmixed, 0.1551 for 0.1542 (two members, one seed). On etth1 four in five hidden gave
    0.2161, but 0.2798 for 0.2719 in its last fifth: none is hidden.

    Nor did convolutions over each variable alone with weights that all of them share, in the sum with the others
    (etth1, one member, three seeds: -816 for -829 nats, but 0.2188 for 0.2190, at twice the cost).

    What foretells the next step better need not foretell a day better. On etth1, two members and seeds, against -815
    nats and 0.2174: moves of three windows in ten in another order, in 600 steps, -773 and 0.2190; half mixed, in 600
    steps, -775 and 0.2174; up to 24 steps of every other window hidden, -803 and 0.2187; a stronger ridge on what was
    before than on what is at the same time, -806 and 0.2195. Fewer steps: 150, -843 and 0.2198; 75, -898 and 0.2270.
    On exchange the order of moves and that ridge gave 0.1044 and 0.1048, both 0.1036, for 0.1050.
    """
    assert event.series is not None  # the kind of data says so
    return {"batch": 64} if event.series[1] <= FEW else {"mixup": 0.5}


FEWEST, FEW, MANY = 3, 10, 64
"""Columns, or variables."""
ROWS_A_COLUMN = 20

_RULES: dict[tuple[str, str, str], Rule] = {
    ("table", "flow", "vector"): _flow_of_a_table,
    ("binary", "autoregressive", "masked"): _masked_of_bits,
    ("series", "autoregressive", "steps"): _steps_of_a_series,
}
