"""RFM segments: how many customers, what they brought, what they may bring, and who moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from clvmodels.activation.scores import SCORES, RfmLimits
from pipelines.forecasting.rfm.found import RfmFound
from pipelines.report.groups.moves import told_moves
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.sections.customers.segments import profiled_only, too_few_to_tell
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words

SUMS = ("revenue_to_date", "margin_to_date", "expected_revenue", "clv")

LARGEST_MOVES = 10
"""Shown on the page; the workbook has them all."""

SHARES = {
    "share_of_customers": "customers",
    "share_of_revenue": "revenue_to_date",
    "share_of_expected_revenue": "expected_revenue",
}


def folded(sizes: pd.DataFrame) -> pd.DataFrame:
    """Put segments of few customers together with those beside them; sums stay sums."""
    return fold(sizes, "rfm_segment", sums=SUMS)


def rfm(inputs: ReportInputs) -> Section:
    """Who buys lately, often and for much, and what that is worth."""
    section = Section("rfm", "RFM segments")
    found = inputs.rfm
    if found.sizes.empty:
        section.missing = "No customer forecast was made."
        return section
    frame = folded(found.sizes)
    if frame.empty or not inputs.profiled_hide_the_rest:
        section.missing = too_few_to_tell()
        return section
    for share, of in SHARES.items():
        total = float(frame[of].sum())
        frame[share] = frame[of] / total if total > 0 else np.nan
    frame["clv_each"] = frame["clv"] / frame["customers"]
    section.text = [_meaning(found) + profiled_only(inputs)]
    if found.limits is not None:
        section.text.append(_limits(found, found.limits, inputs.currency))
    if len(frame) < len(found.sizes):
        section.text.append(
            f"Segments of fewer than {LEAST_CUSTOMERS} customers are put together with their "
            "neighbours, so that no line tells on a single customer."
        )
    section.tables["rfm_segments"] = _table(frame, inputs.currency)
    section.charts["rfm_segments"] = plain(
        {
            "title": "RFM segments: customers, revenue to date and expected revenue",
            "alt": "Bars by segment: "
            + "; ".join(
                f"{row['rfm_segment']}: {words.percent(row['share_of_customers'])} of customers, "
                f"{words.percent(row['share_of_revenue'])} of revenue to date"
                for row in frame.to_dict("records")
            )
            + ".",
            "segment": list(frame["rfm_segment"]),
            **{name: list(frame[name]) for name in SHARES},
        }
    )
    _moves(found, section)
    return section


def _meaning(found: RfmFound) -> str:
    spent = {"total": "revenue to date", "mean": "mean value of a purchase"}
    return (
        "Every customer scores 1 to 5 for recency (days since the last purchase), frequency "
        f"(repeat purchases) and monetary value ({spent[found.section.monetary]}); 5 is best, and "
        "equal values get equal scores. Segments are names for combinations of the three. They "
        "describe what customers did; what they may bring is the forecast's."
    )


def _limits(found: RfmFound, limits: RfmLimits, currency: str) -> str:
    """Say what the scores go by; amounts in two digits, for an exact one is some customer's own."""
    days = [f"{words.amount(limit)} days" for limit in limits.recency]
    counts = [words.amount(limit) for limit in limits.frequency]
    amounts = [words.amount(_two_digits(limit), currency) for limit in limits.monetary]
    best_first = range(SCORES, 1, -1)
    said = [
        f"R: {_steps(best_first, days)}, 1 beyond",
        f"F: {_steps(range(1, SCORES), counts)}, {SCORES} beyond",
        f"M: {_steps(range(1, SCORES), amounts)}, {SCORES} beyond (rounded)",
    ]
    tied = any(
        len(set(values)) < len(values)
        for values in (limits.recency, limits.frequency, limits.monetary)
    )
    return f"Scores: {'. '.join(said)}." + (
        " Where limits are equal, the score between them is nobody's." if tied else ""
    )


def _steps(scores: Sequence[int], limits: Sequence[str]) -> str:
    return ", ".join(f"{s} up to {limit}" for s, limit in zip(scores, limits, strict=True))


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")


def _table(frame: pd.DataFrame, code: str) -> dict[str, object]:
    return table(
        frame,
        [
            Column("rfm_segment", "Segment"),
            Column("customers", "Customers", "integer"),
            Column("share_of_customers", "Share of customers", "percent"),
            Column("revenue_to_date", money("LTV to date, revenue", code), "currency"),
            Column("share_of_revenue", "Share of revenue to date", "percent"),
            Column("margin_to_date", money("LTV to date, gross margin", code), "currency"),
            Column("expected_revenue", money("LTV forecast, revenue", code), "currency"),
            Column("clv", money("CLV", code), "currency"),
            Column("clv_each", money("CLV per customer", code), "currency"),
        ],
        title="RFM segments",
        sheet="RFM segments",
    )


def _moves(found: RfmFound, section: Section) -> None:
    """Say who moved since the forecast before, in counts that tell on nobody."""
    if found.since is None:
        section.text.append("No earlier forecast is there to say who moved.")
        return
    if found.note is not None:
        section.text.append(
            f"Who moved since the forecast of {words.day(found.since)} is not known: {found.note}"
        )
        return
    told = told_moves(found.moves, found.section.table.names)
    changed = told[told["from_segment"] != told["to_segment"]]
    moved = f"{changed['customers'].sum():,}" if len(changed) else "no number of"
    section.text.append(
        f"Since the forecast of {words.day(found.since)}, {moved} customers moved in ways that may "
        f"be told: moves of fewer than {LEAST_CUSTOMERS} are left out, and those that would give "
        "them away."
    )
    if told.empty:
        return
    columns = [
        Column("from_segment", "From"),
        Column("to_segment", "To"),
        Column("customers", "Customers", "integer"),
    ]
    largest = changed.sort_values("customers", ascending=False, kind="stable")
    if len(largest):
        section.tables["rfm_moves"] = table(
            largest.head(LARGEST_MOVES), columns, title="The largest moves between RFM segments",
            sheet="RFM largest moves",
        )  # fmt: skip
    section.tables["rfm_all_moves"] = table(
        told, columns, title="Who moved between RFM segments, and who stayed", sheet="RFM moves",
    )  # fmt: skip
    section.workbook_only = ("rfm_all_moves",)
