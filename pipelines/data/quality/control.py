"""The log's revenue by month against the totals of another system: a CRM, billing, the books."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.errors import MissingColumnError
from clvmodels.core.months import month_end
from pipelines.config.load import Columns, Control, Source
from pipelines.sources.dialect import month_start
from pipelines.sources.engines.base import Engine
from pipelines.sources.failures import describe
from pipelines.sources.month_files import checked, read_months

SHOWN = 5


@dataclass(frozen=True)
class Controlled:
    """The months that both know.

    Attributes
    ----------
    months : DataFrame
        period, revenue (of the log), control, difference (revenue less control), share (of the
        control, NaN where that is 0) and beyond (whether past the limit).
    limit : float
    left_out : int
        Months of the other system that the log does not span whole.
    """

    months: pd.DataFrame
    limit: float
    left_out: int

    @property
    def broken(self) -> list[str]:
        """One sentence on the months beyond the limit; none where all are within."""
        beyond = self.months[self.months["beyond"]]
        if beyond.empty:
            return []
        said = [
            f"{row.period:%Y-%m}: {row.revenue:,.2f} in the log, {row.control:,.2f} there "
            f"({row.difference:+,.2f})"
            for row in beyond.head(SHOWN).itertuples()
        ]
        more = len(beyond) - len(said)
        return [
            f"{len(beyond)} of {len(self.months)} months differ from the totals of [control] by "
            f"more than {self.limit:.1%} (control.max_difference_share): {'; '.join(said)}"
            f"{f'; and {more} more' if more else ''}"
        ]

    def records(self) -> list[dict[str, Any]]:
        """Return the months as JSON-safe records."""
        share = self.months["share"].astype(object)
        dated = self.months.assign(
            period=self.months["period"].dt.strftime("%Y-%m-%d"),
            share=share.where(share.notna(), None),
        )
        return [{str(key): value for key, value in row.items()} for row in dated.to_dict("records")]


def read(engine: Engine, source: Source, control: Control) -> pd.DataFrame:
    """Read the totals of the other system.

    Returns
    -------
    DataFrame
        period (first day of the month), amount.

    Raises
    ------
    ConfigError, DataError, MissingColumnError
        If file or table is missing, or does not hold what is needed.
    """
    if control.path is not None:
        table = read_months(control.path, control.period, [control.amount], "control")
    else:
        beside = source.model_copy(update={"table": control.table})
        where = f"{describe(beside)}, named in [control],"
        raw = engine.read(beside, Columns(amount=control.amount), "control")
        wanted = [control.period, control.amount]
        missing = [name for name in wanted if name not in raw.columns]
        if missing:
            raise MissingColumnError(where, missing, list(raw.columns))
        table = checked(raw.select(wanted).execute(), control.period, [control.amount], where)
    return table.rename(columns={control.amount: "amount"})


def compare(
    purchases: Table, totals: pd.DataFrame, first: dt.date, as_of: dt.date, limit: float
) -> Controlled:
    """Compare revenue by month, net of refunds in the month of the refund.

    Parameters
    ----------
    purchases : ibis Table
        Customer-days, ``schema.PURCHASES``.
    totals : DataFrame
        Of :func:`read`.
    first, as_of : date
        First day of the log and the last that is known; months that ``as_of`` cuts, and months
        before the log's first are left out.
    limit : float
        Share of a month's total.
    """
    summed = purchases.group_by(period=month_start(purchases.date)).agg(revenue=_.amount.sum())
    own = summed.execute()
    own["period"] = pd.to_datetime(own["period"]).astype("datetime64[s]")
    begins = pd.Timestamp(first.replace(day=1))
    whole = as_of if as_of == month_end(as_of) else as_of.replace(day=1) - dt.timedelta(days=1)
    there = totals["period"].between(begins, pd.Timestamp(whole))
    months = totals[there].rename(columns={"amount": "control"})
    months = months.merge(own, on="period", how="left").fillna({"revenue": 0.0})
    months["revenue"] = months["revenue"].round(2)
    months["difference"] = (months["revenue"] - months["control"]).round(2)
    base = months["control"].abs()
    months["share"] = months["difference"] / base.where(base > 0)
    months["beyond"] = np.abs(months["difference"]) > limit * base
    names = ["period", "revenue", "control", "difference", "share", "beyond"]
    return Controlled(months[names].reset_index(drop=True), limit, int((~there).sum()))
