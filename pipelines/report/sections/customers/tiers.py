"""Who is still a customer, and the value tiers."""

from __future__ import annotations

import numpy as np

from pipelines.report.groups.small import LEAST_CUSTOMERS, fold
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.sections.customers.segments import profiled_only, too_few_to_tell
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words


def alive(inputs: ReportInputs) -> Section:
    """Probability alive by frequency and recency."""
    section = Section("alive", "Who is still a customer")
    matrix = inputs.alive_matrix
    if matrix.empty:
        section.missing = "The purchase model gave no probability-alive matrix."
        return section
    section.text = [
        "Probability that a customer of the oldest cohort is still a customer, by number of "
        "repeat purchases and time from the first to the last of them. Many purchases and then "
        "a long silence means gone; few purchases long ago means perhaps just slow."
    ]
    wide = matrix.pivot_table(index="recency", columns="frequency", values="probability_alive")
    section.tables["alive_matrix"] = table(
        matrix,
        [
            Column("frequency", "Repeat purchases", "integer"),
            Column("recency", "Recency (days)", "integer"),
            Column("probability_alive", "Probability alive", "percent"),
        ],
        title="Probability alive",
        sheet="Probability alive",
    )
    section.workbook_only = ("alive_matrix",)
    busy = wide[wide.columns.max()].dropna()
    section.charts["probability_alive"] = plain(
        {
            "title": "Probability alive by frequency and recency",
            "alt": "Heat map of the probability alive. With the most purchases it rises from "
            f"{words.percent(float(busy.iloc[0]))} at the shortest recency to "
            f"{words.percent(float(busy.iloc[-1]))} at the longest.",
            "recency": list(wide.index),
            "frequency": list(wide.columns),
            "probability": wide.to_numpy(),
        }
    )
    return section


def tiers(inputs: ReportInputs) -> Section:
    """How the CLV is spread over customers."""
    section = Section("tiers", "How much the best customers are worth")
    frame = inputs.tiers
    if frame.empty:
        section.missing = "No customer forecast was made."
        return section
    frame = fold(frame, "tier", sums=["clv", "expected_revenue"])
    if frame.empty or not inputs.profiled_hide_the_rest:
        section.missing = too_few_to_tell()
        return section
    total, people = float(frame["clv"].sum()), float(frame["customers"].sum())
    share = frame["clv"] / total if total > 0 else frame["clv"] * np.nan
    frame = frame.assign(
        share_of_customers=frame["customers"] / people,
        share_of_clv=share,
        clv_each=frame["clv"] / frame["customers"].where(frame["customers"] > 0),
    )
    code = inputs.currency
    section.text = [
        "Each customer is in one tier, the best that fits"
        f"{_tiers_are(len(frame) < len(inputs.tiers))} CLV is discounted margin net of cost to "
        "serve over the horizon." + profiled_only(inputs)
    ]
    section.tables["tiers"] = table(
        frame,
        [
            Column("tier", "Tier"),
            Column("customers", "Customers", "integer"),
            Column("share_of_customers", "Share of customers", "percent"),
            Column("clv", money("CLV", code), "currency"),
            Column("share_of_clv", "Share of CLV", "percent"),
            Column("clv_each", money("CLV per customer", code), "currency"),
            Column("expected_revenue", money("LTV, revenue", code), "currency"),
        ],
        title="Customer tiers",
        sheet="Tiers",
    )
    if total > 0:
        section.charts["tiers"] = plain(
            {
                "title": "Share of customers and of CLV by tier",
                "alt": "Paired bars by tier: "
                + "; ".join(
                    f"{row['tier']}: {words.percent(row['share_of_customers'])} of customers, "
                    f"{words.percent(row['share_of_clv'])} of CLV"
                    for row in frame.to_dict("records")
                )
                + ".",
                "tier": list(frame["tier"]),
                "share_of_customers": list(frame["share_of_customers"]),
                "share_of_clv": list(frame["share_of_clv"]),
            }
        )
    return section


def _tiers_are(put_together: bool) -> str:
    """Go on from what a tier is, to the end of the sentence."""
    if put_together:
        return (
            f". Tiers of fewer than {LEAST_CUSTOMERS} customers are put together with their "
            "neighbours, so that no line tells on a single customer."
        )
    return ": the top 5 % here are those below the top 1 %."
