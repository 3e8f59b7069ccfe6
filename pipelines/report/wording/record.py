"""What the ledger's judgement says, in sentences for console and page."""

from __future__ import annotations

import math

from clvmodels.evaluation.vintages import FAR, STEADY, Alarm, TrackingSignal, VintageLevel
from pipelines.monitoring.judged import Judged
from pipelines.report.wording import words

WHOSE = {
    VintageLevel.COHORT: "Cohorts",
    VintageLevel.KNOWN: "Customers known then",
    VintageLevel.COMPANY: "The whole company",
}


def alarms(judged: Judged) -> dict[Alarm, str]:
    """What must be said first: a sentence for each kind of alarm, naming where it was raised."""
    found: dict[Alarm, list[str]] = {}
    for signal in judged.signals:
        for alarm in signal.alarms:
            found.setdefault(alarm, []).append(_raised(signal, alarm))
    heads = {
        Alarm.BIAS: "Forecasts err to one side, month after month",
        Alarm.OUTSIDE: "What happened lies outside the forecast's interval",
    }
    return {alarm: f"ALARM: {heads[alarm]}: {'; '.join(said)}." for alarm, said in found.items()}


def sentences(judged: Judged, currency: str) -> list[str]:
    """How delivered forecasts did, and which months say something else than they did."""
    said = []
    if not judged.forecasts:
        said.append("ledger: no month has ended since the first forecast in it")
    for level in dict.fromkeys(signal.level for signal in judged.signals):
        calm = [one for one in judged.signals if one.level == level and not one.alarms]
        if calm:
            errors = " and ".join(
                f"{one.quantity} {side(one)} (tracking signal {one.signal:+.1f})" for one in calm
            )
            months = words.counted(calm[0].months, "ended month")
            said.append(
                f"on track, {WHOSE[VintageLevel(level)].lower()}, last {months}: forecast {errors}"
            )
    return said + restated(judged, currency)


def restated(judged: Judged, currency: str) -> list[str]:
    """Say which ended months the log tells otherwise than when they were recorded."""
    said = []
    for row in judged.restated.to_dict("records"):
        change = row["revenue"] - row["revenue_before"]
        said.append(
            f"restated: {words.month(row['period'])} has {row['revenue']:,.2f} {currency} now, "
            f"{change:+,.2f} against what was recorded, and {row['purchases']:,.0f} purchases "
            f"({row['purchases'] - row['purchases_before']:+,.0f})"
        )
    return said


def _raised(signal: TrackingSignal, alarm: Alarm) -> str:
    if alarm is Alarm.BIAS:
        return f"{_size(signal)} ({_strength(signal)}; beyond {STEADY} it is hardly chance)"
    if signal.outside > 1:
        return f"{_name(signal)}, the last {words.counted(signal.outside, 'month')} on one side"
    return f"{_name(signal)}, the last month by more than {FAR:g} standard deviations"


def _size(signal: TrackingSignal) -> str:
    return (
        f"{_name(signal)} forecast {side(signal)} over the last "
        f"{words.counted(signal.months, 'ended month')}"
    )


def side(signal: TrackingSignal) -> str:
    """How much too high or too low."""
    if not math.isfinite(signal.bias):
        return "too high, for nothing was sold"
    if round(abs(signal.bias), 2) == 0:
        return f"right to {words.percent(0.01)}"
    which = "high" if signal.bias > 0 else "low"
    return f"{words.percent(abs(signal.bias))} too {which}"


def _strength(signal: TrackingSignal) -> str:
    return f"tracking signal {signal.signal:+.1f}"


def _name(signal: TrackingSignal) -> str:
    of = "the company" if signal.level == VintageLevel.COMPANY else "known customers"
    return f"{signal.quantity} of {of}"
