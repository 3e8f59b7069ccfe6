"""The one definition of every summary, actual and feature, each evaluated in the engine."""

from pipelines.data.features.churn import churn_features, scoring_table, with_gaps
from pipelines.data.features.cohorts import (
    CohortHistory,
    cohort_actuals,
    cohort_buyers,
    cohort_months,
    cycle_buyers,
    daily_purchases,
)
from pipelines.data.features.compression import (
    compress,
    compress_spend,
    digest,
    sample_customers,
    segment_values,
    told_apart,
)
from pipelines.data.features.histories import histories
from pipelines.data.features.outcomes import (
    customer_months,
    customer_outcomes,
    customer_totals,
    segment_actuals,
)
from pipelines.data.features.rfm import SpendFrom, counts_at, history, summary
from pipelines.data.features.snapshot import Snapshot

__all__ = [
    "CohortHistory",
    "Snapshot",
    "SpendFrom",
    "churn_features",
    "cohort_actuals",
    "cohort_buyers",
    "cohort_months",
    "compress",
    "compress_spend",
    "counts_at",
    "customer_months",
    "customer_outcomes",
    "customer_totals",
    "cycle_buyers",
    "daily_purchases",
    "digest",
    "histories",
    "history",
    "sample_customers",
    "scoring_table",
    "segment_actuals",
    "segment_values",
    "summary",
    "told_apart",
    "with_gaps",
]
