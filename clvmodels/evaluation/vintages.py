"""What was forecast in one month and the next, and what came true: errors that have matured.

Every delivered forecast is a *vintage*. Once a month has ended, each vintage that spoke of it can
be judged; the same month is judged once for every vintage, by how far ahead it was made.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd

from clvmodels.cohorts.intervals import NORMAL_90
from clvmodels.core import metrics
from clvmodels.core.arrays import Array
from clvmodels.core.months import add_months, last_month_end, month_end, month_number


class VintageLevel(StrEnum):
    """What a recorded forecast is of."""

    COHORT = "cohort_month"
    KNOWN = "known_month"
    """All customers known at the as-of date together."""
    COMPANY = "company_month"
    """With the customers who came later, and everybody's first purchase."""


HORIZONS = ((1, 1), (2, 3), (4, 6), (7, 12), (13, 120))
"""Months ahead that are told together, both ends included."""

STEADY = 2.5
"""Signal beyond which errors are a bias and not chance; about one calm month in eighty has it."""

FAR = 3.0
"""Standard deviations at which a single month is beyond what its interval can explain."""

LEAST_MONTHS = 2


class Alarm(StrEnum):
    """Why a forecast is no longer to be relied on as it is."""

    BIAS = "bias"
    """Errors of one side, month after month."""
    OUTSIDE = "outside"
    """Two months in a row outside the 90 % interval on one side, or one far outside."""


def matured(forecasts: pd.DataFrame, actuals: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    """Join forecasts with the whole months that have ended by a day.

    A month that the forecast's own day cuts is not judged, nor the last one where the forecast ends
    within it. Where that day is no month's end, its month's cohort was known in part only: its own
    forecast and the sum of all known customers are not judged, the company's is.

    Parameters
    ----------
    forecasts : DataFrame
        origin (as-of date), level, cohort (first of month; missing but for cohorts), period (first
        of month), quantity (``purchases`` or ``revenue``; others are left out), value, low, high:
        every month that a forecast touches, whole months after its day.
    actuals : DataFrame
        cohort, period, purchases, revenue (repeat), first_purchases, first_revenue: every cohort
        and month that is known.
    as_of : date
        Last day known.

    Returns
    -------
    DataFrame
        The judged rows with ``actual`` and ``horizon`` (calendar months ahead, from 1).
    """
    until = pd.Timestamp(last_month_end(as_of))
    origin, period = pd.to_datetime(forecasts["origin"]), pd.to_datetime(forecasts["period"])
    some = forecasts.assign(origin=origin, period=period)
    some = some[(period > origin) & (period <= until) & ~_cut_short(origin, period)]
    some = some[some["quantity"].isin(["purchases", "revenue"])]
    parts = []
    for day, made in some.groupby("origin"):
        whole = pd.Timestamp(str(day)).is_month_end
        for level, actual in _actuals(actuals, pd.Timestamp(str(day))).items():
            rows = made[made["level"] == level]
            if not whole and level == VintageLevel.KNOWN:
                continue
            if not whole and level == VintageLevel.COHORT:
                rows = rows[pd.to_datetime(rows["cohort"]) < pd.Timestamp(str(day)).replace(day=1)]
            keys = [name for name in ("cohort", "period", "quantity") if name in actual]
            rows = rows.assign(cohort=pd.to_datetime(rows["cohort"]))
            parts.append(rows.merge(actual, on=keys, how="left"))
    out = pd.concat(parts) if parts else some.assign(actual=np.nan)
    out["horizon"] = month_number(out["period"]) - month_number(out["origin"])
    return out.fillna({"actual": 0.0}).reset_index(drop=True)


def by_horizon(judged: pd.DataFrame) -> pd.DataFrame:
    """Errors of matured forecasts by level, quantity and how far ahead they were.

    Parameters
    ----------
    judged : DataFrame
        Of :func:`matured`.

    Returns
    -------
    DataFrame
        level, quantity, from_month, to_month (ahead), forecasts (vintages behind it), cells, wape,
        bias, coverage_90 (nan without intervals).
    """
    rows = []
    for (level, quantity), group in judged.groupby(["level", "quantity"], sort=False):
        for first, last in HORIZONS:
            some = group[group["horizon"].between(first, last)]
            if some.empty or some["actual"].sum() <= 0:
                continue
            actual, value = some["actual"].to_numpy(), some["value"].to_numpy()
            inside = _inside(some)
            rows.append(
                {
                    "level": level,
                    "quantity": quantity,
                    "from_month": first,
                    "to_month": min(last, int(some["horizon"].max())),
                    "forecasts": some["origin"].nunique(),
                    "cells": len(some),
                    "wape": metrics.wape(actual, value),
                    "bias": metrics.bias(actual, value),
                    "coverage_90": float(inside.mean()) if len(inside) else np.nan,
                }
            )
    names = ["level", "quantity", "from_month", "to_month", "forecasts", "cells"]
    return pd.DataFrame(rows, columns=[*names, "wape", "bias", "coverage_90"])


@dataclass(frozen=True)
class TrackingSignal:
    """Whether the latest forecasts err to one side.

    Attributes
    ----------
    level, quantity : str
    months : int
        Ended months behind it, each judged by the latest forecast made before it.
    bias : float
        Relative error of their sum, forecast against actual.
    signal : float
        Sum of the months' standardised errors over the root of their number: about standard
        normal where forecasts are unbiased and their intervals honest; above zero where the
        actuals were above the forecasts.
    outside : int
        Latest months in a row outside the 90 % interval on one side.
    alarms : tuple of Alarm
    """

    level: str
    quantity: str
    months: int
    bias: float
    signal: float
    outside: int
    alarms: tuple[Alarm, ...]


def tracking_signals(judged: pd.DataFrame, months: int = 6) -> list[TrackingSignal]:
    """Judge the sums of known customers and of the company by their last ended months.

    A month's error is measured in its own interval: the log ratio of actual to forecast over the
    log ratio of the interval's end on that side, in normal standard deviations. Months that follow
    each other are judged by forecasts of different days, so that their errors share no forecast.

    Parameters
    ----------
    judged : DataFrame
        Of :func:`matured`.
    months : int
        Ended months that count, the latest ones.
    """
    found = []
    for level in (VintageLevel.KNOWN, VintageLevel.COMPANY):
        for quantity in ("purchases", "revenue"):
            rows = judged[(judged["level"] == level) & (judged["quantity"] == quantity)]
            latest = rows.sort_values("horizon").drop_duplicates("period").sort_values("period")
            latest = latest.tail(months)
            latest = latest[latest[["low", "high"]].notna().all(axis=1) & (latest["value"] > 0)]
            if len(latest):
                found.append(_signal(str(level), quantity, latest))
    return found


def _signal(level: str, quantity: str, latest: pd.DataFrame) -> TrackingSignal:
    z = standardised(latest)
    signal = float(z.sum() / np.sqrt(z.size))
    beyond = np.sign(z) * (np.abs(z) > NORMAL_90)
    run = 0
    for side in beyond[::-1]:
        if side == 0 or side != beyond[-1]:
            break
        run += 1
    alarms = []
    if z.size >= LEAST_MONTHS and abs(signal) > STEADY:
        alarms.append(Alarm.BIAS)
    if run >= LEAST_MONTHS or abs(z[-1]) > FAR:
        alarms.append(Alarm.OUTSIDE)
    actual, value = latest["actual"].to_numpy(), latest["value"].to_numpy()
    bias = metrics.bias(actual, value) if actual.sum() > 0 else np.inf
    return TrackingSignal(level, quantity, int(z.size), bias, signal, run, tuple(alarms))


def standardised(rows: pd.DataFrame) -> Array:
    """Errors of forecasts in standard deviations of their own intervals, shape (n,).

    Parameters
    ----------
    rows : DataFrame
        value, low, high, actual.
    """
    value, low, high, actual = (
        np.maximum(rows[name].to_numpy(dtype=float), np.finfo(float).tiny)
        for name in ("value", "low", "high", "actual")
    )
    error = np.log(actual) - np.log(value)
    reach = np.where(error >= 0, np.log(high) - np.log(value), np.log(value) - np.log(low))
    return np.asarray(error / np.maximum(reach / NORMAL_90, 1e-9))


def _cut_short(origin: pd.Series[pd.Timestamp], period: pd.Series[pd.Timestamp]) -> pd.Series[bool]:
    """Which rows are of the last month of a forecast that ends before that month does."""
    cut = pd.Series(False, index=period.index)
    for day, own in period.groupby(origin):
        made = pd.Timestamp(str(day)).date()
        if made == month_end(made):
            continue
        last = add_months(made, own.nunique() - 1)
        if last != month_end(last):
            cut[own.index[own == own.max()]] = True
    return cut


def _inside(rows: pd.DataFrame) -> Array:
    known = rows[rows[["low", "high"]].notna().all(axis=1)]
    return np.asarray(known["actual"].between(known["low"], known["high"]), dtype=float)


def _actuals(actuals: pd.DataFrame, origin: pd.Timestamp) -> dict[VintageLevel, pd.DataFrame]:
    """Long tables of what happened, at each level, to the customers known at a day."""
    names = ["purchases", "revenue"]
    known = actuals[pd.to_datetime(actuals["cohort"]) <= origin]
    cohorts = known.groupby(["cohort", "period"])[names].sum()
    everybody = actuals.groupby("period")[[*names, "first_purchases", "first_revenue"]].sum()
    for name in names:
        everybody[name] += everybody[f"first_{name}"]
    made = {
        VintageLevel.COHORT: cohorts,
        VintageLevel.KNOWN: cohorts.groupby("period").sum(),
        VintageLevel.COMPANY: everybody[names],
    }
    return {
        level: table.melt(
            var_name="quantity", value_name="actual", ignore_index=False
        ).reset_index()
        for level, table in made.items()
    }
