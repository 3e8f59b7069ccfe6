"""A log in which one quarter's cohort is a single customer, with margins and segments."""

from __future__ import annotations

import numpy as np
import pandas as pd

LONER = "loner"
SEGMENT = "Herr Max Mustermann"
LONE_LINES = {
    "1997-08-05": (777_771.77, 333_331.13),
    "1997-09-14": (711_113.31, 311_117.71),
    "1998-02-03": (722_229.97, 300_007.37),
}
"""Day: amount and gross margin of everything that the lone customer bought."""

SHARES = {"app": 0.2, "store": 0.35, "web": 0.5}

TOML = """
name = "shop"
[source]
kind = "csv"
path = "log.csv"
[columns]
customer_id = "who"
timestamp = "when"
amount = "paid"
margin = "earned"
channel = "shop"
country = "land"
[economics]
margin = 0.99
horizon_months = 6
acquisition_cost = 5.0
[backtest]
origins = [1997-12-31]
jobs = 1
[output]
models = "{folder}/models"
reports = "{folder}/reports"
"""


def lone_log() -> pd.DataFrame:
    """Who, when, paid, earned (gross margin), shop (channel), land: January 1997 to June 1998.

    Three cohorts of 70 customers, the lone one of August, nine customers of October who bought
    again in January only, and eleven of December.
    """
    rng = np.random.default_rng(7)
    rows = [
        (LONER, pd.Timestamp(day), paid, earned, SEGMENT, "XX")
        for day, (paid, earned) in LONE_LINES.items()
    ]
    end = pd.Timestamp("1998-06-30")
    channels = sorted(SHARES)
    for month in ("1997-01-01", "1997-02-01", "1997-03-01"):
        for k in range(70):
            channel = channels[int(rng.integers(3))]
            day = pd.Timestamp(month) + pd.Timedelta(days=int(rng.integers(28)))
            gap = rng.gamma(2.0, 30.0)
            while day <= end:
                paid = round(float(rng.gamma(4.0, 8.0)) + 1.0, 2)
                earned = round(paid * SHARES[channel] * float(rng.uniform(0.8, 1.2)), 2)
                rows.append((f"{month}-{k}", day, paid, earned, channel, "DE" if k % 2 else "FR"))
                if rng.random() < 0.12:
                    break
                day += pd.Timedelta(days=1 + int(rng.exponential(gap)))
    for k in range(9):
        for day, paid in (("1997-10-01", 50.0 + k), ("1998-01-01", 60.0 + k)):
            later = pd.Timestamp(day) + pd.Timedelta(days=k)
            rows.append((f"nine-{k}", later, paid, paid / 2, "web", "DE"))
    for k in range(11):
        rows.append((f"eleven-{k}", pd.Timestamp("1997-12-03"), 40.0 + k, 10.0, "app", "FR"))
    table = pd.DataFrame(rows, columns=["who", "when", "paid", "earned", "shop", "land"])
    return table.sort_values(["when", "who"], ignore_index=True)
