"""What is timed. A step prepares its input, then returns the work to be timed.

Every step exists for each engine that can do it, reads the same files, and states facts about its
result, so that a fast wrong answer is seen.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.log import AS_OF

OWN, LIFETIMES, DUCKDB = "this project", "lifetimes", "DuckDB SQL"

HORIZON_DAYS = 365
CLV_MONTHS = 12
MONTH_DAYS = 30
"""lifetimes counts a month as 30 days."""
MONTHLY_DISCOUNT = 0.01

LOG, SUMMARY, PARAMETERS = "log.parquet", "summary.parquet", "parameters.json"

Work = Callable[[], dict[str, Any]]
Step = Callable[[Path], Work]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what lifetimes warns about; its errors still show."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def config(folder: Path) -> Any:
    """Configuration that reads the log as any business's would be."""
    from pipelines.config import parse

    return parse(
        {
            "name": "benchmark",
            "source": {"kind": "parquet", "path": str(folder / LOG)},
            "columns": {
                "customer_id": "customer_id",
                "timestamp": "timestamp",
                "amount": "amount",
            },
        }
    )


# Summary: transactions in Parquet to one row a customer, in memory


def _summary_facts(frequency: Any, recency: Any, T: Any, monetary: Any) -> dict[str, Any]:
    return {
        "customers": len(frequency),
        "frequency": float(np.sum(frequency)),
        "recency": float(np.sum(recency)),
        "T": float(np.sum(T)),
        "monetary_value": round(float(np.sum(monetary)), 2),
    }


def _facts_of_arrow(table: Any) -> dict[str, Any]:
    names = ("frequency", "recency", "T", "monetary_value")
    return _summary_facts(*(table[name].to_numpy() for name in names))


def read_own(folder: Path) -> Any:
    """Read, check and account for the log, then summarise it: the columns that all make."""
    from clvmodels import schema
    from pipelines import transactions

    with transactions.load(config(folder), AS_OF) as data:
        return data.summary.select(schema.SUMMARY.names).to_pyarrow()


def summary_own(folder: Path) -> Work:
    import pipelines.features
    import pipelines.transactions  # noqa: F401

    return lambda: _facts_of_arrow(read_own(folder))


def read_lifetimes(folder: Path) -> Any:
    """Read the log with pandas and summarise it with lifetimes."""
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    log = pd.read_parquet(folder / LOG)
    return summary_data_from_transaction_data(
        log,
        "customer_id",
        "timestamp",
        monetary_value_col="amount",
        observation_period_end=AS_OF.isoformat(),
    )


def summary_lifetimes(folder: Path) -> Work:
    with quiet():
        import lifetimes.utils  # noqa: F401

    def work() -> dict[str, Any]:
        with quiet():
            s = read_lifetimes(folder)
        return _summary_facts(s["frequency"], s["recency"], s["T"], s["monetary_value"])

    return work


SQL = """
WITH days AS (
    SELECT customer_id, CAST("timestamp" AS DATE) AS day, sum(amount) AS amount
    FROM read_parquet($log)
    WHERE "timestamp" < $as_of + INTERVAL 1 DAY
    GROUP BY ALL
)
SELECT
    customer_id,
    count(*) - 1 AS frequency,
    CAST(max(day) - min(day) AS DOUBLE) AS recency,
    CAST($as_of - min(day) AS DOUBLE) AS T,
    CASE WHEN count(*) > 1
        THEN (sum(amount) - arg_min(amount, day)) / (count(*) - 1) ELSE 0 END AS monetary_value,
    min(day) AS first_purchase
FROM days
GROUP BY customer_id
"""
"""What a practised hand would write for this log, trusting it: no checks, no account."""


def summary_duckdb(folder: Path) -> Work:
    import duckdb

    def work() -> dict[str, Any]:
        with duckdb.connect() as connection:
            found = connection.execute(SQL, {"log": str(folder / LOG), "as_of": AS_OF})
            return _facts_of_arrow(found.to_arrow_table())

    return work


# Start-up: a new process that imports and fits the 2,357 customers of CDNOW

_START = """
import importlib.util, pathlib, warnings
warnings.simplefilter("ignore")
import pandas
home = pathlib.Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0])
table = pandas.read_csv(home / "datasets" / "cdnow_customers_summary.csv")
{fit}
"""
_OWN_FIT = "from clvmodels import BGNBD; BGNBD().fit(table)"
_LIFETIMES_FIT = (
    "from lifetimes import BetaGeoFitter; "
    "BetaGeoFitter().fit(table['frequency'], table['recency'], table['T'])"
)


def _start(fit: str) -> Work:
    def work() -> dict[str, Any]:
        subprocess.run([sys.executable, "-c", _START.format(fit=fit)], check=True)
        return {}

    return work


def start_own(folder: Path) -> Work:
    return _start(_OWN_FIT)


def start_lifetimes(folder: Path) -> Work:
    return _start(_LIFETIMES_FIT)


# Fits. Each engine fits a few rows before the clock starts, so that imports are not timed here.

FEW = 1_000


def _histories(folder: Path) -> Any:
    import pandas as pd

    columns = ["frequency", "recency", "T", "monetary_value"]
    return pd.read_parquet(folder / SUMMARY, columns=columns)


def _buyers(folder: Path) -> Any:
    table = _histories(folder)
    return table[(table["frequency"] > 0) & (table["monetary_value"] > 0)]


def _score(fitter_name: str, params: dict[str, float], *data: Any) -> float:
    """Log-likelihood by lifetimes' own formula: one judge for both engines."""
    with quiet():
        import lifetimes

        fitter = getattr(lifetimes, fitter_name)
        arrays = [np.asarray(column, dtype=float) for column in data]
        ones = np.ones(len(arrays[0]))
        logs = np.log(list(params.values()))
        return -float(fitter._negative_log_likelihood(logs, *arrays, ones, 0.0)) * len(ones)


def bgnbd_own(folder: Path) -> Work:
    from clvmodels import BGNBD

    table = _histories(folder)[["frequency", "recency", "T"]]
    BGNBD().fit(table.head(FEW))

    def work() -> dict[str, Any]:
        model = BGNBD().fit(table)
        return {"parameters": model.params_, "judge": ("BetaGeoFitter", table)}

    return work


def bgnbd_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import BetaGeoFitter

    table = _histories(folder)[["frequency", "recency", "T"]]

    few = table.head(FEW)
    with quiet():
        BetaGeoFitter().fit(few["frequency"], few["recency"], few["T"])

    def work() -> dict[str, Any]:
        with quiet():
            fitter = BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"])
        return {
            "parameters": {name: float(value) for name, value in fitter.params_.items()},
            "judge": ("BetaGeoFitter", table),
        }

    return work


def spend_own(folder: Path) -> Work:
    from clvmodels import GammaGamma

    table = _buyers(folder)[["frequency", "monetary_value"]]
    GammaGamma().fit(table.head(FEW))

    def work() -> dict[str, Any]:
        model = GammaGamma().fit(table)
        return {"parameters": model.params_, "judge": ("GammaGammaFitter", table)}

    return work


def spend_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import GammaGammaFitter

    table = _buyers(folder)[["frequency", "monetary_value"]]

    few = table.head(FEW)
    with quiet():
        GammaGammaFitter().fit(few["frequency"], few["monetary_value"])

    def work() -> dict[str, Any]:
        with quiet():
            fitter = GammaGammaFitter().fit(table["frequency"], table["monetary_value"])
        return {
            "parameters": {name: float(value) for name, value in fitter.params_.items()},
            "judge": ("GammaGammaFitter", table),
        }

    return work


def pareto_own(folder: Path) -> Work:
    from clvmodels import ParetoNBD

    table = _histories(folder)[["frequency", "recency", "T"]]
    ParetoNBD().fit(table.head(FEW))

    def work() -> dict[str, Any]:
        model = ParetoNBD().fit(table)
        return {"parameters": model.params_, "log_likelihood": model.log_likelihood_}

    return work


def judged(facts: dict[str, Any]) -> dict[str, Any]:
    """Replace what a fit hands to the judge by the log-likelihood."""
    judge = facts.pop("judge", None)
    if judge is not None:
        name, table = judge
        columns = [table[column] for column in table.columns]
        facts["log_likelihood"] = _score(name, facts["parameters"], *columns)
    return facts


# Forecasts, both engines at the same parameters


def _parameters(folder: Path, name: str) -> dict[str, float]:
    content = json.loads((folder / PARAMETERS).read_text(encoding="utf-8"))
    return dict(content[name])


def _own_models(folder: Path) -> Any:
    from clvmodels import BGNBD, GammaGamma

    return (
        BGNBD.from_params(**_parameters(folder, "bgnbd")),
        GammaGamma.from_params(**_parameters(folder, "spend")),
    )


def _lifetimes_models(folder: Path) -> Any:
    import pandas as pd

    with quiet():
        from lifetimes import BetaGeoFitter, GammaGammaFitter

        purchases, spend = BetaGeoFitter(), GammaGammaFitter()
    purchases.params_ = pd.Series(_parameters(folder, "bgnbd"))
    spend.params_ = pd.Series(_parameters(folder, "spend"))
    # lifetimes predicts only with models that it has fitted itself.
    purchases.predict = purchases.conditional_expected_number_of_purchases_up_to_time
    return purchases, spend


def expected_own(folder: Path) -> Work:
    model, _ = _own_models(folder)
    table = _histories(folder)
    model.expected_purchases(table.head(FEW), horizon=HORIZON_DAYS)
    return lambda: {"sum": float(np.sum(model.expected_purchases(table, horizon=HORIZON_DAYS)))}


def expected_lifetimes(folder: Path) -> Work:
    model, _ = _lifetimes_models(folder)
    table = _histories(folder)

    def work() -> dict[str, Any]:
        with quiet():
            made = model.conditional_expected_number_of_purchases_up_to_time(
                HORIZON_DAYS, table["frequency"], table["recency"], table["T"]
            )
        return {"sum": float(np.sum(made))}

    return work


def value_by_own(model: Any, spend: Any, table: Any) -> Any:
    months = np.arange(1, CLV_MONTHS + 1)
    purchases = model.discounted_expected_purchases(
        table, MONTH_DAYS * months, (1 + MONTHLY_DISCOUNT) ** -months.astype(float)
    )
    return purchases * spend.expected_spend(table)


def clv_own(folder: Path) -> Work:
    model, spend = _own_models(folder)
    table = _histories(folder)
    value_by_own(model, spend, table.head(FEW))
    return lambda: {"sum": float(np.sum(value_by_own(model, spend, table)))}


def value_by_lifetimes(model: Any, spend: Any, table: Any) -> Any:
    return spend.customer_lifetime_value(
        model,
        table["frequency"],
        table["recency"],
        table["T"],
        table["monetary_value"],
        time=CLV_MONTHS,
        discount_rate=MONTHLY_DISCOUNT,
        freq="D",
    )


def clv_lifetimes(folder: Path) -> Work:
    model, spend = _lifetimes_models(folder)
    table = _histories(folder)
    with quiet():
        value_by_lifetimes(model, spend, table.head(FEW))

    def work() -> dict[str, Any]:
        with quiet():
            return {"sum": float(np.sum(value_by_lifetimes(model, spend, table)))}

    return work


# The whole way: Parquet to CLV


def whole_own(folder: Path) -> Work:
    import pipelines.features
    import pipelines.transactions  # noqa: F401
    from clvmodels import BGNBD, GammaGamma

    def work() -> dict[str, Any]:
        table = read_own(folder)
        model, spend = BGNBD().fit(table), GammaGamma().fit(table)
        return {"sum": float(np.sum(value_by_own(model, spend, table)))}

    return work


def whole_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import BetaGeoFitter, GammaGammaFitter

    def work() -> dict[str, Any]:
        with quiet():
            table = read_lifetimes(folder)
            buyers = table[(table["frequency"] > 0) & (table["monetary_value"] > 0)]
            model = BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"])
            spend = GammaGammaFitter().fit(buyers["frequency"], buyers["monetary_value"])
            return {"sum": float(np.sum(value_by_lifetimes(model, spend, table)))}

    return work


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
