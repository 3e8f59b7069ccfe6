"""How well segments were foreseen, month by month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from clvmodels.core import metrics
from clvmodels.core.schema import QUANTITIES, SEGMENT_CELLS
from clvmodels.segments.values import OTHERS
from pipelines.backtesting.candidates import Candidate
from pipelines.backtesting.customer_scores import Row, ScoreLevel

SEGMENT_MONTH = ["dimension", "value", "period"]


def segment_cells(candidates: Mapping[str, Candidate], actual: pd.DataFrame | None) -> pd.DataFrame:
    """Lay what candidates forecast of segments beside what happened.

    Parameters
    ----------
    candidates : dict of str to Candidate
    actual : DataFrame, optional
        Of :func:`pipelines.data.features.outcomes.segment_actuals`; None where no dimension tells
        customers apart.

    Returns
    -------
    DataFrame
        Columns of schema.SEGMENT_CELLS but the origin.
    """
    made = {n: c.segments for n, c in candidates.items() if c.segments is not None}
    if actual is None or not made:
        return SEGMENT_CELLS.empty().drop(columns="origin")
    happened = actual.rename(columns={q: f"actual_{q}" for q in QUANTITIES})
    return pd.concat(
        happened.merge(table, on=SEGMENT_MONTH, validate="1:1").assign(model=name)
        for name, table in made.items()
    )


def segment_scores(cells: pd.DataFrame) -> Iterator[Row]:
    """Score the months of all segments that are told apart, of every model."""
    told = cells[cells["value"] != OTHERS]
    for model, part in told.groupby("model", sort=False):
        for quantity in QUANTITIES:
            actual, foreseen = part[f"actual_{quantity}"], part[quantity]
            for metric in (metrics.wape, metrics.bias):
                value = metric(actual, foreseen)
                yield ScoreLevel.SEGMENT_MONTH.value, quantity, str(model), metric.__name__, value
