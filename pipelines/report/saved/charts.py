"""What a saved chart must hold to be drawn again, by kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A part of a saved report. It may hold more than is named here: later releases add to it."""

    model_config = ConfigDict(strict=True, extra="allow", allow_inf_nan=False)


def is_day(text: str) -> bool:
    """Whether a text is a date such as 2024-12-31."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _day(text: str) -> str:
    if not is_day(text):
        raise ValueError(f"expected a date such as 2024-12-31, found {text[:40]!r}")
    return text


Day = Annotated[str, AfterValidator(_day)]
Days = list[Day]
Numbers = list[float | None]
Some = Field(min_length=1)


class Chart(Part):
    """Any chart: its heading, and its words for those who cannot see it."""

    title: str
    alt: str


class Months(Part):
    """Quantities by month; ``cut``: of which months only some days count."""

    period: Days
    cut: list[bool] | None = None


class _Panel(Months):
    origin: Day
    actual: Numbers
    forecasts: dict[str, Numbers]


class _MonthLines(Chart):
    unit: str
    panels: Annotated[list[_Panel], Some]


class _Revenue(Months):
    revenue: Numbers


class _Interval(_Revenue):
    low: Numbers
    high: Numbers


class _HistoryAndForecast(Chart):
    unit: str
    history: _Revenue
    forecast: _Interval


class _KnownAndNew(Months):
    known: Numbers
    new: Numbers


class _Company(Chart):
    unit: str
    history: _Revenue
    forecast: _KnownAndNew
    cut: Days = []


class _ErrorsByModel(Chart):
    models: list[str]
    wape: Annotated[dict[str, Numbers], Some]


class _Row(Part):
    origin: Day
    cohort: Day


class _HeatMap(Chart):
    rows: Annotated[list[_Row], Some]
    periods: Days
    error: list[Numbers]
    asked: list[list[bool]]


class _Tenths(Part):
    quantity: str
    unit: str
    decile: list[int]
    forecast: Numbers
    actual: Numbers


class _Deciles(Chart):
    panels: Annotated[list[_Tenths], Some]


class _Line(Part):
    cohort: Day
    cohort_to: Day | None = None
    age: list[int]
    ltv: Numbers
    forecast: list[bool]


class _CumulativeLtv(Chart):
    unit: str
    group: Literal["month", "quarter", "year"]
    lines: list[_Line]


class _Alive(Chart):
    recency: list[float]
    frequency: list[float]
    probability: list[Numbers]


class _Curve(Part):
    label: str
    predicted: Numbers
    observed: Numbers


class _Reliability(Chart):
    curves: list[_Curve]


class _Importance(Chart):
    feature: list[str]
    importance: Numbers
    importance_sd: Numbers


class _Tiers(Chart):
    tier: list[str]
    share_of_customers: Numbers
    share_of_clv: Numbers


class _RfmSegments(Chart):
    segment: list[str]
    share_of_customers: Numbers
    share_of_revenue: Numbers
    share_of_expected_revenue: Numbers


class _ObservedAndExpected(Chart):
    names: list[str]
    observed: Numbers
    expected: Numbers
    x: str
    y: str


class _Pair(Part):
    title: str
    observed: Numbers
    expected: Numbers


class _Tracking(Chart, Months):
    panels: Annotated[list[_Pair], Some]


class _SpendDistribution(Chart):
    edges: list[float]
    observed: Numbers
    expected: Numbers
    unit: str


CHARTS: Mapping[str, type[Chart]] = {
    "headline_backtest": _MonthLines,
    "headline_forecast": _HistoryAndForecast,
    "record": _MonthLines,
    "errors_by_model": _ErrorsByModel,
    "forecast_by_month_revenue": _MonthLines,
    "forecast_by_month_purchases": _MonthLines,
    "error_heatmap": _HeatMap,
    "cumulative_ltv": _CumulativeLtv,
    "calibration_deciles": _Deciles,
    "probability_alive": _Alive,
    "churn_reliability": _Reliability,
    "churn_importance": _Importance,
    "tiers": _Tiers,
    "rfm_segments": _RfmSegments,
    "frequency_histogram": _ObservedAndExpected,
    "budget": _Company,
    "tracking": _Tracking,
    "conditional_frequency": _ObservedAndExpected,
    "conditional_recency": _ObservedAndExpected,
    "spend_distribution": _SpendDistribution,
}
"""By chart name, as :data:`pipelines.report.figures.forecasts.DRAW`."""
