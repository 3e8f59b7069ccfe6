"""Where cohorts depart from the cohort forecast because their customers cannot follow it."""

from __future__ import annotations

import pandas as pd

from pipelines.report.wording import words

MATERIAL = 0.01
"""Share of a total from which it is told."""

_LEFT_OUT = (
    "Left out of cohorts and company: {what} ({share} of this forecast), which the cohort forecast "
    "expects of customers whose own histories do not bear it."
)
_KEPT = (
    "Kept in cohorts and company: {what} ({share} of this forecast) beyond the cohort forecast, "
    "from customers whose own orders say more of what they spend."
)


def departures(corrections: pd.DataFrame, totals: pd.DataFrame, currency: str) -> list[str]:
    """Say how much was left out of the forecast, or kept in it, where it is material.

    Parameters
    ----------
    corrections : DataFrame
        ``purchases_unplaced`` and ``revenue_unplaced`` by cohort: forecast for the cohort, less
        what its customers carry.
    totals : DataFrame
        quantity, value: what customers carry in all.
    currency : str
    """
    lines = []
    for quantity in ("purchases", "revenue"):
        column = f"{quantity}_unplaced"
        if column not in corrections or totals.empty:
            continue
        total = float(totals.loc[totals["quantity"] == quantity, "value"].sum())
        rest = corrections[column]
        for sentence, many in ((_LEFT_OUT, rest.clip(lower=0)), (_KEPT, -rest.clip(upper=0))):
            size = float(many.sum())
            if total > 0 and size >= MATERIAL * total:
                what = (
                    f"{words.amount(size)} purchase{'' if words.amount(size) == '1' else 's'}"
                    if quantity == "purchases"
                    else f"revenue of {words.amount(size, currency)}"
                )
                lines.append(sentence.format(what=what, share=words.percent(size / total)))
    return lines
