"""The first screen: what is forecast, how wrong past forecasts were, against which baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core import months
from pipelines.backtesting.accuracy import Accuracy
from pipelines.report.inputs import ReportInputs
from pipelines.report.tables import plain
from pipelines.report.wording import verdicts, words

BASELINES = tuple(words.BASELINES)
PRODUCT = "clv"

NO_TEST = (
    "No past forecast could be tested in full: that takes about five months of log, with customers "
    "who came back, before an earlier as-of date, and three months after it."
)

_CARDS = (
    ("revenue", "Revenue (LTV)", "before any cost"),
    ("purchases", "Purchases", "orders, at most one a customer and day"),
    ("clv", "CLV", "discounted gross margin, net of cost to serve"),
)


def headline(inputs: ReportInputs) -> dict[str, Any]:
    """Forecast totals, past errors and comparisons, as numbers and as sentences.

    Returns
    -------
    dict
        ``forecast`` (start, end, customers, totals: each with ``interval_past``, what to know of
        past intervals of its kind, or None), ``accuracy`` (by quantity: wape, bias,
        wape_month, coverage_90, coverage_90_month, and ``against`` each baseline), ``company``
        (one sentence on the total with customers still to come; None without any) and
        ``sentences``.
    """
    forecast = _forecast(inputs)
    past = inputs.guarded(_accuracy(inputs.accuracy))
    _warn(forecast["totals"], past)
    result = {
        "forecast": forecast,
        "accuracy": past,
        "company": _company(inputs),
        "sentences": _sentences(past, inputs),
    }
    safe: dict[str, Any] = plain(result)
    return safe


def forecast_window(inputs: ReportInputs) -> pd.DataFrame:
    """Forecast cells of customers known at as_of, within the configured horizon."""
    frame = inputs.dated("cohort_forecast", "cohort", "period")
    if frame.empty:
        return frame
    end = months.add_months(inputs.as_of, inputs.terms.economics.horizon_months)
    as_of = pd.Timestamp(inputs.as_of)
    return frame[
        (frame["cohort"] <= as_of)
        & (frame["period"] <= pd.Timestamp(end))
        & (frame["period"] >= as_of.replace(day=1))
    ]


def _forecast(inputs: ReportInputs) -> dict[str, Any]:
    window = forecast_window(inputs)
    given = {str(row["quantity"]): row for row in inputs.totals.to_dict("records")}
    cards = []
    for quantity, label, meaning in _CARDS:
        value, low, high, how = np.nan, np.nan, np.nan, ""
        if quantity in given:
            row = given[quantity]
            value, low, high = (float(row.get(k, np.nan)) for k in ("value", "low", "high"))
            how = "of the total"
        elif quantity in window and not window.empty:
            value = window[quantity].sum()
            low = window[f"{quantity}_low"].sum(skipna=False)
            high = window[f"{quantity}_high"].sum(skipna=False)
            how = "sum of the cohort-months' intervals, so wider than the total's own"
        elif quantity == "clv" and not inputs.tiers.empty:
            value = inputs.tiers["clv"].sum()
        currency = None if quantity == "purchases" else inputs.currency
        interval = None
        if np.isfinite(low) and np.isfinite(high):
            interval = f"{words.percent(0.9)} interval {words.amount(low)} to {words.amount(high)}"
        cards.append(
            {
                "quantity": quantity,
                "label": label,
                "meaning": meaning,
                "unit": currency or "purchases",
                "value": value,
                "low": low,
                "high": high,
                "interval_is": how,
                "text": words.amount(value, currency),
                "interval_text": interval,
            }
        )
    history = inputs.cohort_months
    customers = (
        int(history["first_purchases"].sum())
        if not history.empty
        else inputs.account.get("customers")
    )
    end = months.add_months(inputs.as_of, inputs.terms.economics.horizon_months)
    return {
        "months": inputs.terms.economics.horizon_months,
        "start": inputs.as_of + pd.Timedelta(days=1),
        "end": end,
        "customers": customers,
        "totals": cards,
    }


def _company(inputs: ReportInputs) -> str | None:
    months = inputs.budget
    if months.empty or not months["new_customers"].any():
        return None
    total, new = (float(months[f"{name}_revenue"].sum()) for name in ("company", "new"))
    return (
        f"With customers still to come ({words.amount(new, inputs.currency)}), the company's "
        f"revenue is forecast at {words.amount(total, inputs.currency)}"
    )


def _accuracy(past: Accuracy) -> dict[str, Any]:
    if PRODUCT not in past.models:
        return {}
    return {
        quantity: {
            **past.pooled(PRODUCT, quantity),
            "against": {
                baseline: past.against(PRODUCT, baseline, quantity)
                for baseline in BASELINES
                if baseline in past.models
            },
            "nearer": past.nearer(PRODUCT, quantity),
        }
        for quantity in past.quantities
    }


def _ends(each: pd.DataFrame) -> str:
    """Error at the oldest and at the latest past date, where there are several."""
    scored = each[np.isfinite(each["wape"])]
    if len(scored) < 2:
        return ""
    oldest, latest = (
        f"{words.percent(row.wape)} as of {words.day(row.origin.date())}"
        for row in scored.iloc[[0, -1]].itertuples()
    )
    return f": {oldest}, the oldest date, and {latest}, the latest"


def _compared(past: Accuracy) -> str | None:
    """Errors of revenue against the baselines at the latest past date, where there are several."""
    if past.cells["origin"].nunique() < 2:
        return None
    last = past.at_latest(PRODUCT)
    found = [
        verdicts.against(name, change["change"])
        for name in BASELINES
        if name in last.models
        and (change := last.against(PRODUCT, name, "revenue"))["change"] is not None
    ]
    return f"at the latest date alone, {words.listed(found)}" if found else None


def _held(score: dict[str, Any]) -> dict[str, float]:
    return {"cohort-month": score["coverage_90"], "calendar month": score["coverage_90_month"]}


def _warn(cards: list[dict[str, Any]], past: dict[str, Any]) -> None:
    """Say at each interval where past ones of its kind were too narrow."""
    for card in cards:
        score = past.get(card["quantity"], {})
        shown = bool(card["interval_text"] and score)
        card["interval_past"] = verdicts.too_narrow(_held(score)) if shown else None


def _sentences(past: dict[str, Any], inputs: ReportInputs) -> list[str]:
    if not past:
        return [
            f"{NO_TEST} How wrong this forecast may be is not known.",
        ]
    cells = inputs.accuracy.cells
    origins = sorted(cells.loc[cells["model"] == PRODUCT, "origin"].unique())
    first, last = (pd.Timestamp(origin).date() for origin in (origins[0], origins[-1]))
    when = words.day(first) if first == last else f"{words.day(first)} to {words.day(last)}"
    lines = [
        f"We made this forecast again as of {len(origins)} past "
        f"date{'s' if len(origins) > 1 else ''} ({when}), from the data known then, and compared "
        "it with what happened."
    ]
    cell = "cohort-month (customers who first bought in one quarter, in one later month)"
    told = {"revenue": "Revenue", "purchases": "Purchases", "clv": "CLV"}
    if inputs.gross_margin.is_observed:
        told["margin"] = "Gross margin, as the log records it"
    for quantity, noun in told.items():
        if quantity not in past:
            continue
        score = past[quantity]
        if not np.isfinite(score["wape"]):
            lines.append(f"{noun}: the tested months held no sales, so no error can be given.")
            continue
        each = inputs.accuracy.by_origin(PRODUCT, quantity)
        lines.append(
            f"{noun}: off by {words.percent(score['wape'])} on average per {cell}"
            f"{_ends(each)}; {verdicts.misses(each['bias'])}. By calendar month, off by "
            f"{words.percent(score['wape_month'])} on average."
        )
        cell = "cohort-month"
    revenue = past["revenue"]["against"]
    if revenue:
        compared = [verdicts.against(name, score["change"]) for name, score in revenue.items()]
        latest = _compared(inputs.accuracy)
        dates = " over all dates together" if latest else ""
        lines.append(
            f"For revenue per cohort-month{dates}, that is {words.listed(compared)}"
            f"{f'; {latest}' if latest else ''}."
        )
    else:
        lines.append("No baseline was run, so there is nothing to compare these errors with.")
    lines += verdicts.nearer({noun: past[noun]["nearer"] for noun in ("revenue", "purchases")})
    coverage = verdicts.coverage(_held(past["revenue"]))
    return [*lines, coverage] if coverage else lines
