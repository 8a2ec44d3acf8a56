"""The evidence: every figure of every audit, each with its interval, its null law and its p-value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pushforward.auditing.figure import Figure
from pushforward.auditing.modes import Mode, ModeCoverage
from pushforward.auditing.verdict import Audit
from pushforward.auditing.wording import p_text
from pushforward.report.figures import frame, shown
from pushforward.report.records import ReportData
from pushforward.report.rooms.verdict import HALVES

__all__ = ["view"]

CLOSENESS = (
    "C_T (Meehan et al. 2020) is below 0 where samples lie closer to training data than held-out data do. Copying does "
    "so, but so do blur and lack of variety: p is of that side, and no proof of copying. Near-duplicates are."
)


def view(data: ReportData) -> dict[str, Any] | None:
    """A block of groups of figures for each audit, that of the data's own halves last."""
    audits = [(family.name, family.audit) for family in data.families if family.audit is not None]
    if not audits:
        return None
    audits += [(HALVES, data.baseline)] if data.baseline is not None else []
    return {"blocks": [_block(name, audit) for name, audit in audits]}


def _block(name: str, audit: Audit) -> dict[str, Any]:
    groups = [
        _discriminators(audit),
        _distances(audit),
        _frechet(audit),
        _support(audit),
        _faults(audit),
        _copying(audit),
    ]
    return {
        "name": name,
        "found": audit.distinguishable,
        "p": p_text(audit.p_value),
        "groups": groups,
        "modes": None if audit.modes is None else _modes(audit.modes, audit.level),
        "sizes": f"{audit.n_real:,} real patterns against {audit.n_fake:,} samples; features: {audit.features}.",
    }


def _group(
    title: str,
    figures: Mapping[str, Figure],
    caption: str,
    level: float,
    p_value: float | None = None,
    own: bool = True,
) -> dict[str, Any]:
    """Rows of figures, each on its own axis or all on one, with the p-value of all together."""
    on = None if own else frame(list(figures.values()))
    return {
        "title": title,
        "rows": [shown(figure, level, name, on) for name, figure in figures.items()],
        "caption": caption,
        "p": "" if p_value is None else p_text(p_value),
    }


def _discriminators(audit: Audit) -> dict[str, Any]:
    test = audit.classifiers
    together = test.accuracy.estimate.name
    reference = together[together.find("(") :] if "(" in together else ""
    caption = (
        f"Each was right so often on {test.n_test:,} patterns it had not seen, half of their weight on either kind "
        f"{reference}. Right of its hill, a mark tells samples from data."
    )
    group = _group("Discriminators", test.each, caption, audit.level, test.p_value, own=False)
    share = "" if audit.js.low <= 0 else f", {100 * audit.share_of_log2:.0f} % of log 2"
    group["rows"].append(shown(test.js, audit.level, f"Jensen–Shannon divergence, lower bound{share}"))
    return group


def _distances(audit: Audit) -> dict[str, Any]:
    figures = [*audit.kernel.statistics.values(), audit.kernel.kid]
    caption = (
        "Distances of the two laws that need nothing learnt; 0 is equal, but a figure of finitely many patterns "
        "scatters, or lies above 0, even then. p of all leaves the kernel inception distance out."
    )
    named = {figure.estimate.name: figure for figure in figures}
    return _group("Kernel and transport distances", named, caption, audit.level, audit.kernel.p_value)


def _frechet(audit: Audit) -> dict[str, Any]:
    both = (audit.frechet.extrapolated, audit.frechet.plain)
    caption = (
        "The squared Wasserstein distance of two normal laws with the features' means and covariances. The plain "
        "figure is too large at any finite n, as its hill shows; the extrapolated one has the bias taken off."
    )
    caption = " ".join([caption, *audit.frechet.notes])
    return _group("Fréchet distance", {f.estimate.name: f for f in both}, caption, audit.level)


def _support(audit: Audit) -> dict[str, Any]:
    found = audit.support
    figures = (found.precision, found.recall, found.density, found.coverage)
    return _group("Support", {f.estimate.name: f for f in figures}, found.note, audit.level, found.p_value)


def _faults(audit: Audit) -> dict[str, Any]:
    figures = (*map(Figure, (audit.missed.lost, audit.missed.share, audit.missed.held)), audit.unsupported.share)
    clusters = len(audit.missed.clusters)
    caption = (
        f"{clusters or 'None'} of {audit.missed.tested} clusters, tested together, hold{'s' * (clusters == 1)} too few "
        f"samples. {audit.unsupported.beyond} samples and {audit.unsupported.real_beyond} of the calibrating data lie "
        "beyond the limit."
    )
    return _group("Missed and without support", {f.estimate.name: f for f in figures}, caption, audit.level)


def _copying(audit: Audit) -> dict[str, Any]:
    figures = (audit.copying.copies, audit.copying.closeness)
    return _group("Copying", {f.estimate.name: f for f in figures}, CLOSENESS, audit.level)


def _modes(modes: ModeCoverage, level: float) -> dict[str, Any]:
    figures = [Figure(modes.reverse_kl), *([modes.high_quality] if modes.high_quality else [])]
    return {
        "covered": modes.covered if modes.counted else "an unknown number",
        "of": modes.of,
        "expected": f"{modes.expected:.1f}",
        "figures": [shown(f, level) for f in figures],
        "rows": [_mode(m) for m in sorted(modes.modes, key=lambda m: (not m.under_covered, m.p_value))],
    }


def _mode(mode: Mode) -> dict[str, Any]:
    real, fake = (f"{100 * share:.1f}\u00a0%" for share in (mode.real_share, mode.fake_share))
    return {
        "name": mode.name,
        "real": real,
        "fake": fake,
        "p": p_text(mode.adjusted_p_value),
        "found": mode.under_covered,
    }
