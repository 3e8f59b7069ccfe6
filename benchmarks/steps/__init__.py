"""What is timed. A step prepares its input, then returns the work to be timed.

Every step exists for each engine that can do it, reads the same files, and states facts about its
result, so that a fast wrong answer is seen.
"""

from __future__ import annotations

from benchmarks.steps.common import CLV_MONTHS, DUCKDB, HORIZON_DAYS, LIFETIMES, OWN, Step
from benchmarks.steps.fits import (
    bgnbd_lifetimes,
    bgnbd_own,
    pareto_own,
    spend_lifetimes,
    spend_own,
)
from benchmarks.steps.forecasts import (
    clv_lifetimes,
    clv_own,
    expected_lifetimes,
    expected_own,
    whole_lifetimes,
    whole_own,
)
from benchmarks.steps.reading import summary_duckdb, summary_lifetimes, summary_own
from benchmarks.steps.start import start_lifetimes, start_own

STEPS: dict[str, dict[str, Step]] = {
    "start": {OWN: start_own, LIFETIMES: start_lifetimes},
    "summary": {OWN: summary_own, LIFETIMES: summary_lifetimes, DUCKDB: summary_duckdb},
    "bgnbd": {OWN: bgnbd_own, LIFETIMES: bgnbd_lifetimes},
    "spend": {OWN: spend_own, LIFETIMES: spend_lifetimes},
    "expected": {OWN: expected_own, LIFETIMES: expected_lifetimes},
    "clv": {OWN: clv_own, LIFETIMES: clv_lifetimes},
    "pareto": {OWN: pareto_own},
    "whole": {OWN: whole_own, LIFETIMES: whole_lifetimes},
}

TITLES = {
    "start": "start Python, import, fit CDNOW",
    "summary": "summary from Parquet",
    "bgnbd": "BG/NBD fit",
    "spend": "Gamma-Gamma fit",
    "expected": f"expected purchases, {HORIZON_DAYS} days",
    "clv": f"discounted CLV, {CLV_MONTHS} months",
    "pareto": "Pareto/NBD fit",
    "whole": "the whole way, Parquet to CLV",
}
