"""Before the start: how many customers an effect needs, how long they take, what could be found."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core.errors import ConfigError, DataError, InvalidValueError
from clvmodels.core.schema import LEAST_CUSTOMERS
from clvmodels.experiments import contrasts as comparisons
from clvmodels.experiments.cells import cell_means
from clvmodels.experiments.multiplicity import simultaneous_level
from clvmodels.experiments.power import customers_needed, detectable_effect
from clvmodels.finance.clv import UnitEconomics
from pipelines.config.experiment import Ahead, Experiment
from pipelines.config.load import Train
from pipelines.data.features.snapshot import Snapshot
from pipelines.experiments.collect import collect, known_customers
from pipelines.experiments.forecasts import covariates
from pipelines.experiments.reading import named, shares

RECENT_DAYS = 90
"""New customers come as they did in the last days of the log, so many at most."""


@dataclass(frozen=True)
class History:
    """The core metric in the last window of the log, as if an experiment had run then.

    Attributes
    ----------
    customers : int
        Whose window was read.
    mean, deviation : float
    adjusted_deviation : float
        Of what the forecast of the day before leaves unexplained; the same where it tells nothing.
    available : int
        Customers known at the as-of date.
    arrivals : float
        New customers a day.
    """

    customers: int
    mean: float
    deviation: float
    adjusted_deviation: float
    available: int
    arrivals: float


def history(
    snapshot: Snapshot,
    experiment: Experiment,
    *,
    settings: Train,
    economics: UnitEconomics,
    horizon_months: int,
) -> History:
    """Read the core metric of everybody, or of new customers, over the last window.

    Raises
    ------
    ConfigError
        If the log cannot tell the metric.
    DataError
        If too few customers were known before the last window.
    """
    window, ahead = experiment.window_days, wished(experiment)
    if experiment.core_metric in experiment.outcomes:
        raise ConfigError(
            f"core_metric = '{experiment.core_metric}': the log holds no history of it, so that "
            "nothing can be planned by it"
        )
    begins = pd.Timestamp(snapshot.as_of) - pd.Timedelta(days=window)
    known = known_customers(snapshot)
    recent = min(RECENT_DAYS, (snapshot.as_of - snapshot.first_date).days + 1)
    came = known["first_purchase"] > pd.Timestamp(snapshot.as_of) - pd.Timedelta(days=recent)
    then = known[known["first_purchase"] <= begins]
    day = pd.Series(begins + pd.Timedelta(days=1), index=then.index)
    if ahead.enrol == "new":
        then = then[then["first_purchase"] > begins - pd.Timedelta(days=recent)]
        day = then["first_purchase"] + pd.Timedelta(days=1)
    if len(then) < LEAST_CUSTOMERS:
        raise DataError(
            f"{len(then)} customers were known before the last {window} days of the log; expected "
            f"{LEAST_CUSTOMERS} or more. A plan reads how much customers differ from there: take a "
            "longer log, or a shorter window_days."
        )
    frame = pd.DataFrame({"customer_id": then["customer_id"], "day": day})
    frame["until"] = frame["day"] + pd.Timedelta(days=window - 1)
    collected = collect(
        snapshot,
        frame.reset_index(drop=True),
        metrics=(experiment.core_metric,),
        window_days=window,
        settings=settings,
        economics=economics,
        horizon_months=horizon_months,
    )
    for metric, why in collected.left_out.items():
        raise ConfigError(f"core_metric = '{metric}': {why}")
    values = collected.metrics[experiment.core_metric].to_numpy()
    deviation = float(values.std(ddof=1))
    x = covariates(collected.forecast, experiment.core_metric)
    left = deviation if x is None or ahead.enrol == "new" else _unexplained(values, x)
    return History(
        len(values), float(values.mean()), deviation, left, len(known), int(came.sum()) / recent
    )


def _unexplained(values: np.ndarray, covariate: np.ndarray) -> float:
    told = covariate[:, :1]
    if not np.ptp(told) > 0:
        return float(values.std(ddof=1))
    left = cell_means(values, np.zeros(values.size, dtype=int), 1, told).adjusted
    return float(left.std(ddof=1))


def wished(experiment: Experiment) -> Ahead:
    """Return what the plan wishes for, or raise ConfigError."""
    if experiment.plan is None:
        raise ConfigError(
            "--plan needs a section [plan] in the experiment's file, such as effect = 0.5 (of "
            f"{experiment.core_metric} per customer) or lift = 0.05 (5 % of its mean)"
        )
    return experiment.plan


def plan(experiment: Experiment, past: History, as_of: dt.date) -> dict[str, Any]:
    """Return how many customers each comparison needs, and how long it takes to have them.

    Raises
    ------
    ConfigError
        If the arms are not named, or a lift is wished of a mean that is not above 0.
    DataError
        If outcomes do not vary, or no number of customers would do.
    """
    ahead, effect = wished(experiment), _effect(experiment, past)
    factors = [_factor(name, factor.named) for name, factor in experiment.factors.items()]
    found = comparisons.contrasts(factors)
    meant = shares(experiment.factors, comparisons.cells_of(factors))
    family = len(found) * (len(experiment.metrics) + len(experiment.outcomes))
    alpha = 1 - simultaneous_level(1 - experiment.alpha, family)
    rows = []
    for one in found:
        what, terms = named(one, experiment.factors), (one, meant, alpha, ahead.power)
        try:
            needed = customers_needed(effect, past.adjusted_deviation, *terms)
            plain = customers_needed(effect, past.deviation, *terms)
        except InvalidValueError as error:
            raise DataError(f"{what}: {error}") from None
        least = detectable_effect(past.adjusted_deviation, past.available, *terms)
        rows.append(
            {
                "comparison": what,
                "kind": one.kind.value,
                "customers": needed,
                "customers_without_forecast": plain,
                "days": days_for(needed, past, experiment.window_days, ahead.enrol),
                "least_effect_with_all_known": None if math.isnan(least) else least,
            }
        )
    wanted = {"effect": effect, "power": ahead.power, "alpha": experiment.alpha}
    return {
        "core_metric": experiment.core_metric,
        "as_of": as_of,
        "window_days": experiment.window_days,
        "enrol": ahead.enrol,
        **wanted,
        "comparisons_in_all": family,
        "alpha_each": alpha,
        **asdict(past),
        "variance_gain": 1 - (past.adjusted_deviation / past.deviation) ** 2,
        "comparisons": rows,
    }


def _effect(experiment: Experiment, past: History) -> float:
    """The wished effect in the unit of the core metric, per customer."""
    ahead, metric = wished(experiment), experiment.core_metric
    if not past.adjusted_deviation > 0:
        raise DataError(
            f"{metric} was {past.mean:g} for every one of {past.customers} customers in the last "
            f"{experiment.window_days} days: it tells nothing apart. Take a longer window."
        )
    if ahead.effect is not None:
        return ahead.effect
    if not past.mean > 0:
        raise ConfigError(
            f"plan.lift is a share of the mean {metric}, which was {past.mean:.4g}; wish for an "
            "effect in its unit"
        )
    return past.mean * (ahead.lift or 0.0)


def _factor(name: str, levels: tuple[str, ...]) -> comparisons.Factor:
    if len(levels) < 2:
        raise ConfigError(
            f"--plan needs the arms of [factors.{name}], such as [factors.{name}.arms.mail]"
        )
    return comparisons.Factor(name, levels)


def days_for(needed: int, past: History, window_days: int, enrol: str) -> int | None:
    """Return the days until the last window is over; None where customers never come.

    Known customers are assigned on the first day; whoever is missing comes as new customers do.
    """
    missing = needed if enrol == "new" else max(0, needed - past.available)
    if missing == 0:
        return window_days
    if not past.arrivals > 0:
        return None
    return math.ceil(missing / past.arrivals) + window_days
