"""The section on churn: probabilities against what happened, and what they rest on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipelines.backtesting.customer_scores import NOT_EARNED
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold
from pipelines.report.inputs import ReportInputs
from pipelines.report.section import CHURN_METRICS, Section, ordered_models
from pipelines.report.tables import Column, plain, table
from pipelines.report.wording import words

SCORE_COLUMNS = [
    Column("origin", "Origin", "date"),
    Column("label", "Model"),
    *(Column(m, words.METRICS[m], "score") for m in CHURN_METRICS),
]


CURVE_COLUMNS = [
    Column("origin", "Origin", "date"),
    Column("label", "Model"),
    Column("predicted", "Predicted", "percent"),
    Column("observed", "Observed", "percent"),
    Column("customers", "Customers", "integer"),
]


def churn(inputs: ReportInputs) -> Section:
    """Churn probabilities against what happened, and what they rest on."""
    days = inputs.terms.churn_horizon_days
    section = Section("churn", f"Churn: no purchase in the next {words.counted(days, 'day')}")
    curve = inputs.dated("churn_reliability", "origin")
    if curve.empty:
        reasons = [note for note in inputs.model.get("notes", ()) if "hurn" in note]
        section.missing = " ".join(
            reasons or ["No churn forecast could be tested: no origin has the horizon behind it."]
        )
        return section
    parts = [
        fold(part, "bin", means=["predicted", "observed"]).assign(
            origin=part["origin"].iloc[0], model=part["model"].iloc[0]
        )
        for _, part in curve.groupby(["origin", "model"], sort=False)
    ]
    curve = pd.concat(parts, ignore_index=True)
    if curve.empty:
        section.missing = (
            f"Fewer than {LEAST_CUSTOMERS} customers were tested; their shares would tell on "
            "single ones."
        )
        return section
    section.text = [
        "Predicted churn against the share that did churn. On the diagonal, a predicted 80 % is "
        "eight in ten. AUC: the chance that a churner is ranked above a stayer; Brier score and "
        "log loss: lower is better."
    ]
    section.text += [
        note for note in inputs.model.get("notes", ()) if str(note).startswith(NOT_EARNED)
    ]
    scores = inputs.dated("metrics", "origin")
    scores = scores[scores["metric"].isin(CHURN_METRICS)] if not scores.empty else scores
    if not scores.empty:
        wide = scores.pivot_table(index=["origin", "model"], columns="metric", values="value")
        wide = wide.reset_index()
        wide["label"] = [words.model_label(m) for m in wide["model"]]
        section.text += _closer(wide)
        section.tables["churn_scores"] = table(
            wide,
            SCORE_COLUMNS,
            title="Churn scores",
            sheet="Churn scores",
        )
    curve = curve.assign(label=[words.model_label(m) for m in curve["model"]])
    section.tables["churn_reliability"] = table(
        curve,
        CURVE_COLUMNS,
        title="Predicted and observed churn",
        sheet="Churn reliability",
    )
    section.workbook_only = ("churn_reliability",)
    section.charts["churn_reliability"] = _reliability_chart(curve)
    section.text += _importance(inputs, section)
    return section


def _closer(scores: pd.DataFrame) -> list[str]:
    """At how many past dates the classifier was closer than each other model, in words."""
    if "brier" not in scores:
        return []
    brier = scores.pivot_table(index="origin", columns="model", values="brier")
    said = []
    for other in brier.columns.drop("churn", errors="ignore") if "churn" in brier else ():
        both = brier[["churn", other]].dropna()
        if len(both):
            closer = int((both["churn"] < both[other]).sum())
            said.append(
                f"By the Brier score the classifier was closer to what happened than the purchase "
                f"model's own probability ({words.model_label(str(other))}) at {closer} of "
                f"{len(both)} past date{'s' if len(both) > 1 else ''}."
            )
    return said


def _reliability_chart(curve: pd.DataFrame) -> dict[str, Any]:
    latest = curve[curve["origin"] == curve["origin"].max()]
    latest = latest.assign(gap=(latest["predicted"] - latest["observed"]).abs())
    by_model = [
        (words.model_label(name), latest[latest["model"] == name])
        for name in ordered_models(latest["model"].unique())[::-1]
    ]
    apart = [
        f"{label} {words.percent(float(np.average(part['gap'], weights=part['customers'])))}"
        for label, part in by_model
    ]
    return plain(
        {
            "title": f"Churn reliability, origin {words.day(latest['origin'].iloc[0].date())}",
            "alt": "Predicted against observed share of churners, by bins of customers"
            + f"; mean distance from the diagonal: {', '.join(apart)}.",
            "curves": [
                {
                    "label": label,
                    "predicted": list(part["predicted"]),
                    "observed": list(part["observed"]),
                    "customers": list(part["customers"]),
                }
                for label, part in by_model
            ],
        }
    )


def _importance(inputs: ReportInputs, section: Section) -> list[str]:
    importance = inputs.dated("churn_importance", "origin")
    if importance.empty:
        return ["No classifier was fitted, so there is no importance of features to show."]
    if "origin" in importance:
        importance = importance[importance["origin"] == importance["origin"].max()]
    if "importance_sd" not in importance:
        importance = importance.assign(importance_sd=np.nan)
    importance = importance.sort_values("importance", ascending=False)
    importance["feature"] = [str(name).replace("_", " ") for name in importance["feature"]]
    section.tables["churn_importance"] = table(
        importance.head(15),
        [
            Column("feature", "Feature"),
            Column("importance", "Importance (loss of AUC)", "score"),
            Column("importance_sd", "Standard deviation", "score"),
        ],
        title="What churn forecasts rest on",
        sheet="Churn importance",
        note="How much AUC is lost when one feature's values are shuffled.",
    )
    top = importance.head(12)
    section.charts["churn_importance"] = plain(
        {
            "title": "What the churn forecast rests on",
            "alt": "Bar chart of permutation importance; the strongest features are "
            + words.listed(list(top["feature"].head(3)))
            + ".",
            "feature": list(top["feature"]),
            "importance": list(top["importance"]),
            "importance_sd": list(top["importance_sd"]),
        }
    )
    return []
