"""From a transaction log in a dataframe to the RFM summary that every model reads."""

from __future__ import annotations

import datetime as dt
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from clvmodels.core.arguments import day as read_day
from clvmodels.core.errors import DataError, InvalidValueError, MissingColumnError
from clvmodels.core.schema import SUMMARY

DIGITS = 8
"""Sums of a day and means of a customer are rounded to this many decimals: the order of summation
leaves no trace."""

SHOWN = 3


def rfm_summary(
    log: Any,
    *,
    customer_id: str = "customer_id",
    timestamp: str = "timestamp",
    amount: str = "amount",
    as_of: dt.date | None = None,
) -> pd.DataFrame:
    """Sum a log of transactions to one row a customer.

    A customer's transactions on one calendar day are one purchase, unless they hold a refund and
    net to nothing or less. A refund reduces the value of the purchases before it; one before the
    second purchase is of the first, whose value is in no mean; one before any is left out. The
    pipelines do the same in the database.

    Parameters
    ----------
    log : DataFrame
        pandas, polars or pyarrow, one row a transaction; amounts below 0 are refunds.
    customer_id, timestamp, amount : str
        Its columns. A time that knows its zone counts by that zone's calendar.
    as_of : date, optional
        Last day known, inclusive; later rows are not read. By default the last day of the log.

    Returns
    -------
    DataFrame
        customer_id, frequency (repeat purchases), recency and T (days), monetary_value (mean value
        of repeat purchases, 0 without one), first_purchase; sorted by customer_id.

    Raises
    ------
    MissingColumnError, InvalidValueError, DataError
        If a column or value is missing or cannot be read, or no purchase is left.

    Notes
    -----
    The first purchase is in neither frequency nor mean value (Fader, Hardie and Lee 2005).

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["a", "a"], "timestamp": ["2024-01-01", "2024-01-11"], "amount": [1, 2],
    ... })
    >>> summary = rfm_summary(log, as_of=dt.date(2024, 1, 31))
    >>> summary[["customer_id", "frequency", "recency", "T"]]
      customer_id  frequency  recency     T
    0           a          1     10.0  30.0
    """
    lines = _lines(log, {"customer_id": customer_id, "timestamp": timestamp, "amount": amount})
    until = lines["day"].max() if as_of is None else pd.Timestamp(read_day(as_of, "as_of"))
    days = _customer_days(lines[lines["day"] <= until])
    if days.empty:
        raise DataError(
            f"no purchase is left of the log's {len(lines)} rows up to {until:%Y-%m-%d}; give a "
            "later as_of, or a log with purchases"
        )
    return _summary(days, until)


def _lines(log: Any, names: dict[str, str]) -> pd.DataFrame:
    """Read the three columns, every value checked."""
    table = nw.from_native(log, eager_only=True)
    missing = [name for name in names.values() if name not in table.columns]
    if missing:
        raise MissingColumnError("the log", missing, [str(name) for name in table.columns])
    found = {key: table[name].to_pandas().reset_index(drop=True) for key, name in names.items()}
    times = pd.to_datetime(found["timestamp"], errors="coerce", format="ISO8601")
    if times.dt.tz is not None:
        times = times.dt.tz_localize(None)
    values = pd.to_numeric(found["amount"], errors="coerce").astype(float)
    for key, bad, what in (
        ("customer_id", found["customer_id"].isna(), "an id"),
        ("timestamp", times.isna(), "a date or time"),
        ("amount", ~np.isfinite(values), "a finite number"),
    ):
        if bad.any():
            rows = ", ".join(
                f"row {at}: {found[key].iloc[at]!r}" for at in np.flatnonzero(bad)[:SHOWN]
            )
            raise InvalidValueError(
                f"the log's column {names[key]} needs {what} in every row; {int(bad.sum())} of "
                f"{len(bad)} hold none ({rows}). Mend or drop these rows."
            )
    return pd.DataFrame(
        {"customer_id": found["customer_id"], "day": times.dt.normalize(), "amount": values}
    )


def _customer_days(lines: pd.DataFrame) -> pd.DataFrame:
    """One row a customer and day: amount, purchase, and whether it is a refund of the first."""
    grouped = lines.assign(refund=lines["amount"] < 0).groupby(["customer_id", "day"], sort=True)
    days = grouped.agg(
        amount=("amount", "sum"), refund=("refund", "any"), lines=("amount", "size")
    ).reset_index()
    rounded = days["amount"].round(DIGITS)
    days["amount"] = days["amount"].where(days["lines"] == 1, rounded)
    days["purchase"] = (days["amount"] > 0) | ~days["refund"]
    so_far = days.groupby("customer_id", sort=False)["purchase"].cumsum()
    days["before"] = so_far - days["purchase"]
    return days[days["purchase"] | (days["before"] > 0)]


def _summary(days: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    of_first = ~days["purchase"] & (days["before"] == 1)
    is_first = days["purchase"] & (days["before"] == 0)
    bought = days[days["purchase"]].groupby("customer_id")["day"]
    customers = pd.DataFrame(
        {
            "first_purchase": bought.min(),
            "last": bought.max(),
            "frequency": bought.size() - 1,
            "repeat": days[~of_first & ~is_first].groupby("customer_id")["amount"].sum(),
        }
    )
    mean = customers["repeat"] / customers["frequency"].where(customers["frequency"] > 0)
    customers["monetary_value"] = mean.round(DIGITS).fillna(0.0)
    recency = (customers["last"] - customers["first_purchase"]).dt.days
    customers["recency"] = recency.astype(float)
    customers["T"] = (until - customers["first_purchase"]).dt.days.astype(float)
    return customers.reset_index()[SUMMARY.names]
