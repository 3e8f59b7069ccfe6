"""What a log can afford to estimate, and which parts earlier origins prefer."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import numpy as np

from clvmodels.cohorts.learning.replay import MOST_ORIGINS, Replay
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import CohortTable, Months
from clvmodels.core.arrays import Integers
from clvmodels.core.months import MONTH_NAMES

MONTHS_TO_DROP = 18
"""Months of log before a part that needs a year to show its worth may be dropped."""

CLEAR_ERRORS = 4.0

LEAST_GAIN = 1e-3
"""Share of its error that a choice must save to be one: less may be rounding."""


class Variant(StrEnum):
    """Ways to forecast cohorts that earlier origins may prefer; files hold these words."""

    DEFAULT = "default"
    UNDAMPED = "age undamped"
    FLAT = "age flat"
    STEEP = "age steep"
    WEIGHTED = "age as weighted"
    NO_SEASON = "no season"
    NO_COMPANY = "no company series"


UNDAMPED = 1.0
"""Pace of age beyond the oldest observed at which its trend goes on as it was."""

SHORT_LOG_MONTHS = 6
"""With fewer months than this, season and company-wide series are left out."""


def affordable(options: RateOptions, table: CohortTable) -> tuple[RateOptions, list[str]]:
    """Leave out what so short a log cannot show, and say so in notes."""
    notes = []
    months = table.whole_months.size
    if months < SHORT_LOG_MONTHS and options.season:
        options = replace(options, season=False, company=False)
        notes.append(f"{months} months of log cannot show a season: age and cohort effects only")
    elif months < 24 and options.season:
        notes.append(_sights(table.whole_months))
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
    """What earlier origins may prefer to the options."""
    out: dict[str, RateOptions] = {}
    if options.damping < UNDAMPED:
        out[Variant.UNDAMPED] = replace(options, damping=UNDAMPED)
    if table.whole_months.size >= MONTHS_TO_DROP and options.season:
        out[Variant.NO_SEASON] = replace(options, season=False, company=False)
        if options.company:
            out[Variant.NO_COMPANY] = replace(options, company=False)
    return out


def choose(replays: list[Replay], default: str) -> str:
    """The candidate to use: the default unless another was clearly and steadily better.

    Its mean WAPE over all replayed origins must be lower by :data:`CLEAR_ERRORS` standard errors
    of the paired difference, on :data:`MOST_ORIGINS` origins. A plain one-standard-error rule
    (Breiman et al. 1984) would be too easy to pass: successive origins share most of their
    months, so their differences repeat one another.
    """
    wapes = [(one.candidate, one.wape) for one in replays]
    return clearly_best(wapes, default, MOST_ORIGINS, CLEAR_ERRORS)


def clearly_best(
    errors: list[tuple[str, float]], default: str, origins: int, standard_errors: float
) -> str:
    """The candidate with the lowest mean error of those that are clearly below the default's."""
    by_candidate: dict[str, list[float]] = {}
    for name, error in errors:
        by_candidate.setdefault(name, []).append(error)
    base = np.array(by_candidate.get(default, []))
    best, most = default, 0.0
    for name, values in by_candidate.items():
        gain = base - np.array(values)
        gain = gain[np.isfinite(gain)]
        if name == default or gain.size < origins:
            continue
        error = float(gain.std(ddof=1)) / np.sqrt(gain.size)
        least = LEAST_GAIN * float(np.nanmean(base))
        if gain.mean() > max(standard_errors * error, most, least):
            best, most = name, float(gain.mean())
    return best
