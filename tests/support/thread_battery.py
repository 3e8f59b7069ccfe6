"""Every public entry that multiplies matrices, asked once; prints the digits of its answers.

Run as a program, since the number of BLAS threads is set before a process starts.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from cohort_tables import AS_OF, UNTIL, known_on, simulated_table

from clvmodels import BGNBD, MBGNBD, NBD, GammaGamma, ParetoNBD
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.learning import replay as rolling
from clvmodels.cohorts.learning.history import History
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.reconcile import reconcile
from clvmodels.evaluation.selection import compare_on_holdout
from clvmodels.evaluation.spend import spend_correlation, spend_distribution
from clvmodels.evaluation.transactions import tracking
from clvmodels.finance.clv import UnitEconomics, customer_lifetime_value
from clvmodels.transactions.seasonal_clock import SeasonalClock

CUSTOMERS = 30_000
"""Beyond the length at which OpenBLAS shares a dot product among threads."""


def histories() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    T = rng.uniform(30, 700, CUSTOMERS).round()
    frequency = rng.poisson(rng.gamma(0.6, 1 / 60, CUSTOMERS) * T)
    share = rng.beta(2, 1, CUSTOMERS)
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": np.where(frequency > 0, np.maximum((share * T).round(), 1.0), 0.0),
            "T": T,
            "monetary_value": np.where(frequency > 0, rng.gamma(4.0, 8.0, CUSTOMERS), 0.0),
            "first_purchase": pd.Timestamp(AS_OF) - pd.to_timedelta(T, unit="D"),
            "channel": rng.standard_normal(CUSTOMERS),
        }
    )


def answers() -> Iterator[tuple[str, Any]]:
    summary = histories()
    repeat = summary[summary["frequency"] > 0]
    weight = np.ones(CUSTOMERS)
    for kind in (BGNBD, MBGNBD, NBD, ParetoNBD):
        model = kind().fit(summary)
        yield f"{kind.__name__} fit", [*model.params_.values(), model.log_likelihood_]
        yield f"{kind.__name__} covariance", model.covariance_
    bgnbd = BGNBD().fit(summary)
    driven = BGNBD(purchase_covariates=["channel"]).fit(summary)
    yield "covariates", list(driven.params_.values())
    yield "log-likelihood", driven.log_likelihood(summary)
    ends, discount = np.arange(1, 13) * 30.0, np.linspace(1.0, 0.9, 12)
    yield "discounted", bgnbd.discounted_expected_purchases(summary, ends, discount)

    def nine_days(model: BGNBD) -> float:
        return float(weight @ model.expected_purchases(summary, 9))

    yield "delta interval", bgnbd.delta_interval(nine_days)
    yield "draw interval", bgnbd.draw_interval(nine_days, n_draws=5, random_state=1)
    later = summary.assign(purchases=summary["frequency"] // 3, weight=1.0)
    holdout = compare_on_holdout([BGNBD, MBGNBD], summary.assign(weight=1.0), later, 90)
    yield "holdout", holdout["mae"]
    spend = GammaGamma().fit(repeat)
    yield "GammaGamma fit", [*spend.params_.values(), spend.log_likelihood_]
    yield "spend distribution", spend_distribution(spend, repeat)
    yield "spend correlation", list(spend_correlation(repeat).values())
    months = pd.period_range("2020-01", "2021-12", freq="M").to_timestamp()
    counts = np.random.default_rng(2).multinomial(summary["frequency"].sum(), np.full(24, 1 / 24))
    clock = SeasonalClock(rounds=2).fit(summary, pd.Series(counts, index=months))
    yield "seasonal clock", clock.season_
    yield "tracking", tracking(bgnbd, summary, np.arange(-690.0, 1.0, 30.0), np.full(24, np.nan))
    yield (
        "value",
        customer_lifetime_value(
            np.outer(summary["T"], np.linspace(0.001, 0.01, 12)), np.full(CUSTOMERS, 20.0),
            UnitEconomics(0.4, 1.0, 0.1), discount,
        ),
    )  # fmt: skip
    table = simulated_table()
    known = known_on(table, AS_OF)
    history = History.of(known, AS_OF)
    replays = rolling.replay(history, {"default": RateOptions()}, reach_of="default")
    yield "replay", [np.concatenate([r.forecast, r.forecast_revenue]) for r in replays]
    yield "reach", [np.concatenate([r.reach_purchases, r.reach_revenue]) for r in replays]
    cohorts = CohortForecaster(draws=200).fit(known, AS_OF)
    made = cohorts.forecast(UNTIL)
    yield "cohort forecast", made.select_dtypes("number")
    yield "new customers", cohorts.forecast_new(UNTIL).select_dtypes("number")
    base = made.assign(purchases=made["purchases"] * 0.9 + 1.0)
    bought = known.groupby("cohort")["purchases"].sum()
    factors = reconcile(base, made, bought / (bought + 100.0)).factors
    yield "reconcile", factors.select_dtypes("number")


def digits(value: Any) -> str:
    numbers = value if isinstance(value, list | tuple) else [value]
    parts = [np.ascontiguousarray(part, dtype=float).tobytes() for part in numbers]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for name, answer in answers():
        print(f"{name}: {digits(answer)}")
