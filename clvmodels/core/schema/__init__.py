"""Names, types, units and limits of every table that crosses a boundary, each described once.

Checks, file types, empty tables and the report's requirements are read from here.
"""

from clvmodels.core.schema.backtest import (
    CELLS,
    CHURN_IMPORTANCE,
    CHURN_RELIABILITY,
    COMPANY,
    CONDITIONAL,
    DECILES,
    METRICS,
    SAMPLES,
    SEGMENT_CELLS,
    SELECTION,
    TRACKING,
)
from clvmodels.core.schema.columns import ColumnSchema, Kind, TableSchema
from clvmodels.core.schema.diagnostics import (
    ALIVE_MATRIX,
    EFFECTS,
    FREQUENCY_HISTOGRAM,
    UNIT_ECONOMICS,
)
from clvmodels.core.schema.forecasts import (
    ACQUISITIONS,
    BUDGET,
    COHORT_FORECAST,
    CORRECTIONS,
    CUSTOMER_FORECAST,
    JUDGED,
    MARGIN_AND_CLV,
    MONTH_FORECAST,
    NEW_COHORTS,
    QUANTITIES,
    SALES,
    SEGMENTS,
    TIERS,
    TOTALS,
    VALUED,
)
from clvmodels.core.schema.log import (
    COHORT_MONTHS,
    COMPRESSED_SUMMARY,
    PURCHASES,
    SUMMARY,
    TRANSACTIONS,
)

SCHEMA_VERSION = 1
"""Version of the saved files; raised when a file of an earlier version reads differently."""

LEAST_CUSTOMERS = 10
"""A value of a text column that fewer customers share is kept in no saved model, and no segment,
cohort or other group of fewer is shown by itself."""

TABLES = (
    TRANSACTIONS,
    PURCHASES,
    SUMMARY,
    COMPRESSED_SUMMARY,
    COHORT_MONTHS,
    CUSTOMER_FORECAST,
    TIERS,
    SEGMENTS,
    COHORT_FORECAST,
    MONTH_FORECAST,
    TOTALS,
    CORRECTIONS,
    NEW_COHORTS,
    ACQUISITIONS,
    BUDGET,
    METRICS,
    CELLS,
    DECILES,
    SAMPLES,
    SEGMENT_CELLS,
    CHURN_RELIABILITY,
    CHURN_IMPORTANCE,
    CONDITIONAL,
    TRACKING,
    COMPANY,
    SELECTION,
    ALIVE_MATRIX,
    FREQUENCY_HISTOGRAM,
    UNIT_ECONOMICS,
    EFFECTS,
)

__all__ = [
    "ACQUISITIONS",
    "ALIVE_MATRIX",
    "BUDGET",
    "CELLS",
    "CHURN_IMPORTANCE",
    "CHURN_RELIABILITY",
    "COHORT_FORECAST",
    "COHORT_MONTHS",
    "COMPANY",
    "COMPRESSED_SUMMARY",
    "CONDITIONAL",
    "CORRECTIONS",
    "CUSTOMER_FORECAST",
    "DECILES",
    "EFFECTS",
    "FREQUENCY_HISTOGRAM",
    "JUDGED",
    "LEAST_CUSTOMERS",
    "MARGIN_AND_CLV",
    "METRICS",
    "MONTH_FORECAST",
    "NEW_COHORTS",
    "PURCHASES",
    "QUANTITIES",
    "SALES",
    "SAMPLES",
    "SCHEMA_VERSION",
    "SEGMENTS",
    "SEGMENT_CELLS",
    "SELECTION",
    "SUMMARY",
    "TABLES",
    "TIERS",
    "TOTALS",
    "TRACKING",
    "TRANSACTIONS",
    "UNIT_ECONOMICS",
    "VALUED",
    "ColumnSchema",
    "Kind",
    "TableSchema",
]
