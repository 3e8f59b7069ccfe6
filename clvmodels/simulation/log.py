"""A simulated transaction log as tables: transactions, summary, and the truth behind them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from clvmodels.core.arguments import number
from clvmodels.core.arrays import Array, Integers
from clvmodels.simulation.processes import Traits

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, eq=False)
class SimulatedLog:
    """A simulated transaction log, and the truth behind it.

    Attributes
    ----------
    start : datetime.date
        First day of the log; days are counted from its midnight.
    days : float
        Length of the window; the last day is ``start + days - 1``.
    customer : ndarray of int, shape (m,)
        Index of the customer who made each transaction, in ascending order.
    day : ndarray, shape (m,)
        When, in days since ``start``, ascending within a customer.
    amount : ndarray, shape (m,)
        Value of each transaction, in currency.
    joined : ndarray, shape (n,)
        Day of each customer's first purchase.
    traits : Traits
        What was drawn for each customer.
    mean_spend : ndarray, shape (n,)
        Each customer's true mean value of a purchase.
    first_number : int
        Number of the first customer, from which ids are made.
    """

    start: dt.date
    days: float
    customer: Integers
    day: Array
    amount: Array
    joined: Array
    traits: Traits
    mean_spend: Array
    first_number: int = 0

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return self.joined.size

    @property
    def as_of(self) -> dt.date:
        """Last day of the window, inclusive."""
        return self.start + dt.timedelta(days=int(np.ceil(self.days)) - 1)

    def to_arrow(self) -> pa.Table:
        """Transactions as a table: customer_id (string), timestamp, date, amount."""
        seconds = np.datetime64(self.start, "s") + np.floor(self.day * _SECONDS_A_DAY).astype(
            "timedelta64[s]"
        )
        timestamp = pa.array(seconds).cast(pa.timestamp("us"))
        return pa.table(
            {
                "customer_id": self._ids().take(pa.array(self.customer)),
                "timestamp": timestamp,
                "date": timestamp.cast(pa.date32(), safe=False),
                "amount": self.amount,
            }
        )

    def to_pandas(self) -> pd.DataFrame:
        """Transactions as a frame: customer_id, timestamp, date (midnight), amount."""
        frame: pd.DataFrame = self.to_arrow().to_pandas(date_as_object=False)
        return frame

    def customers(self) -> pd.DataFrame:
        """Return the truth, one row a customer.

        Columns: customer_id, joined (day), purchase_rate (per day), dropout, mean_spend, alive
        (still active at the end of the window).
        """
        repeats = np.bincount(self.customer, minlength=self.n_customers) - 1
        alive = (self.joined + self.traits.lifetime > self.days) & (
            repeats < self.traits.most_repeats
        )
        return pd.DataFrame(
            {
                "customer_id": self._ids().to_pandas(),
                "joined": self.joined,
                "purchase_rate": self.traits.rate,
                "dropout": self.traits.dropout,
                "mean_spend": self.mean_spend,
                "alive": alive,
            }
        )

    def summary(self, until: float | None = None) -> pd.DataFrame:
        """RFM summary in continuous time, free of the rounding to calendar days.

        Parameters
        ----------
        until : float, optional
            Days since ``start`` up to which transactions count; all by default. Customers who
            join later are left out.

        Returns
        -------
        DataFrame
            customer_id, frequency, recency, T (days), monetary_value (mean of repeat purchases,
            0 where there is none), first_purchase.
        """
        end = self.days if until is None else number(until, "until")
        seen = self.day <= end
        customer, day = self.customer[seen], self.day[seen]
        counts = np.bincount(customer, minlength=self.n_customers)
        members = np.flatnonzero(counts)
        last = np.cumsum(counts[members]) - 1
        first = last - counts[members] + 1
        frequency = counts[members] - 1
        totals = np.bincount(customer, self.amount[seen], minlength=self.n_customers)
        repeat_value = totals[members] - self.amount[seen][first]
        joined = self.joined[members]
        return pd.DataFrame(
            {
                "customer_id": self._ids().take(pa.array(members)).to_pandas(),
                "frequency": frequency,
                "recency": day[last] - joined,
                "T": end - joined,
                "monetary_value": np.where(
                    frequency > 0, repeat_value / np.maximum(frequency, 1), 0.0
                ),
                "first_purchase": np.datetime64(self.start, "s")
                + np.floor(joined).astype("timedelta64[D]"),
            }
        )

    def _ids(self) -> pa.Array:
        numbers = pa.array(np.arange(self.first_number, self.first_number + self.n_customers))
        digits = pc.utf8_lpad(numbers.cast(pa.string()), width=8, padding="0")
        return pc.binary_join_element_wise("C", digits, "")
