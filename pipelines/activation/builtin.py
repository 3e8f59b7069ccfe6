"""Audiences that come along, as conditions like everybody's own."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipelines.config.sections import Audience

SHARES = (1, 5, 10, 20)
"""Percent of the customers, by CLV."""

DAYS = (2, 3, 7, 14, 30)
"""Since the first purchase, on which a newcomer is talked to."""

OVERDUE = 1.5
LONG_GONE = 3.0
"""Silences in the customer's own usual gaps."""

USUAL = (0.1, 0.75)
"""Quantiles of the days to a second purchase that its usual window lies between."""


def audiences(table: pd.DataFrame) -> dict[str, Audience]:
    """Return the built-in audiences by name.

    Parameters
    ----------
    table : DataFrame
        Of :func:`pipelines.activation.customers.read`; the window of second purchases is that of
        its customers with exactly one repeat purchase. Without any there is no such audience.
    """
    found = {
        f"top_{share}_percent": _audience(
            f"among the top {share} % by CLV", {"column": "clv", "top_share": share / 100}
        )
        for share in SHARES
    }
    found["top_at_risk"] = _at_risk(bool(table["probability_alive_change"].notna().any()))
    found["win_back"] = _audience(
        f"came back before, silent for {LONG_GONE} of the own usual gaps or more, and more likely "
        "gone than not",
        {"column": "frequency", "at_least": 1},
        {"column": "probability_alive", "at_most": 0.5},
        {"column": "gap_ratio", "at_least": LONG_GONE},
    )
    gaps = table.loc[table["frequency"] == 1, "usual_gap"].dropna()
    if len(gaps):
        first, last = (float(gaps.quantile(share, interpolation="lower")) for share in USUAL)
        found["second_purchase"] = _audience(
            f"bought once, {first:,.0f} to {last:,.0f} days ago: when second purchases usually "
            "come",
            {"column": "frequency", "at_most": 0},
            {"column": "days_since_last", "at_least": first, "at_most": last},
        )
    for day in DAYS:
        found[f"onboarding_day_{day}"] = _audience(
            f"first bought {day} days ago, and not since",
            {"column": "customer_age", "at_least": day, "at_most": day},
            {"column": "frequency", "at_most": 0},
        )
    return found


def _at_risk(is_compared: bool) -> Audience:
    """Who may be lost; with or without a forecast before, which the reason may then not name."""
    fell = {"column": "probability_alive_change", "at_most": 0.0, "missing": True}
    said = ", and no more likely there than in the forecast before where that knew them"
    return _audience(
        f"would be among the top 20 % by CLV if still a customer, silent for {OVERDUE} to "
        f"{LONG_GONE} of the own usual gaps{said if is_compared else ''}",
        {"column": "clv_if_alive", "top_share": 0.2},
        {"column": "gap_ratio", "at_least": OVERDUE, "at_most": LONG_GONE},
        *([fell] if is_compared else []),
    )


def _audience(reason: str, *where: Mapping[str, object]) -> Audience:
    return Audience.model_validate({"reason": reason, "where": where})
