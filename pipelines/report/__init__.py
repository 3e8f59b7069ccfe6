"""The report: tables in, one plain dictionary, then figures, a page and a workbook from it."""

from __future__ import annotations

from pipelines.report.summarize import ReportInputs, summarize

__all__ = ["ReportInputs", "summarize"]
