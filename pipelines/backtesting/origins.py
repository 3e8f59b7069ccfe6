"""From which days the past is replayed: those that are configured, or month ends of the log."""

from __future__ import annotations

import datetime as dt

import numpy as np

from clvmodels.core.errors import ConfigError, DataError
from clvmodels.core.months import month_end
from pipelines.config.load import Backtest

MIN_HISTORY_DAYS = 150
MIN_HOLDOUT = dt.timedelta(days=90)


def too_short(first: dt.date, last: dt.date, origins: tuple[dt.date, ...]) -> str | None:
    """Say why no origin can be replayed; None where one can."""
    if any(first < origin < last for origin in origins):
        return None
    if month_end(first + dt.timedelta(days=MIN_HISTORY_DAYS)) <= last - MIN_HOLDOUT:
        return None
    return (
        f"a backtest needs about {MIN_HISTORY_DAYS + MIN_HOLDOUT.days} days of data; found {first} "
        f"to {last}. Give it a longer log, or name [backtest] origins."
    )


def choose_origins(first: dt.date, last: dt.date, settings: Backtest) -> list[dt.date]:
    """Configured origins, or month ends spread over the log.

    Origins on or after ``last`` wait for a later as-of date; where all of them do, origins are
    chosen from the log.

    Raises
    ------
    ConfigError
        If a configured origin leaves nothing known before it.
    DataError
        If the log is too short for even one origin.
    """
    early = [o for o in settings.origins if o <= first]
    if early:
        raise ConfigError(
            f"[backtest] origins must lie after the first day of the data ({first}); "
            f"found {', '.join(map(str, early))}"
        )
    past = {o for o in settings.origins if o < last}
    if past:
        return sorted(past)
    reason = too_short(first, last, settings.origins)
    if reason:
        raise DataError(reason)
    ends = []
    day = month_end(first + dt.timedelta(days=MIN_HISTORY_DAYS))
    while day <= last - MIN_HOLDOUT:
        ends.append(day)
        day = month_end(day + dt.timedelta(days=1))
    if len(ends) <= settings.max_origins:
        return ends
    chosen = np.linspace(0, len(ends) - 1, settings.max_origins).round().astype(int)
    return [ends[i] for i in chosen]
