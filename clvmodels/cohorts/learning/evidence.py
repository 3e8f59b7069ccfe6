"""What a cohort forecast learned, from how much and why, in words and numbers."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts.intervals import NORMAL_90, Spread
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.learning.replay import Replay
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import CohortTable
from clvmodels.numerics.loglinear import MOST_ROUNDS, LogLinearFit
from clvmodels.numerics.threads import one_blas_thread

NO_SEASON = "earlier origins were forecast clearly better without a season: none is used"


UNSETTLED = (
    f"the spread of effects in {{what}} had not settled after {MOST_ROUNDS} rounds: it moves the "
    "intervals more than the forecast"
)


@one_blas_thread
def found_effects(
    model: CohortModel, history: History, options: RateOptions
) -> list[dict[str, Any]]:
    """Log effects of every covariate given, also of those left out of the forecast.

    Returns
    -------
    list of dict
        name, key (``period`` or ``cohort``), used, sd and range (of its past values: standard
        deviation, and largest less smallest), quantity
        (``purchases``, ``value`` of an order, or ``customers`` won, where the log shows their
        season), and per unit of the covariate: effect, low, high (90 % interval, given the
        learned variances).
    """
    if history.period_covariates is None and history.cohort_covariates is None:
        return []
    if not (options.period_covariates and options.cohort_covariates):
        every = replace(options, period_covariates=True, cohort_covariates=True)
        model = history.fit(every)
    rates, values = model.rates, model.values
    used = {"period": options.period_covariates, "cohort": options.cohort_covariates}
    return [
        {
            "name": name,
            "key": covariates.key,
            "used": used[covariates.key],
            "sd": float(sd),
            "range": float(sd * width),
            "quantity": quantity,
            "effect": float(effect / sd),
            "low": float((effect - NORMAL_90 * error) / sd),
            "high": float((effect + NORMAL_90 * error) / sd),
        }
        for covariates, quantity, fit, block in (
            (rates.period_covariates, "purchases", rates.fit, "period_covariates"),
            (values.period_covariates, "value", values.fit, "period_covariates"),
            (rates.period_covariates, "customers", rates.fit, "company_covariates"),
            (rates.cohort_covariates, "purchases", rates.fit, "cohort_covariates"),
        )
        if block in fit.slices and (quantity != "customers" or rates.company == "acquisitions")
        for name, sd, width, effect, error in zip(
            covariates.names,
            covariates.sd,
            np.ptp(covariates.values, axis=0),
            fit.block(block),
            fit.standard_errors(block),
            strict=True,
        )
    ]


@one_blas_thread
def evidence(
    model: CohortModel,
    spread: Spread,
    table: CohortTable,
    replays: list[Replay],
    *,
    chosen: str,
    weights: dict[str, float],
    notes: list[str],
    covariates: list[dict[str, Any]],
) -> dict[str, Any]:
    """What was learned, from how much, and why: for the model card, JSON-safe.

    Returns
    -------
    dict
        as_of, months (of log), purchases (repeat, behind the fit); company_series (``total``,
        ``acquisitions`` or ``none``) and company_growth (log a year); season (12 log effects),
        season_error (their posterior errors) and season_seen_twice (months of the year seen
        more than once); sds and value_sds (learned spread of effects in rates and order values,
        in logs); age_slope; kappa; candidates (means over earlier origins: WAPE and |bias| of
        purchases, joint WAPE of purchases and revenue; None where nothing was bought), chosen, and
        slope_weights (of it and of other slopes of age, that of the forecast being their mean);
        covariates (see :func:`found_effects`); spread of the intervals; notes in words.
    """
    rates, values = model.rates, model.values
    fit = rates.fit
    season = fit.block("season") if "season" in fit.slices else np.zeros(12)
    counted = np.bincount(table.whole_months % 12, minlength=12)
    growth = fit.block("company_growth")[0] if rates.company != "none" else None
    return {
        "as_of": table.as_of.isoformat(),
        "months": int(table.months.size),
        "purchases": int(table.purchases.sum()),
        "company_series": rates.company,
        "company_growth": None if growth is None else float(growth),
        "season_seen_twice": int((counted >= 2).sum()),
        "season": [float(effect) for effect in season],
        "season_error": [float(e) for e in fit.standard_errors("season")]
        if "season" in fit.slices
        else [],
        "sds": fit.sds,
        "value_sds": values.fit.sds,
        "age_slope": float(fit.block("age")[0]),
        "kappa": fit.kappa,
        "candidates": _candidates(replays),
        "chosen": chosen,
        "slope_weights": weights,
        "covariates": covariates,
        "spread": asdict(spread),
        "notes": notes + _unsettled({"rates": fit, "order values": values.fit}),
    }


def _candidates(replays: list[Replay]) -> dict[str, dict[str, float | int | None]]:
    summary = pd.DataFrame([(r.candidate, r.wape, abs(r.bias), r.joint_wape) for r in replays])
    return {
        str(name): {
            "wape": _mean(rows[1]),
            "mean_absolute_bias": _mean(rows[2]),
            "joint_wape": _mean(rows[3]),
            "origins": len(rows),
        }
        for name, rows in (summary.groupby(0) if len(summary) else [])
    }


def _unsettled(fits: dict[str, LogLinearFit]) -> list[str]:
    return [UNSETTLED.format(what=what) for what, fit in fits.items() if not fit.converged]


def _mean(errors: pd.Series) -> float | None:
    return float(errors.mean()) if errors.notna().any() else None
