"""Sentences that the budget says of months ahead and of past ones."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.inputs import ReportInputs
from pipelines.report.wording import words

MONTHS_NAMED = 4


def untold(months: pd.DatetimeIndex, customers: pd.Series[Any]) -> str:
    """Say which months' sales are not shown, and why: so few customers were new in some of them."""
    named = [words.month(day) for day in sorted(months)]
    which = words.listed(named) if len(named) <= MONTHS_NAMED else f"{len(named)} months"
    few = int((customers.reindex(months) < LEAST_CUSTOMERS).sum())
    if not few:  # of a group whose few came in months that this page does not name
        where = f"a month put together with {'it' if len(months) == 1 else 'them'}"
    elif few == len(months):
        where = "it" if few == 1 else "each of them"
    else:
        where = "one of them" if few == 1 else "some of them"
    return (
        f"Sales of {which} are not shown: fewer than {LEAST_CUSTOMERS} customers were new in "
        f"{where}, and the difference to repeat sales would be theirs."
    )


def drive_acquisition(inputs: ReportInputs) -> bool:
    """Whether new customers move with covariates by month."""
    found = inputs.effects
    return not found.empty and bool((found["quantity"].eq("customers") & found["used"]).any())
