"""Small transaction logs for tests, and configurations that read them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from pipelines.config.load import Config, parse

MAPPING = {"customer_id": "customer", "timestamp": "day", "amount": "value"}


def config(source: dict[str, object], **sections: dict[str, object]) -> Config:
    """Return a configuration for a log with the columns of :func:`messy_log`."""
    raw: dict[str, object] = {"name": "test", "source": source}
    raw["columns"] = MAPPING | sections.pop("columns", {})
    raw["governance"] = {
        "max_missing_id_share": 1.0,
        "max_bad_row_share": 1.0,
    } | sections.pop("governance", {})
    return parse(raw | sections)


def messy_log(seed: int = 7, customers: int = 120, days: int = 400) -> pd.DataFrame:
    """Make purchases, refunds of all kinds, zero values and rows without an id."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        dates = sorted(rng.choice(days, size=rng.integers(1, 12), replace=False))
        for offset in dates:
            day = dt.datetime(2022, 1, 1) + dt.timedelta(
                days=int(offset), seconds=int(rng.integers(0, 86_400))
            )
            for _ in range(rng.integers(1, 4)):
                kind = rng.random()
                value = round(float(rng.gamma(2, 20)), 2)
                if kind < 0.15:
                    value = -value
                elif kind < 0.2:
                    value = 0.0
                name = f"{number:05d}" if rng.random() > 0.02 else None
                country = "UK" if rng.random() < 0.6 else "FR"
                rows.append((name, day, value, country))
    frame = pd.DataFrame(rows, columns=["customer", "day", "value", "country"])
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)
