"""All forecasts of the ledger whose months have ended, judged by what is known now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

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
    """

    months: pd.DataFrame
    horizons: pd.DataFrame
    signals: tuple[TrackingSignal, ...]
    restated: pd.DataFrame

    @property
    def forecasts(self) -> int:
        """Forecasts that have a month to be judged by."""
        return int(self.months["origin"].nunique())


def judge(ledger: Ledger, cohort_months: pd.DataFrame, as_of: dt.date, months: int) -> Judged:
    """Record what has happened, and judge every forecast made before a day.

    Parameters
    ----------
    ledger : Ledger
    cohort_months : DataFrame
        schema.COHORT_MONTHS as known at ``as_of``.
    as_of : date
    months : int
        Ended months by which forecasts are tracked.
    """
    happened = entries.of_history(cohort_months, as_of)
    found = ledger.add_actuals(as_of, happened)
    forecasts = ledger.forecasts()
    forecasts = forecasts[forecasts["origin"] < pd.Timestamp(as_of)]
    some = matured(forecasts, happened, as_of)
    return Judged(
        some,
        by_horizon(some),
        tuple(tracking_signals(some, months)),
        _by_month(found.restated),
    )


def _by_month(restated: pd.DataFrame) -> pd.DataFrame:
    """Sum restated cells to the company's months."""
    out = restated[["period"]].copy()
    for quantity in ("purchases", "revenue"):
        for end in ("", "_before"):
            repeat, first = (restated[f"{name}{end}"] for name in (quantity, f"first_{quantity}"))
            out[f"{quantity}{end}"] = repeat + first
    return out.groupby("period", as_index=False).sum()
