"""What the covariates were found to do, as a table and in plain words."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core.arrays import Array
from clvmodels.core.months import MonthGrid
from pipelines.data.features.drivers import in_share, under_logarithm
from pipelines.training.fit import Fitted
from pipelines.training.level_source import LevelSource

QUANTITY = {
    "purchases": "repeat purchases",
    "value": "value per order",
    "customers": "new customers",
}
CAUTION = (
    "These are associations seen in the log, not proven causes: what moves with a driver (season, "
    "campaigns, competitors) is credited to it. Only a controlled test tells."
)

WIDEST = math.log(2.0 / 0.5)
"""Ratio of the ends of an interval, in logs, beyond which it says nothing: -50 % to +100 %."""

ROUNDING = 1e-9

STEPS = (10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
"""Changes in percent, of which an elasticity is told for the largest that the log has seen."""


def table(
    fitted: Fitted,
    grid: MonthGrid | None = None,
    forecaster: CohortForecaster | None = None,
) -> pd.DataFrame:
    """Effect of every covariate given, with its 90 % interval.

    Parameters
    ----------
    fitted : Fitted
    grid : MonthGrid, optional
        Months forecast: where the plan gives all of them, it decides how many customers come.
    forecaster : CohortForecaster, optional
        What the forecast was made with where that was learned anew
        (:func:`pipelines.forecasting.levelling.forecaster_at`): the effects in use are its own.
        Those left out are known from the training alone.

    Returns
    -------
    DataFrame
        driver, change (a change of the driver that the log has seen, in words), quantity
        (``purchases``, ``value`` or ``customers``), effect, low, high (relative changes; missing
        where the interval is wider than :data:`WIDEST`), doubling, doubling_low, doubling_high
        (the same for twice the driver; missing also unless its logarithm counts and the log has
        seen it double), used (whether the forecast uses it), planned (whether the plan decides
        instead). Empty without covariates.
    """
    if fitted.cohorts is None:
        return pd.DataFrame()
    # Files of earlier releases hold none.
    covariates = list(fitted.cohorts.evidence_.get("covariates", ()))
    if forecaster is not None and forecaster is not fitted.cohorts:
        left_out = [covariate for covariate in covariates if not covariate["used"]]
        covariates = [*forecaster.evidence_["covariates"], *left_out]
    effects = pd.DataFrame([_row(covariate) for covariate in covariates])
    if len(effects) and fitted.level is LevelSource.CUSTOMERS:
        # Purchases are then those of the customer models, which know no covariate.
        effects["used"] &= effects["quantity"] != "purchases"
    if len(effects):
        effects["planned"] = effects["quantity"].eq("customers") & _all_planned(fitted, grid)
    return effects


def sentences(effects: pd.DataFrame) -> list[str]:
    """One sentence an effect: "+10 % marketing_spend goes with +1.2 % ..."."""
    return [_sentence(row) for row in effects.to_dict("records")]


class InForecast(StrEnum):
    """Whether the forecast uses an effect."""

    YES = "yes"
    NO = "no"
    PLAN_DECIDES = "the plan decides"


def in_forecast(row: Mapping[Hashable, Any]) -> InForecast:
    """Whether the forecast uses an effect of :func:`table`."""
    if row["used"] and row.get("planned", False):
        return InForecast.PLAN_DECIDES
    return InForecast.YES if row["used"] else InForecast.NO


def _sentence(row: Mapping[Hashable, Any]) -> str:
    what = QUANTITY[row["quantity"]]
    is_known = math.isfinite(row["effect"])
    if is_known:
        said = (
            f"{row['change']} {row['driver']} goes with {_percent(row['effect'])} % {what} (90 % "
            f"interval {_percent(row['low'])} to {_percent(row['high'])})"
        )
    else:
        said = f"The log does not tell what {row['change']} {row['driver']} goes with in {what}"
    endings = {
        InForecast.NO: "; not used in the forecast.",
        InForecast.PLAN_DECIDES: "; the plan decides how many come.",
        InForecast.YES: "." if is_known else "; the forecast uses the best guess.",
    }
    return said + endings[in_forecast(row)]


def _all_planned(fitted: Fitted, grid: MonthGrid | None) -> bool:
    if grid is None or fitted.drivers.plan is None:
        return False
    return bool(grid.index().isin(fitted.drivers.plan["period"]).all())


def _row(covariate: dict[str, Any]) -> dict[str, object]:
    name, sd = str(covariate["name"]), float(covariate["sd"])
    # Files of earlier releases hold no range; it is never less than two standard deviations.
    seen = float(covariate.get("range", 2.0 * sd)) + ROUNDING
    logged = under_logarithm(name)
    logs = np.array([float(covariate[key]) for key in ("effect", "low", "high")])
    keys = ("effect", "low", "high")
    if logged:
        percent = next((p for p in STEPS if math.log1p(p / 100) <= seen), STEPS[-1])
        driver, change, step = logged, f"+{percent:g} %", math.log1p(percent / 100)
    elif covariate["key"] == "cohort":
        step = _round_step(sd)
        dimension, value = in_share(name)
        driver = f"of customers whose {dimension.replace('_', ' ')} is {value}"
        change = f"+{100 * step:.10g} percentage points"
    else:
        step = _round_step(sd)
        driver, change = name, f"+{step:,.10g}"
    doubled = logged and math.log(2.0) <= seen
    twice = _shown(logs * math.log(2.0)) if doubled else np.full(3, np.nan)
    return {
        "driver": driver,
        "change": change,
        "quantity": covariate["quantity"],
        **dict(zip(keys, _shown(logs * step), strict=True)),
        **dict(zip(("doubling", "doubling_low", "doubling_high"), twice, strict=True)),
        "used": covariate["used"],
    }


def _shown(logs: Array) -> Array:
    """Effect and the ends of its interval as relative changes; missing where they say nothing."""
    _, low, high = logs
    return np.full(3, np.nan) if high - low > WIDEST else np.asarray(np.expm1(logs))


def _round_step(size: float) -> float:
    """The nearest of 1, 2, 5, 10, 20, ...: a change that the log has seen."""
    power = 10.0 ** math.floor(math.log10(size))
    return min((1, 2, 5, 10), key=lambda n: abs(n * power - size)) * power


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
