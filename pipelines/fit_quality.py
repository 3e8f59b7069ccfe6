"""Diagnostics of one as-of date's fit, from the tables that training read anyway."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels import diagnostics
from clvmodels.base import TransactionModel
from clvmodels.models import CANDIDATES
from clvmodels.months import month_end
from clvmodels.nbd import NBD
from pipelines.train import Fitted, TrainingData

MOST_ROWS = 250_000
"""Distinct histories up to which every family is fitted for the comparison."""


def frequency_histogram(fitted: Fitted, known: TrainingData) -> pd.DataFrame:
    """Customers by repeat purchases, observed and expected."""
    return diagnostics.frequency_histogram(fitted.transactions, known.summary)


def tables(fitted: Fitted, known: TrainingData) -> dict[str, pd.DataFrame]:
    """Diagnostics by the names that :class:`pipelines.report.ReportInputs` gives them."""
    by_frequency = diagnostics.spend_by_frequency(known.spend)
    by_frequency.attrs |= diagnostics.spend_correlation(known.spend)
    return {
        "tracking": _tracking(fitted, known),
        "spend_distribution": diagnostics.spend_distribution(fitted.spend, known.spend),
        "spend_by_frequency": by_frequency,
        "model_comparison": _comparison(fitted, known),
    }


def _tracking(fitted: Fitted, known: TrainingData) -> pd.DataFrame:
    observed = known.cohort_months.groupby("period")["purchases"].sum().sort_index()
    ends = [min(month_end(period.date()), known.as_of) for period in observed.index]
    days = np.array([(end - known.as_of).days for end in ends], dtype=float)
    table = diagnostics.tracking(fitted.transactions, known.summary, days, observed.to_numpy())
    return table.assign(period=observed.index)


def _comparison(fitted: Fitted, known: TrainingData) -> pd.DataFrame:
    models: list[TransactionModel] = [fitted.transactions]
    if len(known.summary) <= MOST_ROWS:
        others = [kind for kind in (*CANDIDATES, NBD) if kind is not type(fitted.transactions)]
        models += [kind().fit(known.summary) for kind in others]
    return diagnostics.compare_models(models)
