"""Simulated logs of the kinds that businesses have, and their cohort-months at any day.

Rules that a forecast learns by were set on these, not on the logs that it is judged on. Customers
leave as in Pareto/NBD or BG/NBD, or never, which no curve of age is made for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.core.arrays import Array
from clvmodels.core.months import last_month_end, month_end
from clvmodels.simulation.simulate import (
    BGNBDProcess,
    GammaGammaSpend,
    NBDProcess,
    ParetoNBDProcess,
    SimulatedLog,
    simulate_log,
)

START = dt.date(2020, 1, 1)
SEASON = np.array([0.7, 0.75, 0.9, 0.95, 1.0, 1.0, 0.9, 0.9, 1.05, 1.25, 1.55, 1.05])
SPEND = GammaGammaSpend(p=6.0, q=4.0, v=15.0)
FIRST_ORIGIN_DAYS = 150
LEAST_AHEAD_DAYS = 88


@dataclass(frozen=True)
class KindOfLog:
    """One simulated log.

    Attributes
    ----------
    name : str
    days : DataFrame
        customer, date, amount: one row a customer and day with a purchase.
    first, last : date
    """

    name: str
    days: pd.DataFrame
    first: dt.date
    last: dt.date

    def cohort_months(self, as_of: dt.date) -> pd.DataFrame:
        """Cohort-months known at a day: :data:`clvmodels.core.schema.COHORT_MONTHS`."""
        known = self.days[self.days["date"] <= pd.Timestamp(as_of)]
        joined = known.groupby("customer")["date"].transform("min")
        first = (known["date"] == joined).to_numpy()
        cells = pd.DataFrame(
            {
                "cohort": _month(joined),
                "period": _month(known["date"]),
                "purchases": 1 - first,
                "revenue": known["amount"] * ~first,
                "first_purchases": first.astype(int),
                "first_revenue": known["amount"] * first,
            }
        )
        cells = cells.groupby(["cohort", "period"], as_index=False).sum()
        grid = _exposure(known.groupby("customer")["date"].min(), as_of)
        return grid.merge(cells, on=["cohort", "period"], how="left").fillna(0.0)

    def after(self, origin: dt.date) -> pd.DataFrame:
        """What customers known at an origin bought after it: cohort, period, purchases, revenue."""
        joined = self.days.groupby("customer")["date"].transform("min")
        later = (joined <= pd.Timestamp(origin)) & (self.days["date"] > pd.Timestamp(origin))
        later &= self.days["date"] <= pd.Timestamp(self.until)
        rows = self.days[later]
        cells = pd.DataFrame(
            {
                "cohort": _month(joined[later]),
                "period": _month(rows["date"]),
                "purchases": 1.0,
                "revenue": rows["amount"],
            }
        )
        return cells.groupby(["cohort", "period"], as_index=False).sum()

    @property
    def until(self) -> dt.date:
        """The last day that forecasts are judged on: the end of the last whole month."""
        return last_month_end(self.last)

    def origins(self, most: int = 4) -> list[dt.date]:
        """Month ends spread over the log, from five months in to three before its end."""
        ends, day = [], month_end(self.first + dt.timedelta(days=FIRST_ORIGIN_DAYS))
        while day <= self.last - dt.timedelta(days=LEAST_AHEAD_DAYS):
            ends.append(day)
            day = month_end(day + dt.timedelta(days=1))
        some = np.unique(np.linspace(0, len(ends) - 1, most).round().astype(int))
        return [ends[i] for i in some]


def _month(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.start_time.astype("datetime64[s]")


def _exposure(joined: pd.Series, as_of: dt.date) -> pd.DataFrame:
    """Customers and customer-days of every cohort and month."""
    periods = pd.date_range(joined.min().replace(day=1), as_of, freq="MS", unit="s")
    ends = np.minimum(periods + pd.offsets.MonthEnd(0), pd.Timestamp(as_of))
    counts = joined.value_counts()
    start = np.maximum(
        counts.index.to_numpy()[:, None] + np.timedelta64(1, "D"), periods.to_numpy()
    )
    days = (ends.to_numpy()[None, :] - start) / np.timedelta64(1, "D") + 1
    here = counts.index.to_numpy()[:, None] <= ends.to_numpy()[None, :]
    size = counts.to_numpy()[:, None]
    grid = pd.DataFrame(
        {
            "cohort": np.repeat(_month(counts.index.to_series()).to_numpy(), len(periods)),
            "period": np.tile(periods.to_numpy(), len(counts)),
            "customers": (size * here).ravel(),
            "customer_days": (size * np.maximum(days, 0.0)).ravel(),
        }
    )
    grid = grid.groupby(["cohort", "period"], as_index=False).sum()
    return grid[grid["customers"] > 0]


def _kind(
    name: str,
    log: SimulatedLog,
    *,
    first: dt.date | None = None,
    keep: Callable[[pd.Series], Array] | None = None,
    rng: np.random.Generator | None = None,
) -> KindOfLog:
    rows = log.to_pandas()
    rows["customer"] = pd.factorize(rows["customer_id"])[0]
    if keep is not None and rng is not None:
        rows = rows[rng.random(len(rows)) < keep(rows["date"])]
    days = rows.groupby(["customer", "date"], as_index=False)["amount"].sum()
    days["date"] = days["date"].astype("datetime64[s]")
    if first is not None:
        days = days[days["date"] >= pd.Timestamp(first)]
    start = days["date"].min().date() if first is None else first
    return KindOfLog(name, days, start, log.as_of)


def steady(rng: np.random.Generator, n: int) -> KindOfLog:
    """A panel: all of them there before the log starts, and none of them leaves."""
    process = NBDProcess(r=1.2, alpha=float(rng.uniform(20, 60)))
    log = simulate_log(
        process, n, spend=SPEND, start=START, days=565, acquisition=180.0, random_state=rng
    )
    return _kind("steady", log, first=dt.date(2020, 7, 1))


def fading(rng: np.random.Generator, n: int) -> KindOfLog:
    """Most customers leave within months."""
    process = ParetoNBDProcess(r=0.8, alpha=40.0, s=0.7, beta=120.0)
    log = simulate_log(process, n, spend=SPEND, start=START, days=730, random_state=rng)
    return _kind("fading", log)


def one_cohort(rng: np.random.Generator, n: int) -> KindOfLog:
    """Two months of acquisition, and a steep fall since."""
    process = BGNBDProcess(r=0.5, alpha=12.0, a=0.9, b=2.0)
    log = simulate_log(
        process, n, spend=SPEND, start=START, days=500, acquisition=60.0, random_state=rng
    )
    return _kind("one cohort", log)


def seasonal(rng: np.random.Generator, n: int) -> KindOfLog:
    """A strong autumn."""
    process = ParetoNBDProcess(r=0.7, alpha=60.0, s=0.8, beta=500.0)
    season = tuple(SEASON ** rng.uniform(0.5, 1.2))
    log = simulate_log(
        process, n, spend=SPEND, start=START, days=912, season=season, random_state=rng
    )
    return _kind("seasonal", log)


def growing(rng: np.random.Generator, n: int) -> KindOfLog:
    """Everybody buys more often from year to year."""
    process = ParetoNBDProcess(r=0.7, alpha=60.0, s=0.8, beta=500.0)
    log = simulate_log(
        process, n, spend=SPEND, start=START, days=731, season=tuple(SEASON**0.4),
        trend=float(rng.uniform(0.1, 0.4)), random_state=rng,
    )  # fmt: skip
    return _kind("growing", log)


def wholesale(rng: np.random.Generator, n: int) -> KindOfLog:
    """Few customers, some of them hundreds of times the others' size."""
    process = ParetoNBDProcess(r=0.5, alpha=30.0, s=0.6, beta=400.0)
    spend = GammaGammaSpend(p=1.5, q=1.6, v=60.0)
    log = simulate_log(process, n // 8, spend=spend, start=START, days=800, random_state=rng)
    return _kind("wholesale", log)


def campaigns(rng: np.random.Generator, n: int) -> KindOfLog:
    """In one month of five, at random, everybody buys 1.6 times as often."""
    process = ParetoNBDProcess(r=0.7, alpha=40.0, s=0.8, beta=500.0)
    log = simulate_log(process, n, spend=SPEND, start=START, days=850, random_state=rng)
    on = rng.random(40) < 0.2

    def keep(date: pd.Series) -> Array:
        month = ((date.dt.year - START.year) * 12 + date.dt.month - 1).to_numpy()
        return np.where(on[month], 1.0, 1 / 1.6)

    return _kind("campaigns", log, keep=keep, rng=rng)


def short(rng: np.random.Generator, n: int) -> KindOfLog:
    """Less than a year."""
    process = ParetoNBDProcess(r=0.7, alpha=40.0, s=0.8, beta=500.0)
    log = simulate_log(process, n, spend=SPEND, start=START, days=330, random_state=rng)
    return _kind("short", log)


def cut(rng: np.random.Generator, n: int) -> KindOfLog:
    """Cut out of a longer life: old customers look new in its first months."""
    process = ParetoNBDProcess(r=0.9, alpha=60.0, s=0.8, beta=700.0)
    log = simulate_log(
        process, int(1.7 * n), spend=SPEND, start=dt.date(2018, 1, 1), days=1185,
        season=tuple(SEASON**0.8), random_state=rng,
    )  # fmt: skip
    return _kind("cut", log, first=dt.date(2019, 7, 1))


KINDS = (steady, fading, one_cohort, seasonal, growing, wholesale, campaigns, short, cut)


def simulated(kind: Callable[[np.random.Generator, int], KindOfLog], seed: int) -> KindOfLog:
    """One log of a kind, with 1,200 to 6,000 customers (of wholesale an eighth of them)."""
    rng = np.random.default_rng([seed, 77])
    return kind(rng, int(rng.integers(1200, 6000)))
