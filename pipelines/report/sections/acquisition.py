"""What winning customers costs and returns, by channel and by quarter of first purchase."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.finance import acquisition
from clvmodels.finance.acquisition import GOOD_RATIO
from pipelines.config.load import Acquisition
from pipelines.finance.channels import KEYS, Acquired
from pipelines.finance.economics import complete_months
from pipelines.report.groups.small import LEAST_CUSTOMERS, told_values
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, Table, table
from pipelines.report.wording import words

EVERYBODY = "all channels"
LEFT_OUT = "left out"
SHOWN = 6
"""Months or channels named in a sentence."""


def channels(inputs: ReportInputs) -> Section:
    """CAC, LTV against it and the payback, by channel and by cohort and channel."""
    section = Section("acquisition", "What winning customers costs, and returns")
    found = inputs.acquired
    if found is None:
        section.missing = (
            "Name the spend by month and channel under [acquisition] to see CAC, LTV against CAC "
            "and the payback of every channel."
        )
        return section
    history = inputs.dated("cohort_months", "cohort", "period")
    until = complete_months(history, inputs.as_of)["period"].max()
    people = _placed(found, until, inputs)
    told = people[people["unit"] != LEFT_OUT]
    section.text = _text(found, people, until, inputs)
    section.tables["spend"] = _by_purpose(found, inputs.currency)
    if told.empty:
        section.text.append(
            "No month of first purchase has both spend on record and enough customers to be told."
        )
        return section
    names = told_values(people, "unit") if not inputs.terms.governance.totals_only_for_some else {}
    if not names:
        section.text.append(
            f"Channels are not told apart: fewer than two hold {LEAST_CUSTOMERS} customers in "
            "every quarter, or some customers may count in totals only."
        )
    costs, ages = _together(found, told, until, names)
    section.tables["channels"] = _channels(costs, ages, found.settings, inputs.currency)
    section.tables["channel_cohorts"] = _cohorts(costs, ages, found.settings, inputs.currency)
    return section


def _placed(found: Acquired, until: pd.Timestamp, inputs: ReportInputs) -> pd.DataFrame:
    """Customers by channel and whole month, and the quarter that they are told in, or LEFT_OUT."""
    people = found.customers[found.customers["cohort"] <= until]
    alone = inputs.groups.alone(people)
    missing = found.missing_months(until)
    told = people.index.isin(alone.index) & ~people["cohort"].isin(missing)
    quarter = people["cohort"].dt.to_period("Q").dt.start_time.astype(object)
    return people.assign(unit=quarter.where(told, LEFT_OUT))


def _together(
    found: Acquired, people: pd.DataFrame, until: pd.Timestamp, names: dict[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Costs by channel and month, and net margins by age; all channels together come first."""
    spend = found.for_acquisition
    spend = spend[spend["cohort"].isin(people["cohort"])]
    cells = found.cells[found.cells["cohort"].isin(people["cohort"])]
    sides = []
    for naming in (dict.fromkeys([*people["value"], *spend["value"]], EVERYBODY), names):
        customers, costs, net = (
            _renamed(part, naming) for part in (people.drop(columns="unit"), spend, cells)
        )
        # A month in which a channel won nobody costs it all the same.
        costs = costs[costs["value"].isin(customers["value"])]
        merged = customers.merge(costs, on=KEYS, how="outer", validate="1:1")
        merged = merged.fillna({"customers": 0, "first_net": 0.0}).astype({"customers": int})
        on_record = set(costs["value"])
        merged["spend"] = merged["spend"].where(
            merged["spend"].notna() | ~merged["value"].isin(on_record), 0.0
        )
        sides.append((merged, acquisition.net_by_age(net, customers, until)))
    return pd.concat([s[0] for s in sides]), pd.concat([s[1] for s in sides])


def _renamed(part: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    """Add rows up under the names that they are told by."""
    named = part.assign(value=part["value"].map(names)).dropna(subset="value")
    keys = [name for name in ("value", "cohort", "period") if name in part]
    return named.groupby(keys, as_index=False).sum(numeric_only=True)


def _text(
    found: Acquired, people: pd.DataFrame, until: pd.Timestamp, inputs: ReportInputs
) -> list[str]:
    settings = found.settings
    text = [
        "CAC is the money spent for acquisition in the months of first purchase over the customers "
        "won in them. LTV is gross margin net of the cost to serve here, not discounted, the first "
        "purchase in it, per customer to the end of a month of age. Observed to date: nothing is "
        f"forecast. The line that is widely held for healthy is LTV : CAC of {GOOD_RATIO:g} : 1.",
        "The highest CAC that is affordable is what LTV bears at the wished ratio "
        f"({settings.wished_ratio:g} : 1), and what is repaid by the end of month "
        f"{settings.wished_payback}.",
        "A customer belongs to the "
        f"{settings.dimension.replace('_', ' ')} of the first purchase. Spend for engagement, "
        "retention and brand is in no CAC.",
    ]
    text += _incomplete(found, people, until)
    text += _in_no_cac(found, people, until, inputs.currency)
    if inputs.terms.governance.consent == "exclude":
        text.append(
            "Customers without consent are not in the log, so CAC is overstated by their share."
        )
    return text


def _incomplete(found: Acquired, people: pd.DataFrame, until: pd.Timestamp) -> list[str]:
    """Months and channels that the file of spend or the log says nothing of."""
    text = []
    months = [f"{month:%Y-%m}" for month in found.missing_months(until)]
    if months:
        text.append(f"No spend is on record for {_listed(months)}: their customers are in no CAC.")
    gaps = [f"{channel} in {month:%Y-%m}" for channel, month in found.gaps(until)]
    if gaps:
        text.append(f"No row tells of spend on {_listed(gaps)}: it counts as none.")
    nobody = found.without_customers(until)
    if nobody:
        text.append(
            f"Money was spent on {_listed(nobody)}, and no customer came by it: it is in the CAC "
            "of all channels."
        )
    spent = set(found.for_acquisition["value"])
    bare = people[~people["value"].isin(spent)].groupby("value")["customers"].sum()
    if len(bare):
        large = [str(value) for value in bare.index[bare >= LEAST_CUSTOMERS]]
        named = f" ({_listed(large)})" if large else ""
        count = int(bare.sum())
        few = f"Fewer than {LEAST_CUSTOMERS} customers"
        who = words.counted(count, "customer") if count >= LEAST_CUSTOMERS else few
        lower = ", and lower that of all channels" if spent else ""
        text.append(
            f"{who} came by channels without spend on record{named}: they have no CAC{lower}."
        )
    return text


def _in_no_cac(found: Acquired, people: pd.DataFrame, until: pd.Timestamp, code: str) -> list[str]:
    """What of the spend for acquisition is in no row, and why."""
    by_month = found.for_acquisition.groupby("cohort")["spend"].sum()
    told = people.loc[people["unit"] != LEFT_OUT, "cohort"]
    rest = by_month[~by_month.index.isin(told) & (by_month > 0)]
    reasons = {
        "in the month under way": rest.index > until,
        "in months in which nobody first bought": (rest.index <= until)
        & ~rest.index.isin(people["cohort"]),
        "in months of too few new customers to be told": rest.index.isin(people["cohort"]),
    }
    parts = [
        f"{code} {rest[where].sum():,.2f} {reason}"
        for reason, where in reasons.items()
        if where.any()
    ]
    if not parts:
        return []
    return [f"Of the spend for acquisition this is in no CAC: {words.listed(parts)}."]


def _listed(names: list[str]) -> str:
    more = len(names) - SHOWN
    return words.listed([*names[:SHOWN], *([f"{more} more"] if more > 0 else [])])


def _by_purpose(found: Acquired, code: str) -> Table:
    sums = found.spend.groupby("purpose")[["amount"]].sum().reset_index()
    sums["in_cac"] = ["yes" if purpose == "acquisition" else "no" for purpose in sums["purpose"]]
    return table(
        sums,
        [
            Column("purpose", "Purpose"),
            Column("amount", money("Spend to date", code), "cents"),
            Column("in_cac", "In CAC"),
        ],
        title="Spend by purpose",
        sheet="Spend by purpose",
        note="All months of the file up to the as-of date.",
    )


def _channels(costs: pd.DataFrame, ages: pd.DataFrame, settings: Acquisition, code: str) -> Table:
    sums = costs.groupby("value", sort=False)[["customers", "first_net"]].sum()
    sums["spend"] = costs.groupby("value", sort=False)["spend"].sum(min_count=1)
    rows = acquisition.judged(
        sums.reset_index(),
        acquisition.of_channels(ages),
        ["value"],
        settings.ltv_months,
        settings.wished_payback,
        settings.wished_ratio,
    )
    if "reported" in costs:
        reported = costs.groupby("value")["reported"].sum(min_count=1)
        rows["reported"] = rows["value"].map(reported)
    oldest = ages.groupby("value")["age"].max()
    return table(
        _said(rows.set_index("value", drop=False), oldest, settings.ltv_months),
        [
            Column("value", settings.dimension.replace("_", " ").capitalize()),
            Column("customers", "Customers", "integer"),
            Column("reported", "Customers, as reported", "integer"),
            *_money_columns(code),
            Column("affordable_ratio", money("Highest CAC for the ratio", code), "cents"),
            Column("affordable_payback", money("Highest CAC for the payback", code), "cents"),
        ],
        title="Channels: what a customer cost and has returned",
        sheet="Channels",
        note=f"LTV to the end of month {settings.ltv_months} of age or the oldest seen, each month "
        "over the cohorts that have come so far.",
    )


def _cohorts(costs: pd.DataFrame, ages: pd.DataFrame, settings: Acquisition, code: str) -> Table:
    quarter = costs["cohort"].dt.to_period("Q").dt.start_time
    by = costs.assign(quarter=quarter).groupby(["quarter", "value"], sort=False)
    sums = by[["customers", "first_net"]].sum()
    sums["spend"] = by["spend"].sum(min_count=1)
    rows = acquisition.judged(
        sums.reset_index(),
        acquisition.of_quarters(ages),
        ["value", "quarter"],
        settings.ltv_months,
        settings.wished_payback,
        settings.wished_ratio,
    )
    oldest = acquisition.of_quarters(ages).groupby(["value", "quarter"])["age"].max()
    rows = _said(rows.set_index(["value", "quarter"], drop=False), oldest, settings.ltv_months)
    return table(
        rows.reset_index(drop=True).sort_values("quarter", kind="stable"),
        [
            Column("quarter", "Quarter of first purchase", "quarter"),
            Column("value", settings.dimension.replace("_", " ").capitalize()),
            Column("customers", "Customers", "integer"),
            *_money_columns(code),
        ],
        title="Cohorts by channel: what a customer cost and has returned",
        sheet="Cohorts by channel",
        note="LTV to the end of the month of age that all customers of the quarter have reached, "
        f"month {settings.ltv_months} at most; below {GOOD_RATIO:g} : 1 before then is not yet a "
        f"verdict. Channels of fewer than {LEAST_CUSTOMERS} customers in a quarter are put "
        "together in all: too small to judge.",
    )


def _money_columns(code: str) -> list[Column]:
    return [
        Column("spend", money("Spend for acquisition", code), "cents"),
        Column("cac", money("CAC", code), "cents"),
        Column("first", money("Net margin of a first order", code), "cents"),
        Column("age", "Month of age", "integer"),
        Column("ltv", money("LTV, net margin", code), "cents"),
        Column("ratio", "LTV : CAC", "number"),
        Column("line", f"Against {GOOD_RATIO:g} : 1"),
        Column("repaid", "Repaid"),
    ]


def _said(rows: pd.DataFrame, oldest: pd.Series[Any], months: int) -> pd.DataFrame:
    """Add the verdicts in words; ``oldest`` is the last age seen, by the rows' index."""
    line = [
        _line(ratio, age, months) for ratio, age in zip(rows["ratio"], rows["age"], strict=True)
    ]
    facts = (rows["cac"], rows["first"], rows["payback"], oldest.reindex(rows.index))
    repaid = [_repaid(*map(float, row)) for row in zip(*facts, strict=True)]
    nobody = (rows["customers"] == 0).to_numpy()
    return rows.assign(line=line, repaid=np.where(nobody, "nobody was won", repaid))


def _line(ratio: float, age: float, months: int) -> str:
    """Where LTV : CAC lies; a young cohort may still come to it."""
    if math.isnan(ratio):
        return ""
    if ratio >= GOOD_RATIO:
        return "at or above"
    return "below" if age >= months else "not yet"


def _repaid(cac: float, first: float, payback: float, oldest: float) -> str:
    if math.isnan(cac):
        return "no spend on record"
    if first >= cac:
        return "by the first order"
    if payback == 0:
        return "in the month of the first order"
    if not math.isnan(payback):
        return f"by the end of month {payback:.0f}"
    return "not yet" if math.isnan(oldest) else f"not by the end of month {oldest:.0f}"
