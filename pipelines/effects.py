"""What the covariates were found to do, as a table and in plain words."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd

from pipelines.train import Fitted

QUANTITY = {
    "purchases": "repeat purchases",
    "value": "value per order",
    "customers": "new customers",
}
CAUTION = (
    "These are associations seen in the log, not proven causes: what moves with a driver (season, "
    "campaigns, competitors) is credited to it. Only a controlled test tells."
)


def table(fitted: Fitted) -> pd.DataFrame:
    """Effect of every covariate given, with its 90 % interval.

    Returns
    -------
    DataFrame
        driver, change (a change of the driver, in words), quantity (``purchases``, ``value`` or
        ``customers``), effect, low, high (relative changes), doubling, doubling_low,
        doubling_high (the same for twice the driver; missing unless its logarithm counts), used
        (whether the forecast uses it). Empty without covariates.
    """
    if fitted.cohorts is None:
        return pd.DataFrame()
    # Files of earlier releases hold none.
    rows = [_row(found) for found in fitted.cohorts.evidence_.get("covariates", ())]
    effects = pd.DataFrame(rows)
    if len(effects) and fitted.level == "customers":
        # Purchases are then those of the customer models, which know no covariate.
        effects["used"] &= effects["quantity"] != "purchases"
    return effects


def sentences(effects: pd.DataFrame) -> list[str]:
    """One sentence an effect: "+10 % marketing_spend goes with +1.2 % ..."."""
    return [
        f"{row['change']} {row['driver']} goes with {_percent(row['effect'])} % "
        f"{QUANTITY[row['quantity']]} (90 % interval {_percent(row['low'])} to "
        f"{_percent(row['high'])})" + ("." if row["used"] else "; not used in the forecast.")
        for row in effects.to_dict("records")
    ]


def _row(found: dict[str, object]) -> dict[str, object]:
    name, sd = str(found["name"]), float(str(found["sd"]))
    logged = re.fullmatch(r"log\((.+)\)", name)
    logs = np.array([float(str(found[key])) for key in ("effect", "low", "high")])
    keys = ("effect", "low", "high")
    if logged:
        driver, change, step = logged[1], "+10 %", math.log(1.1)
    elif found["key"] == "cohort":
        step = _round_step(sd)
        dimension, value = name.split(" = ", 1)
        driver = f"of customers whose {dimension.replace('_', ' ')} is {value}"
        change = f"+{100 * step:.10g} percentage points"
    else:
        step = _round_step(sd)
        driver, change = name, f"+{step:,.10g}"
    twice = np.expm1(logs * math.log(2)) if logged else np.full(3, np.nan)
    return {
        "driver": driver,
        "change": change,
        "quantity": found["quantity"],
        **dict(zip(keys, np.expm1(logs * step), strict=True)),
        **dict(zip(("doubling", "doubling_low", "doubling_high"), twice, strict=True)),
        "used": found["used"],
    }


def _round_step(size: float) -> float:
    """The nearest of 1, 2, 5, 10, 20, ...: a change that the log has seen."""
    power = 10.0 ** math.floor(math.log10(size))
    return min((1, 2, 5, 10), key=lambda n: abs(n * power - size)) * power


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-0.0", "0.0").replace("+0.0", "0.0")
