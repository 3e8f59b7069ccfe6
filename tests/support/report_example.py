"""Inputs of a report, made up but consistent: two years of a small shop."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.activation.scores import RfmLimits
from pipelines.config.load import parse
from pipelines.forecasting.rfm.found import RfmFound
from pipelines.report import ReportInputs
from pipelines.report.tables import records

AS_OF = dt.date(2024, 12, 31)
ORIGINS = ("2023-12-31", "2024-03-31", "2024-06-30", "2024-09-30")
ERROR = {"clv": 0.08, "bgnbd": 0.15, "lifetimes": 0.17, "last_months_average": 0.3}
SHIFT = {"clv": 1.02, "bgnbd": 1.08, "lifetimes": 1.09, "last_months_average": 1.2}


def config(**economics: object):
    return parse(
        {
            "name": "corner-shop",
            "source": {"kind": "lifetimes", "dataset": "CDNOW_sample"},
            "economics": {"currency": "GBP", "margin": 0.4, "cost_to_serve": 1.5} | economics,
        }
    )


def _months(first: str, last: str) -> pd.DatetimeIndex:
    return pd.date_range(first, last, freq="MS")


def _purchases(cohort: pd.Timestamp, period: pd.Timestamp, size: int) -> float:
    age = (period.year - cohort.year) * 12 + period.month - cohort.month
    season = 1.0 + 0.25 * np.cos(2 * np.pi * (period.month - 12) / 12)
    return size * 0.35 * season / (1 + 0.12 * age) if age >= 0 else 0.0


def cohort_months(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for cohort in _months("2023-01-01", "2024-12-01"):
        size = int(rng.integers(150, 260))
        for period in _months(str(cohort.date()), "2024-12-01"):
            purchases = rng.poisson(_purchases(cohort, period, size))
            first = size if period == cohort else 0
            rows.append(
                (cohort, period, size, size * 30, purchases, purchases * 31.0, first, first * 28.0)
            )
    return pd.DataFrame(
        rows,
        columns=[
            "cohort",
            "period",
            "customers",
            "customer_days",
            "purchases",
            "revenue",
            "first_purchases",
            "first_revenue",
        ],
    )


def cohort_forecast(history: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for cohort, size in history.groupby("cohort")["customers"].max().items():
        for period in _months("2025-01-01", "2025-12-01"):
            purchases = _purchases(cohort, period, size)
            row = {"cohort": cohort, "period": period}
            for quantity, factor in (("purchases", 1.0), ("revenue", 31.0), ("margin", 12.4)):
                for end, spread in (("", 1.0), ("_low", 0.85), ("_high", 1.17)):
                    row[quantity + end] = purchases * factor * spread
            rows.append(row)
    return pd.DataFrame(rows)


def cells(history: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    parts = []
    for text in ORIGINS:
        origin = pd.Timestamp(text)
        after = history[(history["period"] > origin) & (history["cohort"] <= origin)].copy()
        after["cohort"] = after["cohort"].dt.to_period("Q").dt.start_time
        actual = after.groupby(["cohort", "period"], as_index=False)[
            ["customers", "purchases", "revenue"]
        ].sum()
        for model, error in ERROR.items():
            part = actual.rename(
                columns={"purchases": "actual_purchases", "revenue": "actual_revenue"}
            )
            for quantity in ("purchases", "revenue"):
                noise = rng.normal(SHIFT[model], error, len(part))
                part[quantity] = part[f"actual_{quantity}"] * noise
                spread = 0.16 if model == "clv" else np.nan
                part[f"{quantity}_low"] = part[quantity] * (1 - spread)
                part[f"{quantity}_high"] = part[quantity] * (1 + spread)
            parts.append(
                part.assign(
                    origin=origin, model=model, horizon_days=(pd.Timestamp(AS_OF) - origin).days
                )
            )
    return pd.concat(parts, ignore_index=True)


def metrics(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for origin in ORIGINS:
        days = (AS_OF - dt.date.fromisoformat(origin)).days
        for model, error in ERROR.items():
            for quantity in ("purchases", "revenue"):
                rows.append((origin, days, "cohort_month", quantity, model, "wape", error))
                if model != "last_months_average":
                    gini = 0.8 - error + rng.normal(0, 0.01)
                    rows.append((origin, days, "customer", quantity, model, "gini", gini))
                    rows.append((origin, days, "customer", quantity, model, "mae", 2 + error))
        for model, auc in (("churn", 0.83), ("customers", 0.79)):
            for metric, value in (("auc", auc), ("brier", 0.99 - auc), ("log_loss", 1.3 - auc)):
                rows.append((origin, days, "customer", "purchases", model, metric, value))
    names = ["origin", "horizon_days", "level", "quantity", "model", "metric", "value"]
    return pd.DataFrame(rows, columns=names)


def deciles() -> pd.DataFrame:
    rows = []
    for origin in ORIGINS:
        for model, tilt in (("clv", 1.03), ("lifetimes", 1.15)):
            for quantity, unit in (("purchases", 1.0), ("revenue", 31.0)):
                for decile in range(1, 11):
                    forecast = 0.04 * np.exp(0.45 * decile) * unit
                    rows.append(
                        (
                            pd.Timestamp(origin),
                            model,
                            quantity,
                            decile,
                            430,
                            forecast,
                            forecast / tilt + 0.02 * unit,
                        )
                    )
    names = ["origin", "model", "quantity", "decile", "customers", "forecast_mean", "actual_mean"]
    return pd.DataFrame(rows, columns=names)


def reliability() -> pd.DataFrame:
    predicted = np.linspace(0.08, 0.97, 10)
    parts = [
        pd.DataFrame(
            {
                "origin": pd.Timestamp(origin),
                "model": model,
                "bin": range(10),
                "predicted": predicted,
                "observed": np.clip(predicted**power, 0, 1),
                "customers": np.linspace(200, 900, 10).astype(int),
            }
        )
        for origin in ORIGINS
        for model, power in (("churn", 1.05), ("customers", 1.4))
    ]
    return pd.concat(parts, ignore_index=True)


def diagnostics() -> dict[str, pd.DataFrame]:
    months = _months("2023-01-01", "2024-12-01")
    expected = np.linspace(40, 700, len(months))
    observed = np.round(expected * (1 + 0.15 * np.sin(np.arange(len(months)))))
    edges = np.append(np.linspace(0, 100, 11), np.inf)
    buyers = np.array([20, 210, 480, 520, 390, 260, 160, 95, 60, 35, 28])
    groups = pd.DataFrame(
        {
            "group": ["0", "1", "2", "3+"],
            "customers": [900, 500, 300, 200],
            "expected": [0.2, 0.6, 1.1, 2.9],
            "actual": [0.22, 0.58, 1.2, 2.7],
        }
    )
    by_frequency = pd.DataFrame(
        {
            "frequency": ["1", "2", "3+"],
            "customers": [900, 520, 830],
            "mean_value": [34.1, 35.0, 36.2],
            "standard_error": [0.6, 0.7, 0.5],
        }
    )
    by_frequency.attrs["pearson"] = 0.06
    return {
        "tracking": pd.DataFrame(
            {
                "period": months,
                "observed": observed,
                "expected": expected,
                "cumulative_observed": observed.cumsum(),
                "cumulative_expected": expected.cumsum(),
            }
        ),
        "conditional_frequency": groups,
        "conditional_recency": groups.assign(group=["none", "up to 80", "80 to 200", "above 200"]),
        "spend_distribution": pd.DataFrame(
            {"low": edges[:-1], "high": edges[1:], "observed": buyers, "expected": buyers * 0.97}
        ),
        "spend_by_frequency": by_frequency,
        "model_comparison": pd.DataFrame(
            {
                "model": ["BGNBD", "NBD"],
                "parameters": [4, 2],
                "log_likelihood": [-9582.43, -9763.66],
                "aic": [19172.9, 19531.3],
                "bic": [19195.9, 19542.8],
                "bic_difference": [0.0, 346.9],
            }
        ),
    }


def budget(known: pd.DataFrame) -> pd.DataFrame:
    """Known customers' months and those still to come, half of them planned."""
    sums = known.groupby("period")[[c for c in known if c.startswith(("purchases", "revenue"))]]
    table = sums.sum().add_prefix("known_").reset_index()
    table["new_customers"] = np.linspace(190.0, 240.0, len(table))
    table["basis"] = np.where(table.index < 6, "plan", "recent level")
    table["new_first_revenue"] = table["new_customers"] * 28.0
    table["new_revenue"] = table["new_first_revenue"] * np.linspace(1.1, 3.0, len(table))
    table["new_purchases"] = table["new_revenue"] / 30.0
    for quantity in ("purchases", "revenue"):
        table[f"company_{quantity}"] = table[f"known_{quantity}"] + table[f"new_{quantity}"]
        table[f"company_{quantity}_low"] = 0.8 * table[f"company_{quantity}"]
        table[f"company_{quantity}_high"] = 1.3 * table[f"company_{quantity}"]
    return table


def budget_total(months: pd.DataFrame) -> pd.DataFrame:
    """The company over the horizon, its intervals narrower than the sums of the months'."""
    rows = []
    for quantity in ("purchases", "revenue"):
        total = months[f"company_{quantity}"].sum()
        rows.append((quantity, total, 0.9 * total, 1.15 * total))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high"])


def new_cohorts() -> pd.DataFrame:
    months = _months("2025-01-01", "2025-12-01")
    rows = [
        (cohort, period, 200.0, 200.0 * (cohort == period), 5600.0 * (cohort == period), 9.0, 280.0)
        for cohort in months
        for period in months
        if cohort <= period
    ]
    names = ["cohort", "period", "customers", "first_purchases", "first_revenue"]
    return pd.DataFrame(rows, columns=[*names, "purchases", "revenue"])


def company(history: pd.DataFrame) -> pd.DataFrame:
    """Past forecasts of the company, a tenth too low."""
    table = history.assign(
        revenue=history["revenue"] + history["first_revenue"],
        purchases=history["purchases"] + history["first_purchases"],
    )
    actual = table.groupby("period")[["revenue", "purchases"]].sum()
    parts = []
    for text in ORIGINS:
        part = actual[actual.index > pd.Timestamp(text)].add_prefix("actual_").reset_index()
        part["origin"] = pd.Timestamp(text)
        for quantity in ("revenue", "purchases"):
            part[quantity] = 0.9 * part[f"actual_{quantity}"]
        part["known_revenue"], part["new_revenue"] = 0.7 * part["revenue"], 0.3 * part["revenue"]
        part["actual_new_revenue"] = 0.3 * part["actual_revenue"]
        part["new_customers"], part["actual_new_customers"] = 190.0, 200.0
        part["last_months_revenue"] = 1.25 * part["actual_revenue"]
        part["company_revenue_low"], part["company_revenue_high"] = (
            k * part["revenue"] for k in (0.8, 1.3)
        )
        part["last_year_revenue"] = 0.95 * part["actual_revenue"]
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def found_effects() -> pd.DataFrame:
    rows = [
        ("marketing_spend", "+10 %", "purchases", 0.012, 0.004, 0.02, 0.09, 0.03, 0.155, True),
        ("marketing_spend", "+10 %", "value", 0.001, -0.002, 0.004, 0.01, -0.01, 0.03, True),
        ("of customers with channel = web", "+5 percentage points", "purchases", 0.03, -0.01, 0.07,
         np.nan, np.nan, np.nan, False),
    ]  # fmt: skip
    names = ["driver", "change", "quantity", "effect", "low", "high"]
    return pd.DataFrame(rows, columns=[*names, "doubling", "doubling_low", "doubling_high", "used"])


def rfm() -> RfmFound:
    """Four segments, and who moved between them since a year before."""
    sizes = pd.DataFrame(
        {
            "rfm_segment": ["champions", "loyal", "new", "lost"],
            "customers": [600, 1_400, 900, 2_047],
            "revenue_to_date": [300_000.0, 210_000.0, 40_000.0, 113_524.0],
            "margin_to_date": [120_000.0, 84_000.0, 16_000.0, 45_409.6],
            "expected_revenue": [150_000.0, 110_000.0, 25_000.0, 13_000.0],
            "clv": [52_000.0, 36_000.0, 9_000.0, 4_500.0],
        }
    )
    flows = [
        ("champions", "champions", 400), ("champions", "loyal", 120), ("loyal", "champions", 190),
        ("loyal", "loyal", 1_100), ("loyal", "lost", 250), ("lost", "loyal", 6),
        ("lost", "lost", 1_700),
        ("new", "loyal", 174), ("new", "lost", 97), ("new", "champions", 10),
        ("(not yet a customer)", "new", 900),
    ]  # fmt: skip
    limits = RfmLimits((20, 61, 150, 340), (0, 0, 1, 4), (21.5, 40.25, 80.75, 163.2))
    moves = pd.DataFrame(flows, columns=["from_segment", "to_segment", "customers"])
    return RfmFound(sizes=sizes, limits=limits, moves=moves, since=dt.date(2023, 12, 31))


def example_inputs(**changes: object) -> ReportInputs:
    """A full set of inputs; ``changes`` replaces single fields."""
    rng = np.random.default_rng(5)
    history = cohort_months(rng)
    frequency = np.arange(0, 21)
    recency = np.linspace(0, 720, 19)
    known = cohort_forecast(history)
    grid = pd.MultiIndex.from_product([frequency, recency], names=["frequency", "recency"])
    alive = grid.to_frame(index=False)
    gap = (730 - alive["recency"]) / 730
    alive["probability_alive"] = 1 / (1 + 0.25 * np.exp(alive["frequency"] * gap * 0.6))
    inputs = ReportInputs(
        terms=config().terms,
        as_of=AS_OF,
        account={
            "source": "corner.csv",
            "read": 30_000,
            "kept": 29_000,
            "set_aside": {"no_id": 700, "duplicate": 300, "bad_date": 0},
            "customers": int(history["first_purchases"].sum()),
            "purchases": 21_404,
            "revenue": 663_524.0,
            "first_date": "2023-01-01",
            "last_date": "2024-12-31",
            "stale_days": 0,
            "bridge": [
                {"step": "source", "rows": 30_000, "amount": 680_000.25},
                {"step": "no_id", "rows": 700, "amount": 9_476.25},
                {"step": "duplicate", "rows": 300, "amount": 7_000.0},
                {"step": "revenue", "rows": 29_000, "amount": 663_524.0},
            ],
            "plausibility": {
                "ten_rows": 0.02,
                "ten_revenue": 0.05,
                "warnings": ["no purchase in 2023-05: is a file missing?"],
            },
        },
        metrics=metrics(rng),
        cells=cells(history, rng),
        deciles=deciles(),
        churn_reliability=reliability(),
        churn_importance=pd.DataFrame(
            {
                "feature": ["model_probability_alive", "days_since_last_purchase", "frequency"],
                "importance": [0.11, 0.06, 0.02],
                "importance_sd": [0.004, 0.003, 0.002],
            }
        ),
        cohort_months=history,
        cohort_forecast=known,
        budget=budget(known),
        budget_total=budget_total(budget(known)),
        new_cohorts=new_cohorts(),
        company=company(history),
        effects=found_effects(),
        tiers=pd.DataFrame(
            {
                "tier": ["top 1 %", "top 5 %", "top 10 %", "other 90 %"],
                "customers": [50, 198, 247, 4452],
                "clv": [21_000.0, 24_500.0, 17_000.0, 39_000.0],
                "expected_revenue": [60_000.0, 70_000.0, 48_000.0, 120_000.0],
            }
        ),
        rfm=rfm(),
        segments=pd.DataFrame(
            {
                "dimension": ["channel", "channel"],
                "value": ["email", "=SUM(A1:A9)<script>alert(1)</script>"],
                "customers": [3000, 1947],
                "ltv_revenue": [180.4, 118.2],
                "ltv_margin": [72.2, 47.3],
                "expected_revenue": [60.5, 31.9],
                "clv": [21.0, 10.5],
                "churn": [0.41, 0.62],
            }
        ),
        alive_matrix=alive,
        frequency_histogram=pd.DataFrame(
            {
                "frequency": ["0", "1", "2", "3", "4", "5", "6", "7+"],
                "observed": [2300, 900, 520, 380, 250, 170, 120, 307],
                "expected": [2310.2, 880.4, 541.0, 372.5, 260.3, 165.8, 118.0, 298.8],
            }
        ),
        diagnostics=diagnostics(),
        model={
            "parameters": [
                ("BGNBD", "r", 0.2426, 0.0125, 0.219, 0.268),
                ("BGNBD", "alpha", 4.4136, 0.378, 3.73, 5.22),
                ("GammaGamma", "p", 6.25, 0.4, 5.5, 7.1),
            ],
            "log_likelihood": {"BGNBD": -9582.43, "GammaGamma": -4055.92},
            "parity": [{"model": "BGNBD", "quantity": "r", "own": 0.2426, "lifetimes": 0.2425}],
            "notes": ["Newton's method converged in 7 steps."],
        },
    )
    names = ["model", "parameter", "estimate", "standard_error", "low", "high"]
    inputs.model["parameters"] = pd.DataFrame(inputs.model["parameters"], columns=names)
    return dataclasses.replace(inputs, **changes)


def section(summary: dict[str, Any], name: str) -> dict[str, Any]:
    """One section of a summarised report."""
    return next(part for part in summary["sections"] if part["id"] == name)


def rows(summary: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The rows of one of its tables."""
    return records(summary["tables"][name])
