"""Forecasts of simulated logs, kind by kind: errors against baselines, and intervals by level."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from benchmarks import kinds
from benchmarks.kinds import KindOfLog
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core import metrics
from clvmodels.core.months import month_end
from clvmodels.evaluation.baselines import TABLE_BASELINES

QUANTITIES = ("purchases", "revenue")
EARLIER = 6


def fit(
    log: KindOfLog, origin: dt.date, *, draws: int = 2, select: bool = True
) -> CohortForecaster:
    """The cohort forecast as of a day, with the daily totals known then."""
    known = log.days[log.days["date"] <= pd.Timestamp(origin)]
    daily = known.groupby("date").size().rename("purchases").reset_index()
    return CohortForecaster(draws=draws, select=select).fit(
        log.cohort_months(origin), origin, log_start=log.first, daily_purchases=daily
    )


def by_quarter(cells: pd.DataFrame) -> pd.DataFrame:
    """Purchases and revenue by quarter of first purchase and month."""
    quarter = cells["cohort"].dt.to_period("Q").dt.start_time
    return cells.assign(cohort=quarter).groupby(["cohort", "period"])[list(QUANTITIES)].sum()


def wape(cells: pd.DataFrame, actual: pd.DataFrame, quantity: str = "purchases") -> float:
    """Error over cells of cohort quarter and month."""
    made = by_quarter(cells)[quantity]
    return metrics.wape(by_quarter(actual)[quantity].reindex(made.index).fillna(0.0), made)


def chosen_before(log: KindOfLog, origin: dt.date) -> str:
    """The baseline that missed by least at up to six month ends before an origin."""
    known = log.cohort_months(origin)
    ends = [month_end(day.date()) for day in sorted(known["period"].unique())]
    errors: dict[str, list[float]] = {name: [] for name in TABLE_BASELINES}
    for earlier in [end for end in ends[3:] if end < origin][-EARLIER:]:
        since = known[known["period"] > pd.Timestamp(earlier)]
        since = since[since["cohort"] <= pd.Timestamp(earlier)]
        if since["purchases"].sum() > 0:
            for name, make in TABLE_BASELINES.items():
                errors[name].append(wape(make(known, earlier, origin), since))
    return min(errors, key=lambda name: np.mean(errors[name]) if errors[name] else np.inf)


def errors_of(log: KindOfLog, origin: dt.date) -> dict[str, float]:
    """WAPE of purchases: of the forecast, with the usual slope alone, and of the baseline."""
    known, actual = log.cohort_months(origin), log.after(origin)
    baseline = TABLE_BASELINES[chosen_before(log, origin)]
    return {
        "forecast": wape(fit(log, origin).forecast(log.until), actual),
        "usual slope of age": wape(fit(log, origin, select=False).forecast(log.until), actual),
        "baseline": wape(baseline(known, origin, log.until), actual),
    }


def held(log: KindOfLog, origin: dt.date, draws: int = 300) -> dict[tuple[str, str], float]:
    """Share of actuals inside the 90 % intervals, by level and quantity."""
    forecaster, after = fit(log, origin, draws=draws), by_quarter(log.after(origin))
    later = log.days["date"] > pd.Timestamp(origin)
    later &= log.days["date"] <= pd.Timestamp(log.until)
    month = log.days.loc[later, "date"].dt.to_period("M").dt.start_time.rename("period")
    sold = log.days.loc[later].groupby(month)["amount"].agg(["size", "sum"])
    sold.columns = pd.Index(QUANTITIES)
    made = {
        "cohort-month": (forecaster.forecast(log.until, level="quarter_month"), after),
        "month": (forecaster.forecast(log.until, level="month"), after.groupby("period").sum()),
        "total": (forecaster.forecast(log.until, level="total"), after),
        "company month": (forecaster.forecast_company(log.until), sold),
        "company total": (forecaster.forecast_company(log.until, level="total"), sold),
    }
    shares = {}
    for level, (table, actual) in made.items():
        keys = [name for name in ("cohort", "period") if name in table]
        for name in QUANTITIES:
            happened = np.array([actual[name].sum()])
            if keys:
                wanted = actual[name].reindex(table.set_index(keys).index)
                happened = wanted.fillna(0.0).to_numpy()
            inside = (table[f"{name}_low"] <= happened) & (happened <= table[f"{name}_high"])
            shares[level, name] = float(inside.mean())
    return shares


def some_origin(log: KindOfLog, seed: int) -> dt.date:
    """One of six origins of a log, drawn at random."""
    origins = log.origins(6)
    return origins[int(np.random.default_rng(seed).integers(len(origins)))]


def error_table(seeds: range) -> pd.DataFrame:
    """Mean errors by kind over logs and four origins of each."""

    def of_one(kind: int, seed: int) -> list[dict[str, object]]:
        log = kinds.simulated(kinds.KINDS[kind], seed)
        return [{"kind": log.name} | errors_of(log, origin) for origin in log.origins()]

    found = Parallel(-1)(delayed(of_one)(k, s) for k in range(len(kinds.KINDS)) for s in seeds)
    table = pd.DataFrame([row for rows in found for row in rows])
    return table.groupby("kind", sort=False).mean()


def held_table(seeds: range) -> pd.DataFrame:
    """Share of actuals inside 90 % intervals, by kind and over all; a log counts once."""

    def of_one(kind: int, seed: int) -> dict[str, object]:
        log = kinds.simulated(kinds.KINDS[kind], seed)
        shares = held(log, some_origin(log, seed))
        return {"kind": log.name} | {f"{level}, {name}": v for (level, name), v in shares.items()}

    found = Parallel(-1)(delayed(of_one)(k, s) for k in range(len(kinds.KINDS)) for s in seeds)
    table = pd.DataFrame(found).groupby("kind", sort=False).mean()
    table.loc["all kinds"] = table.mean()
    return table
