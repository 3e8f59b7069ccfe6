"""A simulated shop whose channels and categories differ by known factors, or do not."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from clvmodels.core.rfm import rfm_summary
from clvmodels.simulation.processes import GammaGammaSpend, ParetoNBDProcess
from clvmodels.simulation.simulate import simulate_log

START = dt.date(2021, 1, 1)
TRIAL, AS_OF = pd.Timestamp("2022-05-01"), pd.Timestamp("2022-12-31")
HORIZON = 365
DIMENSIONS = ["channel", "product_category"]
HISTORY = ["frequency", "recency", "T"]
CHANNELS = {
    "organic": (1.0, 1.0, 0.35),
    "paid": (0.8, 1.3, 0.3),
    "social": (0.45, 2.2, 0.2),
    "affiliate": (0.55, 1.8, 0.15),
}
"""Factors of the rates of purchase and dropout, and the share of customers."""
CATEGORIES = {"basics": (1.2, 0.7, 0.4), "gear": (0.9, 1.5, 0.35), "gifts": (0.7, 1.0, 0.25)}
"""Factors of the rate of purchase and of spend, and the share of customers."""

TOML = """
[columns]
customer_id = "customer_id"
timestamp = "timestamp"
amount = "amount"
channel = "channel"
product_category = "product_category"

[economics]
currency = "EUR"
margin = 0.4
"""
"""Its columns and economics, in a configuration."""


def shop(seed: int, customers: int = 8000, alike: bool = False) -> pd.DataFrame:
    """Transactions of three years; ``alike`` leaves all factors at 1."""
    rng = np.random.default_rng(seed)
    parts, first = [], 0
    for channel, (rate, dropout, share) in CHANNELS.items():
        for category, (more, value, part) in CATEGORIES.items():
            some = round(customers * share * part)
            faster, leaving, dearer = (1.0,) * 3 if alike else (rate * more, dropout, value)
            log = simulate_log(
                ParetoNBDProcess(r=0.9, alpha=40 / faster, s=0.8, beta=150 / leaving),
                some,
                spend=GammaGammaSpend(6.25, 3.74, 15.44 * dearer),
                start=START,
                days=3 * HORIZON,
                random_state=rng,
                first_number=first,
            )
            parts.append(log.to_pandas().assign(channel=channel, product_category=category))
            first += some
    return pd.concat(parts, ignore_index=True)


def known_at(log: pd.DataFrame, day: pd.Timestamp, until: pd.Timestamp) -> pd.DataFrame:
    """One row a customer known at a day, and purchases and revenue from then until another."""
    known = log[log["date"] <= day]
    table = rfm_summary(
        known, customer_id="customer_id", timestamp="timestamp", amount="amount", as_of=day
    )
    own = known.groupby("customer_id")[DIMENSIONS].first()
    later = log[(log["date"] > day) & (log["date"] <= until)].groupby("customer_id")
    after = pd.DataFrame({"purchases": later["date"].nunique(), "revenue": later["amount"].sum()})
    table = table.merge(own, left_on="customer_id", right_index=True)
    table = table.merge(after, left_on="customer_id", right_index=True, how="left")
    return table.fillna({"purchases": 0.0, "revenue": 0.0})


def compressed(table: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Distinct histories by segment, with the customers that share them."""
    keys = [*HISTORY, *DIMENSIONS, *more]
    counted = table.groupby(keys, as_index=False).size()
    return counted.rename(columns={"size": "weight"}).astype({"weight": float})
