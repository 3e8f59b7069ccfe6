"""How well cohorts and months were foreseen: cells beside what happened, and their errors."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from clvmodels.core import metrics
from clvmodels.core.errors import DataError
from clvmodels.core.schema import JUDGED
from pipelines.backtesting.candidates import Candidate
from pipelines.backtesting.customer_scores import Row, ScoreLevel

CELL = ["cohort", "period"]


def with_actuals(candidate: Candidate, actual: pd.DataFrame) -> pd.DataFrame:
    """Lay a candidate's cells beside what happened.

    Parameters
    ----------
    candidate : Candidate
    actual : DataFrame
        Of :func:`pipelines.data.features.cohorts.cohort_actuals`.

    Raises
    ------
    DataError
        If the two do not hold the same cohort-months.
    """
    quantities = [q for q in JUDGED if q in actual]
    actual = actual[[*CELL, "customers", *quantities]]
    actual = actual.rename(columns={q: f"actual_{q}" for q in quantities})
    cells = actual.merge(candidate.cells, on=CELL, how="outer", validate="1:1", indicator=True)
    odd = cells[cells["_merge"] != "both"]
    if len(odd):
        raise DataError(
            f"a forecast and its actuals must hold the same cohort-months; {len(odd)} differ, "
            f"the first: cohort {odd['cohort'].iloc[0]:%Y-%m}, month {odd['period'].iloc[0]:%Y-%m}"
        )
    ends = [f"{q}_{end}" for q in quantities for end in ("low", "high")]
    return cells.drop(columns="_merge").reindex(
        columns=[*cells.columns.drop("_merge"), *(e for e in ends if e not in cells)]
    )


def cell_scores(
    model: str, cells: pd.DataFrame, own: pd.DataFrame | None, whole: pd.DatetimeIndex
) -> Iterator[Row]:
    """Score cohort-months and months.

    Parameters
    ----------
    model : str
    cells : DataFrame
        Of :func:`with_actuals`, with margin and clv where they can be had.
    own : DataFrame, optional
        The intervals of months, if there are any.
    whole : DatetimeIndex
        Months that are forecast in full: those of a few days are no month of a coverage, unless
        there is no other.
    """
    quantities = [q for q in JUDGED if q in cells and cells[q].notna().all()]
    months = cells.groupby("period")[[*quantities, *(f"actual_{q}" for q in quantities)]].sum()
    for quantity in quantities:
        for level, table in ((ScoreLevel.TOTAL_MONTH, months), (ScoreLevel.COHORT_MONTH, cells)):
            actual, forecast = table[f"actual_{quantity}"], table[quantity]
            for metric in (metrics.wape, metrics.bias, metrics.mae, metrics.rmse):
                yield level.value, quantity, model, metric.__name__, metric(actual, forecast)
        full = cells[cells["period"].isin(whole)] if len(whole) else cells
        low, high = full[f"{quantity}_low"], full[f"{quantity}_high"]
        if low.notna().all():
            covered = metrics.coverage(full[f"actual_{quantity}"], low, high)
            yield ScoreLevel.COHORT_MONTH.value, quantity, model, "coverage_90", covered
        if own is not None and own[f"{quantity}_low"].notna().all():
            some = months.loc[months.index.isin(whole)] if len(whole) else months
            ends = own.set_index("period").loc[some.index]
            covered = metrics.coverage(
                some[f"actual_{quantity}"], ends[f"{quantity}_low"], ends[f"{quantity}_high"]
            )
            yield ScoreLevel.TOTAL_MONTH.value, quantity, model, "coverage_90", covered
