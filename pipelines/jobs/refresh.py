"""The monthly run: check, score with the champion, judge the last forecast, report."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from clvmodels.core import metrics
from clvmodels.core.errors import CheckFailedError, DataError
from clvmodels.core.months import add_months, month_end
from clvmodels.core.schema import QUANTITIES
from clvmodels.evaluation.vintages import Alarm
from clvmodels.numerics.threads import one_blas_thread
from pipelines.backtesting import accuracy
from pipelines.backtesting.cell_scores import CELL
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data import features
from pipelines.data.customer_days import Dataset
from pipelines.data.features import drivers
from pipelines.forecasting.delivered import Label, read_cohorts
from pipelines.jobs import messages, stages
from pipelines.jobs.folders import models_folder, previous_forecast
from pipelines.jobs.report import PAGE, write_report
from pipelines.monitoring.judged import Judged, judge
from pipelines.registry import store as registry
from pipelines.report.gather import Tracked
from pipelines.report.wording import record, words
from pipelines.training import fit as train


def earlier(data: Dataset, config: Config) -> Tracked | None:
    """The latest forecast from before the data's as-of date, compared; None where there is none.

    One that cannot be compared is no reason to leave a month without a report: the notes say
    what is wrong with it and what to do.
    """
    last = previous_forecast(config, data.as_of)
    if last is None:
        return None
    origin, path = last
    try:
        label = Label.of(config.name, config.economics.currency, origin)
        forecast = read_cohorts(path, label)
    except DataError as error:
        return Tracked(origin, pd.DataFrame(), (f"Nothing is compared: {error}",))
    return track(data, origin, forecast)


def track(data: Dataset, origin: dt.date, forecast: pd.DataFrame) -> Tracked:
    """Compare a delivered forecast with what happened in the months that have ended since.

    Of a month that the as-of date of the forecast cuts, its forecast days only. Cohorts that the
    log did not hold then were forecast at nothing; those that it holds no more (persons erased)
    are left out, for what they bought is not known.

    Parameters
    ----------
    forecast : DataFrame
        Of :func:`pipelines.forecasting.delivered.read_cohorts`.
    """
    ended = [month_end(day.date()) <= data.as_of for day in forecast["period"]]
    end = _last_day(origin, forecast["period"])
    forecast = forecast[ended]
    if forecast.empty:
        return Tracked(origin, forecast)
    until = min(month_end(forecast["period"].max().date()), end)
    actual = features.cohort_actuals(data.purchases, origin, until, cohort="month")
    actual = actual[[*CELL, "customers", *QUANTITIES]]
    actual = actual.rename(columns={q: f"actual_{q}" for q in QUANTITIES})
    both = forecast.merge(actual, on=CELL, how="outer", validate="1:1", indicator="side")
    late, gone = (
        both.loc[both["side"] == side, "cohort"].nunique() for side in ("right_only", "left_only")
    )
    table = both[both["side"] != "left_only"].drop(columns="side").reset_index(drop=True)
    table = table.fillna(dict.fromkeys(QUANTITIES, 0.0))
    notes = []
    if late:
        notes.append(
            f"{_cohorts(late)} came into the log after that forecast was made, and had been "
            "forecast at nothing."
        )
    if gone:
        notes.append(
            f"{_cohorts(gone)} of that forecast had no customer left in the log, and "
            f"{'is' if gone == 1 else 'are'} not compared."
        )
    return Tracked(origin, table, tuple(notes))


def _cohorts(count: int) -> str:
    return f"{count} cohort{'s' * (count > 1)}"


def _last_day(origin: dt.date, periods: pd.Series) -> dt.date:
    """Last day of a forecast: whole months after its origin, whichever day of a month that is."""
    touched = periods.nunique()
    return add_months(origin, touched if origin == month_end(origin) else touched - 1)


@one_blas_thread
def refresh_job(config: Config, as_of: dt.date | None, progress: Progress) -> Outcome:
    """Check, score with the champion, compare the last forecast with actuals, and report."""
    fitted, saved = registry.load(models_folder(config))
    train.require_same_horizon(fitted, config.train.churn_horizon_days)
    with stages.dataset(config, as_of, progress) as data:
        stages.require_not_shrunk(data, config, saved.manifest)
        margin = stages.margin_of(data, config)
        with progress.step("compare the last forecast with what happened"):
            tracked = earlier(data, config)
        learned_from = stages.read_training(data.snapshot, config)
        with progress.step("judge what the ledger holds"):
            judged = judge(
                stages.ledger(config),
                learned_from.cohort_months,
                data.as_of,
                config.monitoring.months,
                _kept_from(data.as_of, config.governance.retention_days),
            )
        fitted = train.with_drivers(fitted, learned_from.drivers)
        result, fitted = stages.backtested_or_noted(data, fitted, config, progress)
        parity = stages.check_fit(learned_from, progress)
        written = write_report(
            data, learned_from, fitted, result, config, progress, parity, margin, tracked, judged
        )
        folder = written.folder
        # last of all: a run that fails leaves the ledger as it was
        stages.ledger(config).add_actuals(data.as_of, judged.happened)
        stages.record(config, data.as_of, saved.version, written.forecast, written.coming)
    alarms = record.alarms(judged)
    return Outcome(
        [
            *alarms.values(),
            *record.sentences(judged, config.economics.currency),
            *(f"note: {said}" for said in _in_other_currencies(judged, config.economics.currency)),
            *messages.hindsight(fitted, data.as_of),
            *drivers.notes(fitted.drivers, data.as_of),
            *tracking_lines(tracked),
            *messages.margin_line(margin),
            f"model:  {saved.folder}",
            f"report: {folder / PAGE}",
        ],
        {
            "as_of": data.as_of,
            "version": saved.version,
            "report": str(folder),
            "previous_forecast": tracked.origin if tracked else None,
            "tracking": _scores(tracked.table) if tracked else {},
            "ledger": _record(judged, stages.ledger(config).place),
            "gross_margin": margin.described(),
            "warnings": [
                *alarms.values(),
                *_in_other_currencies(judged, config.economics.currency),
                *messages.hindsight(fitted, data.as_of),
                *(tracked.notes if tracked else ()),
            ],
        },
        _failed({kind: said for kind, said in alarms.items() if kind in config.monitoring.fail_on}),
    )


def _record(judged: Judged, place: str) -> dict[str, Any]:
    restated = judged.restated
    return {
        "place": place,
        "horizons": judged.horizons.to_dict("records"),
        "signals": [asdict(signal) for signal in judged.signals],
        "restated": restated.assign(period=restated["period"].dt.strftime("%Y-%m-%d")).to_dict(
            "records"
        ),
    }


def _kept_from(as_of: dt.date, retention_days: int | None) -> dt.date | None:
    """First day whose rows are kept."""
    return None if retention_days is None else as_of - dt.timedelta(days=retention_days - 1)


def _in_other_currencies(judged: Judged, currency: str) -> list[str]:
    count = judged.in_other_currencies
    if not count:
        return []
    each = "1 recorded forecast is" if count == 1 else f"{count} recorded forecasts are"
    return [f"{each} not judged: not in {currency}"]


def _failed(alarms: dict[Alarm, str]) -> CheckFailedError | None:
    """What ends the run with exit code 1, after everything is written."""
    return CheckFailedError(" ".join(alarms.values())) if alarms else None


def tracking_lines(tracked: Tracked | None) -> list[str]:
    """How the last forecast did, in words."""
    if tracked is None:
        return ["no earlier forecast to compare with"]
    notes = [f"note: {sentence}" for sentence in tracked.notes]
    if tracked.table.empty:
        return notes or [f"forecast of {tracked.origin}: no month has ended since"]
    months = tracked.table["period"].nunique()
    return notes + [
        f"forecast of {tracked.origin}, {words.since(tracked.origin, months)} since: "
        f"{quantity} {score['bias']:+.1%} in total, off by {score['wape']:.1%} per cohort-month"
        + (
            f", {score['coverage_90']:.0%} inside the 90 % interval"
            if "coverage_90" in score
            else ""
        )
        for quantity, score in _scores(tracked.table).items()
    ]


def _scores(tracked: pd.DataFrame) -> dict[str, dict[str, float]]:
    if tracked.empty:
        return {}
    scores = {}
    for quantity in QUANTITIES:
        actual, forecast = tracked[f"actual_{quantity}"], tracked[quantity]
        scores[quantity] = {
            "wape": metrics.wape(actual, forecast),
            "bias": metrics.bias(actual, forecast),
        }
        held = accuracy.coverage(tracked, quantity)
        if math.isfinite(held):
            scores[quantity]["coverage_90"] = held
    return scores
