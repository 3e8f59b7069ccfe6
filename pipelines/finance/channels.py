"""What cohorts by channel have brought, from the engine, beside what winning them cost."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd
from ibis import _

from clvmodels.core.rfm import DIGITS
from clvmodels.finance.clv import UnitEconomics
from clvmodels.segments.values import NONE
from pipelines.config.load import Acquisition
from pipelines.data.features import Snapshot
from pipelines.finance import spend as spending
from pipelines.sources.dialect import month_start

KEYS = ["value", "cohort"]


@dataclass(frozen=True, eq=False)
class Acquired:
    """Customers by channel and month of first purchase, and what was spent on them.

    It holds small cohorts too, and is not to be shown as it is.

    Attributes
    ----------
    settings : Acquisition
    cells : DataFrame
        value, cohort, period, net: gross margin less cost to serve, in currency.
    customers : DataFrame
        value, cohort, customers, first_net (net margin of their first purchases).
    spend : DataFrame
        Of :func:`pipelines.finance.spend.read`, up to the as-of date.
    """

    settings: Acquisition
    cells: pd.DataFrame
    customers: pd.DataFrame
    spend: pd.DataFrame

    @property
    def for_acquisition(self) -> pd.DataFrame:
        """Money spent to win customers: value, cohort (the month of the spend), spend.

        And ``reported``, the customers that the file counts, where it does.
        """
        table = self.spend[self.spend["purpose"] == "acquisition"]
        names = {"channel": "value", "period": "cohort", "amount": "spend", "customers": "reported"}
        table = table.rename(columns=names)
        adding = [name for name in ("spend", "reported") if name in table]
        return table.groupby(KEYS, as_index=False)[adding].sum()

    def missing_months(self, until: pd.Timestamp) -> list[pd.Timestamp]:
        """Months with new customers and no row of acquisition at all."""
        born = pd.DatetimeIndex(self.customers["cohort"])
        told = pd.DatetimeIndex(self.for_acquisition["cohort"])
        return sorted(born[born <= until].difference(told).unique())

    def gaps(self, until: pd.Timestamp) -> list[tuple[str, pd.Timestamp]]:
        """Channels and months without a row, between rows of the channel; other channels have one.

        By month, and only where somebody was new.
        """
        rows = self.for_acquisition
        months = set(rows["cohort"]) & set(self.customers["cohort"])
        found = [
            (str(channel), month)
            for channel, own in rows.groupby("value")["cohort"]
            for month in months - set(own)
            if own.min() < month < own.max() and month <= until
        ]
        return sorted(found, key=lambda gap: (gap[1], gap[0]))

    def without_customers(self, until: pd.Timestamp) -> list[str]:
        """Channels that money was spent on and nobody came by up to a month."""
        spent = self.for_acquisition.query("spend > 0 and cohort <= @until")["value"]
        won = self.customers.loc[self.customers["cohort"] <= until, "value"]
        return sorted(set(spent) - set(won))


def acquired(
    snapshot: Snapshot, settings: Acquisition, valuation: UnitEconomics, currency: str
) -> Acquired:
    """Read the spend, and add up what customers brought by the channel of their first purchase.

    Parameters
    ----------
    snapshot : Snapshot
    settings : Acquisition
    valuation : UnitEconomics
        Its margin stands in where the log records none.
    currency : str

    Raises
    ------
    ConfigError, DataError
        As :func:`pipelines.finance.spend.read` and :func:`pipelines.finance.spend.require_known`.
    """
    spend = spending.read(settings, currency)
    spend = spend[spend["period"] <= _month(snapshot.as_of)].reset_index(drop=True)
    name = settings.dimension
    known = snapshot.summary
    first = known.select(
        "customer_id",
        "first_purchase",
        value=known[name].fill_null(NONE),
        cohort=month_start(known.first_purchase),
    )
    rows = snapshot.purchases
    rows = rows.drop(*(column for column in ("value", "cohort") if column in rows.columns))
    rows = rows.join(first, "customer_id")
    is_first = (rows.date == rows.first_purchase) & (rows.purchase == 1) | rows.refund_of_first
    recorded = "margin" in rows.columns
    earned = rows.margin.fill_null(0.0) if recorded else rows.amount * valuation.margin
    rows = rows.mutate(
        net=earned - rows.purchase * valuation.cost_to_serve, is_first_purchase=is_first
    )
    cells = (
        rows.group_by("value", "cohort", period=month_start(rows.date))
        .agg(
            net=_.net.sum().round(DIGITS),
            first_net=_.net.sum(where=_.is_first_purchase).fill_null(0.0).round(DIGITS),
        )
        .execute()
    )
    sizes = first.group_by("value", "cohort").agg(customers=_.count()).execute()
    for table in (cells, sizes):
        for key in ("cohort", "period"):
            if key in table:
                table[key] = pd.to_datetime(table[key]).astype("datetime64[s]")
    firsts = cells.groupby(KEYS, as_index=False)["first_net"].sum()
    customers = sizes.merge(firsts, on=KEYS, validate="1:1").sort_values(KEYS, ignore_index=True)
    values = sorted(set(customers["value"]))
    spending.require_known(spend, values, name, f"{settings.path}, named in [acquisition],")
    return Acquired(
        settings,
        cells.drop(columns="first_net").sort_values([*KEYS, "period"], ignore_index=True),
        customers,
        spend,
    )


def _month(day: dt.date) -> pd.Timestamp:
    return pd.Timestamp(day).replace(day=1)
