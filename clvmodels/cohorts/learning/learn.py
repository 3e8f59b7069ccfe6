"""From tables to a fitted cohort forecast: parts, slope of age and width of intervals."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from clvmodels.cohorts.intervals import Spread
from clvmodels.cohorts.learning.choice import Variant, affordable, alternatives, choose
from clvmodels.cohorts.learning.covariates import choose_covariates
from clvmodels.cohorts.learning.evidence import NO_SEASON, evidence, found_effects
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.learning.replay import Replay, replay, spread_of
from clvmodels.cohorts.learning.slopes import blended, slope_note, slope_weights, slopes
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions

logger = logging.getLogger(__package__)

NO_REPLAYS = "too few months to replay earlier origins: intervals rest on the prior"


@dataclass(frozen=True)
class Learned:
    """A fitted cohort forecast, and what it stands on.

    Attributes
    ----------
    options : RateOptions
        As chosen.
    model : CohortModel
    spread : Spread
    evidence : dict
        See :func:`clvmodels.cohorts.learning.evidence.evidence`.
    """

    options: RateOptions
    model: CohortModel
    spread: Spread
    evidence: dict[str, Any]


def learn(history: History, options: RateOptions, *, select: bool) -> Learned:
    """Fit on all of a history what its earlier origins were forecast best with.

    Parameters
    ----------
    history : History
    options : RateOptions
        The usual ones.
    select : bool
        Whether earlier origins may overrule them.
    """
    options, sights = affordable(options, history.table)
    trials: list[Replay] = []
    notes: list[str] = []
    candidates: dict[str, RateOptions] = {Variant.DEFAULT: options}
    if select:
        options, trials, notes = choose_covariates(history, options)
        candidates = {Variant.DEFAULT: options} | slopes(options)
    replays = replay(history, candidates, reach_of=Variant.DEFAULT)
    chosen, weights = str(Variant.DEFAULT), {str(Variant.DEFAULT): 1.0}
    used, tried = options, replays
    if select:
        weights = slope_weights(replays)
        notes += slope_note(replays, weights)
        used = blended(candidates, weights)
        base = Variant.DEFAULT if used == options else Variant.WEIGHTED
        parts = alternatives(used, history.table)
        if base != Variant.DEFAULT:
            parts[base] = used
        tried = [one for one in replays if one.candidate == base]
        tried += replay(history, parts, reach_of=base)
        chosen = choose(tried, base)
        used = parts.get(chosen, used)
        replays += [one for one in tried if one.candidate != Variant.DEFAULT]
    measured = [one for one in tried if one.candidate == chosen]
    if not any(one.reach_purchases.size for one in measured):
        # the stretch is that of the errors of what is used
        measured = replay(history, {chosen: used}, reach_of=chosen)
    notes = ([NO_SEASON] if options.season and not used.season else sights) + notes
    model, spread = history.fit(used), spread_of(measured)
    logger.info("cohort forecast: %s, of %d replays", chosen, len(replays))
    if not replays:
        notes.append(NO_REPLAYS)
    return Learned(
        used,
        model,
        spread,
        evidence(
            model,
            spread,
            history.table,
            replays + trials,
            chosen=chosen,
            weights=weights,
            notes=notes,
            covariates=found_effects(model, history, used),
        ),
    )
