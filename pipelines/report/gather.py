"""Gather what the report shows from the stages before it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts.learning.covariates import covariates_in_use
from clvmodels.cohorts.learning.slopes import slopes_in_use
from clvmodels.finance.historical import MONTHS_OF, Cycle
from pipelines.backtesting import accuracy
from pipelines.backtesting.run import BacktestResult
from pipelines.config.load import Terms
from pipelines.data import features
from pipelines.data.customer_days import Dataset
from pipelines.data.margins import Margin, with_margin
from pipelines.data.quality.control import Controlled
from pipelines.finance.channels import Acquired
from pipelines.finance.economics import unit_economics
from pipelines.finance.quarters import by_quarter
from pipelines.forecasting import new_customers as budget
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.new_customers import NewCustomers
from pipelines.monitoring.judged import Judged
from pipelines.report import ReportInputs
from pipelines.report.groups.small import LEAST_CUSTOMERS
from pipelines.report.inputs import Learned
from pipelines.training import diagnostics as fit_quality
from pipelines.training import effects
from pipelines.training.fit import Fitted
from pipelines.training.training_data import TrainingData


@dataclass(frozen=True)
class Tracked:
    """An earlier delivered forecast and what happened in the months that have ended since.

    Attributes
    ----------
    origin : date
        Its as-of date.
    table : DataFrame
        cohort, period, customers, purchases, revenue (forecast), actual_purchases,
        actual_revenue; empty where no month has ended since, or nothing can be compared.
    notes : tuple of str
        What could not be compared, and why: sentences.
    """

    origin: dt.date
    table: pd.DataFrame
    notes: tuple[str, ...] = ()


MATRIX_FREQUENCIES = 16
MATRIX_STEPS = 40


def gather(
    data: Dataset,
    training: TrainingData,
    fitted: Fitted,
    result: BacktestResult,
    delivered: Delivered,
    new: NewCustomers,
    terms: Terms,
    parity: pd.DataFrame,
    tracked: Tracked | None = None,
    margin: Margin | None = None,
    controlled: Controlled | None = None,
    acquired: Acquired | None = None,
    judged: Judged | None = None,
) -> ReportInputs:
    """Collect the tables of a report; none of them holds a single customer.

    ``margin`` is what the run goes by; by default the configuration's own.
    """
    margin = margin or Margin(terms.economics.margin)
    history = with_buyers(training.cohort_months, data)
    return ReportInputs(
        terms=terms,
        as_of=data.as_of,
        account=data.account.without_rows()
        | {
            "plausibility": data.plausibility.for_report(),
            "control": controlled.records() if controlled else [],
            "control_broken": controlled.broken if controlled else [],
        },
        metrics=result.metrics,
        cells=result.cells,
        deciles=result.deciles,
        samples=result.samples,
        churn_reliability=result.churn_reliability,
        churn_importance=_latest(result.churn_importance),
        cohort_months=history,
        cohort_forecast=delivered.cohorts,
        tiers=delivered.tiers,
        rfm=delivered.rfm,
        segments=delivered.segments,
        segment_cells=result.segments,
        sales=with_margin(data.sales_months, margin),
        alive_matrix=alive_matrix(fitted, training.summary),
        frequency_histogram=fit_quality.frequency_histogram(fitted, training),
        diagnostics=fit_quality.tables(fitted, training)
        | fit_quality.conditional(
            result.conditional, accuracy.most_like(result.cells, terms.economics.horizon_months)
        ),
        model=model_facts(fitted, parity),
        months=delivered.months,
        totals=delivered.totals,
        tracking=tracked.table if tracked else pd.DataFrame(),
        tracked_from=tracked.origin if tracked else None,
        tracking_notes=tracked.notes if tracked else (),
        corrections=delivered.corrections,
        **_of_company(delivered, new, result, training),
        effects=effects.table(fitted, delivered.grid, delivered.forecaster),
        selection=selection(fitted),
        **of_customers(data, training.cohort_months, terms, margin, delivered.mean_clv),
        learned=_learned(fitted),
        acquired=acquired,
        margin=margin,
        past=result.accuracy,
        judged=judged,
    )


def of_customers(
    data: Dataset,
    history: pd.DataFrame,
    terms: Terms,
    margin: Margin,
    clv_per_customer: float | None = None,
    cycle: Cycle | None = None,
) -> dict[str, pd.DataFrame]:
    """What a customer is worth: the facts by the configured or another cycle, and by quarter."""
    cycle = cycle or terms.economics.cycle
    quarters = features.cycle_buyers(data.snapshot, MONTHS_OF["quarter"])
    months = MONTHS_OF[cycle]
    buyers = quarters if cycle == "quarter" else features.cycle_buyers(data.snapshot, months)
    return {
        "unit_economics": unit_economics(
            history,
            data.as_of,
            clv_per_customer,
            economics=terms.economics,
            margin=margin,
            buyers=buyers,
            cycle=cycle,
            profiled_only=terms.governance.totals_only_for_some,
        ),
        "monitoring": by_quarter(history, quarters, data.as_of, margin),
    }


def _of_company(
    delivered: Delivered, new: NewCustomers, result: BacktestResult, training: TrainingData
) -> dict[str, pd.DataFrame]:
    """Known customers and those still to come: ahead, and from past origins."""
    ahead = budget.company_months(delivered.months, new)
    return {
        "new_cohorts": new.cohorts,
        "budget": ahead,
        "budget_total": budget.company_total(ahead, new),
        "company": budget.with_actuals(result.company, training.cohort_months),
    }


def _learned(fitted: Fitted) -> Learned:
    """What the forecast rests on, for the words."""
    return Learned(
        fitted.level,
        season=fitted.cohorts is not None and fitted.cohorts.options_.season,
        until=fitted.as_of,
        churn_days=None if fitted.churn is None else fitted.churn.horizon_days,
    )


def with_buyers(history: pd.DataFrame, data: Dataset) -> pd.DataFrame:
    """Add who is behind each cohort-month, by which small cohorts are hidden among others.

    It costs a pass over the purchases, and is asked for only where a cohort is small.
    """
    if history.groupby("cohort")["customers"].max().min() >= LEAST_CUSTOMERS:
        return history
    counted = features.cohort_buyers(data.snapshot)
    out = history.merge(counted, on=["cohort", "period"], how="left", validate="1:1")
    return out.assign(buyers=out["buyers"].fillna(0).astype("int64"))


def _latest(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["origin"] == table["origin"].max()] if len(table) else table


def selection(fitted: Fitted) -> pd.DataFrame:
    """The cohort forecast's variants on earlier origins, best first; empty without any."""
    if fitted.cohorts is None or not fitted.cohorts.evidence_["candidates"]:
        return pd.DataFrame()
    evidence = fitted.cohorts.evidence_
    table = pd.DataFrame(evidence["candidates"]).T.rename_axis("candidate").reset_index()
    used = {evidence["chosen"], covariates_in_use(fitted.cohorts.options_)}
    in_use = dict.fromkeys(used, "yes")
    if weights := slopes_in_use(evidence):
        in_use |= {name: f"{weight:.0%} of the age curve" for name, weight in weights.items()}
    table["chosen"] = [in_use.get(candidate, "") for candidate in table["candidate"]]
    return table.sort_values("wape", ignore_index=True)


def alive_matrix(fitted: Fitted, summary: pd.DataFrame) -> pd.DataFrame:
    """Probability alive by frequency and recency, for the oldest customers in the log."""
    oldest = float(summary["T"].max())
    frequency = np.arange(1, MATRIX_FREQUENCIES)
    recency = np.linspace(0, oldest, MATRIX_STEPS + 1)[1:].round()
    grid = pd.MultiIndex.from_product([frequency, recency], names=["frequency", "recency"])
    table = grid.to_frame(index=False).assign(T=oldest)
    table["probability_alive"] = fitted.transactions.probability_alive(table)
    return table.drop(columns="T")


def model_facts(fitted: Fitted, parity: pd.DataFrame) -> dict[str, Any]:
    """Parameters with intervals, log-likelihoods, the other engine's fit, and notes."""
    models = (fitted.transactions, fitted.spend)
    tables = [
        m.summary(0.95).set_axis(["estimate", "standard_error", "low", "high"], axis=1)
        .reset_index().assign(model=type(m).__name__) for m in models
    ]  # fmt: skip
    return {
        "label": " x ".join(type(m).__name__ for m in models),
        "parameters": pd.concat(tables).to_dict("records"),
        "log_likelihood": {type(m).__name__: m.log_likelihood_ for m in models},
        "parity": parity.to_dict("records"),
        "notes": list(fitted.notes),
    }
