"""Can samples be told from data? The audit knows laws only by their samples, and no model."""

from __future__ import annotations

from pushforward.auditing.columns import ColumnDifference, compare_columns
from pushforward.auditing.statistics import js_lower_bound, noticeable_accuracy, two_sample_accuracy
from pushforward.auditing.two_sample import audit
from pushforward.auditing.verdict import Audit

__all__ = [
    "Audit",
    "ColumnDifference",
    "audit",
    "compare_columns",
    "js_lower_bound",
    "noticeable_accuracy",
    "two_sample_accuracy",
]
