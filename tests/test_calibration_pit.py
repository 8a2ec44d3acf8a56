"""Calibration and the generalisation gap: exact levels by simulation, and oracles by other ways to the same figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, MultivariateNormal, Normal, Uniform

import pushforward as pf
from pushforward.auditing.pit import central_coverage, pit_check
from pushforward.bijections import Triangular
from pushforward.calibration import calibration, generalisation_gap, pit_values, unchecked
from pushforward.distributions.dequantised import Dequantised
from pushforward.distributions.law import pit
from pushforward.distributions.pushforward import Pushforward
from pushforward.errors import NoDensityError
from pushforward.event import Block, Event
from pushforward.evidence import Kind, LogLikelihood
from pushforward.report import FamilyRecord, ReportData, render
from pushforward.report.rooms import calibration as room
from pushforward.reporting import finish


def uniforms(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(n, d))


# ---------------------------------------------------------------------------------------------------------- the figures


@pytest.mark.parametrize(("n", "d"), [(50, 1), (200, 3), (50, 6)])
def test_p_values_keep_their_level_and_intervals_their_coverage(n: int, d: int) -> None:
    """Within three standard errors of 250 simulations; the intervals may be conservative."""
    rng = np.random.default_rng(n + d)
    checks = [pit_check(rng.uniform(size=(n, d))) for _ in range(250)]
    for name in ("p_value", "p_components", "p_patterns"):
        rejected = np.mean([getattr(c, name) <= 0.05 for c in checks])
        assert 0.008 <= rejected <= 0.092, (name, rejected)
    for i, share in enumerate((0.5, 0.9)):
        assert np.mean([c.coverage[i].low <= share <= c.coverage[i].high for c in checks]) >= 0.92
    low, high = zip(*(c.band for c in checks), strict=True)
    heights = np.array([c.heights for c in checks])
    inside = (heights >= np.array(low)[:, None] - 1e-9) & (heights <= np.array(high)[:, None] + 1e-9)
    assert inside.mean() >= 0.94
    assert np.mean([c.differs.any() for c in checks]) <= 0.092


def test_coverage_counts_patterns_where_components_go_astray_together() -> None:
    """The interval holds the truth where values of a pattern are nearly one value; counting values would not."""
    rng, truth, hits, naive = np.random.default_rng(0), 2 * stats.norm.cdf(stats.norm.ppf(0.95) / 1.2) - 1, 0, 0
    for _ in range(300):
        shared, own = rng.normal(size=(100, 1)), rng.normal(size=(100, 20))
        u = stats.norm.cdf(1.2 * (np.sqrt(0.9) * shared + np.sqrt(0.1) * own))
        found = central_coverage(u, 0.9)
        hits += found.low <= truth <= found.high
        counted = stats.binomtest(round(found.value * 2000), 2000).proportion_ci()
        naive += counted.low <= truth <= counted.high
    assert hits >= 0.92 * 300 and naive < 0.8 * 300


def test_coverage_of_one_component_is_clopper_and_pearsons() -> None:
    u = uniforms(120, 1)
    found = central_coverage(u, 0.5)
    exact = stats.binomtest(int((np.abs(u - 0.5) <= 0.25).sum()), 120).proportion_ci()
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_p_values_are_scipys() -> None:
    u = uniforms(80, 3) ** 1.2
    found = pit_check(u)
    each = [stats.kstest(u[:, j], "uniform", method="exact") for j in range(3)]
    assert found.distances == pytest.approx([k.statistic for k in each])
    assert found.p_components == pytest.approx(stats.combine_pvalues([k.pvalue for k in each]).pvalue)
    radius = (stats.norm.ppf(u) ** 2).sum(1)
    assert found.p_patterns == pytest.approx(stats.kstest(radius, stats.chi2(3).cdf, method="exact").pvalue)
    assert found.p_value == pytest.approx(1 - (1 - min(found.p_components, found.p_patterns)) ** 2)


@pytest.mark.parametrize(
    ("shape", "reading"),
    [
        (lambda u: u, "Flat"),
        (lambda u: stats.norm.cdf(1.4 * stats.norm.ppf(u)), "too narrow"),
        (lambda u: stats.norm.cdf(0.7 * stats.norm.ppf(u)), "too wide"),
        (lambda u: np.where(np.arange(4) == 2, u**1.5, u), "One component of 4 is off"),
        (lambda u: stats.norm.cdf(stats.norm.ppf(u[:, :1]) * np.ones(4)), "whole patterns"),
    ],
)
def test_what_is_wrong_is_named(shape: object, reading: str) -> None:
    u = shape(uniforms(400, 4, seed=1))
    found = pit_check(u)
    assert found.calibrated == (reading == "Flat")
    assert reading in room._reading(found)


@pytest.mark.parametrize("u", [np.full((9, 2), np.nan), np.full((9, 2), 1.1), np.zeros((1, 2))])
def test_what_is_no_transform_is_refused(u: np.ndarray) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        pit_check(u)


def test_ends_and_equal_values_are_borne() -> None:
    for u in (np.zeros((30, 2)), np.ones((30, 2)), np.full((30, 2), 0.5)):
        found = pit_check(u)
        assert found.p_value < 1e-6 and found.differs.all()
        json.dumps(found.to_json(), allow_nan=False)


# ------------------------------------------------------------------------------------------------------------- the laws


def test_a_triangular_map_gives_the_conditionals_of_a_gaussian() -> None:
    """Against x₂ | x₁ ~ N(ρ x₁, 1 − ρ²) by scipy."""
    rho = 0.8
    x = np.random.default_rng(0).multivariate_normal([0.0, 0.0], [[1.0, rho], [rho, 1.0]], size=4000)
    bijection = Triangular(2).double()
    bijection.prepare(torch.from_numpy(x))
    normal = Independent(Normal(torch.zeros(2).double(), torch.ones(2).double()), 1)
    with torch.no_grad():
        u = pit(Pushforward(normal, bijection), torch.from_numpy(x)).numpy()
    covariance = np.cov(x.T, bias=True)
    y = x - x.mean(0)
    slope = covariance[0, 1] / covariance[0, 0]
    left = np.sqrt(covariance[1, 1] - slope * covariance[0, 1])
    expected = stats.norm.cdf(np.stack([y[:, 0] / np.sqrt(covariance[0, 0]), (y[:, 1] - slope * y[:, 0]) / left], 1))
    assert np.abs(u - expected).max() < 0.01


def test_dequantised_patterns_are_uniform_where_the_base_is_flat_in_each_cell() -> None:
    base = Independent(Uniform(torch.full((2,), -1.5).double(), torch.full((2,), 1.5).double()), 1)
    law = Dequantised(base, Event((Block("grid", 2, 1.0, -1.0, 1.0),)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = law.sample((3000,))
        assert set(x.unique().tolist()) == {-1.0, 0.0, 1.0}
        assert pit_check(pit(law, x).numpy()).calibrated


def test_laws_without_conditionals_say_so() -> None:
    law = MultivariateNormal(torch.zeros(2), torch.eye(2))
    for each in (law, Dequantised(law, Event((Block("grid", 2, 1.0),)))):
        with pytest.raises(NoDensityError, match="no conditionals in closed form"):
            pit(each, torch.zeros(3, 2))


# -------------------------------------------------------------------------------------------------------------- the gap


def test_the_gap_is_welchs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.4, 1.0, 90), rng.normal(0.0, 2.0, 60)
    found = generalisation_gap(LogLikelihood.of(a, Kind.EXACT), LogLikelihood.of(b, Kind.EXACT))
    oracle = stats.ttest_ind(a, b, equal_var=False)
    interval = oracle.confidence_interval()
    assert found is not None
    assert (found.value, found.p_value) == pytest.approx((a.mean() - b.mean(), oracle.pvalue))
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_gap_of_bounds_says_so_and_kinds_are_not_mixed() -> None:
    bound = LogLikelihood(-1.0, 0.1, 50, Kind.LOWER_BOUND, k=100)
    found = generalisation_gap(bound, bound)
    assert found is not None and found.name == "train-minus-test gap of the bounds (k = 100)" and found.value == 0
    for other in (LogLikelihood(-1.0, 0.1, 50, Kind.EXACT), LogLikelihood(-1.0, 0.1, 50, Kind.LOWER_BOUND, k=9)):
        with pytest.raises(ValueError, match="one kind and k"):
            generalisation_gap(bound, other)


@pytest.mark.parametrize(("nats", "se"), [(-np.inf, np.nan), (-1.0, np.nan)])
def test_there_is_no_gap_to_what_is_not_finite(nats: float, se: float) -> None:
    fine = LogLikelihood(-1.0, 0.1, 50, Kind.EXACT)
    assert generalisation_gap(fine, LogLikelihood(nats, se, 1, Kind.EXACT)) is None


# ---------------------------------------------------------------------------------------------------- a run, and a page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> pf.Run:
    x = np.random.default_rng(0).normal(size=(240, 2)) * [2.0, 1.0] + [1.0, 0.0]
    options = {"hidden": [16]}
    out = tmp_path_factory.mktemp("run") / "run"
    return finish(pf.fit(x, "autoregressive", out=out, steps=150, device="cpu", options=options))


def test_a_runs_results_hold_both(run: pf.Run) -> None:
    results = json.loads((run.directory / "run.json").read_text())["results"]
    assert {"value", "low", "high", "p_value"} <= set(results["generalisation_gap"])
    assert results["pit"]["n"] == 24 and results["pit"]["components"] == 2
    assert "calibration" in (run.directory / "report.html").read_text()


def test_transforms_do_not_depend_on_chunks_and_find_a_wrong_law(run: pf.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    data = run.data()
    whole = pit_values(run, data)
    monkeypatch.setattr("pushforward.run.NUMBERS_AT_ONCE", 160)
    assert np.allclose(pit_values(run, data), whole, atol=1e-6)
    wider = pf.load(np.random.default_rng(1).normal(size=(500, 2)) * [4.0, 2.0] + [1.0, 0.0])
    found = calibration(run, wider)
    assert found is not None and not found.calibrated and found.coverage[1].high < 0.9


def test_too_few_patterns_are_not_checked(run: pf.Run) -> None:
    few = run.data().take(slice(0, 5))
    assert calibration(run, few) is None and not unchecked(run, run.data())
    assert unchecked(run, few) == "5 patterns were kept for the verdict; calibration needs 20."


def test_the_page_says_whether_there_are_no_conditionals_or_too_few_patterns(tmp_path: Path) -> None:
    x, pages = np.random.default_rng(0).normal(size=(80, 2)), {}
    for family in ("flow", "vae"):
        run = pf.fit(x, family, steps=1, options={"hidden": [8]}, out=tmp_path / family, device="cpu")
        finish(run)
        pages[family] = (run.directory / "report.html").read_text()
    assert "8 patterns were kept for the verdict; calibration needs 20." in pages["flow"]
    assert "no closed form" not in pages["flow"] and "no closed form" in pages["vae"]
    assert "calibration needs" not in pages["vae"]
    assert all(page.lower().count("no verdict") == 1 for page in pages.values())
    assert all("a verdict needs 50 patterns, and 8 were kept for it." in page for page in pages.values())


def test_the_page_shows_each_family_as_it_is() -> None:
    rows = uniforms(60, 3)
    exact = LogLikelihood(-1.0, 0.1, 60, Kind.EXACT)
    bound = LogLikelihood(-1.0, 0.1, 60, Kind.LOWER_BOUND, k=5)
    families = [
        FamilyRecord("flow", rows, exact, pit=pit_check(rows), gap=generalisation_gap(exact, exact)),
        FamilyRecord("vae", rows, bound, gap=generalisation_gap(LogLikelihood(0.0, 0.1, 60, bound.kind, k=5), bound)),
        FamilyRecord("gan", rows, density=False),
    ]
    page = render(ReportData("d", "", {}, 0, rows, families, ("a", "b", "c")))
    section = page[page.index('<section id="calibration">') : page.index('<section id="provenance">')]
    assert section.count('role="img"') == 1 and "no closed form" in section and "difference of two bounds" in section
    assert "not known to be likelier" in section and "so much was learnt by heart" in section and "gan" not in section
    assert room.view(ReportData("d", "", {}, 0, rows, families[2:], ("a", "b", "c"))) is None
