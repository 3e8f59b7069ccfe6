"""What the ledger's judgement says, in sentences for console and page."""

from __future__ import annotations

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
    for signal in judged.signals:
        if not signal.alarms:
            said.append(f"on track: {_size(signal)}, {_strength(signal)}")
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
    side = "high" if signal.bias > 0 else "low"
    return (
        f"{_name(signal)} forecast {words.percent(abs(signal.bias))} too {side} over the last "
        f"{words.counted(signal.months, 'ended month')}"
    )


def _strength(signal: TrackingSignal) -> str:
    return f"tracking signal {signal.signal:+.1f}"


def _name(signal: TrackingSignal) -> str:
    of = "the company" if signal.level == VintageLevel.COMPANY else "known customers"
    return f"{signal.quantity} of {of}"
