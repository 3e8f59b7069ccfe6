"""What assigned customers did in their window, aggregated where the log is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pyarrow as pa
from ibis import _
from ibis.expr.types import Table, Value

from clvmodels.finance.clv import UnitEconomics
from pipelines.data.features.outcomes import repeat_margin, repeat_revenue
from pipelines.data.features.snapshot import Snapshot
from pipelines.sources.engines.lookup import engine_of

HISTORY = ("frequency", "recency", "T", "monetary_value", "first_value")
"""Of a summary, what models forecast a customer from."""


_PLACED = pa.schema([("customer_id", pa.string()), ("day", pa.date32()), ("until", pa.date32())])


@contextmanager
def placed(purchases: Table, customers: pd.DataFrame) -> Iterator[Table]:
    """Put customers, their day of assignment and the end of their window beside a log.

    Parameters
    ----------
    purchases : ibis Table
    customers : DataFrame
        customer_id, day, until.
    """
    engine = engine_of(purchases)
    with engine.held(engine.given(pa.Table.from_pandas(customers, _PLACED))) as table:
        yield table


def window_sums(snapshot: Snapshot, customers: Table, margin_rate: float) -> pd.DataFrame:
    """Sum what every customer bought in the window, by the definitions of the log.

    Parameters
    ----------
    snapshot : Snapshot
    customers : ibis Table
        Of :func:`placed`.
    margin_rate : float
        Gross margin of revenue for which the log records none.

    Returns
    -------
    DataFrame
        customer_id, first_purchase, individual (in the log, and may be profiled),
        purchases (customer-days), revenue (net of refunds, but for those of first purchases), where
        the log tells orders, gross_margin; one row each, sorted. Nothing bought is 0.
    """
    days = snapshot.purchases.join(customers, "customer_id")
    window = days.filter(days.date >= days.day, days.date <= days.until)
    sums: dict[str, Value] = {"purchases": window.purchase.sum(), "revenue": repeat_revenue(window)}
    if "orders" in window.columns:
        sums["orders"] = window.orders.sum(where=window.purchase == 1)
    if "margin" in window.columns:
        sums["recorded"], sums["without"] = repeat_margin(window)
    bought = window.group_by("customer_id").agg(**sums)
    known = snapshot.summary.select("customer_id", "first_purchase")
    both = customers.left_join(known, "customer_id").drop("customer_id_right")
    both = both.left_join(bought, "customer_id").drop("customer_id_right")
    if "individual" in snapshot.purchases.columns:
        told = snapshot.purchases.group_by("customer_id").agg(individual=_.individual.all())
        both = both.left_join(told, "customer_id").drop("customer_id_right")
    table = both.execute().sort_values("customer_id", ignore_index=True)
    for name in ("day", "until", "first_purchase"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[s]")
    if "individual" in table:
        table["individual"] = table["individual"].astype("boolean").fillna(False).astype(bool)
    else:
        table["individual"] = table["first_purchase"].notna()
    table[list(sums)] = table[list(sums)].fillna(0.0).astype("float64")
    recorded, without = table.get("recorded", 0.0), table.get("without", table["revenue"])
    table["gross_margin"] = recorded + margin_rate * without
    return table.drop(columns=["recorded", "without"], errors="ignore")


def histories(snapshot: Snapshot, customers: Table) -> pd.DataFrame:
    """Return what is known of every customer at a day, by customer_id; NaN of who is not yet."""
    known = snapshot.summary.select("customer_id", *HISTORY)
    table = customers.select("customer_id").left_join(known, "customer_id")
    return table.drop("customer_id_right").execute().set_index("customer_id").sort_index()


def margin_of(sums: pd.DataFrame, economics: UnitEconomics) -> pd.Series:
    """Return the gross margin net of the cost to serve, by customer."""
    return sums["gross_margin"] - sums["purchases"] * economics.cost_to_serve


def metrics_of(
    sums: pd.DataFrame, wanted: tuple[str, ...], economics: UnitEconomics, clv: pd.Series | None
) -> pd.DataFrame:
    """Return one column a metric, in currency before campaign costs, purchases or shares.

    Parameters
    ----------
    sums : DataFrame
        Of :func:`window_sums`.
    wanted : tuple of str
    economics : UnitEconomics
        Its cost to serve is taken off the margin.
    clv : Series, optional
        ``clv``, in the order of ``sums``.
    """
    purchases = sums["purchases"].to_numpy(dtype=float)
    every = {
        "margin": margin_of(sums, economics).to_numpy(dtype=float),
        "revenue": sums["revenue"].to_numpy(dtype=float),
        "purchases": purchases,
        "retention": (purchases >= 1).astype(float),
        "repeat": (purchases >= 2).astype(float),
    }
    if "orders" in sums:
        every["orders"] = sums["orders"].to_numpy(dtype=float)
    if clv is not None:
        every["clv"] = clv.to_numpy(dtype=float)
    return pd.DataFrame({name: every[name] for name in wanted})
