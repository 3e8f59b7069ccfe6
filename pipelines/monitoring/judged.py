"""All forecasts of the ledger whose months have ended, judged by what is known now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pandas as pd

from clvmodels.evaluation.vintages import TrackingSignal, by_horizon, matured, tracking_signals
from pipelines.ledger import entries
from pipelines.ledger.store import Ledger


@dataclass(frozen=True)
class Judged:
    """What has matured, and what was restated.

    Attributes
    ----------
    months : DataFrame
        Of :func:`clvmodels.evaluation.vintages.matured`: every judged month of every forecast.
    horizons : DataFrame
        Of :func:`clvmodels.evaluation.vintages.by_horizon`.
    signals : tuple of TrackingSignal
    restated : DataFrame
        period, purchases, revenue, purchases_before, revenue_before (of the company, first ones
        included): ended months of which the log says something else than when they were recorded.
    in_other_currencies : int
        Recorded forecasts that are not judged, for they are in another currency.
    happened : DataFrame
        Of :func:`pipelines.ledger.entries.of_history`: to be entered once the run is done.
    """

    months: pd.DataFrame
    horizons: pd.DataFrame
    signals: tuple[TrackingSignal, ...]
    restated: pd.DataFrame
    in_other_currencies: int = 0
    happened: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def forecasts(self) -> int:
        """Forecasts that have a month to be judged by."""
        return int(self.months["origin"].nunique())


def judge(
    ledger: Ledger,
    cohort_months: pd.DataFrame,
    as_of: dt.date,
    months: int,
    kept_from: dt.date | None = None,
) -> Judged:
    """Judge every forecast made before a day by what is known at it; nothing is written.

    Parameters
    ----------
    ledger : Ledger
    cohort_months : DataFrame
        schema.COHORT_MONTHS as known at ``as_of``.
    as_of : date
    months : int
        Ended months by which forecasts are tracked.
    kept_from : date, optional
        First day whose rows retention keeps. Months before it are judged by what was recorded of
        them. Cohorts before it are not judged: the log tells them no more from later ones.
    """
    before = ledger.actuals()
    now = entries.of_history(cohort_months, as_of, kept_from)
    happened = entries.latest(before, entries.changes(now, before))
    forecasts = ledger.forecasts()
    forecasts = forecasts[forecasts["origin"] < pd.Timestamp(as_of)]
    if kept_from is not None:
        forecasts = forecasts[~(forecasts["cohort"] < pd.Timestamp(kept_from))]
    some = matured(forecasts, happened, as_of)
    return Judged(
        some,
        by_horizon(some),
        tuple(tracking_signals(some, months)),
        entries.restated_months(before, happened),
        ledger.in_other_currencies(),
        now,
    )
