"""Customers with known parameters: an exact, vectorised transaction log to test against.

Each customer buys by a Poisson process of their own rate and leaves by the dropout rule of one
of the buy-till-you-die models; the value of each purchase follows the Gamma-Gamma model. Season,
trend and cohort effects change the rate over calendar time.

Notes
-----
A Poisson process of rate ``rate * s(t)`` is a homogeneous one on the clock ``S(t)``, the integral
of ``s``. Given that it makes ``n`` purchases in a window, their times on that clock are ``n``
ordered uniforms, and ordered uniforms are ratios of partial sums of exponentials. Nothing is
approximated, and nothing needs a loop over customers or a sort.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from clvmodels.exceptions import InvalidValueError
from clvmodels.processes import (
    BGNBDProcess,
    Floats,
    GammaGammaSpend,
    Integers,
    MBGNBDProcess,
    NBDProcess,
    ParetoNBDProcess,
    Process,
    Traits,
)

__all__ = [
    "BGNBDProcess",
    "GammaGammaSpend",
    "MBGNBDProcess",
    "NBDProcess",
    "ParetoNBDProcess",
    "SimulatedLog",
    "simulate_log",
]

RandomState = int | np.random.SeedSequence | np.random.Generator | None

_DAYS_A_YEAR = 365.25
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
    day: Floats
    amount: Floats
    joined: Floats
    traits: Traits
    mean_spend: Floats
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
        end = self.days if until is None else float(until)
        known = self.day <= end
        customer, day = self.customer[known], self.day[known]
        counts = np.bincount(customer, minlength=self.n_customers)
        members = np.flatnonzero(counts)
        last = np.cumsum(counts[members]) - 1
        first = last - counts[members] + 1
        frequency = counts[members] - 1
        totals = np.bincount(customer, self.amount[known], minlength=self.n_customers)
        repeat_value = totals[members] - self.amount[known][first]
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


def simulate_log(
    process: Process,
    n_customers: int,
    *,
    spend: GammaGammaSpend | None = None,
    start: dt.date = dt.date(2020, 1, 1),
    days: float = 730,
    acquisition: float | ArrayLike | None = None,
    season: Sequence[float] | None = None,
    trend: float = 0.0,
    cohort_effects: Sequence[float] | None = None,
    random_state: RandomState = None,
    first_number: int = 0,
) -> SimulatedLog:
    """Simulate the transactions of customers whose parameters are known.

    Parameters
    ----------
    process : Process
        How they buy and leave: :class:`BGNBDProcess`, :class:`MBGNBDProcess`,
        :class:`ParetoNBDProcess` or :class:`NBDProcess`.
    n_customers : int
        Number of customers.
    spend : GammaGammaSpend, optional
        Value of a purchase; by default p = 6.25, q = 3.74, v = 15.44.
    start : datetime.date
        First day.
    days : float
        Length of the window.
    acquisition : float or array-like, optional
        When customers make their first purchase: uniformly over the first so many days (0 for
        all at the start; the whole window by default), or weights of the days from ``start`` on.
    season : sequence of 12 floats, optional
        Factors on the purchase rate, January to December. They are used as given, so the mean
        rate keeps its meaning only where they average 1.
    trend : float
        Growth of the purchase rate a year, continuously compounded: 0.1 multiplies it by
        exp(0.1) within a year.
    cohort_effects : sequence of floats, optional
        Factors on the purchase rate of the customers acquired in the first, second, …
        calendar month; the last holds for every later month.
    random_state : int, SeedSequence, Generator or None
        Seed; equal seeds give equal logs.
    first_number : int
        Number of the first customer, so that logs made in parts have distinct ids.

    Returns
    -------
    SimulatedLog

    Raises
    ------
    InvalidValueError
        If a size, factor or weight is negative, not finite or of the wrong length.
    """
    _check(n_customers >= 1, f"n_customers must be at least 1; found {n_customers}")
    _check(np.isfinite(days) and days > 0, f"days must be positive and finite; found {days}")
    rng = np.random.default_rng(random_state)
    joined = _first_purchases(acquisition, n_customers, days, rng)
    traits = process.draw(n_customers, rng)
    knots, clock = _clock(start, days, season, trend)

    rate = traits.rate * _cohort_factor(cohort_effects, start, joined)
    opens = np.interp(joined, knots, clock)
    closes = np.interp(np.minimum(joined + traits.lifetime, days), knots, clock)
    drawn = rng.poisson(rate * (closes - opens))
    repeats = np.minimum(drawn, traits.most_repeats).astype(np.int64)
    position = _ordered_uniforms(drawn, repeats, rng)
    position *= np.repeat(closes - opens, repeats)
    position += np.repeat(opens, repeats)

    customer = np.repeat(np.arange(n_customers), repeats + 1)
    is_first = np.empty(customer.size, dtype=bool)
    is_first[:1] = True
    np.not_equal(customer[1:], customer[:-1], out=is_first[1:])
    day = np.empty(customer.size)
    day[is_first] = joined
    # Rounding on the way through the clock must not put a purchase before the first one.
    day[~is_first] = np.clip(
        np.interp(position, clock, knots), np.repeat(joined, repeats), np.nextafter(days, 0)
    )
    spend = spend or GammaGammaSpend(6.25, 3.74, 15.44)
    mean_spend, amount = spend.draw(repeats + 1, rng)
    return SimulatedLog(
        start, float(days), customer, day, amount, joined, traits, mean_spend, first_number
    )


def _ordered_uniforms(drawn: Integers, kept: Integers, rng: np.random.Generator) -> Floats:
    """Smallest ``kept`` of ``drawn`` uniforms, in ascending order, for each customer in turn."""
    gaps = drawn + 1
    ends = np.cumsum(gaps)
    sums = np.cumsum(rng.standard_exponential(int(ends[-1])))
    before = np.concatenate(([0.0], sums[ends[:-1] - 1]))
    total = sums[ends - 1] - before
    offset = np.repeat(np.cumsum(kept) - kept, kept)
    index = np.repeat(ends - gaps, kept) + np.arange(offset.size) - offset
    ordered: Floats = (sums[index] - np.repeat(before, kept)) / np.repeat(total, kept)
    return ordered


def _first_purchases(
    acquisition: float | ArrayLike | None, n: int, days: float, rng: np.random.Generator
) -> Floats:
    if acquisition is None:
        return rng.uniform(0, days, n)
    weights = np.asarray(acquisition, dtype=float)
    _check(bool(np.all(np.isfinite(weights)) and np.all(weights >= 0)), "acquisition must be >= 0")
    if weights.ndim == 0:
        _check(float(weights) <= days, f"acquisition over {weights} days exceeds {days} days")
        return rng.uniform(0, float(weights), n)
    _check(
        weights.ndim == 1 and 0 < weights.size <= days and weights.sum() > 0,
        f"acquisition needs at most one weight a day ({days:g} days) and a positive sum; "
        f"found shape {weights.shape}",
    )
    return rng.choice(weights.size, n, p=weights / weights.sum()) + rng.uniform(0, 1, n)


def _clock(
    start: dt.date, days: float, season: Sequence[float] | None, trend: float
) -> tuple[Floats, Floats]:
    """Days and the integral of the rate factor up to each, strictly increasing."""
    whole = int(np.ceil(days))
    knots = np.arange(whole + 1, dtype=float)
    middle = knots[:-1] + 0.5
    speed = np.exp(trend * middle / _DAYS_A_YEAR)
    if season is not None:
        factors = np.asarray(season, dtype=float)
        _check(
            factors.shape == (12,) and bool(np.all(np.isfinite(factors)) and np.all(factors > 0)),
            f"season needs 12 positive factors, January to December; found {season!r}",
        )
        speed = speed * factors[_months(start, middle) % 12]
    return knots, np.concatenate(([0.0], np.cumsum(speed)))


def _cohort_factor(effects: Sequence[float] | None, start: dt.date, joined: Floats) -> Any:
    if effects is None:
        return 1.0
    factors = np.asarray(effects, dtype=float)
    _check(
        factors.ndim == 1 and factors.size > 0 and bool(np.all(factors >= 0)),
        f"cohort_effects needs one factor >= 0 a month; found {effects!r}",
    )
    month = _months(start, joined) - _months(start, np.zeros(1))[0]
    return factors[np.minimum(month, factors.size - 1)]


def _months(start: dt.date, day: Floats) -> Integers:
    """Calendar months since January 1970."""
    dates = np.datetime64(start, "D") + np.floor(day).astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidValueError(message)
