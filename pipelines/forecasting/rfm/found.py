"""What RFM segments hold: their sizes, what they brought and may bring, and who moved."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.activation.scores import RfmLimits
from clvmodels.core.rfm import DIGITS
from clvmodels.core.schema import RFM_MOVES, RFM_SEGMENTS
from pipelines.config.sections import Rfm
from pipelines.forecasting.rfm.moves import Earlier, moves


@dataclass(frozen=True)
class RfmRun:
    """What a run scores by, and the forecast that it compares with.

    Attributes
    ----------
    section : Rfm
        Of the configuration.
    earlier : Earlier, optional
        None where none has been delivered.
    """

    section: Rfm = field(default_factory=Rfm)
    earlier: Earlier | None = None


@dataclass(frozen=True, eq=False)
class RfmFound:
    """RFM segments of a forecast, without single customers.

    Attributes
    ----------
    section : Rfm
        Of the configuration.
    sizes : DataFrame
        schema.RFM_SEGMENTS, in the order of the configured table; segments without customers are
        left out.
    limits : RfmLimits, optional
        That scores went by; None where nobody was scored.
    moves : DataFrame
        schema.RFM_MOVES; empty where there is nothing to compare with.
    since : date, optional
        As-of date of the forecast before.
    note : str, optional
        Why it is not compared with; a sentence.
    """

    section: Rfm = field(default_factory=Rfm)
    sizes: pd.DataFrame = field(default_factory=RFM_SEGMENTS.empty)
    limits: RfmLimits | None = None
    moves: pd.DataFrame = field(default_factory=RFM_MOVES.empty)
    since: dt.date | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        RFM_SEGMENTS.require(map(str, self.sizes.columns))
        RFM_MOVES.require(map(str, self.moves.columns))

    @property
    def moved(self) -> tuple[int, int]:
        """How many of the customers in both forecasts changed segment, and how many they are."""
        known = self.moves[~self._of_one_forecast]
        changed = known["from_segment"] != known["to_segment"]
        return int(known.loc[changed, "customers"].sum()), int(known["customers"].sum())

    @property
    def _of_one_forecast(self) -> pd.Series[Any]:
        ends = self.moves[["from_segment", "to_segment"]]
        return ends.apply(lambda names: names.str.startswith("(")).any(axis=1)


def found(ranked: Table, run: RfmRun, limits: RfmLimits, margin: float) -> RfmFound:
    """Sum scored customers by segment, and compare with the forecast before, in the engine.

    Parameters
    ----------
    ranked : ibis Table
        Of :func:`pipelines.forecasting.rfm.scores.with_scores`.
    run : RfmRun
    limits : RfmLimits
    margin : float
        Gross margin as a share of revenue; it stands in where the log records none.
    """
    sizes = _sizes(ranked, margin, run.section.table.names)
    if run.earlier is None or sizes.empty:
        return RfmFound(run.section, sizes, limits if len(sizes) else None)
    counted, note = moves(ranked, run.earlier)
    return RfmFound(run.section, sizes, limits, counted, run.earlier.as_of, note)


def _sizes(ranked: Table, margin: float, names: list[str]) -> pd.DataFrame:
    recorded = "margin_total" in ranked.columns
    earned = ranked.margin_total.sum() if recorded else ranked.spend_total.sum() * margin
    table = (
        ranked.group_by("rfm_segment")
        .agg(
            customers=_.count(),
            revenue_to_date=_.spend_total.sum().round(DIGITS),
            margin_to_date=earned.round(DIGITS),
            expected_revenue=_.expected_revenue.sum().round(DIGITS),
            clv=_.clv.sum().round(DIGITS),
        )
        .execute()
        .set_index("rfm_segment")
    )
    return table.loc[[name for name in names if name in table.index]].reset_index()
