"""Tables to one plain, JSON-safe dictionary: everything that the report says, before it looks.

Layout of the dictionary: ``schema_version``; ``meta`` (name, as_of, currency, gross_margin);
``headline`` (see :func:`pipelines.report.headline.headline`); ``sections`` (in order: id, title,
text, missing, and the names of their tables and charts); ``tables`` (title, note, sheet, columns,
rows); ``charts`` (title, alt, and what the figure is drawn from).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.report import section as sections
from pipelines.report.headline import headline
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section
from pipelines.report.sections import acquisition as sections_acquisition
from pipelines.report.sections import business as sections_business
from pipelines.report.sections import cohorts as sections_cohorts
from pipelines.report.sections import data as sections_data
from pipelines.report.sections import drivers as sections_drivers
from pipelines.report.sections import economics as sections_economics
from pipelines.report.sections import fit as sections_fit
from pipelines.report.sections import model as sections_model
from pipelines.report.sections import record as sections_record
from pipelines.report.sections.budget import ahead
from pipelines.report.sections.customers import churn as sections_churn
from pipelines.report.sections.customers import rfm as sections_rfm
from pipelines.report.sections.customers import sales as sections_sales
from pipelines.report.sections.customers import segments as sections_segments
from pipelines.report.sections.customers import tiers as sections_tiers
from pipelines.report.sections.errors import cells, models, tenths
from pipelines.report.wording import words

__all__ = ["ReportInputs", "summarize"]

SUMMARY_VERSION = 1

SECTIONS: tuple[Callable[[ReportInputs], Section], ...] = (
    models.errors_by_model,
    sections.by_month,
    cells.heat_map,
    sections.history_and_forecast,
    ahead.budget,
    sections_drivers.drivers,
    sections_business.tracking,
    sections_record.record,
    sections_business.cohort_level,
    sections_cohorts.cohort_value,
    tenths.calibration,
    sections_tiers.alive,
    sections_churn.churn,
    sections_economics.unit_economics,
    sections_acquisition.channels,
    sections_tiers.tiers,
    sections_rfm.rfm,
    sections_segments.segments,
    sections_sales.sales,
    sections_fit.fit,
    sections_model.model,
    sections_data.data_account,
    sections_model.assumptions,
    sections_model.glossary,
)

HEADLINE_CHARTS = ("headline_backtest", "headline_forecast")
"""Shown on the first screen rather than in their sections."""


def summarize(inputs: ReportInputs) -> dict[str, Any]:
    """Say everything that the report says, as one plain dictionary.

    Returns
    -------
    dict
        JSON-safe: strings, numbers, booleans, None, lists and dictionaries. Rates and shares are
        fractions, money is in the configured currency, dates are ISO strings.
    """
    built = [make(inputs) for make in SECTIONS]
    tables: dict[str, Any] = {}
    charts: dict[str, Any] = {}
    for section in built:
        tables |= section.tables
        charts |= section.charts
    return {
        "schema_version": SUMMARY_VERSION,
        "meta": {
            "name": inputs.terms.name,
            "as_of": inputs.as_of.isoformat(),
            "as_of_text": words.day(inputs.as_of),
            "currency": inputs.currency,
            "gross_margin": inputs.gross_margin.described(),
        },
        "headline": {
            **headline(inputs),
            "charts": [name for name in HEADLINE_CHARTS if name in charts],
        },
        "sections": [
            {
                "id": section.id,
                "title": section.title,
                "text": section.text,
                "missing": section.missing,
                "tables": [t for t in section.tables if t not in section.workbook_only],
                "workbook_only": [t for t in section.tables if t in section.workbook_only],
                "charts": [c for c in section.charts if c not in HEADLINE_CHARTS],
            }
            for section in built
        ],
        "tables": tables,
        "charts": charts,
    }
