"""Logs whose cohorts are small, fade, or are one customer's; and CDNOW, where none is."""

from __future__ import annotations

import datetime as dt
import importlib.resources

import numpy as np
import pandas as pd

from clvmodels.simulation.simulate import BGNBDProcess, GammaGammaSpend, simulate_log


def subscription(seed: int = 4) -> pd.DataFrame:
    """Make a monthly plan of two years: eight join a month, one in twenty leaves."""
    rng = np.random.default_rng(seed)
    rows = []
    for month in range(24):
        for number in range(8):
            joined = dt.date(2023 + month // 12, month % 12 + 1, int(rng.integers(1, 28)))
            stays = int(rng.geometric(0.05))
            rows += [
                (f"S{month:02d}{number}", pd.Timestamp(joined) + pd.DateOffset(months=k), 20.0)
                for k in range(min(stays, 24 - month))
            ]
    return _log(rows)


def giant(seed: int = 4) -> pd.DataFrame:
    """Make ninety small buyers of fourteen months, and one whose orders are 200 times theirs."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2023-01-05")
    rows = [
        ("GIANT", start + pd.Timedelta(days=9 * k), round(float(rng.normal(20_000, 3_000)), 2))
        for k in range(59)
    ]
    for number in range(90):
        day = start + pd.Timedelta(days=int(rng.integers(0, 420)))
        mean, gap = float(rng.gamma(6, 15)), float(rng.gamma(3, 20))
        while day < pd.Timestamp("2024-06-20"):
            rows.append((f"{number:02d}", day, round(float(mean * rng.gamma(8, 1 / 8)), 2)))
            if rng.random() < 0.2:
                break
            day += pd.Timedelta(days=1 + int(rng.exponential(gap)))
    return _log(rows)


def fading(seed: int = 6) -> pd.DataFrame:
    """Make cohorts of a dozen frequent buyers, most of whom leave within months."""
    made = simulate_log(
        BGNBDProcess(r=2.0, alpha=16.0, a=1.2, b=16.0),
        260,
        spend=GammaGammaSpend(9.0, 3.0, 12.0),
        start=dt.date(2021, 1, 1),
        days=660,
        acquisition=600,
        random_state=seed,
    ).to_pandas()
    return _log(
        zip(
            made["customer_id"],
            made["timestamp"].dt.normalize(),
            made["amount"].round(2),
            strict=True,
        )
    )


def newcomers(seed: int = 4) -> pd.DataFrame:
    """Make CDNOW with a customer whose orders are 200 times the others', and a cohort to come back.

    Eleven customers of December 1997 have bought once, for 50 to 60 dollars.
    """
    rng = np.random.default_rng(seed)
    days = pd.to_datetime(["1997-08-11", "1997-11-20", "1998-02-13", "1998-05-02"])
    rows = [("GIANT", day, 7_000.0 + 111.0 * k) for k, day in enumerate(days)]
    rows += [
        (f"NEW{number:02d}", pd.Timestamp(1997, 12, 2 + number), round(rng.uniform(50, 60), 2))
        for number in range(11)
    ]
    return pd.concat([cdnow(), _log(rows)], ignore_index=True)


def cdnow() -> pd.DataFrame:
    """Return the CDNOW log that comes with lifetimes: three cohorts, of many customers."""
    source = importlib.resources.files("lifetimes") / "datasets" / "CDNOW_master.txt"
    with importlib.resources.as_file(source) as path:
        log = pd.read_csv(
            path,
            sep=r"\s+",
            header=0,
            names=["who", "date", "discs", "paid"],
            dtype={"who": str, "date": str},
        )
    return _log(log.assign(when=pd.to_datetime(log["date"]))[["who", "when", "paid"]])


def _log(rows: object) -> pd.DataFrame:
    """Give customer, day and amount the columns of the shared configuration."""
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    return log.assign(when=log["when"].dt.strftime("%Y-%m-%d"), land="here")
