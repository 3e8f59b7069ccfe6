"""What customers were expected to do: from a purchase and a spend model fitted at a day."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd

from clvmodels.core.errors import ConvergenceWarning, DataError
from clvmodels.finance.clv import UnitEconomics, discount_factors, net_margin
from pipelines.config.load import Train
from pipelines.data import features
from pipelines.data.features.histories import spend_table
from pipelines.data.features.snapshot import Snapshot
from pipelines.forecasting.customers import customer_months, horizon_grid
from pipelines.training.fit import Fitted, fit_spend, fit_transactions
from pipelines.training.model_choice import choose_model

logger = logging.getLogger(__package__)

COVARIATE = {
    "margin": "margin",
    "revenue": "revenue",
    "orders": "purchases",
    "purchases": "purchases",
    "retention": "retention",
    "repeat": "purchases",
    "clv": "clv",
}
"""Which forecast an outcome is adjusted by; outcomes of the assignment table by the purchases."""


def fit(snapshot: Snapshot, settings: Train) -> Fitted:
    """Fit how customers buy and spend, on everybody known at a day.

    The model that ``[train]`` names, or the simplest; no level, season or segment, which all arms
    share and no comparison needs.

    Raises
    ------
    DataError
        If nobody has come back yet, or the log bears no such model.
    """
    summary = features.compress(snapshot.summary)
    if summary.empty or not summary["frequency"].max() > 0:
        raise DataError(f"nobody had bought on a second day by {snapshot.as_of}")
    spend = features.compress_spend(snapshot.summary, settings.spend_from)
    name = choose_model(None, settings).name
    with warnings.catch_warnings():
        # Parameters that the data do not pin down still order customers.
        warnings.simplefilter("ignore", ConvergenceWarning)
        transactions = fit_transactions(summary, name, settings.engine)
        values = fit_spend(spend, settings.engine)
    logger.info("experiment: %s fitted at %s", name, snapshot.as_of)
    return Fitted(snapshot.as_of, transactions, values, spend_from=settings.spend_from)


def expected(
    fitted: Fitted, known: pd.DataFrame, window_days: int, economics: UnitEconomics, months: int
) -> pd.DataFrame:
    """Forecast every customer over a window and over the horizon.

    Parameters
    ----------
    fitted : Fitted
        Of :func:`fit`.
    known : DataFrame
        frequency, recency, T, monetary_value, first_value at the same day.
    window_days : int
    economics : UnitEconomics
    months : int
        The horizon.

    Returns
    -------
    DataFrame
        Indexed as ``known``: purchases, retention (probability of any), revenue and margin (net of
        the cost to serve) in the window; clv, the discounted margin of the horizon.
    """
    model = fitted.transactions
    purchases = np.asarray(model.expected_purchases(known, horizon=window_days), dtype=float)
    none = np.asarray(model.probability_no_purchase(known, horizon=window_days), dtype=float)
    spend = np.asarray(fitted.spend.expected_spend(spend_table(known, fitted.spend_from)))
    revenue = purchases * spend
    grid = horizon_grid(fitted.as_of, months)
    ahead = customer_months(fitted, known, grid)
    discount = discount_factors(grid.midpoints, economics.annual_discount_rate)
    net = net_margin(ahead.revenue, ahead.purchases, economics)
    return pd.DataFrame(
        {
            "purchases": purchases,
            "retention": 1 - none,
            "revenue": revenue,
            "margin": net_margin(revenue, purchases, economics),
            "clv": np.einsum("ij,j->i", net, discount),
        },
        index=known.index,
    )


def covariates(forecast: pd.DataFrame | None, metric: str) -> np.ndarray | None:
    """Return what an outcome is adjusted by, shape (n, 1 or 2).

    Who was not known yet has the mean forecast, and a mark; the assignment moves neither.

    Parameters
    ----------
    forecast : DataFrame, optional
        Of :func:`expected`, in the order of the outcomes, NaN where unknown; None where there is
        no model.
    """
    if forecast is None:
        return None
    told = forecast[COVARIATE.get(metric, "purchases")].to_numpy(dtype=float)
    unknown = np.isnan(told)
    if unknown.all():
        return None
    filled = np.where(unknown, told[~unknown].mean(), told)
    return np.column_stack([filled, unknown]) if unknown.any() else filled[:, None]
