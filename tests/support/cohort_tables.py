"""Cohort-month tables drawn from a known age, season and cohort effect."""

import datetime as dt

import numpy as np
import pandas as pd

AS_OF = dt.date(2021, 12, 31)
UNTIL = dt.date(2022, 6, 30)
"""Of the forecasts that tests make from :func:`simulated_table` as it comes."""

SEASON = np.log([0.7, 0.8, 1.0, 1.0, 0.9, 1.0, 1.0, 0.9, 1.1, 1.2, 1.6, 0.9])
SEASON = SEASON - SEASON.mean()


def simulated_table(
    months=30, new_customers=400, slope=-0.3, season=SEASON, cohort_sd=0.1, seed=0, mature=False
):
    """Poisson cohort-months with rate 0.02 (age + 1/2)^slope season cohort, as long as asked."""
    rng = np.random.default_rng(seed)
    periods = pd.date_range("2020-01-01", periods=months, freq="MS")
    quality = np.exp(cohort_sd * rng.standard_normal(months))
    rows = []
    for c, cohort in enumerate(periods):
        arrivals = new_customers * (1 + 4 * np.exp(-c / 2) * mature)
        size = rng.poisson(arrivals * np.exp(season[cohort.month - 1]))
        for p in range(c, months):
            days = size * periods[p].days_in_month * (0.5 if p == c else 1.0)
            age = max(p - c, 1 / 3)
            level = 0.01 * (age + 0.5) ** slope * quality[c]
            mean = days * level * np.exp(season[periods[p].month - 1])
            bought = rng.poisson(mean)
            first = size if p == c else 0
            rows.append(
                (cohort, periods[p], size, days, bought, 50.0 * bought, first, 40.0 * first)
            )
    return pd.DataFrame(
        rows,
        columns=[
            "cohort", "period", "customers", "customer_days", "purchases", "revenue",
            "first_purchases", "first_revenue",
        ],
    )  # fmt: skip


def known_on(table, as_of):
    """The table as it stood on a day, its month under way counted up to it."""
    day = pd.Timestamp(as_of)
    known = table[table["period"] <= day].reset_index(drop=True)
    counts = ["customer_days", "purchases", "revenue", "first_purchases", "first_revenue"]
    known[counts] = known[counts].astype(float)
    known.loc[known["period"] == day.replace(day=1), counts] *= day.day / day.days_in_month
    return known


def actual(table):
    """What customers known at :data:`AS_OF` bought later, by cohort and month."""
    later = (table["period"] > pd.Timestamp(AS_OF)) & (table["cohort"] <= pd.Timestamp(AS_OF))
    return table[later].groupby(["cohort", "period"])["purchases"].sum()
