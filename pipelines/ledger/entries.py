"""What is written in the ledger: a forecast's months, and the months that have happened."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.core.months import last_month_end
from clvmodels.core.schema import QUANTITIES
from clvmodels.evaluation.vintages import VintageLevel
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.new_customers import NewCustomers, company_months

KEYS = ("level", "cohort", "period", "quantity")
AMOUNTS = ("value", "low", "high")

CELL = ("cohort", "period")
HAPPENED = ("purchases", "revenue", "first_purchases", "first_revenue")

SAME = 1e-9
"""Relative difference below which two amounts are one."""

SMALLEST = 0.005
"""Difference of a month's sums, in purchases or currency, that is worth a word: half a cent."""


def of_forecast(delivered: Delivered, coming: NewCustomers) -> pd.DataFrame:
    """Return a delivered forecast as entries, a row each.

    Parameters
    ----------
    delivered : Delivered
        Of the customers known then.
    coming : NewCustomers
        Those still to come.

    Returns
    -------
    DataFrame
        level, cohort, period, quantity, value, low, high: purchases, revenue and margin by cohort
        and month and of all known customers by month, purchases and revenue of the company.
    """
    parts = [
        _long(delivered.cohorts, VintageLevel.COHORT, (*QUANTITIES, "margin")),
        _long(delivered.months, VintageLevel.KNOWN, (*QUANTITIES, "margin")),
    ]
    company = company_months(delivered.months, coming)
    if len(company):
        own = company.set_index("period").filter(like="company_")
        own = own.rename(columns=lambda name: str(name).removeprefix("company_")).reset_index()
        parts.append(_long(own, VintageLevel.COMPANY, QUANTITIES))
    return pd.concat(parts, ignore_index=True)


def of_history(
    cohort_months: pd.DataFrame, as_of: dt.date, kept_from: dt.date | None = None
) -> pd.DataFrame:
    """Return what happened as entries: one row a cohort and month that has ended.

    A month that began before ``kept_from``, the first day whose rows retention keeps, is not whole.
    """
    period = pd.to_datetime(cohort_months["period"])
    ended = period <= pd.Timestamp(last_month_end(as_of))
    if kept_from is not None:
        ended &= period >= pd.Timestamp(kept_from)
    table = cohort_months.loc[ended, [*CELL, *HAPPENED]].reset_index(drop=True)
    return table.assign(**{name: table[name].astype(float).round(6) for name in HAPPENED})


def changes(now: pd.DataFrame, before: pd.DataFrame) -> Changes:
    """Return what is new or changed in what happened, cells that are gone as zeros.

    Parameters
    ----------
    now : DataFrame
        Of :func:`of_history`.
    before : DataFrame
        The latest entry of every cohort and month.
    """
    return changed(with_gone(now, before), before, [*CELL], [*HAPPENED])


def latest(before: pd.DataFrame, found: Changes) -> pd.DataFrame:
    """Return the latest entry of every cohort and month, once changes are entered."""
    both = pd.concat([part for part in (before, found.rows) if len(part)] or [before])
    both = both.drop_duplicates([*CELL], keep="last")
    return both[[*CELL, *HAPPENED]].reset_index(drop=True)


def with_gone(now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Add zeros for cells that were recorded and that the log holds no more.

    Of the months that the log holds: what retention has taken out of it is not restated. Cohorts of
    customers whose first purchases are gone have become others, with the same sums by month.
    """
    if now.empty or before.empty:
        return now
    held = before["period"].between(now["period"].min(), now["period"].max())
    both = before.loc[held, [*CELL]].merge(now[[*CELL]], on=[*CELL], how="left", indicator="side")
    gone = both.loc[both["side"] == "left_only", [*CELL]]
    return pd.concat([now, gone.assign(**dict.fromkeys(HAPPENED, 0.0))], ignore_index=True)


@dataclass(frozen=True)
class Changes:
    """Entries that are not recorded yet.

    Attributes
    ----------
    new : DataFrame
        Of keys that have no entry.
    restated : DataFrame
        Of keys whose latest entry has other amounts, which stand beside as ``_before``.
    """

    new: pd.DataFrame
    restated: pd.DataFrame

    @property
    def rows(self) -> pd.DataFrame:
        """Both."""
        restated = self.restated[list(self.new.columns)]
        return pd.concat([part for part in (self.new, restated) if len(part)] or [self.new])


def restated_months(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Months of the whole company that were recorded, and have other sums now.

    Parameters
    ----------
    before, after : DataFrame
        Of :data:`CELL` and :data:`HAPPENED`: all that is recorded, then and now.

    Returns
    -------
    DataFrame
        period, purchases and revenue, first ones included, and both as ``_before``; sorted.
    """
    sums = _by_month(after).merge(_by_month(before), on="period", suffixes=("", "_before"))
    differs = np.zeros(len(sums), dtype=bool)
    for name in QUANTITIES:
        change = (sums[name] - sums[f"{name}_before"]).to_numpy(dtype=float)
        differs |= np.abs(change) > SMALLEST
    return sums[differs].reset_index(drop=True)


def _by_month(happened: pd.DataFrame) -> pd.DataFrame:
    both = {name: happened[name] + happened[f"first_{name}"] for name in QUANTITIES}
    return pd.DataFrame({"period": happened["period"]} | both).groupby("period").sum().reset_index()


def changed(
    now: pd.DataFrame, before: pd.DataFrame, keys: list[str], amounts: list[str]
) -> Changes:
    """Compare entries with the latest of the same keys.

    Parameters
    ----------
    now, before : DataFrame
        Keys and amounts; of ``before`` the latest row of each key.
    """
    both = now.merge(before[[*keys, *amounts]], on=keys, how="left", suffixes=("", "_before"),
                     indicator="side")  # fmt: skip
    is_new = (both["side"] == "left_only").to_numpy()
    differs = np.zeros(len(both), dtype=bool)
    for name in amounts:
        a, b = both[name].to_numpy(dtype=float), both[f"{name}_before"].to_numpy(dtype=float)
        differs |= ~np.isclose(a, b, rtol=SAME, atol=SAME, equal_nan=True)
    both = both.drop(columns="side")
    return Changes(both.loc[is_new, list(now.columns)], both[differs & ~is_new])


def _long(table: pd.DataFrame, level: VintageLevel, quantities: tuple[str, ...]) -> pd.DataFrame:
    parts = []
    for name in quantities:
        part = pd.DataFrame({"level": level.value, "cohort": pd.NaT, "period": table["period"]})
        if "cohort" in table:
            part["cohort"] = table["cohort"]
        part["quantity"] = name
        for amount, end in zip(AMOUNTS, ("", "_low", "_high"), strict=True):
            of = f"{name}{end}"
            part[amount] = table[of].astype(float) if of in table else np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)
