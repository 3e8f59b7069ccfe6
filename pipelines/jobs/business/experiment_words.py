"""What is said of an experiment, in lines for people."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pipelines.config.load import Economics
from pipelines.experiments.log import Recorded
from pipelines.experiments.reading import POWER, Verdict

MONEY = ("margin", "revenue", "clv")
SHARES = ("retention", "repeat")

SET_ASIDE = {
    "several_arms": "were given several arms",
    "after_as_of": "were assigned after the last day known",
    "window_open": "have a window that is not over",
    "unknown": "had not bought before their assignment",
    "totals_only": "may not be profiled one by one",
}

RESTATED = {
    "effects": "effects",
    "arms": "arms",
    "assignment": "customers",
    "sample_ratio": "sample ratio",
    "learned": "what was learned",
    "question": "the question",
}


def meaning(metric: str, economics: Economics) -> str:
    """Say what a metric is, in its unit."""
    money = economics.currency
    known = {
        "margin": f"margin net of cost to serve and campaign, {money} per customer",
        "revenue": f"revenue per customer (ARPU), {money}",
        "orders": "orders per customer",
        "purchases": "purchases (days with one) per customer",
        "retention": "customers who bought in the window",
        "repeat": "customers who bought on two days or more",
        "clv": f"margin since assignment and forecast CLV of {economics.horizon_months} months, "
        f"net of campaign, {money} per customer",
    }
    return known.get(metric, f"column '{metric}' of the assignment table, per customer")


def amount(metric: str, value: float | None, sign: bool = False) -> str:
    """Write a value of a metric."""
    if value is None:
        return "-"
    plus = "+" if sign else ""
    if metric in SHARES:
        points = " points" if sign else " %"
        return f"{100 * value:{plus}.2f}{points}"
    return f"{value:{plus},.2f}" if metric in MONEY else f"{value:{plus}.4f}"


def lines(facts: dict[str, Any], economics: Economics, recorded: Recorded) -> list[str]:
    """Say what an experiment tells: who was read, the verdict on the core metric, all effects."""
    told = facts["assignment"]
    said = [f"experiment: {facts['name']}"]
    if facts["question"]:
        said.append(f"question:   {facts['question']}")
    said += [
        f"customers:  {told['read']:,} of {told['customers']:,} assigned from "
        f"{facts['first_assignment']}, {facts['window_days']} days each, the last until "
        f"{facts['last_window_ends']}",
        *(
            f"            {count:,} {SET_ASIDE[reason]}"
            for reason, count in told["set_aside"].items()
            if count
        ),
    ]
    if told["repeated_rows"]:
        said.append(f"            {told['repeated_rows']:,} rows repeat an earlier one")
    said += ["", *_verdicts(facts, economics), "", *_arms(facts), ""]
    readable = facts["sample_ratio"]["holds"]
    for metric in dict.fromkeys(row["metric"] for row in facts["effects"] if readable):
        said.append(f"{metric}: {meaning(metric, economics)}")
        said += [_effect(row) for row in facts["effects"] if row["metric"] == metric]
    said += [f"{metric} is left out: {why}" for metric, why in facts["left_out"].items()]
    said += [f"note: {note}" for note in facts["notes"]]
    if facts["learned"]:
        said.append(f"learned: {facts['learned']}")
    return [*said, "", _of_log(recorded)]


def broken_ratio(facts: dict[str, Any]) -> str:
    """Say that arms are not as large as they were meant to be."""
    ratio = facts["sample_ratio"]
    sizes = ", ".join(
        f"{' / '.join(arm['arm'].values())} {arm['assigned']:,} ({arm['customers']:,} read)"
        for arm in facts["arms"]
    )
    return (
        f"the arms are not as large as they were meant to be (sample ratio: p = "
        f"{min(ratio['assigned'], ratio['read']):.2g}, limit {ratio['limit']:g}; {sizes}). "
        "Customers were lost or doubled in some arm, and those who are left tell nothing: find out "
        "where, or set the shares in [factors]."
    )


def _verdicts(facts: dict[str, Any], economics: Economics) -> list[str]:
    """Sentences on the core metric, one a comparison."""
    metric = facts["core_metric"]
    if not facts["sample_ratio"]["holds"]:
        return [f"nothing can be told: {broken_ratio(facts)}"]
    rows = [row for row in facts["effects"] if row["metric"] == metric]
    if not rows:
        return [f"nothing can be told of the core metric, {metric}: {facts['left_out'][metric]}"]
    return [_verdict(row, facts["alpha"]) for row in rows]


def _verdict(row: dict[str, Any], alpha: float) -> str:
    metric, what = row["metric"], row["comparison"]
    if row["verdict"] == Verdict.CONSTANT:
        return f"{what}: nothing can be told; {metric} was the same for every customer"
    between = _between(metric, row["low"], row["high"])
    if row["verdict"] == Verdict.OPEN:
        low, high = row["low"], row["high"]
        beside = (low is not None and low > 0) or (high is not None and high < 0)
        alone = ", which is no surprise among so many" if beside else ""
        return (
            f"{what}: nothing can be told; the effect on {metric} lies {between} "
            f"({percent(1 - alpha)} interval{alone}). An effect of "
            f"{amount(metric, row['least_found'])} would have been found with "
            f"{percent(POWER)} probability, a larger one more often, a smaller one less"
        )
    relative = "" if row["lift"] is None else f" ({row['lift']:+.1%})"
    return (
        f"{what}: {metric} is {row['verdict']} by {amount(metric, abs(row['effect']))}{relative}; "
        f"the effect lies {between} ({percent(1 - alpha)} interval; p = {row['p_holm']:.2g} "
        "corrected for all comparisons)"
    )


def _between(metric: str, low: float | None, high: float | None) -> str:
    """Say where an effect lies; an end that is not there cannot be told."""
    ends = [amount(metric, end, True) for end in (low, high)]
    if low is None and high is None:
        return "where nobody can tell"
    if high is None:
        return f"above {ends[0]}, nobody can tell how far"
    return (
        f"between {ends[0]} and {ends[1]}"
        if low is not None
        else (f"below {ends[1]}, nobody can tell how far")
    )


def _ends(metric: str, low: float | None, high: float | None) -> str:
    ends = ["?" if end is None else amount(metric, end, True) for end in (low, high)]
    return " to ".join(ends)


def percent(share: float) -> str:
    """Write a level or a power with all its digits: 99.9 % is not 100 %."""
    return f"{round(100 * share, 6):g}%"


def _arms(facts: dict[str, Any]) -> list[str]:
    metrics = list(dict.fromkeys(row["metric"] for row in facts["effects"]))
    table = [["arm", "customers", "cost", *metrics]]
    table += [
        [
            " / ".join(arm["arm"].values()),
            f"{arm['customers']:,}",
            amount("margin", arm["cost"]),
            *(amount(metric, arm["means"][metric]) for metric in metrics),
        ]
        for arm in facts["arms"]
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def _effect(row: dict[str, Any]) -> str:
    metric = row["metric"]
    if row["verdict"] == Verdict.CONSTANT:
        return f"  {row['comparison']}: the same for every customer"
    ends = _ends(metric, row["low"], row["high"])
    wide = _ends(metric, row["low_together"], row["high_together"])
    gain = row["variance_gain"]
    by = f", variance less by {gain:.0%}" if gain is not None and gain >= 0.005 else ""
    return (
        f"  {row['comparison']}: {amount(metric, row['effect'], True)} ({ends}; with all others "
        f"{wide}); p = {row['p_value']:.2g}, corrected {row['p_holm']:.2g}; {row['method']}{by}: "
        f"{row['verdict']}"
    )


def _of_log(recorded: Recorded) -> str:
    if not recorded.is_new:
        return f"the log holds this result since {recorded.entry['recorded']}"
    if recorded.entry["restates"] is None:
        return "added to the log"
    changed = ", ".join(RESTATED.get(key, key) for key in recorded.restated)
    before = recorded.entry["restates"]["recorded"]
    return f"restated in the log: other than on {before} are {changed}; that entry stays"


def page(facts: dict[str, Any], as_of: dt.date, told: list[str]) -> str:
    """Write the reading as a page of Markdown."""
    title = facts["question"] or facts["name"]
    body = "\n".join(told)
    return f"# {title}\n\nRead with the log up to {as_of}.\n\n```\n{body}\n```\n"


def plan_lines(facts: dict[str, Any], economics: Economics) -> list[str]:
    """Say how many customers and days an experiment needs."""
    metric, gain = facts["core_metric"], facts["variance_gain"]
    who = "new customers" if facts["enrol"] == "new" else "customers"
    said = [
        f"experiment: {facts['name']}",
        f"core metric: {metric}, {meaning(metric, economics)}",
        f"history: {amount(metric, facts['mean'])} on average in {facts['window_days']} days, "
        f"standard deviation {amount(metric, facts['deviation'])}, of {facts['customers']:,} "
        f"{who}" + (f"; the forecast explains {gain:.0%} of the variance" if gain > 0 else ""),
        f"wished: an effect of {amount(metric, facts['effect'], True)} found with "
        f"{percent(facts['power'])} probability, false alarms {percent(facts['alpha'])} in all "
        f"{facts['comparisons_in_all']} comparisons",
    ]
    for row in facts["comparisons"]:
        said.append(
            f"  {row['comparison']}: {row['customers']:,} customers in all arms "
            f"({row['customers_without_forecast']:,} without the forecast); {_days(row, facts)}"
        )
        least = row["least_effect_with_all_known"]
        if facts["enrol"] == "known" and least is not None:
            said.append(
                f"    with all {facts['available']:,} customers known, an effect of "
                f"{amount(metric, least)} is found with {percent(facts['power'])} probability"
            )
    return said


def _days(row: dict[str, Any], facts: dict[str, Any]) -> str:
    rate = f"{facts['arrivals']:.1f} new customers a day"
    if row["days"] is None:
        return "no duration can be told: there are not as many, and none have come of late"
    if row["days"] == facts["window_days"]:
        return f"all are known already: {row['days']} days, the window"
    return f"{row['days']:,} days, the last window included, at {rate}"
