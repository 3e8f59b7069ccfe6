"""Tables that tell of the fitted models and of the business."""

from __future__ import annotations

from clvmodels.core.schema.columns import ColumnSchema, TableSchema

ALIVE_MATRIX = TableSchema(
    "probability alive",
    (
        ColumnSchema("frequency", "integer", "repeat purchases", "purchases", key=True),
        ColumnSchema("recency", "number", "time from first to last purchase", "days", key=True),
        ColumnSchema("probability_alive", "number", "of such a customer", "0 to 1"),
    ),
)

FREQUENCY_HISTOGRAM = TableSchema(
    "frequency histogram",
    (
        ColumnSchema("frequency", "integer", "repeat purchases", "purchases", key=True),
        ColumnSchema("observed", "number", "customers with so many", "customers"),
        ColumnSchema("expected", "number", "as the model has it", "customers"),
    ),
)

UNIT_ECONOMICS = TableSchema(
    "unit economics",
    (
        ColumnSchema("measure", "string", "what is measured", key=True),
        ColumnSchema("value", "number", "empty where it cannot be told"),
        ColumnSchema("unit", "string", "of the value"),
        ColumnSchema("meaning", "string", "how it is found"),
    ),
)

MONITORING = TableSchema(
    "unit economics by quarter",
    (
        ColumnSchema("period", "date", "first day of the quarter", key=True),
        ColumnSchema("customers", "integer", "known by its end", "customers"),
        ColumnSchema("buyers", "number", "who bought in it; empty where few", "customers"),
        ColumnSchema("arpu", "number", "repeat revenue per known customer", "currency a quarter"),
        ColumnSchema("margin", "number", "gross margin of repeat revenue", "share"),
        ColumnSchema("cohort_churn", "number", "fall of purchases per customer", "share"),
        ColumnSchema("customer_churn", "number", "buyers of the quarter before, lost", "share"),
    ),
)

EFFECTS = TableSchema(
    "effects of covariates",
    (
        ColumnSchema("driver", "string", "the covariate"),
        ColumnSchema("change", "string", "by which it moves"),
        ColumnSchema("quantity", "string", "purchases, revenue or new customers"),
        ColumnSchema("effect", "number", "factor on the quantity"),
        ColumnSchema("low", "number", "lower end of the 90 % interval"),
        ColumnSchema("high", "number", "upper end of the 90 % interval"),
        ColumnSchema("used", "boolean", "in the forecast"),
    ),
)
