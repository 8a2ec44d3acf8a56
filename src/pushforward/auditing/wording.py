"""What an audit found, in words: sentences about its parts, and shares and p-values as papers write them."""

from __future__ import annotations

from pushforward.auditing.copying import Copying
from pushforward.auditing.missed import Missed
from pushforward.auditing.modes import ModeCoverage
from pushforward.auditing.unsupported import Unsupported
from pushforward.evidence import Estimate

__all__ = [
    "copying_sentence",
    "missed_sentence",
    "modes_sentence",
    "p_text",
    "percent",
    "unsupported_sentence",
]

ELSEWHERE = 0.1
"""Where the samples have surely less than this of their mass, they hardly are."""


def missed_sentence(missed: Missed) -> str:
    """Which part of the data the samples miss."""
    clusters = missed.clusters
    if not clusters:
        return "No group of the data is under-covered beyond chance."
    one, first = len(clusters) == 1, clusters[0]
    groups = "One region" if one else f"{len(clusters)} regions"
    worst = f"; the worst has {100 * first.real_share:.1f} % and {100 * first.fake_share:.1f} %"
    sentence = (
        f"{groups} with {percent(missed.share)} of the data {'holds' if one else 'hold'} only "
        f"{percent(missed.held)} of the samples ({p_text(missed.p_value)}){'' if one else worst}: "
        f"{percent(missed.lost)} of the data is missed."
    )
    if missed.share.low > 0.5 and missed.held.high < ELSEWHERE:
        return f"The samples lie elsewhere than most of the data. {sentence}"
    return sentence


def modes_sentence(modes: ModeCoverage) -> str:
    """Which known modes have too few samples."""
    few = [f"{mode.name} ({p_text(mode.adjusted_p_value)})" for mode in modes.modes if mode.under_covered]
    known = f"Of {modes.of} known modes the samples cover {modes.covered}"
    if not modes.counted:
        known = f"Which of {modes.of} known modes the samples cover is not known"
    return f"{known}, and too few have {', '.join(few)}." if few else f"{known}, none of them too seldom."


def unsupported_sentence(unsupported: Unsupported, level: float) -> str:
    """How many samples lie far from all data."""
    if unsupported.p_value > level:
        return "No more samples than chance explains lie far from all data."
    if unsupported.share.estimate.low <= 0:
        return (
            f"More samples than chance explains lie far from all data ({p_text(unsupported.p_value)}); how "
            "many more is not known, for the interval of their share includes 0."
        )
    return (
        f"Beyond what data themselves show, {percent(unsupported.share.estimate)} of the samples lie far "
        f"from all data ({p_text(unsupported.p_value)})."
    )


def copying_sentence(copying: Copying) -> str:
    """How many samples are copied."""
    what = copying.reference
    if not copying.copied:
        return f"No more samples than chance explains are near-duplicates of {what}."
    return (
        f"{percent(copying.copies.estimate)} of the samples are near-duplicates of {what} ({p_text(copying.p_value)})."
    )


def percent(share: Estimate) -> str:
    """A share with its interval, as a person writes it: ``58 % [53, 63]``."""
    digits = 1 if share.high < 0.1 else 0
    ends = (round(100 * x, digits) + 0.0 for x in (share.value, share.low, share.high))  # + 0.0: no zero with a sign
    value, low, high = (f"{x:.{digits}f}".replace("-", "−") for x in ends)
    return f"{value} % [{low}, {high}]"


def p_text(p_value: float | None) -> str:
    """A p-value as papers write it.

    Example:
        >>> p_text(0.3012), p_text(0.041), p_text(1e-9)
        ('p = .30', 'p = .041', 'p < .001')
    """
    if p_value is None:
        return "p unknown"
    if p_value < 0.001:
        return "p < .001"
    return f"p = {p_value:.3f}".replace("0.", ".") if p_value < 0.1 else f"p = {p_value:.2f}".replace("0.", ".")
