"""How steeply repeat rates fall with age, as far as earlier origins of the same log tell.

Age, period and cohort are linearly dependent, so that the slope of age is what its prior says it
is, however long the log. Most logs fade as a usual business does; a panel of steady customers does
not, and one cohort alone may fade far faster. Origins of the past tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from clvmodels.cohorts.learning.choice import UNDAMPED, Variant
from clvmodels.cohorts.learning.replay import Replay
from clvmodels.cohorts.model.rates import RateOptions

FLAT_SLOPE = 0.0
STEEP_SLOPE = -0.7
"""Slopes of log rate in log age that are tried beside the usual one, the steep one undamped."""

EVEN = 0.55
"""Share of the usual slope's error at which another one has as much weight as it."""

SHARPNESS, SHARPNESS_AN_ORIGIN = 4.0, 0.7
"""Power of the ratio of errors, and how it grows with the origins behind them."""

ROUNDING = 0.005
"""Error below which two forecasts are alike, as WAPE."""

LEAST_WEIGHT = 0.05


def slopes(options: RateOptions) -> dict[str, RateOptions]:
    """The options with slopes of age that earlier origins may prefer to the usual one."""
    return {
        Variant.FLAT: replace(options, age_slope=FLAT_SLOPE),
        Variant.STEEP: replace(options, age_slope=STEEP_SLOPE, damping=UNDAMPED),
    }


def slope_weights(replays: list[Replay]) -> dict[str, float]:
    r"""Weights of the usual slope and the others, by their errors at earlier origins.

    .. math:: w_j / w_0 = (0.55\, e_0 / e_j)^{4 + 0.7 n},

    e being mean WAPEs of purchases over n origins (forecasts combined by the inverse of a power of
    their errors: Bates & Granger 1969). A slope that is not clearly better has next to no weight,
    since successive origins share most of their months: their agreement says little.

    Parameters
    ----------
    replays : list of Replay
        Of the usual slope (``default``), and of the others at the same origins.

    Returns
    -------
    dict of str to float
        They add up to 1; those under :data:`LEAST_WEIGHT` are left out, the usual one never.
    """
    names = [str(name) for name in (Variant.DEFAULT, Variant.FLAT, Variant.STEEP)]
    usual = names[0]
    errors = {name: _mean_error(replays, name) for name in names}
    if not all(np.isfinite(error) for error in errors.values()):
        return {usual: 1.0}
    origins = sum(one.candidate == usual for one in replays)
    power = SHARPNESS + SHARPNESS_AN_ORIGIN * origins
    weights = {name: (EVEN * errors[usual] / errors[name]) ** power for name in names[1:]}
    weights[usual] = 1.0
    total = sum(weights.values())
    kept = {
        name: weight
        for name, weight in weights.items()
        if name == usual or weight >= LEAST_WEIGHT * total
    }
    total = sum(kept.values())
    return {name: kept[name] / total for name in names if name in kept}


def blended(options: Mapping[str, RateOptions], weights: Mapping[str, float]) -> RateOptions:
    """The usual options with the weighted slope and damping of all.

    The fit with the mean slope stands for the geometric mean of the fits, and has intervals of its
    own.
    """
    if len(weights) == 1:
        return options[Variant.DEFAULT]
    return replace(
        options[Variant.DEFAULT],
        age_slope=sum(weight * options[name].age_slope for name, weight in weights.items()),
        damping=sum(weight * options[name].damping for name, weight in weights.items()),
    )


def slope_note(replays: list[Replay], weights: Mapping[str, float]) -> list[str]:
    """Say that another slope of age has weight, and on what evidence."""
    said = []
    for name, words in _WORDS.items():
        if name in weights:
            usual, other = (_mean_error(replays, one) - ROUNDING for one in (Variant.DEFAULT, name))
            origins = sum(one.candidate == name for one in replays)
            said.append(
                f"{words} has {weights[name]:.0%} of the weight: at {origins} earlier "
                f"origin{'s' * (origins > 1)} it missed cohort-months by {other:.1%}, the usual "
                f"one by {usual:.1%}"
            )
    return said


def slopes_in_use(evidence: Mapping[str, Any]) -> dict[str, float]:
    """Weights behind the slope in use, from what a fit learned; empty where it is the usual one."""
    weights = dict(evidence.get("slope_weights", {}))  # files of earlier releases have none
    return weights if len(weights) > 1 else {}


_WORDS = {
    Variant.FLAT: "a rate of purchase that does not fall with age",
    Variant.STEEP: "a rate of purchase that falls steeply with age",
}


def _mean_error(replays: list[Replay], name: str) -> float:
    errors = np.array([one.wape for one in replays if one.candidate == name])
    errors = errors[np.isfinite(errors)]
    return float(errors.mean()) + ROUNDING if errors.size else float("nan")
