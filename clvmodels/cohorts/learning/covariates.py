"""Which of the covariates given are used: those that made earlier forecasts better."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from clvmodels.cohorts.learning.choice import clearly_best
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.learning.replay import Replay, replay
from clvmodels.cohorts.model.rates import RateOptions

LEAST_TRIALS = 3
MOST_TRIALS = 12
"""Earlier origins on which a covariate must, and at most may, have been tried: a driver that
happened to stand still for half a year tells nothing of itself in it."""

_WITH = "covariates by "

PLAIN = "no covariates"


def is_of_covariates(candidate: str) -> bool:
    """Whether a candidate is a trial with or without covariates; else it is one of the parts."""
    return candidate == PLAIN or candidate.startswith(_WITH)


def choose_covariates(
    history: History, options: RateOptions
) -> tuple[RateOptions, list[Replay], list[str]]:
    """Let earlier origins decide which of the covariates given are used.

    Returns
    -------
    RateOptions
        With the covariates that :func:`earned` their place.
    list of Replay
        Of every variant tried.
    list of str
        What was decided and why; empty where no covariate was given.
    """
    variants = _with_covariates(options, history.period_covariates, history.cohort_covariates)
    if len(variants) == 1:
        return options, [], []
    trials = replay(history, variants, most=MOST_TRIALS)
    used = earned(trials, PLAIN)
    return variants[used], trials, [_covariate_note(trials, used)]


def earned(replays: list[Replay], plain: str) -> str:
    """The covariates to use: none unless they made earlier forecasts better.

    A covariate must be known ahead to be of use, so it has to earn its place: the mean error of
    purchases and revenue together must be lower than without it, by more than one standard error
    of the paired difference (the rule of Breiman et al. 1984), on :data:`LEAST_TRIALS` origins.

    Parameters
    ----------
    plain : str
        The candidate without covariates.
    """
    return clearly_best(
        [(one.candidate, one.joint_wape) for one in replays], plain, LEAST_TRIALS, 1.0
    )


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
