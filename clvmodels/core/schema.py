"""Names, types and units of every table that crosses a boundary.

A table is described once, here; validation, the data dictionary and the file writers read it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from clvmodels.core.errors import MissingColumnError

Kind = Literal["string", "integer", "number", "date", "timestamp", "boolean"]

SCHEMA_VERSION = 1
"""Version of the saved files; raised when a file of an earlier version reads differently."""

LEAST_CUSTOMERS = 10
"""A value of a text column that fewer customers share is kept in no saved model, and no segment,
cohort or other group of fewer is shown by itself."""


@dataclass(frozen=True)
class Column:
    """One column: its name, kind, unit and meaning."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = True


@dataclass(frozen=True)
class Table:
    """One table: its name and columns, in the order in which files hold them."""

    name: str
    columns: tuple[Column, ...]

    @property
    def required(self) -> list[str]:
        """Names of the columns that must be there."""
        return [column.name for column in self.columns if column.required]

    @property
    def names(self) -> list[str]:
        """Names of all columns, optional ones included."""
        return [column.name for column in self.columns]

    def require(self, found: Iterable[str]) -> None:
        """Raise MissingColumnError unless every required column is among ``found``."""
        present = list(found)
        missing = [name for name in self.required if name not in present]
        if missing:
            raise MissingColumnError(f"the {self.name} table", missing, present)


TRANSACTIONS = Table(
    "transactions",
    (
        Column("customer_id", "string", "who bought"),
        Column("timestamp", "timestamp", "when"),
        Column("amount", "number", "value; negative for a refund", "currency"),
        Column("transaction_id", "string", "invoice or order", required=False),
        Column("quantity", "number", "units bought", "units", required=False),
        Column("margin", "number", "gross margin of the line", "currency", required=False),
        Column("channel", "string", "acquisition or sales channel", required=False),
        Column("product_category", "string", "what was bought", required=False),
        Column("country", "string", "where to", required=False),
        Column("consent", "boolean", "may be profiled", required=False),
    ),
)

PURCHASES = Table(
    "purchases",
    (
        Column("customer_id", "string", "who bought"),
        Column("date", "date", "calendar day in the configured time zone"),
        Column("amount", "number", "net value of the day", "currency"),
        Column("purchase", "integer", "1; 0 on a day that nets to a refund", "purchases"),
        Column("refund_of_first", "boolean", "a refund before the second purchase"),
        Column("individual", "boolean", "false: counts in totals only", required=False),
        Column("margin", "number", "gross margin of the day", "currency", required=False),
        Column("channel", "string", "channel of the customer's first purchase", required=False),
        Column("product_category", "string", "category of the day's largest line", required=False),
        Column("country", "string", "country of the first purchase", required=False),
    ),
)

SUMMARY = Table(
    "RFM summary",
    (
        Column("customer_id", "string", "who bought"),
        Column("frequency", "integer", "repeat purchases up to as_of", "purchases"),
        Column("recency", "number", "time from first to last purchase", "days"),
        Column("T", "number", "time from first purchase to as_of", "days"),
        Column("monetary_value", "number", "mean value of repeat purchases", "currency"),
        Column("first_purchase", "date", "day of the first purchase"),
    ),
)

COMPRESSED_SUMMARY = Table(
    "compressed RFM summary",
    (
        Column("frequency", "integer", "repeat purchases up to as_of", "purchases"),
        Column("recency", "number", "time from first to last purchase", "days"),
        Column("T", "number", "time from first purchase to as_of", "days"),
        Column("weight", "number", "customers that share the row", "customers"),
    ),
)

COHORT_MONTHS = Table(
    "cohort months",
    (
        Column("cohort", "date", "first day of the month of first purchase"),
        Column("period", "date", "first day of the calendar month"),
        Column("customers", "integer", "customers of the cohort known by the period's end"),
        Column("customer_days", "integer", "days after first purchase, summed", "customer-days"),
        Column("purchases", "integer", "repeat purchases in the period", "purchases"),
        Column("revenue", "number", "value of the repeat purchases", "currency"),
        Column("first_purchases", "integer", "first purchases in the period", "purchases"),
        Column("first_revenue", "number", "value of the first purchases", "currency"),
        Column("margin", "number", "recorded gross margin of revenue", "currency", required=False),
        Column(
            "first_margin",
            "number",
            "recorded gross margin of first_revenue",
            "currency",
            required=False,
        ),
        Column("buyers", "integer", "customers behind purchases and revenue", required=False),
    ),
)

CUSTOMER_FORECAST = Table(
    "customer forecast",
    (
        Column("customer_id", "string", "who bought"),
        Column("cohort", "date", "first day of the month of first purchase"),
        Column("probability_alive", "number", "probability of still being a customer", "0 to 1"),
        Column("churn_probability", "number", "probability of no purchase in the churn horizon"),
        Column("expected_purchases", "number", "over the forecast horizon", "purchases"),
        Column("expected_spend", "number", "mean value of a future purchase", "currency"),
        Column("expected_revenue", "number", "over the forecast horizon (LTV)", "currency"),
        Column("clv", "number", "discounted margin net of cost to serve (CLV)", "currency"),
        Column("clv_low", "number", "lower end of the 90 % interval of clv", "currency"),
        Column("clv_high", "number", "upper end of the 90 % interval of clv", "currency"),
        Column("tier", "string", "value tier by clv"),
    ),
)

COHORT_FORECAST = Table(
    "cohort forecast",
    (
        Column("cohort", "date", "first day of the month of first purchase"),
        Column("period", "date", "first day of the calendar month"),
        *(
            Column(f"{quantity}{end}", "number", f"{quantity} {label}".strip(), unit)
            for quantity, unit in (
                ("purchases", "purchases"),
                ("revenue", "currency"),
                ("margin", "currency"),
            )
            for end, label in (
                ("", "forecast"),
                ("_low", "lower end of the 90 % interval"),
                ("_high", "upper end of the 90 % interval"),
            )
        ),
        Column("actual_purchases", "number", "where known", "purchases", required=False),
        Column("actual_revenue", "number", "where known", "currency", required=False),
    ),
)

NEW_COHORTS = Table(
    "cohorts still to come",
    (
        Column("cohort", "date", "first day of the month of first purchase, after as_of"),
        Column("period", "date", "first day of the calendar month"),
        Column("customers", "number", "new customers of the cohort", "customers"),
        Column("first_purchases", "number", "first purchases in the period", "purchases"),
        Column("first_revenue", "number", "value of the first purchases", "currency"),
        Column("purchases", "number", "repeat purchases in the period", "purchases"),
        Column("revenue", "number", "value of the repeat purchases", "currency"),
    ),
)

TABLES = (
    TRANSACTIONS,
    PURCHASES,
    SUMMARY,
    COMPRESSED_SUMMARY,
    COHORT_MONTHS,
    CUSTOMER_FORECAST,
    COHORT_FORECAST,
    NEW_COHORTS,
)
