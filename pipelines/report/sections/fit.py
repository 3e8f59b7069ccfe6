"""The section on fit: what the models say of the very customers they were fitted to."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pipelines.report.groups.small import fold
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import Section, money
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words
from pipelines.training.level_source import LevelSource


def fit(inputs: ReportInputs) -> Section:
    """Observed and expected: frequency, months, spend; conditional expectations; criteria."""
    section = Section("fit", "How well the model describes past buying")
    found = inputs.diagnostics
    if inputs.frequency_histogram.empty and not any(len(frame) for frame in found.values()):
        section.missing = "No diagnostics of the fit were made."
        return section
    section.text = [
        "Expected is what the fitted model says of customers like these; where it follows the "
        "observed, the model's assumptions hold. The model knows no season, so months may swing "
        f"around the expected line; {_season_of_the_forecast(inputs)}."
    ]
    if not inputs.frequency_histogram.empty:
        _histogram(inputs.frequency_histogram, section)
    for name, add in (
        ("tracking", _tracking),
        ("conditional_frequency", _conditional),
        ("conditional_recency", _conditional),
        ("spend_distribution", _spend_distribution),
        ("spend_by_frequency", _spend_by_frequency),
        ("model_comparison", _comparison),
    ):
        frame = found.get(name, pd.DataFrame())
        if "origin" in frame:  # means after a past date add up to what was sold after it
            frame = frame[pd.to_datetime(frame["origin"]).isin(inputs.told)]
        frame = _folded(name, frame)
        if not frame.empty:
            add(name, frame, section, inputs)
    return section


def _folded(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Put groups of too few customers together with their neighbours, where means are shown."""
    if frame.empty:
        return frame
    if name.startswith("conditional_"):
        kept = {key: frame[key].iloc[0] for key in ("origin", "horizon_days") if key in frame}
        out = fold(frame, "group", means=["actual", "expected"]).assign(**kept)
        if name == "conditional_recency":
            out["group"] = [_days(str(label)) for label in out["group"]]
        return out
    if name != "spend_by_frequency":
        return frame
    # Squares about 0 add up; from these comes the standard error of several groups together.
    size, mean = frame["customers"], frame["mean_value"]
    spread = (frame["standard_error"].fillna(0.0) ** 2) * size * (size - 1)
    squares = frame.assign(squares=mean**2 + spread / size)
    out = fold(squares, "frequency", means=["mean_value", "squares"])
    about = (out["squares"] - out["mean_value"] ** 2).clip(lower=0.0)
    out["standard_error"] = (about / (out["customers"] - 1)) ** 0.5
    out.attrs |= frame.attrs
    return out


def _days(label: str) -> str:
    """Name groups of days put together by their ends: 'up to 17 to 25 to 36' as 'up to 36'."""
    ends = re.findall(r"\d[\d.]*", label)
    if not ends:
        return label
    none = "none or " if label.startswith("none to ") else ""
    if none or label.startswith("up to"):
        return "all" if "above" in label else f"{none}up to {ends[-1]}"
    return f"above {ends[0]}" if "above" in label else f"{ends[0]} to {ends[-1]}"


def _season_of_the_forecast(inputs: ReportInputs) -> str:
    if inputs.learned.level == LevelSource.CUSTOMERS:
        return "on this log the forecast of purchases is the model's own, and knows none either"
    return "the forecast adds the season" if inputs.learned.season else "the forecast adds none"


def _histogram(histogram: pd.DataFrame, section: Section) -> None:
    section.tables["frequency_histogram"] = table(
        histogram,
        [
            Column("frequency", "Repeat purchases"),
            Column("observed", "Customers, observed", "integer"),
            Column("expected", "Customers, expected by the model", "number"),
        ],
        title="Customers by number of repeat purchases",
        sheet="Frequency",
    )
    first = histogram.iloc[0]
    section.charts["frequency_histogram"] = plain(
        {
            "title": "Customers by repeat purchases: observed and expected",
            "alt": f"Paired bars by repeat purchases. With {first['frequency']}: observed "
            f"{words.amount(first['observed'])}, expected {words.amount(first['expected'])}.",
            "names": [str(value) for value in histogram["frequency"]],
            "observed": list(histogram["observed"]),
            "expected": list(histogram["expected"]),
            "x": "repeat purchases",
            "y": "customers",
        }
    )


def _tracking(name: str, frame: pd.DataFrame, section: Section, inputs: ReportInputs) -> None:
    section.tables[name] = table(
        frame,
        [
            Column("period", "Month", "month"),
            Column("observed", "Repeat purchases, observed", "integer"),
            Column("expected", "Expected", "number"),
            Column("cumulative_observed", "Cumulative, observed", "integer"),
            Column("cumulative_expected", "Cumulative, expected", "number"),
        ],
        title="Repeat purchases by month, observed and expected",
        sheet="Fit by month",
    )
    section.workbook_only += (name,)
    last = frame.iloc[-1]
    section.charts[name] = plain(
        {
            "title": "Repeat purchases by month: observed and expected by the model",
            "alt": "Two line charts, by month and cumulative. In all, observed "
            f"{words.amount(last['cumulative_observed'])}, expected "
            f"{words.amount(last['cumulative_expected'])}.",
            "period": list(frame["period"]),
            "cut": words.cut(
                frame["period"].dt.date, inputs.first_day(frame["period"]), inputs.as_of
            ),
            "panels": [
                {
                    "title": title,
                    "observed": list(frame[f"{prefix}observed"]),
                    "expected": list(frame[f"{prefix}expected"]),
                }
                for title, prefix in (("By month", ""), ("Cumulative", "cumulative_"))
            ],
        }
    )


def _conditional(name: str, frame: pd.DataFrame, section: Section, inputs: ReportInputs) -> None:
    by = name.removeprefix("conditional_")
    since = " in a past holdout"
    if "origin" in frame:
        since = f" after {words.day(pd.Timestamp(frame['origin'].iloc[0]).date())}"
    heading = {"frequency": "Repeat purchases before", "recency": "Recency before (days)"}[by]
    section.tables[name] = table(
        frame,
        [
            Column("group", heading),
            Column("customers", "Customers", "integer"),
            Column("actual", "Purchases after, actual", "ratio"),
            Column("expected", "Purchases after, expected", "ratio"),
        ],
        title=f"Purchases per customer{since}, by {by}",
        sheet=f"Holdout by {by}",
    )
    section.workbook_only += (name,)
    first = frame.iloc[0]
    section.charts[name] = plain(
        {
            "title": f"Purchases per customer{since}, by {by} before",
            "alt": f"Paired bars by {by}. Group {first['group']}: actual "
            f"{first['actual']:.2f}, expected {first['expected']:.2f} purchases per customer.",
            "names": [f"{row.group}\n({row.customers:,.0f})" for row in frame.itertuples()],
            "observed": list(frame["actual"]),
            "expected": list(frame["expected"]),
            "x": f"{heading.lower()}; in brackets, customers",
            "y": "purchases per customer",
        }
    )


def _spend_distribution(
    name: str, frame: pd.DataFrame, section: Section, inputs: ReportInputs
) -> None:
    section.tables[name] = table(
        frame,
        [
            Column("low", money("Mean purchase, from", inputs.currency), "currency"),
            Column("high", money("to", inputs.currency), "currency"),
            Column("observed", "Customers, observed", "integer"),
            Column("expected", "Customers, expected by the model", "number"),
        ],
        title="Customers by the mean value of their purchases",
        sheet="Spend",
    )
    section.workbook_only += (name,)
    shown = frame[np.isfinite(frame["high"])]
    peak = shown.loc[shown["observed"].idxmax()]
    section.charts[name] = plain(
        {
            "title": "Customers by mean value of a purchase: observed and expected",
            "alt": "Bars of observed customers by mean value of a purchase, and the model's curve. "
            f"Most are between {words.amount(peak['low'])} and "
            f"{words.amount(peak['high'], inputs.currency)}.",
            "edges": [*shown["low"], shown["high"].iloc[-1]],
            "observed": list(shown["observed"]),
            "expected": list(shown["expected"]),
            "unit": inputs.currency,
        }
    )


def _spend_by_frequency(
    name: str, frame: pd.DataFrame, section: Section, inputs: ReportInputs
) -> None:
    correlation = frame.attrs.get("pearson")
    note = "Gamma-Gamma takes the value of a purchase as independent of how often one buys."
    if correlation is not None and np.isfinite(correlation):
        note += f" Correlation: {correlation:.2f}."
    section.tables[name] = table(
        frame,
        [
            Column("frequency", "Purchases that tell of spend"),
            Column("customers", "Customers", "integer"),
            Column("mean_value", money("Mean purchase", inputs.currency), "currency"),
            Column("standard_error", "Standard error", "currency"),
        ],
        title="Mean value of a purchase by number of purchases",
        sheet="Spend by frequency",
        note=note,
    )


def _comparison(name: str, frame: pd.DataFrame, section: Section, inputs: ReportInputs) -> None:
    section.tables[name] = table(
        frame.assign(model=[words.model_name(str(m)) for m in frame["model"]]),
        [
            Column("model", "Model"),
            Column("parameters", "Parameters", "integer"),
            Column("log_likelihood", "Log-likelihood", "number"),
            Column("aic", "AIC", "number"),
            Column("bic", "BIC", "number"),
            Column("bic_difference", "BIC above the best", "number"),
        ],
        title="Purchase models on the same customers",
        sheet="Model comparison",
        note="Lower AIC and BIC are better.",
    )
