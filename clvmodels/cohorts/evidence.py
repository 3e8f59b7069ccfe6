"""What a log can afford to estimate, and what was learned from it, in words and numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, replace
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts.intervals import Spread
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import CohortTable, Months
from clvmodels.cohorts.replay import (
    LEAST_TRIALS,
    MONTHS_TO_DROP,
    MOST_TRIALS,
    Replay,
    earned,
    replay,
)
from clvmodels.core.arrays import Integers
from clvmodels.core.months import MONTH_NAMES
from clvmodels.numerics.loglinear import MOST_ROUNDS, LogLinearFit
from clvmodels.numerics.threads import one_blas_thread

NORMAL_90 = 1.6448536269514722
"""Half-width of a 90 % interval of the normal distribution, in standard deviations."""

NO_SEASON = "earlier origins were forecast clearly better without a season: none is used"


class Variant(StrEnum):
    """Parts of the cohort forecast that earlier origins may prefer; files hold these words."""

    DEFAULT = "default"
    UNDAMPED = "age undamped"
    NO_SEASON = "no season"
    NO_COMPANY = "no company series"


_WITH = "covariates by "

UNSETTLED = (
    f"the spread of effects in {{what}} had not settled after {MOST_ROUNDS} rounds: it moves the "
    "intervals more than the forecast"
)

SHORT_LOG_MONTHS = 6
"""With fewer months than this, season and company-wide series are left out."""


def affordable(options: RateOptions, table: CohortTable) -> tuple[RateOptions, list[str]]:
    """Leave out what so short a log cannot show, and say so in notes."""
    notes = []
    months = table.months.size
    if months < SHORT_LOG_MONTHS and options.season:
        options = replace(options, season=False, company=False)
        notes.append(f"{months} months of log cannot show a season: age and cohort effects only")
    elif months < 24 and options.season:
        notes.append(_sights(table.months))
    return options, notes


def _sights(months: Months) -> str:
    """How often a log of less than two years has seen the months of the year, in words."""
    seen = np.bincount(months % 12, minlength=12)
    twice, once = int((seen > 1).sum()), int((seen == 1).sum())
    told = f"{months.size} months of log show {twice or 'no'} month{'s' * (twice > 1)} of the year "
    told += f"twice; the season of {once} rests on one sight and is shrunk accordingly"
    if seen.all():
        return told
    runs = _runs(np.flatnonzero(seen == 0))
    one = len(runs) == 1 and " to " not in runs[0]
    return (
        f"{told}; {' and '.join(runs)} {'has' if one else 'have'} not been seen: "
        f"{'it is' if one else 'they are'} forecast without season"
    )


def _runs(of_year: Integers) -> list[str]:
    """Months of the year (0 to 11, ascending) as 'July to December'; a run may cross the year."""
    breaks = np.flatnonzero(np.diff(of_year) > 1) + 1
    parts = np.split(of_year, breaks)
    if len(parts) > 1 and parts[0][0] == 0 and parts[-1][-1] == 11:
        parts = [np.concatenate([parts[-1], parts[0]]), *parts[1:-1]]
    return [
        MONTH_NAMES[part[0]] + (f" to {MONTH_NAMES[part[-1]]}" if part.size > 1 else "")
        for part in parts
    ]


def alternatives(options: RateOptions, table: CohortTable) -> dict[str, RateOptions]:
    """The options as ``default``, and what earlier origins may prefer to them."""
    out: dict[str, RateOptions] = {
        Variant.DEFAULT: options,
        Variant.UNDAMPED: replace(options, damping=1.0),
    }
    if table.months.size >= MONTHS_TO_DROP and options.season:
        out[Variant.NO_SEASON] = replace(options, season=False, company=False)
        if options.company:
            out[Variant.NO_COMPANY] = replace(options, company=False)
    return out


PLAIN = "no covariates"


def is_of_covariates(candidate: str) -> bool:
    """Whether a candidate is a trial with or without covariates; else it is one of the parts."""
    return candidate == PLAIN or candidate.startswith(_WITH)


def choose_covariates(
    frame: pd.DataFrame,
    table: CohortTable,
    options: RateOptions,
    period: pd.DataFrame | None,
    cohort: pd.DataFrame | None,
    log_start: dt.date | None,
) -> tuple[RateOptions, list[Replay], list[str]]:
    """Let earlier origins decide which of the covariates given are used.

    Returns
    -------
    RateOptions
        With the covariates that :func:`clvmodels.cohorts.replay.earned` their place.
    list of Replay
        Of every variant tried.
    list of str
        What was decided and why; empty where no covariate was given.
    """
    variants = _with_covariates(options, period, cohort)
    if len(variants) == 1:
        return options, [], []
    trials = replay(frame, table, variants, period, cohort, log_start, most=MOST_TRIALS)
    used = earned(trials, PLAIN)
    return variants[used], trials, [_covariate_note(trials, used)]


def covariates_in_use(options: RateOptions) -> str:
    """Name of the variant with the covariates that the options use."""
    by = [
        name
        for name, used in (
            ("month", options.period_covariates),
            ("cohort", options.cohort_covariates),
        )
        if used
    ]
    return f"{_WITH}{' and '.join(by)}" if by else PLAIN


def _with_covariates(
    options: RateOptions, period: pd.DataFrame | None, cohort: pd.DataFrame | None
) -> dict[str, RateOptions]:
    """The options without covariates first, then with those given, each kind alone and both."""
    kinds = [(False, False)]
    kinds += [(True, False)] * (period is not None) + [(False, True)] * (cohort is not None)
    kinds += [(True, True)] * (period is not None and cohort is not None)
    variants = [replace(options, period_covariates=p, cohort_covariates=c) for p, c in kinds]
    return {covariates_in_use(variant): variant for variant in variants}


def _covariate_note(trials: list[Replay], used: str) -> str:
    """Say what became of the covariates, and on what evidence."""
    errors = pd.DataFrame([(r.candidate, r.origin, r.joint_wape) for r in trials])
    origins = errors[1].nunique() if len(errors) else 0
    if origins < LEAST_TRIALS:
        return (
            f"{origins} earlier origins are too few to test covariates, so they are left out; "
            f"{LEAST_TRIALS} are needed"
        )
    mean = errors.groupby(0)[2].mean()
    if used == PLAIN:
        return (
            f"the covariates are left out: on {origins} earlier origins the error per cohort-month "
            f"(mean of purchases and revenue) was {mean[PLAIN]:.1%} without them and "
            f"{mean.drop(PLAIN).min():.1%} at best with them, no clear gain"
        )
    return (
        f"{used} are used: on {origins} earlier origins the error per cohort-month (mean of "
        f"purchases and revenue) was {mean[used]:.1%} with them and {mean[PLAIN]:.1%} without, "
        "given the values that the covariates then took"
    )


@one_blas_thread
def found_effects(
    model: CohortModel,
    table: CohortTable,
    options: RateOptions,
    period: pd.DataFrame | None,
    cohort: pd.DataFrame | None,
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
    if period is None and cohort is None:
        return []
    if not (options.period_covariates and options.cohort_covariates):
        every = replace(options, period_covariates=True, cohort_covariates=True)
        model = CohortModel.of(table, every, period, cohort)
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
        purchases, joint WAPE of purchases and revenue; None where nothing was bought), chosen;
        covariates (see :func:`found_effects`); spread of the intervals; notes in words.
    """
    rates, values = model.rates, model.values
    fit = rates.fit
    season = fit.block("season") if "season" in fit.slices else np.zeros(12)
    counted = np.bincount(table.months % 12, minlength=12)
    summary = pd.DataFrame([(r.candidate, r.wape, abs(r.bias), r.joint_wape) for r in replays])
    candidates = {
        str(name): {
            "wape": _mean(rows[1]),
            "mean_absolute_bias": _mean(rows[2]),
            "joint_wape": _mean(rows[3]),
            "origins": len(rows),
        }
        for name, rows in (summary.groupby(0) if len(summary) else [])
    }
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
        "candidates": candidates,
        "chosen": chosen,
        "covariates": covariates,
        "spread": asdict(spread),
        "notes": notes + _unsettled({"rates": fit, "order values": values.fit}),
    }


def _unsettled(fits: dict[str, LogLinearFit]) -> list[str]:
    return [UNSETTLED.format(what=what) for what, fit in fits.items() if not fit.converged]


def _mean(errors: pd.Series) -> float | None:
    return float(errors.mean()) if errors.notna().any() else None
