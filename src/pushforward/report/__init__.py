"""What people see: the self-contained page, and the table in the terminal."""

from __future__ import annotations

from pushforward.report.page import render, write
from pushforward.report.records import FamilyRecord, Fan, ReportData
from pushforward.report.terminal import table

__all__ = ["FamilyRecord", "Fan", "ReportData", "render", "table", "write"]
