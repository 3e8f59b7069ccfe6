"""Tables of past forecasts against what happened."""

from __future__ import annotations

from clvmodels.core.schema.columns import ColumnSchema, TableSchema, actuals, with_ends
from clvmodels.core.schema.forecasts import COUNTED, MARGIN_AND_CLV

_ORIGIN = ColumnSchema("origin", "date", "last day that the forecast knew", key=True)
_HORIZON = ColumnSchema("horizon_days", "integer", "days forecast", "days")
_MODEL = ColumnSchema("model", "string", "who forecast", key=True)
_COHORT = ColumnSchema("cohort", "date", "first day of the cohort's quarter", key=True)
_PERIOD = ColumnSchema("period", "date", "first day of the calendar month", key=True)
_POINTS = tuple(ColumnSchema(name, "number", "forecast", unit) for name, unit in COUNTED)
_ENDS = tuple(
    column
    for column in with_ends(COUNTED, required=False)
    if column.name.endswith(("_low", "_high"))
)

METRICS = TableSchema(
    "metrics",
    (
        _ORIGIN,
        _HORIZON,
        ColumnSchema("level", "string", "total_month, cohort_month, customer, ...", key=True),
        ColumnSchema("quantity", "string", "purchases, revenue, margin or clv", key=True),
        _MODEL,
        ColumnSchema("metric", "string", "wape, bias, mae, rmse, gini, ...", key=True),
        ColumnSchema("value", "number", "of the metric"),
    ),
)

CELLS = TableSchema(
    "cells",
    (
        _ORIGIN,
        _HORIZON,
        _MODEL,
        _COHORT,
        _PERIOD,
        *_POINTS,
        *actuals(COUNTED, required=True),
        *_ENDS,
        *with_ends(MARGIN_AND_CLV, required=False),
        *actuals(MARGIN_AND_CLV, required=False),
        ColumnSchema("customers", "integer", "customers of the cohort", required=False),
    ),
)

SEGMENT_CELLS = TableSchema(
    "segment cells",
    (
        _ORIGIN,
        _MODEL,
        ColumnSchema("dimension", "string", "channel, product_category, ...", key=True),
        ColumnSchema("value", "string", "of the dimension", key=True),
        _PERIOD,
        ColumnSchema("customers", "integer", "of the segment, known at the origin"),
        *_POINTS,
        *actuals(COUNTED, required=True),
    ),
)

DECILES = TableSchema(
    "deciles",
    (
        _ORIGIN,
        _MODEL,
        ColumnSchema("quantity", "string", "purchases or revenue", key=True),
        ColumnSchema("decile", "integer", "1: the tenth with the lowest forecasts", key=True),
        ColumnSchema("forecast_mean", "number", "per customer"),
        ColumnSchema("actual_mean", "number", "per customer"),
        ColumnSchema("customers", "integer", "customers of the tenth", required=False),
    ),
)

SAMPLES = TableSchema(
    "samples",
    (
        _ORIGIN,
        ColumnSchema("customers", "integer", "known at the origin"),
        ColumnSchema("sampled", "integer", "of them judged one by one"),
    ),
)

CHURN_RELIABILITY = TableSchema(
    "churn reliability",
    (
        _ORIGIN,
        _MODEL,
        ColumnSchema("predicted", "number", "mean probability of the bin", "0 to 1"),
        ColumnSchema("observed", "number", "share that bought no more", "0 to 1"),
        ColumnSchema("customers", "integer", "customers of the bin"),
        ColumnSchema("bin", "integer", "from the lowest probabilities on", required=False),
    ),
)

CHURN_IMPORTANCE = TableSchema(
    "churn importance",
    (
        ColumnSchema("feature", "string", "of the classifier"),
        ColumnSchema("importance", "number", "loss of AUC when the feature is shuffled"),
        ColumnSchema("importance_sd", "number", "its spread", required=False),
    ),
)

CONDITIONAL = TableSchema(
    "conditional expectations",
    (
        ColumnSchema("by", "string", "frequency or recency"),
        ColumnSchema("group", "string", "of customers"),
        ColumnSchema("customers", "integer", "customers of the group"),
        ColumnSchema("expected", "number", "per customer", "purchases"),
        ColumnSchema("actual", "number", "per customer", "purchases"),
    ),
)

TRACKING = TableSchema(
    "tracking",
    (_COHORT, _PERIOD, *_POINTS, *actuals(COUNTED, required=True)),
)

COMPANY = TableSchema(
    "company",
    (
        _ORIGIN,
        _PERIOD,
        ColumnSchema("new_customers", "number", "forecast", "customers"),
        ColumnSchema("revenue", "number", "forecast, of customers known at the origin", "currency"),
        ColumnSchema("actual_revenue", "number", "that happened", "currency"),
        ColumnSchema("new_revenue", "number", "forecast, of those to come", "currency"),
        ColumnSchema("actual_new_revenue", "number", "that happened", "currency"),
        ColumnSchema("last_months_revenue", "number", "as in the months before", "currency"),
        ColumnSchema(
            "last_year_revenue",
            "number",
            "of the same month a year before",
            "currency",
            required=False,
        ),
        *(
            ColumnSchema(
                f"company_revenue_{end}",
                "number",
                "end of the company's 90 % interval",
                "currency",
                required=False,
            )
            for end in ("low", "high")
        ),
    ),
)

SELECTION = TableSchema(
    "selection",
    (
        ColumnSchema("candidate", "string", "variant of the cohort forecast", key=True),
        ColumnSchema("wape", "number", "on earlier origins of the same log"),
        ColumnSchema("mean_absolute_bias", "number", "over these origins"),
        ColumnSchema("origins", "integer", "replayed"),
        ColumnSchema("chosen", "boolean", "in use"),
        ColumnSchema("joint_wape", "number", "of purchases and revenue together", required=False),
    ),
)
