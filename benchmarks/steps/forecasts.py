"""Forecasts, both engines at the same parameters, and the whole way from Parquet to CLV."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.steps.common import (
    CLV_MONTHS,
    FEW,
    HORIZON_DAYS,
    MONTH_DAYS,
    MONTHLY_DISCOUNT,
    PARAMETERS,
    Work,
    histories,
    quiet,
)
from benchmarks.steps.reading import read_lifetimes, read_own


def _parameters(folder: Path, name: str) -> dict[str, float]:
    content = json.loads((folder / PARAMETERS).read_text(encoding="utf-8"))
    return dict(content[name])


def _own_models(folder: Path) -> Any:
    from clvmodels import BGNBD, GammaGamma

    return (
        BGNBD.from_params(**_parameters(folder, "bgnbd")),
        GammaGamma.from_params(**_parameters(folder, "spend")),
    )


def _lifetimes_models(folder: Path) -> Any:
    import pandas as pd

    with quiet():
        from lifetimes import BetaGeoFitter, GammaGammaFitter

        purchases, spend = BetaGeoFitter(), GammaGammaFitter()
    purchases.params_ = pd.Series(_parameters(folder, "bgnbd"))
    spend.params_ = pd.Series(_parameters(folder, "spend"))
    # lifetimes predicts only with models that it has fitted itself.
    purchases.predict = purchases.conditional_expected_number_of_purchases_up_to_time
    return purchases, spend


def expected_own(folder: Path) -> Work:
    model, _ = _own_models(folder)
    table = histories(folder)
    model.expected_purchases(table.head(FEW), horizon=HORIZON_DAYS)
    return lambda: {"sum": float(np.sum(model.expected_purchases(table, horizon=HORIZON_DAYS)))}


def expected_lifetimes(folder: Path) -> Work:
    model, _ = _lifetimes_models(folder)
    table = histories(folder)

    def work() -> dict[str, Any]:
        with quiet():
            purchases = model.conditional_expected_number_of_purchases_up_to_time(
                HORIZON_DAYS, table["frequency"], table["recency"], table["T"]
            )
        return {"sum": float(np.sum(purchases))}

    return work


def value_by_own(model: Any, spend: Any, table: Any) -> Any:
    months = np.arange(1, CLV_MONTHS + 1)
    purchases = model.discounted_expected_purchases(
        table, MONTH_DAYS * months, (1 + MONTHLY_DISCOUNT) ** -months.astype(float)
    )
    return purchases * spend.expected_spend(table)


def clv_own(folder: Path) -> Work:
    model, spend = _own_models(folder)
    table = histories(folder)
    value_by_own(model, spend, table.head(FEW))
    return lambda: {"sum": float(np.sum(value_by_own(model, spend, table)))}


def value_by_lifetimes(model: Any, spend: Any, table: Any) -> Any:
    return spend.customer_lifetime_value(
        model,
        table["frequency"],
        table["recency"],
        table["T"],
        table["monetary_value"],
        time=CLV_MONTHS,
        discount_rate=MONTHLY_DISCOUNT,
        freq="D",
    )


def clv_lifetimes(folder: Path) -> Work:
    model, spend = _lifetimes_models(folder)
    table = histories(folder)
    with quiet():
        value_by_lifetimes(model, spend, table.head(FEW))

    def work() -> dict[str, Any]:
        with quiet():
            return {"sum": float(np.sum(value_by_lifetimes(model, spend, table)))}

    return work


def whole_own(folder: Path) -> Work:
    from clvmodels import BGNBD, GammaGamma

    def work() -> dict[str, Any]:
        table = read_own(folder)
        model, spend = BGNBD().fit(table), GammaGamma().fit(table)
        return {"sum": float(np.sum(value_by_own(model, spend, table)))}

    return work


def whole_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import BetaGeoFitter, GammaGammaFitter

    def work() -> dict[str, Any]:
        with quiet():
            table = read_lifetimes(folder)
            buyers = table[(table["frequency"] > 0) & (table["monetary_value"] > 0)]
            model = BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"])
            spend = GammaGammaFitter().fit(buyers["frequency"], buyers["monetary_value"])
            return {"sum": float(np.sum(value_by_lifetimes(model, spend, table)))}

    return work
