"""The forecasts that a backtest compares: the product's own, its parts, and the baselines.

Each is a function of what was known at an origin. None of them can see what happened after it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np
import pandas as pd

from clvmodels.core.errors import ConvergenceWarning
from clvmodels.core.months import MonthGrid
from clvmodels.evaluation import baselines
from clvmodels.finance.clv import UnitEconomics
from pipelines.config.load import Train
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.levelling import cohort_level
from pipelines.training import fit as train
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData

BOOSTED_ORIGINS = 1
"""Latest origins of the churn model that the gradient-boosting baseline learns from too."""


class Compared(StrEnum):
    """Models of a backtest that are not baselines of the cohort table, as backtest.json names them.

    The latter are named by :data:`clvmodels.evaluation.baselines.TABLE_BASELINES`.
    """

    CLV = "clv"
    """What the product would have forecast."""
    CUSTOMERS = "customers"
    COHORT = "cohort"
    BGNBD = "bgnbd"
    LIFETIMES = "lifetimes"
    GRADIENT_BOOSTING = "gradient_boosting"
    CHURN = "churn"
    """The churn classifier, which forecasts no purchases."""


@dataclass(frozen=True)
class Known:
    """All that a forecast may see: what was known at the origin, and which months to forecast.

    Attributes
    ----------
    training : TrainingData
    grid : MonthGrid
        From the day after the origin to the end of the log.
    histories : DataFrame
        Of :func:`pipelines.data.features.histories.histories`: everybody, by what cohorts are
        forecast from.
    customers : DataFrame
        One row a customer: RFM summary, churn features, cohort month and ``quarter``; no ids.
        All who may be profiled, or a sample of them drawn by a digest of the id; can be empty.
    economics : UnitEconomics
        What a purchase was valued by; the margin is nan where none was known.
    """

    training: TrainingData
    grid: MonthGrid
    histories: pd.DataFrame
    customers: pd.DataFrame
    economics: UnitEconomics

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Those by which the histories are told apart."""
        told = self.training.segments
        return () if told is None else told.values.dimensions

    @property
    def population(self) -> int:
        """How many customers are known, in the sample or not."""
        return int(self.histories["weight"].sum())


@dataclass(frozen=True)
class Candidate:
    """One model's forecast from one origin.

    Attributes
    ----------
    cells : DataFrame
        cohort (quarter), period, purchases, revenue and, where the model has them, their _low
        and _high. Of everybody, whatever the sample.
    customers : DataFrame, optional
        purchases and revenue in all, in the row order of ``Known.customers``; None for a model
        of cohorts alone, and where nobody may be profiled.
    months : DataFrame, optional
        period, and the _low and _high of all cohorts together; None for a model without intervals.
    segments : DataFrame, optional
        dimension, value, period, purchases, revenue; None where no dimension tells customers
        apart, and for a model of cohorts alone.
    """

    cells: pd.DataFrame
    customers: pd.DataFrame | None = None
    months: pd.DataFrame | None = None
    segments: pd.DataFrame | None = None


Make = Callable[[Known, Fitted, Train], Candidate | None]
"""What was known, the models fitted on it, what is fitted; None: nothing to forecast from."""


def clv(known: Known, fitted: Fitted, settings: Train) -> Candidate:
    """What the product would have forecast: customers, reconciled with the cohort forecast."""
    level = cohort_level(fitted, known.histories, known.training.history, known.grid)
    cells = _by_quarter(level.cells)
    alone = None
    if not known.customers.empty:
        alone = _in_all(level.customer_months(fitted, known.customers))
    segments = (
        forecast.sums_by_each(
            fitted, known.histories, known.grid, known.dimensions, each=level.customer_months
        )
        if known.dimensions
        else []
    )
    return Candidate(
        level.with_intervals(cells, "quarter_month"),
        alone,
        level.with_intervals(
            cells.groupby("period", as_index=False)[["purchases", "revenue"]].sum(), "month"
        ),
        _segments(known.dimensions, segments),
    )


def customers(known: Known, fitted: Fitted, settings: Train) -> Candidate:
    """The product's customer models alone, without season, trend or cohort effects."""
    return _customers(known, fitted)


def cohort(known: Known, fitted: Fitted, settings: Train) -> Candidate:
    """The cohort forecast alone, which knows no customers."""
    forecaster = fitted.cohorts or train.fit_cohorts(known.training, settings.seed)
    by_month = known.training.drivers.period
    at = partial(forecaster.forecast, known.grid.until, period_covariates=by_month)
    return Candidate(at(level="quarter_month"), months=at(level="month"))


def bgnbd(known: Known, fitted: Fitted, settings: Train) -> Candidate:
    """BG/NBD and Gamma-Gamma by the project's own estimators, on repeat purchases."""
    return _customers(known, _plain(known, "own"))


def lifetimes(known: Known, fitted: Fitted, settings: Train) -> Candidate:
    """BG/NBD and Gamma-Gamma as the lifetimes package fits and predicts them."""
    return _customers(known, _plain(known, "lifetimes"))


def gradient_boosting(known: Known, fitted: Fitted, settings: Train) -> Candidate | None:
    """Trees on counts and spend; None where no earlier origin can teach them.

    They read more of a customer than histories hold, so a cohort is the sum of its customers in
    the sample, over the share of it that the sample holds.
    """
    horizon = float(settings.churn_horizon_days)
    past = [(o.features, o.outcomes, horizon) for o in known.training.churn[-BOOSTED_ORIGINS:]]
    if not past or past[0][0].empty or known.customers.empty:
        return None
    now = known.customers[list(past[0][0].columns)]
    grown = baselines.gradient_boosting(past, now, known.grid, settings.seed)
    months = forecast.CustomerMonths(*grown, np.empty(0))
    return Candidate(scaled_up(known, months), _in_all(months))


def scaled_up(known: Known, months: forecast.CustomerMonths) -> pd.DataFrame:
    """Estimate the sums of all customers by quarter and month from those of the sample.

    A cohort without a customer in the sample, as only a small one is, is taken to be like the
    average of all.
    """
    quarter = known.customers["quarter"]
    everybody = known.histories.groupby("quarter")["weight"].sum()
    sampled = quarter.value_counts().reindex(everybody.index).fillna(0)
    table = forecast.cohort_sums(quarter, months, known.grid).set_index(["cohort", "period"])
    cells = pd.MultiIndex.from_product(
        [everybody.index, known.grid.index()], names=["cohort", "period"]
    )
    table = table.reindex(cells)
    of_cohort = cells.get_level_values("cohort")
    size, drawn = (counts.loc[of_cohort].to_numpy(float) for counts in (everybody, sampled))
    for name in ("purchases", "revenue"):
        average = table[name].groupby("period").transform("sum") / len(quarter)
        mean = np.where(drawn > 0, table[name] / np.maximum(drawn, 1.0), average)
        table[name] = np.where(drawn == size, table[name], mean * size)
    return table.reset_index()


def _of_table(baseline: baselines.Baseline) -> Make:
    """A baseline of the cohort table, as a candidate."""

    def make(known: Known, fitted: Fitted, settings: Train) -> Candidate:
        cells = baseline(known.training.cohort_months, known.grid.as_of, known.grid.until)
        return Candidate(_by_quarter(cells))

    return make


def _plain(known: Known, engine: train.Engine) -> Fitted:
    """BG/NBD and Gamma-Gamma on repeat purchases, by either engine."""
    with warnings.catch_warnings():
        # The product's own fit has said what these data do not pin down.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Fitted(
            known.grid.as_of,
            train.fit_transactions(known.training.summary, "bgnbd", engine),
            train.fit_spend(known.training.repeat_spend, engine),
            spend_from="repeat",
        )


def _customers(known: Known, fitted: Fitted) -> Candidate:
    """Customer models alone; nobody one by one where nobody may be profiled."""
    alone = None
    if not known.customers.empty:
        alone = _in_all(forecast.customer_months(fitted, known.customers, known.grid))
    cells, *segments = forecast.sums_by_each(
        fitted, known.histories, known.grid, ["quarter", *known.dimensions]
    )
    return Candidate(
        cells.rename(columns={"quarter": "cohort"}),
        alone,
        segments=_segments(known.dimensions, segments),
    )


def _segments(dimensions: Sequence[str], sums: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
    """Put the sums by each dimension in one table; None where there is none."""
    if not dimensions:
        return None
    return pd.concat(
        part.rename(columns={name: "value"}).assign(dimension=name)
        for name, part in zip(dimensions, sums, strict=True)
    )


def _by_quarter(cells: pd.DataFrame) -> pd.DataFrame:
    """Sum cohorts, months of first purchase, to quarters."""
    quarter = cells["cohort"].dt.to_period("Q").dt.start_time
    return cells.assign(cohort=quarter).groupby(["cohort", "period"], as_index=False).sum()


def _in_all(months: forecast.CustomerMonths) -> pd.DataFrame:
    return pd.DataFrame(
        {"purchases": months.purchases.sum(axis=1), "revenue": months.revenue.sum(axis=1)}
    )


FORECASTS: dict[str, Make] = {
    Compared.CLV.value: clv,
    Compared.CUSTOMERS.value: customers,
    Compared.COHORT.value: cohort,
    Compared.BGNBD.value: bgnbd,
    Compared.LIFETIMES.value: lifetimes,
    Compared.GRADIENT_BOOSTING.value: gradient_boosting,
    **{name: _of_table(make) for name, make in baselines.TABLE_BASELINES.items()},
}
"""By the name that backtest.json gives them."""
