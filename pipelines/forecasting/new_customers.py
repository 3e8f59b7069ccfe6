"""Customers still to come, beside the known ones: the company's months that finance budgets on.

The forecast of known customers knows who they are; how many will come after the as-of date is
either planned by the business (``[plan]``) or taken to go on at the recent level, with season. How
they will buy is what earlier cohorts did at the same age and season.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts.company import CompanyLevel
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.months import MonthGrid, month_end
from clvmodels.core.schema import ACQUISITIONS, NEW_COHORTS, QUANTITIES, TOTALS
from pipelines.data.features.drivers import Drivers
from pipelines.training.fit import Fitted

FILE = "new_cohorts.parquet"

LEVELS: tuple[CompanyLevel, CompanyLevel] = ("month", "total")


class Basis(StrEnum):
    """Where a month's new customers come from."""

    PLAN = "plan"
    RECENT_LEVEL = "recent level"
    STOPPED = "stopped"


@dataclass(frozen=True)
class NewCustomers:
    """Customers still to come.

    Attributes
    ----------
    cohorts : DataFrame
        schema.NEW_COHORTS: one row a cohort still to come and month; cohorts without a customer
        are left out.
    acquisitions : DataFrame
        period, new_customers, basis: one row a forecast month. Empty where [train] cohort_level
        is off, which leaves nobody to say how new customers buy.
    company, company_total : DataFrame
        The whole company's purchases and revenue with 90 % intervals, by period and over the
        horizon (:meth:`clvmodels.cohorts.forecaster.CohortForecaster.forecast_company`).
    """

    cohorts: pd.DataFrame
    acquisitions: pd.DataFrame
    company: pd.DataFrame = field(default_factory=pd.DataFrame)
    company_total: pd.DataFrame = field(default_factory=pd.DataFrame)

    def by_month(self) -> pd.DataFrame:
        """All cohorts still to come, together.

        Returns
        -------
        DataFrame
            period, new_customers, basis, new_purchases and new_revenue (first and repeat), and
            new_first_revenue (of first purchases alone).
        """
        table = self.cohorts.assign(
            new_purchases=self.cohorts["first_purchases"] + self.cohorts["purchases"],
            new_revenue=self.cohorts["first_revenue"] + self.cohorts["revenue"],
            new_first_revenue=self.cohorts["first_revenue"],
        )
        sums = ["new_purchases", "new_revenue", "new_first_revenue"]
        months = table.groupby("period")[sums].sum()
        out = self.acquisitions.merge(months, how="left", left_on="period", right_index=True)
        return out.fillna(dict.fromkeys(sums, 0.0))


def new_customers(
    forecaster: CohortForecaster | None, until: dt.date, drivers: Drivers
) -> NewCustomers:
    """Forecast the customers who come after the forecaster's as-of date.

    Parameters
    ----------
    forecaster : CohortForecaster, optional
    until : date
        Last day forecast.
    drivers : Drivers
        Covariates by month, and planned acquisitions. A month that the plan holds is taken from
        it, by the share of its days that is forecast; any other goes on at the recent level.
    """
    if forecaster is None:
        return NewCustomers(NEW_COHORTS.empty(), ACQUISITIONS.empty())
    acquired = acquisitions(forecaster, until, drivers)
    cohorts = forecaster.forecast_new(
        until, acquired.set_index("period")["new_customers"], period_covariates=drivers.period
    )
    company, total = (
        forecaster.forecast_company(
            until,
            acquired.set_index("period")["new_customers"],
            acquired["basis"] == Basis.PLAN,
            level=level,
            period_covariates=drivers.period,
        )
        for level in LEVELS
    )
    return NewCustomers(
        cohorts[cohorts["customers"] > 0].reset_index(drop=True), acquired, company, total
    )


def scaled_to(points: pd.DataFrame, company: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Put the intervals of a company forecast about points that differ from its own by a little.

    Customers who are held to what they can carry make the difference. An end keeps its ratio to
    the point forecast.

    Parameters
    ----------
    points : DataFrame
    company : DataFrame
        Of :class:`NewCustomers`, with the same rows in the same order.
    names : dict of str to str
        Quantity to the name of its column in ``points``.

    Returns
    -------
    DataFrame
        ``points`` with _low and _high after each of the names.
    """
    out = points.copy()
    for quantity, name in names.items():
        made, own = (
            table[column].to_numpy(float) for table, column in ((points, name), (company, quantity))
        )
        ratio = np.divide(made, own, out=np.ones_like(made), where=own > 0)
        for end, beyond in (("low", np.minimum), ("high", np.maximum)):
            out[f"{name}_{end}"] = beyond(company[f"{quantity}_{end}"].to_numpy() * ratio, made)
    return out


COMPANY_NAMES = {quantity: f"company_{quantity}" for quantity in QUANTITIES}


def company_months(known: pd.DataFrame, new: NewCustomers) -> pd.DataFrame:
    """Known customers and customers still to come, by month, and their sum.

    Parameters
    ----------
    known : DataFrame
        All known customers together by month: period, purchases and revenue with _low and _high.
    new : NewCustomers

    Returns
    -------
    DataFrame
        period, new_customers, basis, new_purchases, new_revenue, new_first_revenue; purchases and
        revenue of known customers as ``known_``, each with _low and _high; company_purchases and
        company_revenue, each with _low and _high. Empty where nobody says how new customers buy.
    """
    of_known = known.set_index("period")
    columns = [c for c in of_known if str(c).startswith(("purchases", "revenue"))]
    out = new.by_month().merge(
        of_known[columns].add_prefix("known_"), left_on="period", right_index=True, validate="1:1"
    )
    for quantity in QUANTITIES:
        out[f"company_{quantity}"] = out[f"known_{quantity}"] + out[f"new_{quantity}"]
    return scaled_to(out, new.company, COMPANY_NAMES) if len(out) else out


def company_total(months: pd.DataFrame, new: NewCustomers) -> pd.DataFrame:
    """The company over the whole horizon: quantity, value, low, high; empty as its months are."""
    if months.empty:
        return TOTALS.empty()
    sums = months[list(COMPANY_NAMES.values())].sum().to_frame().T
    one = scaled_to(sums, new.company_total, COMPANY_NAMES).iloc[0]
    rows = [
        (quantity, *(float(one[name + end]) for end in ("", "_low", "_high")))
        for quantity, name in COMPANY_NAMES.items()
    ]
    return pd.DataFrame(rows, columns=TOTALS.names)


def acquisitions(forecaster: CohortForecaster, until: dt.date, drivers: Drivers) -> pd.DataFrame:
    """New customers by month: as planned, or at the recent level with season.

    Returns
    -------
    DataFrame
        period, new_customers, basis.
    """
    expected = forecaster.expected_acquisitions(until, period_covariates=drivers.period)
    plan = drivers.plan
    basis = Basis.STOPPED if forecaster.acquisition_has_stopped else Basis.RECENT_LEVEL
    table = expected.rename("new_customers").rename_axis("period").reset_index()
    table["basis"] = basis.value
    if plan is not None:
        planned = table["period"].map(plan.set_index("period")["new_customers"])
        planned *= _share_of_month(forecaster.model_.as_of, until, table["period"])
        table["basis"] = table["basis"].where(planned.isna(), Basis.PLAN.value)
        table["new_customers"] = planned.fillna(table["new_customers"])
    return table


def write(
    forecaster: CohortForecaster | None, until: dt.date, drivers: Drivers, folder: Path
) -> NewCustomers:
    """Write :func:`new_customers` to new_cohorts.parquet, which holds no customer."""
    coming = new_customers(forecaster, until, drivers)
    coming.cohorts.astype(NEW_COHORTS.empty().dtypes).to_parquet(folder / FILE, index=False)
    return coming


def company_forecast(cells: pd.DataFrame, fitted: Fitted, grid: MonthGrid) -> pd.DataFrame:
    """What an origin forecast for the whole company, by month.

    The plan is left out: acquisitions go on at the level known at the origin, so that the test is
    of the forecast and not of a plan written later.

    Parameters
    ----------
    cells : DataFrame
        The forecast of known customers: period, purchases, revenue.
    fitted : Fitted
        Models of the origin.
    grid : MonthGrid
        From the origin on.

    Returns
    -------
    DataFrame
        period, new_customers, known_purchases, known_revenue, new_purchases, new_revenue, and the
        ends of the interval of the company's revenue, company_revenue_low and _high; whole months
        only, none that the origin or the end of the log cuts. ``known_`` holds the whole
        cohort of the origin's month, ``new_`` those after it. Empty where [train] cohort_level is
        off.
    """
    drivers = Drivers(period=fitted.drivers.period)
    coming = new_customers(fitted.cohorts, grid.until, drivers)
    # A cohort that the origin cuts is one cohort in what was then sold, and so it is here.
    begun = pd.DatetimeIndex(coming.cohorts["cohort"]) <= pd.Timestamp(grid.as_of)
    of_known = cells.groupby("period")[list(QUANTITIES)].sum()
    rest = coming.cohorts[begun].groupby("period")[list(QUANTITIES)].sum()
    of_known = of_known.add(rest.reindex(of_known.index, fill_value=0.0)).add_prefix("known_")
    new = replace(coming, cohorts=coming.cohorts[~begun]).by_month()
    out = new.merge(of_known, left_on="period", right_index=True, validate="1:1")
    out["company_revenue"] = out["known_revenue"] + out["new_revenue"]
    if len(coming.company):
        rows = coming.company.set_index("period").loc[out["period"]].reset_index()
        out = scaled_to(out, rows, {"revenue": "company_revenue"})
    starts = pd.DatetimeIndex(out["period"])
    ends = starts + pd.offsets.MonthEnd(0)
    whole = (starts > pd.Timestamp(grid.as_of)) & (ends <= pd.Timestamp(grid.until))
    return out.loc[whole, [
        "period", "new_customers", "known_purchases", "known_revenue", "new_purchases",
        "new_revenue", *(c for c in ("company_revenue_low", "company_revenue_high") if c in out),
    ]].reset_index(drop=True)  # fmt: skip


def with_actuals(company: pd.DataFrame, cohort_months: pd.DataFrame) -> pd.DataFrame:
    """Add what the whole company then sold, and the plainest forecast.

    Parameters
    ----------
    company : DataFrame
        origin, and the columns of :func:`company_forecast`.
    cohort_months : DataFrame
        schema.COHORT_MONTHS up to the end of the log.

    Returns
    -------
    DataFrame
        The same rows with ``purchases`` and ``revenue`` (forecast of the company),
        ``actual_purchases``, ``actual_revenue``, ``actual_new_customers`` and
        ``actual_new_revenue`` (of cohorts after the origin's month),
        ``last_months_purchases`` and ``last_months_revenue``: the company's average of the last
        three months before the origin, and ``last_year_purchases`` and ``last_year_revenue``: of
        the same month of the latest year that ended before the origin, missing where there is none.
    """
    if company.empty:
        return company
    table = cohort_months.assign(
        purchases=cohort_months["purchases"] + cohort_months["first_purchases"],
        revenue=cohort_months["revenue"] + cohort_months["first_revenue"],
    )
    months = table.groupby("period")[[*QUANTITIES]].sum()
    parts = []
    for origin, part in company.groupby("origin"):
        day = pd.Timestamp(str(origin))
        ended = months[[month_end(p.date()) <= day.date() for p in months.index]]
        later = table[table["cohort"] > day]
        new = later.groupby("period")[["first_purchases", "revenue"]].sum()
        at = part["period"]
        actual = {
            f"actual_{name}": at.map(values).fillna(0.0)
            for name, values in (
                ("purchases", months["purchases"]),
                ("revenue", months["revenue"]),
                ("new_customers", new["first_purchases"]),
                ("new_revenue", new["revenue"]),
            )
        }
        before = ended.tail(3).mean()
        parts.append(part.assign(
            **{q: part[f"known_{q}"] + part[f"new_{q}"] for q in QUANTITIES},
            **actual,
            **{f"last_months_{q}": before[q] for q in QUANTITIES},
            **{f"last_year_{q}": a_year_before(ended[q], at) for q in QUANTITIES},
        ))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def a_year_before(months: pd.Series[float], periods: pd.Series[Any]) -> list[float]:
    """Of each period, what the same month of the latest known year held; nan where none did."""
    values, known = months.to_numpy(float), pd.DatetimeIndex(months.index)
    held = []
    for period in pd.DatetimeIndex(periods):
        same = np.flatnonzero((known.month == period.month) & (known < period))
        held.append(float(values[same[-1]]) if same.size else np.nan)
    return held


def _share_of_month(as_of: dt.date, until: dt.date, period: pd.Series) -> np.ndarray:
    """Share of each month's days that lie in (as_of, until]."""
    starts = [max(p.date(), as_of + dt.timedelta(days=1)) for p in period]
    ends = [min(month_end(p.date()), until) for p in period]
    return np.array(
        [((b - a).days + 1) / month_end(a).day for a, b in zip(starts, ends, strict=True)]
    )
