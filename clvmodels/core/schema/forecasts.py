"""Tables of what is forecast: by customer, tier, segment, cohort and month, and for the company."""

from __future__ import annotations

from clvmodels.core.schema.columns import ColumnSchema, TableSchema, actuals, with_ends

COUNTED = (("purchases", "purchases"), ("revenue", "currency"))
"""Quantities that the log counts, with their units."""

QUANTITIES = tuple(name for name, _ in COUNTED)
"""Their names."""

MARGIN_AND_CLV = (("margin", "currency"), ("clv", "currency"))
"""What revenue leaves: the gross margin, and CLV, discounted margin net of cost to serve."""

VALUED = (*COUNTED, MARGIN_AND_CLV[0])
"""Counted, and the gross margin, which follows from revenue."""

JUDGED = tuple(name for name, _ in (*COUNTED, *MARGIN_AND_CLV))
"""Names of all quantities that past forecasts are judged by."""

_COHORT = ColumnSchema("cohort", "date", "first day of the month of first purchase", key=True)
_PERIOD = ColumnSchema("period", "date", "first day of the calendar month", key=True)

CUSTOMER_FORECAST = TableSchema(
    "customer forecast",
    (
        ColumnSchema("customer_id", "string", "who bought", key=True),
        ColumnSchema("cohort", "date", "first day of the month of first purchase"),
        ColumnSchema(
            "probability_alive",
            "number",
            "probability of still being a customer",
            "0 to 1",
            least=0,
            most=1,
        ),
        ColumnSchema(
            "churn_probability",
            "number",
            "probability of no purchase in the churn horizon",
            "0 to 1",
            least=0,
            most=1,
        ),
        ColumnSchema("expected_purchases", "number", "over the forecast horizon", "purchases"),
        ColumnSchema("expected_spend", "number", "mean value of a future purchase", "currency"),
        ColumnSchema("expected_revenue", "number", "over the forecast horizon (LTV)", "currency"),
        ColumnSchema("clv", "number", "discounted margin net of cost to serve (CLV)", "currency"),
        ColumnSchema("clv_low", "number", "lower end of the 90 % interval of clv", "currency"),
        ColumnSchema("clv_high", "number", "upper end of the 90 % interval of clv", "currency"),
        ColumnSchema("tier", "string", "value tier by clv"),
        *(
            ColumnSchema(name, "integer", f"{meaning}; 5 is best", "1 to 5", least=1, most=5)
            for name, meaning in (
                ("r_score", "how lately the customer bought"),
                ("f_score", "how often"),
                ("m_score", "for how much"),
            )
        ),
        ColumnSchema("rfm_segment", "string", "segment by the three scores"),
        ColumnSchema("frequency", "integer", "repeat purchases to date", "purchases"),
        ColumnSchema("days_since_last", "integer", "since the last purchase", "days"),
        ColumnSchema("customer_age", "integer", "since the first purchase", "days"),
        ColumnSchema("usual_gap", "number", "mean time between the own purchases", "days"),
        ColumnSchema("spend_to_date", "number", "revenue of all purchases", "currency"),
    ),
)

RFM_SEGMENTS = TableSchema(
    "RFM segments",
    (
        ColumnSchema("rfm_segment", "string", "segment by the three scores", key=True),
        ColumnSchema("customers", "integer", "customers of the segment"),
        ColumnSchema("revenue_to_date", "number", "their revenue to date together", "currency"),
        ColumnSchema("margin_to_date", "number", "their gross margin to date", "currency"),
        ColumnSchema("expected_revenue", "number", "their LTV together", "currency"),
        ColumnSchema("clv", "number", "their CLV together", "currency"),
    ),
)

RFM_MOVES = TableSchema(
    "moves between RFM segments",
    (
        ColumnSchema("from_segment", "string", "in the forecast before", key=True),
        ColumnSchema("to_segment", "string", "in this one", key=True),
        ColumnSchema("customers", "integer", "who moved, or stayed"),
    ),
)

TIERS = TableSchema(
    "tiers",
    (
        ColumnSchema("tier", "string", "value tier by clv", key=True),
        ColumnSchema("customers", "integer", "customers of the tier"),
        ColumnSchema("clv", "number", "their CLV together", "currency"),
        ColumnSchema(
            "expected_revenue", "number", "their LTV together", "currency", required=False
        ),
        ColumnSchema("share_of_clv", "number", "of everybody's CLV", "share", required=False),
    ),
)

SALES = TableSchema(
    "sales",
    (
        ColumnSchema("dimension", "string", "channel, category, ..., or all of them", key=True),
        ColumnSchema("value", "string", "of the dimension", key=True),
        ColumnSchema("period", "date", "first day of the calendar month", key=True),
        ColumnSchema("customers", "integer", "who bought or were paid back", "customers"),
        ColumnSchema("new_customers", "integer", "who bought for the first time", "customers"),
        ColumnSchema("purchases", "integer", "customers' days", "purchases"),
        ColumnSchema("orders", "integer", "transactions", "orders", required=False),
        ColumnSchema("sold", "number", "value of what was sold", "currency"),
        ColumnSchema("paid_back", "number", "value of refunds, zero or less", "currency"),
        ColumnSchema("revenue", "number", "sold and paid back together", "currency"),
        ColumnSchema("margin", "number", "gross margin", "currency", required=False),
    ),
)

SEGMENTS = TableSchema(
    "segments",
    (
        ColumnSchema("dimension", "string", "channel, category, country, ...", key=True),
        ColumnSchema("value", "string", "of the dimension", key=True),
        ColumnSchema("customers", "integer", "customers of the segment"),
        ColumnSchema(
            "ltv_revenue", "number", "revenue to date per customer", "currency", required=False
        ),
        ColumnSchema(
            "ltv_margin", "number", "gross margin to date per customer", "currency", required=False
        ),
        ColumnSchema(
            "expected_revenue",
            "number",
            "over the horizon, per customer",
            "currency",
            required=False,
        ),
        ColumnSchema("clv", "number", "over the horizon, per customer", "currency", required=False),
        ColumnSchema("churn", "number", "mean churn probability", "0 to 1", required=False),
    ),
)

COHORT_FORECAST = TableSchema(
    "cohort forecast",
    (_COHORT, _PERIOD, *with_ends(VALUED), *actuals(COUNTED, required=False)),
)

MONTH_FORECAST = TableSchema("month forecast", (_PERIOD, *with_ends(VALUED)))

TOTALS = TableSchema(
    "totals",
    (
        ColumnSchema("quantity", "string", "purchases, revenue, margin or clv", key=True),
        ColumnSchema("value", "number", "over the forecast horizon"),
        ColumnSchema("low", "number", "lower end of the 90 % interval", required=False),
        ColumnSchema("high", "number", "upper end of the 90 % interval", required=False),
    ),
)

CORRECTIONS = TableSchema(
    "corrections",
    (
        ColumnSchema("cohort", "date", "first day of the month of first purchase", key=True),
        ColumnSchema("purchases", "number", "purchases seen of the cohort", "purchases"),
        ColumnSchema("weight", "number", "of the cohort's own level", "0 to 1"),
        ColumnSchema("purchases_factor", "number", "from customers to the cohort forecast"),
        ColumnSchema("revenue_factor", "number", "the same of revenue"),
        ColumnSchema(
            "purchases_unplaced",
            "number",
            "what its customers cannot carry",
            "purchases",
            required=False,
        ),
        ColumnSchema(
            "revenue_unplaced",
            "number",
            "what its customers cannot carry",
            "currency",
            required=False,
        ),
    ),
)

NEW_COHORTS = TableSchema(
    "cohorts still to come",
    (
        ColumnSchema(
            "cohort", "date", "first day of the month of first purchase, after as_of", key=True
        ),
        _PERIOD,
        ColumnSchema("customers", "number", "new customers of the cohort", "customers"),
        ColumnSchema("first_purchases", "number", "first purchases in the period", "purchases"),
        ColumnSchema("first_revenue", "number", "value of the first purchases", "currency"),
        ColumnSchema("purchases", "number", "repeat purchases in the period", "purchases"),
        ColumnSchema("revenue", "number", "value of the repeat purchases", "currency"),
    ),
)

ACQUISITIONS = TableSchema(
    "new customers by month",
    (
        _PERIOD,
        ColumnSchema("new_customers", "number", "customers who come in the month", "customers"),
        ColumnSchema("basis", "string", "plan, recent level or stopped"),
    ),
)

BUDGET = TableSchema(
    "budget",
    (
        *ACQUISITIONS.columns,
        ColumnSchema("known_revenue", "number", "of customers known at as_of", "currency"),
        ColumnSchema("new_revenue", "number", "of customers still to come", "currency"),
        ColumnSchema("company_revenue", "number", "of both", "currency"),
        ColumnSchema("company_purchases", "number", "of both", "purchases"),
    ),
)
