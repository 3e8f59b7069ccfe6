"""What the report is made from: the tables that training, backtest and forecast leave behind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from clvmodels.core import months, schema
from clvmodels.core.schema import TableSchema
from pipelines.backtesting import accuracy
from pipelines.backtesting.accuracy import Accuracy
from pipelines.config.load import Terms
from pipelines.data.margins import Margin
from pipelines.finance.channels import Acquired
from pipelines.forecasting.rfm.found import RfmFound
from pipelines.monitoring.judged import Judged
from pipelines.report.groups import origins
from pipelines.report.groups.cohorts import Groups, groups
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.wording import words
from pipelines.training.level_source import LevelSource

SCHEMAS: Mapping[str, TableSchema] = {
    "metrics": schema.METRICS,
    "cells": schema.CELLS,
    "deciles": schema.DECILES,
    "samples": schema.SAMPLES,
    "churn_reliability": schema.CHURN_RELIABILITY,
    "churn_importance": schema.CHURN_IMPORTANCE,
    "cohort_months": schema.COHORT_MONTHS,
    "cohort_forecast": schema.COHORT_FORECAST,
    "tiers": schema.TIERS,
    "segments": schema.SEGMENTS,
    "segment_cells": schema.SEGMENT_CELLS,
    "sales": schema.SALES,
    "alive_matrix": schema.ALIVE_MATRIX,
    "frequency_histogram": schema.FREQUENCY_HISTOGRAM,
    "months": schema.MONTH_FORECAST,
    "totals": schema.TOTALS,
    "tracking": schema.TRACKING,
    "unit_economics": schema.UNIT_ECONOMICS,
    "monitoring": schema.MONITORING,
    "corrections": schema.CORRECTIONS,
    "selection": schema.SELECTION,
    "new_cohorts": schema.NEW_COHORTS,
    "budget": schema.BUDGET,
    "budget_total": schema.TOTALS,
    "company": schema.COMPANY,
    "effects": schema.EFFECTS,
}
"""What each table must hold, unless it is empty."""


@dataclass(frozen=True)
class Learned:
    """What the forecast rests on, as far as the words of the page differ by it.

    Attributes
    ----------
    level : LevelSource
        Whose purchases the forecast takes; see :mod:`pipelines.training.level_source`.
    season : bool
        Whether the cohort forecast in use lets months of the year differ.
    until : datetime.date, optional
        Last day that the models learned from; None for the report's own as-of date.
    churn_days : int, optional
        What the churn classifier in use was trained to foresee; None without one.
    """

    level: LevelSource = LevelSource.COHORTS
    season: bool = True
    until: dt.date | None = None
    churn_days: int | None = None


def _none() -> pd.DataFrame:
    return pd.DataFrame()


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Tables of one report. Any of them may be empty; the report then says why it is not there.

    None holds customer ids or single customers' histories.

    Attributes
    ----------
    terms : Terms
        The business: economics and governance are printed as assumptions.
    as_of : datetime.date
        Last day known.
    account : dict
        Data-quality account: rows read and kept, rows set aside by reason, dates, customers.
    metrics : DataFrame
        origin, horizon_days, level, quantity, model, metric, value, as in backtest.json.
    cells : DataFrame
        origin, horizon_days, model, cohort (first day of the quarter), period (first day of the
        month), customers, purchases, revenue, each with _low and _high where there is an
        interval, actual_purchases, actual_revenue.
    deciles : DataFrame
        origin, model, quantity, decile (1 = lowest forecast), customers, forecast_mean,
        actual_mean.
    samples : DataFrame
        origin, customers, sampled: on how many of the customers deciles and errors customer by
        customer stand.
    churn_reliability : DataFrame
        origin, model, bin, predicted, observed (shares), customers.
    churn_importance : DataFrame
        feature, importance, importance_sd (loss of AUC when the feature is shuffled).
    cohort_months, cohort_forecast : DataFrame
        History and forecast, as in :mod:`clvmodels.core.schema`.
    tiers : DataFrame
        tier, customers, clv, expected_revenue, share_of_clv.
    rfm : RfmFound
        RFM segments and who moved; of a run that scored nobody, empty.
    segments : DataFrame
        dimension, value, customers, then per customer any of ltv_revenue, ltv_margin (to
        date), expected_revenue, clv (over the horizon) and churn (mean probability).
    sales : DataFrame
        dimension, value, period, and what was sold and paid back, as in
        :mod:`clvmodels.core.schema`.
    alive_matrix : DataFrame
        frequency, recency (days), probability_alive.
    frequency_histogram : DataFrame
        frequency, observed, expected (customers).
    model : dict
        ``label``; ``parameters`` (records: model, parameter, estimate, standard_error, low,
        high); ``log_likelihood`` (by model); ``parity`` (records: model, quantity, own,
        lifetimes); ``notes`` (sentences).
    months : DataFrame
        period, purchases, revenue, margin, each with _low and _high: all cohorts together.
        Without it the intervals of months are sums of the cohorts', which are wider.
    totals : DataFrame
        quantity (revenue, purchases, margin, clv), value, low, high over the horizon. Without
        it the intervals are the sums of the cohorts' intervals, which are wider.
    tracking : DataFrame
        The last delivered forecast and what happened since: cohort, period, customers, purchases
        and revenue, each also as actual_; empty where there is none.
    tracked_from : datetime.date, optional
        As-of date of the tracked forecast.
    tracking_notes : tuple of str
        What of it could not be compared, and why: sentences.
    unit_economics : DataFrame
        measure, value, unit, meaning: LTV by the historical formula, LTV against CAC, payback.
    monitoring : DataFrame
        period (quarter), customers, buyers, arpu, margin, cohort_churn, customer_churn.
    corrections : DataFrame
        cohort, purchases (seen), weight, purchases_factor, revenue_factor: what carried customers
        to the cohort forecast; optionally purchases_unplaced and revenue_unplaced, what they could
        not carry.
    selection : DataFrame
        candidate, wape, mean_absolute_bias, origins, chosen, optionally joint_wape (of purchases
        and revenue): variants of parts, and of covariates where there are any, on
        earlier origins of the same log.
    new_cohorts : DataFrame
        Cohorts still to come, as in :mod:`clvmodels.core.schema`.
    budget : DataFrame
        The company's months: period, new_customers, basis (``plan``, ``recent level`` or
        ``stopped``), purchases and revenue of known customers (``known_``, with _low and _high),
        of those still to come (``new_``) and of both (``company_``).
    budget_total : DataFrame
        The company's purchases and revenue over the horizon, with intervals.
    company : DataFrame
        Past forecasts of the whole company: origin, period, purchases, revenue, new_customers,
        new_revenue, each also as actual_; last_months_revenue and last_year_revenue, plain
        baselines.
    effects : DataFrame
        What covariates were found to do; see :func:`pipelines.training.effects.table`.
    diagnostics : dict of DataFrame
        Tables of :mod:`clvmodels.evaluation.transactions` by name, each optional: ``tracking``
        (with the month in ``period``), ``conditional_frequency``, ``conditional_recency``,
        ``spend_distribution``, ``spend_by_frequency`` (``attrs["pearson"]`` holds the correlation)
        and ``model_comparison``.
    learned : Learned
        What the forecast rests on, for the words.
    acquired : Acquired, optional
        What winning customers cost and returned, by channel; where [acquisition] is set.
    margin : Margin, optional
        What the run goes by; by default the configuration's own.
    past : Accuracy, optional
        The backtest's own pooled errors; by default those of ``cells`` and ``metrics``.
    judged : Judged, optional
        Every recorded forecast whose months have ended; None but in a monthly run.
    """

    terms: Terms
    as_of: dt.date
    account: dict[str, Any] = field(default_factory=dict)
    metrics: pd.DataFrame = field(default_factory=_none)
    cells: pd.DataFrame = field(default_factory=_none)
    deciles: pd.DataFrame = field(default_factory=_none)
    samples: pd.DataFrame = field(default_factory=_none)
    churn_reliability: pd.DataFrame = field(default_factory=_none)
    churn_importance: pd.DataFrame = field(default_factory=_none)
    cohort_months: pd.DataFrame = field(default_factory=_none)
    cohort_forecast: pd.DataFrame = field(default_factory=_none)
    tiers: pd.DataFrame = field(default_factory=_none)
    rfm: RfmFound = field(default_factory=RfmFound)
    segments: pd.DataFrame = field(default_factory=_none)
    sales: pd.DataFrame = field(default_factory=_none)
    alive_matrix: pd.DataFrame = field(default_factory=_none)
    frequency_histogram: pd.DataFrame = field(default_factory=_none)
    model: dict[str, Any] = field(default_factory=dict)
    months: pd.DataFrame = field(default_factory=_none)
    totals: pd.DataFrame = field(default_factory=_none)
    tracking: pd.DataFrame = field(default_factory=_none)
    tracked_from: dt.date | None = None
    tracking_notes: tuple[str, ...] = ()
    unit_economics: pd.DataFrame = field(default_factory=_none)
    monitoring: pd.DataFrame = field(default_factory=_none)
    corrections: pd.DataFrame = field(default_factory=_none)
    selection: pd.DataFrame = field(default_factory=_none)
    new_cohorts: pd.DataFrame = field(default_factory=_none)
    budget: pd.DataFrame = field(default_factory=_none)
    budget_total: pd.DataFrame = field(default_factory=_none)
    company: pd.DataFrame = field(default_factory=_none)
    effects: pd.DataFrame = field(default_factory=_none)
    diagnostics: dict[str, pd.DataFrame] = field(default_factory=dict)
    segment_cells: pd.DataFrame = field(default_factory=_none)
    learned: Learned = field(default_factory=Learned)
    acquired: Acquired | None = None
    margin: Margin | None = None
    past: Accuracy | None = None
    judged: Judged | None = None

    def __post_init__(self) -> None:
        for name, table in SCHEMAS.items():
            frame = getattr(self, name)
            if not frame.empty:
                table.require(str(column) for column in frame.columns)

    @property
    def currency(self) -> str:
        """ISO code of the currency."""
        return self.terms.economics.currency

    @property
    def gross_margin(self) -> Margin:
        """The gross margin that the run goes by, and where it is from."""
        return self.margin or Margin(self.terms.economics.margin)

    @property
    def churn_days(self) -> int:
        """Days without a purchase that churn probabilities of customers speak of."""
        return self.learned.churn_days or self.terms.churn_horizon_days

    @cached_property
    def groups(self) -> Groups:
        """Which cohorts are shown together, so that no table tells on a single customer."""
        return groups(self.dated("cohort_months", "cohort", "period"))

    @cached_property
    def told(self) -> frozenset[pd.Timestamp]:
        """Origins whose months and cohorts may be shown beside the cohorts' history."""
        cells = self.dated("cells", "origin", "cohort")
        if cells.empty or "customers" not in cells:
            return frozenset()
        customers = cells.drop_duplicates(["origin", "cohort"]).groupby("origin")["customers"].sum()
        return frozenset(
            day
            for day, count in zip(pd.DatetimeIndex(customers.index), customers, strict=True)
            if self.groups.tells_nothing_at(day, count)
        )

    @cached_property
    def told_metrics(self) -> pd.DataFrame:
        """The metrics, without amounts of origins that are not told."""
        return origins.told_metrics(self.metrics, self.told, words.CHURN_METRICS)

    @cached_property
    def accuracy(self) -> Accuracy:
        """Pooled errors of past forecasts."""
        return self.past or Accuracy.of(self.cells, self.metrics)

    def guarded(self, errors: Any) -> Any:
        """Errors over all origins, in whole percents where some origins are not told."""
        tested = pd.DatetimeIndex(self.dated("cells", "origin").get("origin", pd.Series()))
        return errors if set(tested) <= self.told else origins.coarse(errors)

    @property
    def told_accuracy(self) -> pd.DataFrame:
        """Every model's pooled errors, as far as they may be told."""
        found: pd.DataFrame = self.guarded(self.accuracy.table(self.accuracy.quantities))
        return found

    @cached_property
    def tells_tracking(self) -> bool:
        """Whether the tracked forecast's months and cohorts may be shown beside the history."""
        if self.tracked_from is None or "customers" not in self.tracking:
            return False
        customers = self.tracking.drop_duplicates("cohort")["customers"].sum()
        return self.groups.tells_nothing_at(pd.Timestamp(self.tracked_from), customers)

    @property
    def profiled_hide_the_rest(self) -> bool:
        """Whether totals less those of profiled customers tell on nobody who is not profiled."""
        customers, profiled = self.account.get("customers"), self.tiers.get("customers")
        if customers is None or profiled is None:
            return True
        rest = int(customers) - int(profiled.sum())
        return not 0 < rest < LEAST_CUSTOMERS

    def origin_like_today(self) -> pd.Timestamp | None:
        """Origin of the past forecast most like today's, None without any."""
        cells = self.dated("cells", "origin", "period")
        return accuracy.most_like(cells, self.terms.economics.horizon_months)

    @property
    def months_of_log(self) -> int:
        """Calendar months that the history touches."""
        if self.cohort_months.empty:
            return 0
        touched = pd.DatetimeIndex(self.cohort_months["period"])
        first, last = touched.min(), touched.max()
        return (last.year - first.year) * 12 + last.month - first.month + 1

    def last_day(self, origin: dt.date | None = None) -> dt.date:
        """Last day of the forecast made at ``origin``, by default the report's own."""
        return months.add_months(origin or self.as_of, self.terms.economics.horizon_months)

    def first_day(self, history: pd.Series[Any] | pd.Index[Any]) -> dt.date:
        """First day of the log, whose earliest month may begin before it."""
        stated = self.account.get("first_date")
        first: dt.date = dt.date.fromisoformat(stated) if stated else history.min().date()
        return first

    def with_days(self, frame: pd.DataFrame, origin: dt.date | None = None) -> pd.DataFrame:
        """Add ``days`` to a forecast: how much of each period it covers; None where all of all."""
        if frame.empty:
            return frame
        first = (origin or self.as_of) + dt.timedelta(days=1)
        last = self.last_day(origin)
        said = [words.days_covered(day.date(), first, last) for day in frame["period"]]
        return frame.assign(days=said if set(said) != {"all"} else None)

    def dated(self, name: str, *columns: str) -> pd.DataFrame:
        """Table ``name`` with the named columns as timestamps, safe to change."""
        frame: pd.DataFrame = getattr(self, name).copy()
        for column in columns:
            if column in frame:
                frame[column] = pd.to_datetime(frame[column])
        return frame
