"""The model card: what was fitted, on what, how good it was, and what it assumes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pandas as pd

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.learning.covariates import covariates_in_use, is_of_covariates
from clvmodels.core.months import add_months, month_grid
from pipelines.config.load import Economics, Governance
from pipelines.data.margins import Margin
from pipelines.training import effects
from pipelines.training.fit import Fitted
from pipelines.training.level_source import LevelSource

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
METRICS = ("wape", "bias", "mae", "gini", "coverage_90")
"""Of purchases and revenue; those of churn are others."""

PURPOSE = (
    "Forecasts purchases, revenue (LTV) and discounted margin net of cost to serve (CLV) of "
    "customers who have bought before, by customer, cohort and calendar month. It is meant "
    "for budgets, campaign priorities and monthly tracking of groups of customers. It is not "
    "meant for decisions about single persons, nor for customers who have not bought yet."
)


def write(
    fitted: Fitted,
    *,
    name: str,
    economics: Economics,
    assumptions: Iterable[str],
    account: dict[str, Any],
    metrics: pd.DataFrame,
    pooled: pd.DataFrame,
    parity: pd.DataFrame,
) -> str:
    """Render the model card as Markdown.

    Parameters
    ----------
    fitted : Fitted
    name : str
        Of the business.
    economics : Economics
    assumptions : iterable of str
        Of :func:`assumptions`.
    account : dict
        Data-quality account, and the data's fingerprint.
    metrics, pooled : DataFrame
        Of the backtest, as far as they may be told: by origin, and over all of them together.
    parity : DataFrame
        model, quantity, own, lifetimes, difference: both engines on the same data.
    """
    parts = [
        f"# Model card: {name}, as of {fitted.as_of}",
        PURPOSE,
        "## Data",
        f"{account['read']:,} rows read from {account['source']}, {account['kept']:,} kept: "
        f"{account['customers']:,} customers, {account['purchases']:,} purchases (customer-days) "
        f"from {account['first_date']} to {account['last_date']}. "
        f"Fingerprint `{account['fingerprint']}`.",
        _bullets(
            f"set aside, {reason}: {count:,}" for reason, count in account["set_aside"].items()
        ),
        "## Parameters",
        "Time in days, money in " + economics.currency + ".",
        *(_parameters(model) for model in (fitted.transactions, fitted.spend)),
        _cohorts(fitted, add_months(fitted.as_of, economics.horizon_months)),
        _churn(fitted),
        "## The same data by the lifetimes package",
        "Both engines fit BG/NBD and Gamma-Gamma by maximum likelihood; the log-likelihoods agree, "
        "and where they do not the higher one is the better fit.",
        _table(parity, digits=6),
        "## How good past forecasts were",
        "Every forecast was made with what was known at its origin and compared with what "
        "happened up to the end of the data. `clv` is what this model would have forecast.",
        _pooled(pooled),
        _scores(metrics),
        _churn_scores(metrics),
        "## Assumptions",
        _bullets(assumptions),
    ]
    if fitted.notes:
        parts += ["## Notes", _bullets(fitted.notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def assumptions(
    cohorts: CohortForecaster | None,
    *,
    economics: Economics,
    governance: Governance,
    margin: Margin,
    churn_horizon_days: int,
    time_zone: str,
    has_plan: bool,
) -> list[str]:
    """Every assumption that a forecast rests on, in words.

    Parameters
    ----------
    cohorts : CohortForecaster, optional
        What forecasts the customers still to come; None where [train] cohort_level is off.
    economics : Economics
    governance : Governance
    margin : Margin
        What the run goes by.
    churn_horizon_days : int
    time_zone : str
        Of the business's days.
    has_plan : bool
        Whether the business plans new customers.
    """
    money = economics.currency
    return [
        f"Gross margin is {margin.rate:.1%} of revenue, {margin.said()}.",
        f"Serving a purchase costs {economics.cost_to_serve:,.2f} {money}.",
        f"Future margin is discounted at {economics.annual_discount_rate:.1%} a year, from the "
        "middle of each month.",
        f"The forecast covers {economics.horizon_months} months after the as-of date.",
        f"Churn means no purchase within {churn_horizon_days} days.",
        f"Refunds: {governance.refunds}. Consent: {governance.consent}. Days are those of "
        f"{time_zone}.",
        "One customer's transactions on one day are one purchase.",
        f"Customers who first buy after the as-of date {_still_to_come(cohorts, has_plan)}.",
    ]


def _still_to_come(cohorts: CohortForecaster | None, has_plan: bool) -> str:
    if cohorts is None:
        return "are not forecast: [train] cohort_level is off"
    if cohorts.acquisition_has_stopped:
        rest = "none come, since the last months of the log brought hardly any"
    else:
        with_season = " with season" if cohorts.options_.season else ""
        rest = f"they come at the recent level of acquisition{with_season}"
    return "are in the budget view only; " + (
        f"where [plan] holds no number, {rest}" if has_plan else rest
    )


def _parameters(model: Any) -> str:
    table = model.summary(0.95)
    text = f"### {type(model).__name__}\n\n{_table(table.reset_index())}"
    text += f"\n\nLog-likelihood {model.log_likelihood_:,.4f}, {model.n_customers_:,.0f} customers."
    if model.unidentified_:
        text += f" Not pinned down by the data: {', '.join(model.unidentified_)}."
    return text


def _cohorts(fitted: Fitted, until: dt.date) -> str:
    """What the cohort forecast learned, and the evidence on which its parts were chosen."""
    if fitted.cohorts is None:
        return ""
    evidence = fitted.cohorts.evidence_
    text = (
        f"### Cohort forecast\n\n{evidence['months']} months of log; age exponent "
        f"{evidence['age_slope']:.3f}. "
    )
    if fitted.cohorts.options_.season:
        season = pd.DataFrame([evidence["season"]], columns=MONTHS)
        text += f"Season, log effect by calendar month:\n\n{_table(season, digits=2)}"
    else:
        text += "No season is in it."
    if fitted.level is LevelSource.CUSTOMERS:
        text += "\n\nIts values of an order are in use; purchases are those of the customer models."
    if evidence["candidates"]:
        tried = pd.DataFrame(evidence["candidates"]).T.rename_axis("variant").reset_index()
        driven = tried["variant"].map(is_of_covariates)
        for what, rows, used in (
            ("Parts", tried[~driven], evidence["chosen"]),
            ("Covariates", tried[driven], covariates_in_use(fitted.cohorts.options_)),
        ):
            if len(rows):
                text += (
                    f"\n\n{what}, tried on earlier origins of this log; in use: {used}.\n\n"
                    f"{_table(rows, digits=3)}"
                )
    by_driver = effects.table(fitted, month_grid(fitted.as_of, until))
    if len(by_driver):
        text += "\n\n### Covariates\n\n"
        text += f"{_bullets(effects.sentences(by_driver))}\n\n{effects.CAUTION}"
        if by_driver["used"].any():
            text += (
                " Forecasts take planned values as given; the past forecasts below were given the "
                "values that came true, and test the model, not the plan."
            )
    return text


def _churn(fitted: Fitted) -> str:
    if fitted.churn is None:
        return ""
    trees = fitted.churn
    return (
        "### Churn classifier\n\nGradient-boosted trees on "
        f"{len(trees.feature_names_)} features known at each origin; on a later origin "
        "than those they were grown on, their log odds are weighed against the purchase model's "
        f"and calibrated; horizon {trees.horizon_days} days."
    )


def _pooled(errors: pd.DataFrame) -> str:
    if errors.empty:
        return ""
    columns = ["quantity", "model", "wape", "bias", "wape_month", "coverage_90", "origins"]
    return (
        "Over all origins together, as on the report's page (wape and bias over cohort-months, "
        "wape_month over calendar months):\n\n" + _table(errors[columns], digits=4)
    )


def _scores(metrics: pd.DataFrame) -> str:
    rows = metrics[
        metrics["level"].isin(["cohort_month", "total_month", "segment_month", "customer"])
        & metrics["metric"].isin(METRICS)
    ]
    if rows.empty:
        return "None could be tested: the log is too short."
    table = rows.pivot_table(
        index=["level", "quantity", "metric"], columns="model", values="value", aggfunc="mean"
    )
    origins = rows["origin"].nunique()
    amounts = rows.loc[rows["metric"] == "mae", "origin"].nunique()
    some = f" (mae over {amounts} of them: of the others it would tell on few customers)"
    said = f"Means over {origins} origins{some * (amounts < origins)}"
    return f"{said}:\n\n{_table(table.reset_index(), digits=4)}"


def _churn_scores(metrics: pd.DataFrame) -> str:
    rows = metrics[metrics["metric"].isin(["auc", "brier", "log_loss"])]
    if rows.empty:
        return ""
    table = rows.pivot_table(index=["origin", "model"], columns="metric", values="value")
    table = table.reset_index()
    table["origin"] = pd.to_datetime(table["origin"]).dt.strftime("%Y-%m-%d")
    return (
        "Churn, on customers and months the classifier had not seen (AUC: higher is better; "
        "Brier score and log loss: lower is better):\n\n" + _table(table, digits=4)
    )


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _table(frame: pd.DataFrame, digits: int = 5) -> str:
    """Markdown table; numbers to ``digits`` significant digits."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if pd.isna(value) else f"{value:.{digits}g}"
        return str(value)

    lines = [" | ".join(map(str, frame.columns)), " | ".join("---" for _ in frame.columns)]
    lines += [" | ".join(map(cell, row)) for row in frame.itertuples(index=False)]
    return "\n".join(f"| {line} |" for line in lines)
