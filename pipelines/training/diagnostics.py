"""Diagnostics of one as-of date's fit, from the tables that training read anyway."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd

from clvmodels.core.errors import ConvergenceWarning
from clvmodels.core.months import month_end
from clvmodels.evaluation import spend as spend_diagnostics
from clvmodels.evaluation import transactions as diagnostics
from clvmodels.registry import CANDIDATES
from clvmodels.transactions.base import TransactionModel
from clvmodels.transactions.nbd import NBD
from clvmodels.transactions.regular.cnbd import distinct
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData

MOST_ROWS = 250_000
"""Distinct histories up to which every family is fitted for the comparison."""

SAME = 1e-9
"""Share by which a likelihood differs from itself at most, summed on another machine."""


def frequency_histogram(fitted: Fitted, data: TrainingData) -> pd.DataFrame:
    """Customers by repeat purchases, observed and expected."""
    return diagnostics.frequency_histogram(fitted.transactions, data.summary)


def tables(fitted: Fitted, data: TrainingData) -> dict[str, pd.DataFrame]:
    """Diagnostics by the names that :class:`pipelines.report.ReportInputs` gives them."""
    by_frequency = spend_diagnostics.spend_by_frequency(data.spend)
    by_frequency.attrs |= spend_diagnostics.spend_correlation(data.spend)
    return {
        "tracking": _tracking(fitted, data),
        "spend_distribution": spend_diagnostics.spend_distribution(fitted.spend, data.spend),
        "spend_by_frequency": by_frequency,
        "model_comparison": _comparison(fitted, data),
    }


def conditional(table: pd.DataFrame, origin: pd.Timestamp | None = None) -> dict[str, pd.DataFrame]:
    """Holdout purchases by history, as the report names them.

    Of ``origin``; of the backtest's longest horizon where it is None or was not compared.
    """
    if table.empty:
        return {}
    shown = table[table["origin"] == origin]
    if shown.empty:
        shown = table[table["horizon_days"] == table["horizon_days"].max()]
    return {f"conditional_{by}": part for by, part in shown.groupby("by")}


def _tracking(fitted: Fitted, data: TrainingData) -> pd.DataFrame:
    observed = data.cohort_months.groupby("period")["purchases"].sum().sort_index()
    ends = [min(month_end(period.date()), data.as_of) for period in observed.index]
    days = np.array([(end - data.as_of).days for end in ends], dtype=float)
    table = diagnostics.tracking(fitted.transactions, data.summary, days, observed.to_numpy())
    return table.assign(period=observed.index)


def _comparison(fitted: Fitted, data: TrainingData) -> pd.DataFrame:
    """All families on the same customers; a model that learned from others is fitted anew."""
    own = type(fitted.transactions)
    models = [fitted.transactions] if _learned_from(fitted.transactions, data.summary) else []
    if len(data.summary) <= MOST_ROWS:
        kinds = [own, *(kind for kind in (*CANDIDATES, NBD) if kind is not own)]
        with warnings.catch_warnings():
            # A family that these data do not pin down only loses the comparison.
            warnings.simplefilter("ignore", ConvergenceWarning)
            models += [kind().fit(data.summary) for kind in kinds[len(models) :]]
    return diagnostics.compare_models(distinct(models)) if models else pd.DataFrame()


def _learned_from(model: TransactionModel, summary: pd.DataFrame) -> bool:
    """Whether a model was fitted on these customers: its likelihood was found on them."""
    customers, then = float(summary["weight"].sum()), model.log_likelihood_
    return math.isclose(customers, model.n_customers_, rel_tol=SAME) and math.isclose(
        model.log_likelihood(summary), then, rel_tol=SAME
    )
