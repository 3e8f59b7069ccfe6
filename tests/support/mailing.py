"""A made-up e-mail trial in the shape of Hillstrom's: two mailings, a control, a log of orders.

The public trial (MineThatData, 2008) sent 64,000 customers a mail for men, one for women, or none,
and counted visits, conversions and spend over two weeks. All figures here are simulated.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from shop import Shop, make_shop

SENT = pd.Timestamp("2022-09-01")
LAST_DAY = pd.Timestamp("2022-09-30")
ARMS = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
VISIT = (0.106, 0.183, 0.151)
"""Probability of a visit by arm."""
BUYS = (0.08, 0.14, 0.11)
"""Probability that an average customer buys; customers differ by a factor of mean 1."""
SPEND = 100.0
MARGIN = 0.4
COST = 0.5

SHOP = """
name = "shop"
[source]
kind = "csv"
path = "log.csv"
[columns]
customer_id = "who"
timestamp = "when"
amount = "paid"
transaction_id = "order"
[economics]
currency = "EUR"
margin = 0.4
horizon_months = 6
[output]
models = "{folder}/models"
reports = "{folder}/reports"
"""

TRIAL = """
name = "hillstrom"
question = "Does a mail for men, or one for women, earn more than it costs?"
metrics = ["margin", "revenue", "orders", "retention", "clv"]
core_metric = "margin"
[assignment]
path = "assigned.csv"
customer_id = "customer"
time = "sent"
outcomes = ["visit"]
[factors.segment]
control = "No E-Mail"
[factors.segment.arms."Mens E-Mail"]
cost_per_customer = 0.5
[factors.segment.arms."Womens E-Mail"]
cost_per_customer = 0.5
"""


def tables(customers: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the log of orders and the assignment table."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"zq~person~{number:06d}" for number in range(customers)])
    eagerness = rng.gamma(2.0, 0.5, customers)
    orders = 1 + rng.poisson(4 * eagerness)
    who = np.repeat(np.arange(customers), orders)
    past = SENT - pd.to_timedelta(rng.integers(1, 365, who.size), unit="D")
    cell = rng.permutation(np.arange(customers) % 3)
    bought = rng.random(customers) < np.array(BUYS)[cell] * eagerness
    buyers = np.flatnonzero(bought)
    late = SENT + pd.to_timedelta(rng.integers(0, 14, buyers.size), unit="D")
    log = pd.DataFrame({"who": ids[np.r_[who, buyers]], "when": [*past, *late]})
    log["paid"] = rng.lognormal(np.log(SPEND) - 0.18, 0.6, len(log)).round(2)
    log["order"] = np.arange(len(log))
    assigned = pd.DataFrame({"customer": ids, "segment": np.array(ARMS)[cell]})
    assigned["sent"] = f"{SENT:%Y-%m-%d} 09:00:00"
    assigned["visit"] = (bought | (rng.random(customers) < np.array(VISIT)[cell])).astype(int)
    return log.sort_values("when", ignore_index=True), assigned


def make(folder: Path, customers: int, seed: int = 1) -> Shop:
    """Write log, business and trial."""
    log, assigned = tables(customers, seed)
    shop = make_shop(folder, log, SHOP)
    assigned.to_csv(folder / "assigned.csv", index=False)
    (folder / "trial.toml").write_text(TRIAL, encoding="utf-8")
    return shop
