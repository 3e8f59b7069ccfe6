"""Groups of too few customers to be shown: a line of the report tells on nobody by himself."""

from __future__ import annotations

import pandas as pd

from pipelines.report.inputs import ReportInputs

LEAST_CUSTOMERS = 10
"""Customers that a segment or a cohort needs to be shown by itself."""


def large_cohorts(inputs: ReportInputs, frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Leave out the rows of cohorts (month of first purchase) of too few customers.

    Returns
    -------
    DataFrame
        The other rows.
    str
        What is left out, as a sentence after a blank; empty where nothing is.
    """
    history = inputs.dated("cohort_months", "cohort")
    if frame.empty or history.empty:
        return frame, ""
    size = history.groupby("cohort")["customers"].max()
    cohort = pd.to_datetime(frame["cohort"])
    few = size[(size < LEAST_CUSTOMERS) & size.index.isin(cohort)]
    return frame[~cohort.isin(few.index)], left_out(few)


def left_out(few: pd.Series) -> str:
    """Say how many cohorts, and of how many customers, are not shown."""
    if few.empty:
        return ""
    customers = int(few.sum())
    return (
        f" Left out: {len(few):,} cohort{'s' * (len(few) > 1)} of fewer than {LEAST_CUSTOMERS} "
        f"customers ({customers:,} customer{'s' * (customers > 1)} in all), so that no line tells "
        "on a single customer."
    )
