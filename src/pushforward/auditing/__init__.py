"""Can samples be told from data? The audit knows laws only by their samples, and no model."""

from __future__ import annotations

from pushforward.auditing.columns import ColumnDifference, compare_columns
from pushforward.auditing.statistics import balanced_accuracy, js_divergence, js_lower_bound, noticeable_accuracy
from pushforward.auditing.two_sample import audit
from pushforward.auditing.verdict import Audit

__all__ = [
    "Audit",
    "ColumnDifference",
    "audit",
    "balanced_accuracy",
    "compare_columns",
    "js_divergence",
    "js_lower_bound",
    "noticeable_accuracy",
]
