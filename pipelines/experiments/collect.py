"""Outcomes and forecasts of assigned customers: all that a comparison is made of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from clvmodels.finance.clv import UnitEconomics
from pipelines.config.load import Train
from pipelines.data.features.snapshot import Snapshot
from pipelines.experiments import forecasts, outcomes


@dataclass(frozen=True)
class Collected:
    """Customers to be compared, one row each in every table and no id in any.

    Attributes
    ----------
    place : ndarray of int
        Of each customer among those who were given.
    metrics : DataFrame
        One column a metric, before campaign costs.
    forecast : DataFrame, optional
        Of :func:`pipelines.experiments.forecasts.expected` the day before the first assignment, NaN
        of customers not known yet; None where no model could be fitted.
    set_aside : dict of str to int
        Customers by reason: ``unknown`` (no purchase before the assignment), ``totals_only`` (may
        not be profiled).
    left_out : dict of str to str
        Metrics that could not be told, and why.
    notes : tuple of str
    """

    place: np.ndarray
    metrics: pd.DataFrame
    forecast: pd.DataFrame | None
    set_aside: dict[str, int]
    left_out: dict[str, str]
    notes: tuple[str, ...]


def collect(
    snapshot: Snapshot,
    customers: pd.DataFrame,
    *,
    metrics: tuple[str, ...],
    window_days: int,
    settings: Train,
    economics: UnitEconomics,
    horizon_months: int,
) -> Collected:
    """Read what customers did and were expected to do.

    Parameters
    ----------
    snapshot : Snapshot
        Of the as-of date.
    customers : DataFrame
        customer_id, day, until; sorted by customer_id, each once.
    metrics : tuple of str
    window_days : int
    settings : Train
    economics : UnitEconomics
    horizon_months : int
        Of ``clv``.
    """
    first, last = customers["day"].min().date(), customers["until"].max().date()
    asked = (window_days, settings, economics, horizon_months)
    with outcomes.placed(snapshot.purchases, customers) as table:
        sums = outcomes.window_sums(snapshot, table, economics.margin)
        known = (sums["first_purchase"] < sums["day"]).to_numpy()
        profiled = sums["individual"].to_numpy()
        kept = known & profiled
        before, why_not = _expected_at(snapshot, first - dt.timedelta(days=1), table, *asked)
        ahead, why_no_clv = None, ""
        if "clv" in metrics:
            ahead, why_no_clv = _expected_at(snapshot, last, table, *asked)
    left_out, clv = {}, None
    if ahead is not None:
        clv = (ahead["clv"] + _margin_until(snapshot, customers, last, economics))[kept]
    elif "clv" in metrics:
        left_out["clv"] = why_no_clv
    if "orders" in metrics and "orders" not in sums:
        left_out["orders"] = (
            "the log names no orders; set [columns] transaction_id, or count purchases"
        )
    wanted = tuple(name for name in metrics if name not in left_out)
    notes = [f"Nothing is adjusted by a forecast: {why_not}."] if before is None else []
    return Collected(
        np.flatnonzero(kept),
        outcomes.metrics_of(sums[kept], wanted, economics, clv),
        None if before is None else before[kept].reset_index(drop=True),
        {"unknown": int((~known).sum()), "totals_only": int((known & ~profiled).sum())},
        left_out,
        tuple(notes),
    )


def _margin_until(
    snapshot: Snapshot, customers: pd.DataFrame, last: dt.date, economics: UnitEconomics
) -> pd.Series:
    """Margin net of the cost to serve, from each customer's assignment to one day for all."""
    with outcomes.placed(snapshot.purchases, customers.assign(until=pd.Timestamp(last))) as table:
        sums = outcomes.window_sums(snapshot, table, economics.margin)
    return outcomes.margin_of(sums, economics)


def _expected_at(
    snapshot: Snapshot,
    day: dt.date,
    customers: Table,
    window_days: int,
    settings: Train,
    economics: UnitEconomics,
    months: int,
) -> tuple[pd.DataFrame | None, str]:
    """Forecasts at a day, or None and why there are none."""
    if day < snapshot.first_date:
        return None, f"the log begins on {snapshot.first_date}"
    with snapshot.earlier(day) as then:
        try:
            fitted = forecasts.fit(then, settings)
        except DataError as error:
            return None, str(error).rstrip(".")
        table = outcomes.histories(then, customers)
    known = table["frequency"].notna()
    told = forecasts.expected(fitted, table[known], window_days, economics, months)
    return told.reindex(table.index).reset_index(drop=True), ""


def known_customers(snapshot: Snapshot) -> pd.DataFrame:
    """Return customer_id and first_purchase of everybody who may be profiled; sorted."""
    table = snapshot.summary.select("customer_id", "first_purchase")
    if "individual" in snapshot.purchases.columns:
        may = snapshot.purchases.filter(snapshot.purchases.individual).select("customer_id")
        table = table.filter(table.customer_id.isin(may.customer_id))
    frame = table.order_by(ibis.asc("customer_id")).execute()
    frame["first_purchase"] = pd.to_datetime(frame["first_purchase"]).astype("datetime64[s]")
    return frame.sort_values("customer_id", ignore_index=True)
