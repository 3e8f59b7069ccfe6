"""What was sold and paid back by calendar month, in all and by each value of a dimension."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import pandas as pd
from ibis.expr.types import Table, Value

from clvmodels.core.schema import SALES
from pipelines.sources.dialect import month_start

EVERYTHING = "all"
"""Dimension of the rows that hold everything."""


def sales_months(lines: Table, purchases: Table, dimensions: Sequence[str]) -> pd.DataFrame:
    """Add up the lines behind customer-days; each counts for its own category, channel, ...

    Parameters
    ----------
    lines : ibis Table
        Lines that are kept: customer_id, date, amount; where known margin, transaction_id and the
        dimensions.
    purchases : ibis Table
        ``schema.PURCHASES``; lines of other days are left out, such as refunds before any purchase.
    dimensions : sequence of str
        Columns of ``lines``.

    Returns
    -------
    DataFrame
        ``schema.SALES``, sorted; money to the cent.
    """
    first = purchases.group_by("customer_id").agg(
        first=purchases.date.min(where=purchases.purchase == 1)
    )
    days = purchases.select("customer_id", "date", "purchase").join(first, "customer_id")
    counted = lines.join(days, ["customer_id", "date"])
    counted = counted.mutate(period=month_start(counted.date))
    parts = [_sums(counted.mutate(value=ibis.literal(EVERYTHING)), EVERYTHING)]
    parts += [
        _sums(counted.mutate(value=counted[name].fill_null("(none)")), name) for name in dimensions
    ]
    table = pd.concat(parts, ignore_index=True)
    table["period"] = pd.to_datetime(table["period"]).astype("datetime64[s]")
    names = [name for name in SALES.names if name in table.columns]
    return table[names].sort_values(["dimension", "value", "period"], ignore_index=True)


def _sums(counted: Table, dimension: str) -> pd.DataFrame:
    amount = counted.amount
    bought = (amount >= 0) & (counted.purchase == 1)
    day = ibis.literal("|").join([counted.customer_id, counted.date.cast("string")])
    wanted: dict[str, Value] = {
        "customers": counted.customer_id.nunique(),
        "new_customers": counted.customer_id.nunique(where=counted.date == counted["first"]),
        "purchases": day.nunique(where=bought),
        "sold": amount.sum(where=amount >= 0).fill_null(0.0).round(2),
        "paid_back": amount.sum(where=amount < 0).fill_null(0.0).round(2),
        "revenue": amount.sum().round(2),
    }
    if "transaction_id" in counted.columns:
        wanted["orders"] = counted.transaction_id.nunique(where=amount >= 0)
    if "margin" in counted.columns:
        wanted["margin"] = counted.margin.sum().fill_null(0.0).round(2)
    table = counted.group_by("period", "value").agg(**wanted)
    return table.execute().assign(dimension=dimension)
