"""Can samples be told from data? The audit knows laws only by their samples, and no model."""

from __future__ import annotations

from pushforward.audit.columns import ColumnDifference, compare_columns
from pushforward.audit.statistics import js_lower_bound, noticeable_accuracy, two_sample_accuracy
from pushforward.audit.two_sample import audit
from pushforward.audit.verdict import Audit

__all__ = [
    "Audit",
    "ColumnDifference",
    "audit",
    "compare_columns",
    "js_lower_bound",
    "noticeable_accuracy",
    "two_sample_accuracy",
]
