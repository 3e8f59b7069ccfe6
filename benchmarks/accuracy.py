"""``python -m benchmarks.accuracy CONFIG ...``: every model, every part, on every origin.

Prints Markdown: what each model missed by, what each part of the cohort forecast is worth, and
how that holds on halves of the customers and on simulated logs. Nothing here chooses anything.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import by_kind
from clvmodels import BGNBD
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.model.model import CohortModel
from clvmodels.cohorts.model.rates import RateOptions
from clvmodels.cohorts.model.table import read_cohort_months
from clvmodels.core import metrics
from clvmodels.core.errors import ConvergenceWarning
from clvmodels.core.months import month_dates, month_end, month_grid
from clvmodels.simulation.simulate import ParetoNBDProcess, simulate_log
from clvmodels.transactions.seasonal_clock import SeasonalClock
from pipelines.backtesting import run as backtest
from pipelines.backtesting.origins import choose_origins
from pipelines.config import load as config
from pipelines.config.load import Config
from pipelines.console import Progress
from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.features import Snapshot
from pipelines.jobs import stages
from pipelines.sources.dialect import md5

KEYS = ["cohort", "period"]
DEFAULT = RateOptions()
ABLATION: dict[str, RateOptions] = {
    "without season": replace(DEFAULT, season=False, company=False),
    "without the company-wide series": replace(DEFAULT, company=False),
    "without cohort effects": replace(DEFAULT, cohorts=False),
    "without bends of the age effect": replace(DEFAULT, bends=False),
    "age slope without prior": replace(DEFAULT, age_slope_sd=10.0),
    "age undamped beyond the oldest": replace(DEFAULT, damping=1.0),
}


@dataclass(frozen=True)
class Origin:
    """What was known at an origin, and what followed: by customer, by cohort quarter and month."""

    as_of: dt.date
    until: dt.date
    cohort_months: pd.DataFrame
    summary: pd.DataFrame
    bought: np.ndarray
    actual: pd.DataFrame


Forecast = Callable[[Origin], pd.DataFrame]


def cohort_forecast(options: RateOptions, *, flat_value: bool = False) -> Forecast:
    """The cohort model with given options, optionally with one value for every purchase."""

    def forecast_at(at: Origin) -> pd.DataFrame:
        model = CohortModel.of(read_cohort_months(at.cohort_months, at.as_of), options)
        cells = model.cells(at.until)
        result = model.forecast(cells)
        revenue = result.purchases * model.values.unit if flat_value else result.revenue
        return frame(
            month_dates(cells.cohort), month_dates(cells.period), result.purchases, revenue
        )

    return forecast_at


def selected(at: Origin) -> pd.DataFrame:
    """What the product uses: options chosen on earlier origins."""
    forecast = CohortForecaster().fit(at.cohort_months, at.as_of).forecast(at.until)
    return forecast[[*KEYS, "purchases", "revenue"]]


def customers(clock: bool) -> Forecast:
    """BG/NBD summed over customers, with or without the seasonal clock; purchases only."""

    def forecast_at(at: Origin) -> pd.DataFrame:
        grid, monthly = month_grid(at.as_of, at.until), customer_months(at, clock)
        cohort = np.repeat(pd.to_datetime(at.summary["cohort"]).to_numpy(), len(grid.periods))
        period = np.tile(grid.index().to_numpy(), len(at.summary))
        return frame(cohort, period, monthly.ravel(), np.full(monthly.size, np.nan))

    return forecast_at


def customer_months(at: Origin, clock: bool) -> np.ndarray:
    """Expected purchases by customer and month."""
    edges = month_grid(at.as_of, at.until).edges
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if clock:
            bought = at.cohort_months.groupby("period")["purchases"].sum()
            seasonal = SeasonalClock().fit(at.summary, bought)
            total = seasonal.expected_purchases(at.summary, at.as_of, edges)
        else:
            total = BGNBD().fit(at.summary).expected_purchases(at.summary, edges)
    return np.diff(total, axis=1, prepend=0.0)


def reconciled_customers(origins: list[Origin]) -> pd.DataFrame:
    """Purchases by customer, scaled to the cohort forecast: does the clock rank better?"""
    rows = []
    for at in origins:
        target = selected(at).pivot_table("purchases", "cohort", "period")
        cohort = pd.to_datetime(at.summary["cohort"]).to_numpy()
        for name, clock in (("BG/NBD", False), ("BG/NBD on a seasonal clock", True)):
            monthly = customer_months(at, clock)
            base = pd.DataFrame(monthly).groupby(cohort).transform("sum").to_numpy()
            purchases = (monthly * target.loc[cohort].to_numpy() / base).sum(axis=1)
            mae = metrics.mae(at.bought, purchases) / float(at.bought.mean())
            rows.append((name, mae, metrics.gini(at.bought, purchases)))
    table = pd.DataFrame(rows, columns=["model", "MAE / mean purchases", "Gini"])
    return table.groupby("model").mean()


def frame(cohort: object, period: object, purchases: object, revenue: object) -> pd.DataFrame:
    """The columns of a forecast."""
    return pd.DataFrame(
        {"cohort": cohort, "period": period, "purchases": purchases, "revenue": revenue}
    )


VARIANTS: dict[str, Forecast] = {
    "cohort forecast, all parts": cohort_forecast(DEFAULT),
    "parts selected on earlier origins": selected,
    **{name: cohort_forecast(options) for name, options in ABLATION.items()},
    "one value for every purchase": cohort_forecast(DEFAULT, flat_value=True),
    "BG/NBD customers": customers(clock=False),
    "BG/NBD customers on a seasonal clock": customers(clock=True),
}


def score(table: pd.DataFrame, at: Origin) -> dict[str, float]:
    """WAPE and bias over cells of cohort quarter and month."""
    quarter = table["cohort"].dt.to_period("Q").dt.start_time
    cells = table.assign(cohort=quarter).groupby(KEYS)[["purchases", "revenue"]].sum(min_count=1)
    both = at.actual.set_index(KEYS)[["purchases", "revenue"]].join(cells, rsuffix="_forecast")
    out = {}
    for quantity in ("purchases", "revenue"):
        actual, forecast = both[quantity], both[f"{quantity}_forecast"]
        complete = bool(forecast.notna().all())
        out[f"{quantity} WAPE"] = metrics.wape(actual, forecast) if complete else np.nan
        out[f"{quantity} bias"] = metrics.bias(actual, forecast) if complete else np.nan
    return out


def observe(log: Snapshot, as_of: dt.date) -> Origin:
    """Read one origin from the engine, and what followed to the log's own day."""
    with log.earlier(as_of) as then:
        summary = then.summary.order_by("customer_id").to_pandas()
        cohort_months = features.cohort_months(then)
    after = features.customer_totals(log.purchases, as_of, log.as_of).to_pandas()
    bought = after.set_index("customer_id")["purchases"].reindex(summary["customer_id"])
    return Origin(
        as_of,
        log.as_of,
        cohort_months,
        summary,
        bought.fillna(0.0).to_numpy(dtype=float),
        features.cohort_actuals(log.purchases, as_of, log.as_of, cohort="quarter"),
    )


def compare(variants: dict[str, Forecast], origins: list[Origin]) -> pd.DataFrame:
    """Mean scores over origins, |bias| for bias; one row a variant."""
    rows = {}
    for name, variant in variants.items():
        scores = pd.DataFrame([score(variant(at), at) for at in origins])
        rows[name] = scores.abs().mean(skipna=False)
    return pd.DataFrame(rows).T


def markdown(table: pd.DataFrame, title: str) -> None:
    """Print a table of shares in per cent."""
    print(f"\n**{title}**\n")
    print("| | " + " | ".join(map(str, table.columns)) + " |")
    print("|---|" + "---:|" * table.shape[1])
    for name, row in table.iterrows():
        cells = ["–" if pd.isna(value) else f"{100 * value:.1f}" for value in row]
        print(f"| {name} | " + " | ".join(cells) + " |")


def models(settings: Config, as_of: dt.date | None) -> None:
    """Every model of the backtest at every origin: WAPE of cohort-months, and mean |bias|."""
    with transactions.load(settings.log, as_of) as data:
        result = backtest.run(
            data.snapshot,
            data.as_of,
            settings=settings.backtest,
            training=settings.train,
            drivers_at=stages.drivers_at(settings),
            valuation_at=stages.valuation_at(settings),
            progress=Progress(quiet=True),
        )
    table = result.metrics[result.metrics["level"] == "cohort_month"]
    for quantity in ("purchases", "revenue"):
        rows = table[table["quantity"] == quantity]
        wapes = rows[rows["metric"] == "wape"].pivot_table("value", "model", "origin")
        wapes.columns = [f"{origin:%Y-%m-%d}" for origin in wapes.columns]
        biases = rows[rows["metric"] == "bias"].assign(value=lambda t: t["value"].abs())
        wapes["mean"] = wapes.mean(axis=1)
        wapes["mean bias"] = biases.groupby("model")["value"].mean()
        covered = rows[rows["metric"] == "coverage_90"].groupby("model")["value"].mean()
        wapes["in 90 % interval"] = covered
        markdown(wapes.sort_values("mean"), f"{settings.name}: {quantity}, WAPE by origin, %")


def parts(settings: Config, as_of: dt.date | None) -> None:
    """What each part is worth, on all customers and on random halves of them."""
    with transactions.load(settings.log, as_of) as data:
        log = data.snapshot
        chosen = choose_origins(log.first_date, log.as_of, settings.backtest)
        everyone = [observe(log, origin) for origin in chosen]
        markdown(compare(VARIANTS, everyone), f"{settings.name}: parts, mean of origins, %")
        ranked = reconciled_customers(everyone)
        markdown(ranked, f"{settings.name}: purchases by customer, scaled to the cohorts, %")
        for half in (0, 1):
            low = md5(log.purchases.customer_id) < "8"
            some = replace(log, purchases=log.purchases.filter(low if half == 0 else ~low))
            origins = [observe(some, origin) for origin in chosen]
            subset = {name: VARIANTS[name] for name in _ROBUST}
            markdown(compare(subset, origins), f"{settings.name}: half {half + 1} of customers, %")


_ROBUST = (
    "cohort forecast, all parts",
    "parts selected on earlier origins",
    "without season",
    "without the company-wide series",
    "BG/NBD customers",
)
SEASON = (0.7, 0.75, 0.9, 0.95, 1.0, 1.0, 0.9, 0.9, 1.05, 1.25, 1.55, 1.05)
SIMULATED = {
    "acquisition steady": {},
    "season": {"season": SEASON},
    "season, rate growing 20 % a year": {"season": SEASON, "trend": 0.2},
    "season, three months of acquisition": {"season": SEASON, "acquisition": 90.0},
}


def simulated(seed: int) -> None:
    """Pareto/NBD customers, who leave at a steady rate: BG/NBD's cousin, not this model's."""
    process = ParetoNBDProcess(r=0.7, alpha=60.0, s=0.8, beta=500.0)
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, truth) in enumerate(SIMULATED.items()):
            log = simulate_log(
                process, 5000, start=dt.date(2020, 1, 1), days=912,
                random_state=seed + number, **truth,
            )  # fmt: skip
            file = Path(folder) / f"{number}.parquet"
            log.to_pandas().to_parquet(file)
            settings = config.parse(
                {"name": "simulated", "source": {"kind": "parquet", "path": str(file)}}
            )
            with transactions.load(settings.log) as data:
                ends = [month_end(dt.date(2020 + m // 12, m % 12 + 1, 1)) for m in (9, 13, 17, 21)]
                origins = [observe(data.snapshot, origin) for origin in ends]
            subset = {n: VARIANTS[n] for n in (*_ROBUST, "BG/NBD customers on a seasonal clock")}
            markdown(compare(subset, origins), f"simulated, {name}: mean of origins, %")


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("configs", nargs="*", help="TOML files of the businesses")
    day = dt.date.fromisoformat
    parser.add_argument("--as-of", type=day, help="last day known; default: last day of data")
    parser.add_argument("--origins", nargs="+", type=day, help="instead of the configured ones")
    parser.add_argument("--parts-only", action="store_true", help="leave out the backtest")
    parser.add_argument("--simulated", action="store_true", help="add simulated logs")
    parser.add_argument("--kinds", type=int, metavar="LOGS", help="so many logs of every kind")
    parser.add_argument("--seed", type=int, default=20260101, help="of the simulated logs")
    given = parser.parse_args()
    for path in given.configs:
        settings = config.load(path)
        if given.origins:
            replay = settings.backtest.model_copy(update={"origins": tuple(given.origins)})
            settings = settings.model_copy(update={"backtest": replay})
        if not given.parts_only:
            models(settings, given.as_of)
        parts(settings, given.as_of)
    if given.simulated:
        simulated(given.seed)
    if given.kinds:
        seeds = range(given.seed, given.seed + given.kinds)
        markdown(by_kind.error_table(seeds), "simulated kinds: purchases, mean WAPE, %")
        markdown(by_kind.held_table(seeds).T, "simulated kinds: held by 90 % intervals, %")
    if not (given.configs or given.simulated or given.kinds):
        print("name a configuration, --simulated or --kinds", file=sys.stderr)


if __name__ == "__main__":
    main()
