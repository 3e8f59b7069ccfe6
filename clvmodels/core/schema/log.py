"""Tables of what is known: the log, customer-days, summaries, and history by cohort and month."""

from __future__ import annotations

from clvmodels.core.schema.columns import ColumnSchema, TableSchema

_HISTORY = (
    ColumnSchema("frequency", "integer", "repeat purchases up to as_of", "purchases", least=0),
    ColumnSchema("recency", "number", "time from first to last purchase", "days", least=0),
    ColumnSchema("T", "number", "time from first purchase to as_of", "days", least=0),
)

TRANSACTIONS = TableSchema(
    "transactions",
    (
        ColumnSchema("customer_id", "string", "who bought"),
        ColumnSchema("timestamp", "timestamp", "when"),
        ColumnSchema("amount", "number", "value; negative for a refund", "currency"),
        ColumnSchema("transaction_id", "string", "invoice or order", required=False),
        ColumnSchema("quantity", "number", "units bought", "units", required=False),
        ColumnSchema("margin", "number", "gross margin of the line", "currency", required=False),
        ColumnSchema("channel", "string", "acquisition or sales channel", required=False),
        ColumnSchema("product_category", "string", "what was bought", required=False),
        ColumnSchema("country", "string", "where to", required=False),
        ColumnSchema("consent", "boolean", "may be profiled", required=False),
    ),
)

PURCHASES = TableSchema(
    "purchases",
    (
        ColumnSchema("customer_id", "string", "who bought", key=True),
        ColumnSchema("date", "date", "calendar day in the configured time zone", key=True),
        ColumnSchema("amount", "number", "net value of the day", "currency"),
        ColumnSchema(
            "purchase",
            "integer",
            "1; 0 on a day that nets to a refund",
            "purchases",
            least=0,
            most=1,
        ),
        ColumnSchema("refund_of_first", "boolean", "a refund before the second purchase"),
        ColumnSchema("orders", "integer", "transactions of the day", "orders", required=False),
        ColumnSchema("individual", "boolean", "false: counts in totals only", required=False),
        ColumnSchema("margin", "number", "gross margin of the day", "currency", required=False),
        ColumnSchema("channel", "string", "channel of the first purchase", required=False),
        ColumnSchema(
            "product_category", "string", "category of the day's largest line", required=False
        ),
        ColumnSchema("country", "string", "country of the first purchase", required=False),
    ),
)

SUMMARY = TableSchema(
    "RFM summary",
    (
        ColumnSchema("customer_id", "string", "who bought", key=True),
        *_HISTORY,
        ColumnSchema("monetary_value", "number", "mean value of repeat purchases", "currency"),
        ColumnSchema("first_purchase", "date", "day of the first purchase"),
    ),
)

COMPRESSED_SUMMARY = TableSchema(
    "compressed RFM summary",
    (
        *_HISTORY,
        ColumnSchema("weight", "number", "customers that share the row", "customers", least=0),
    ),
)

COHORT_MONTHS = TableSchema(
    "cohort months",
    (
        ColumnSchema("cohort", "date", "first day of the month of first purchase", key=True),
        ColumnSchema("period", "date", "first day of the calendar month", key=True),
        ColumnSchema("customers", "integer", "customers of the cohort known by the period's end"),
        ColumnSchema(
            "customer_days", "integer", "days after first purchase, summed", "customer-days"
        ),
        ColumnSchema("purchases", "integer", "repeat purchases in the period", "purchases"),
        ColumnSchema("revenue", "number", "value of the repeat purchases", "currency"),
        ColumnSchema("first_purchases", "integer", "first purchases in the period", "purchases"),
        ColumnSchema("first_revenue", "number", "value of the first purchases", "currency"),
        ColumnSchema(
            "margin", "number", "recorded gross margin of revenue", "currency", required=False
        ),
        ColumnSchema(
            "first_margin",
            "number",
            "recorded gross margin of first_revenue",
            "currency",
            required=False,
        ),
        ColumnSchema("buyers", "integer", "customers behind purchases and revenue", required=False),
    ),
)
