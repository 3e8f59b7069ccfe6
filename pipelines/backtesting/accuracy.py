"""How wrong past forecasts were: pooled errors of the backtest's cells, and comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core import metrics
from clvmodels.core.schema import JUDGED
from clvmodels.evaluation import baselines
from pipelines.backtesting.candidates import Compared

SIMPLER = (
    Compared.LIFETIMES.value,
    *baselines.TABLE_BASELINES,
    Compared.GRADIENT_BOOSTING.value,
)
"""Models that the product is held against, by name where one of them was nearer."""

ALIKE = 0.01
"""Share of an error by which another must be smaller to be told as smaller."""

CELL = ["origin", "cohort", "period"]
MONTH = ["origin", "period"]


@dataclass(frozen=True, eq=False)
class Accuracy:
    """How wrong past forecasts were, over all origins together: every figure is made once, here.

    Page, workbook, console and model card read the same object, so that they agree.

    Attributes
    ----------
    cells : DataFrame
        schema.CELLS of each origin's longest horizon.
    metrics : DataFrame
        schema.METRICS.
    """

    cells: pd.DataFrame
    metrics: pd.DataFrame
    _found: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: pd.DataFrame, metrics: pd.DataFrame) -> Accuracy:
        """Of a backtest's cells and metrics."""
        dates = {name: pd.to_datetime(cells[name]) for name in CELL if name in cells}
        return cls(longest_horizon(cells.assign(**dates)), metrics)

    @property
    def models(self) -> list[str]:
        """Names of all models that were tested."""
        return list(self.cells["model"].unique()) if len(self.cells) else []

    @property
    def quantities(self) -> list[str]:
        """What was forecast: purchases, revenue, and margin and CLV where a margin was known."""
        return [q for q in JUDGED if q in self.cells and self.cells[q].notna().any()]

    def pooled(self, model: str, quantity: str) -> dict[str, Any]:
        """Errors of one model: :func:`pooled`, and ``coverage_90_month``."""
        key = ("pooled", model, quantity)
        if key not in self._found:
            share = month_coverage(self.metrics, model, quantity)
            self._found[key] = pooled(self.cells, model, quantity) | {"coverage_90_month": share}
        return self._found[key]

    def against(self, model: str, baseline: str, quantity: str) -> dict[str, Any]:
        """Change of one model's error against another's: :func:`change_of_error`."""
        key = ("against", model, baseline, quantity)
        if key not in self._found:
            self._found[key] = change_of_error(self.cells, model, baseline, quantity)
        return self._found[key]

    def nearer(self, model: str, quantity: str) -> dict[str, dict[str, Any]]:
        """Simpler forecasts that missed by less than a model, the nearest first.

        Returns
        -------
        dict of str to dict
            :func:`change_of_error` of the model against each of them.
        """
        found = {
            name: score
            for name in SIMPLER
            if name in self.models
            and (score := self.against(model, name, quantity))["change"] is not None
            and score["wape_baseline"] < (1 - ALIKE) * score["wape"]
        }
        return dict(sorted(found.items(), key=lambda pair: float(pair[1]["wape_baseline"])))

    def by_origin(self, model: str, quantity: str) -> pd.DataFrame:
        """Errors at each origin: origin, horizon_days, wape, bias, ...; oldest first."""
        own = self.cells[self.cells["model"] == model]
        return pd.DataFrame(
            {"origin": origin, "horizon_days": days, **pooled(part, model, quantity)}
            for (origin, days), part in own.groupby(["origin", "horizon_days"])
        )

    def at_latest(self, model: str) -> Accuracy:
        """The same at the latest origin of one model alone."""
        origin = self.cells.loc[self.cells["model"] == model, "origin"].max()
        return Accuracy(self.cells[self.cells["origin"] == origin], self.metrics)

    def table(self, quantities: Iterable[str]) -> pd.DataFrame:
        """Every model's pooled errors: quantity, model, wape, bias, wape_month, ..."""
        return pd.DataFrame(
            {"quantity": quantity, "model": model, **self.pooled(model, quantity)}
            for quantity in quantities
            for model in self.models
        )


def longest_horizon(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of each origin's longest horizon, so that no month is counted twice."""
    if cells.empty:
        return cells
    longest = cells.groupby("origin")["horizon_days"].transform("max")
    return cells[cells["horizon_days"] == longest]


def most_like(cells: pd.DataFrame, months: int) -> pd.Timestamp | None:
    """The origin most like today's: the latest that reaches ``months`` ahead, else the longest."""
    if cells.empty:
        return None
    reach = longest_horizon(cells).groupby("origin")["period"].nunique()
    return pd.Timestamp(max(reach.index, key=lambda origin: (min(reach[origin], months), origin)))


def pooled(cells: pd.DataFrame, model: str, quantity: str) -> dict[str, Any]:
    """Errors of one model over all origins' cells.

    Returns
    -------
    dict
        ``wape`` and ``bias`` over cohort-months, ``wape_month`` over calendar months with the
        cohorts summed, ``coverage_90`` (share of actuals inside the interval, of the months
        forecast in full where there is one), ``cells`` and ``origins``.
    """
    part = _known(cells[cells["model"] == model], quantity)
    actual, forecast = _pair(part, quantity)
    by_month = part.groupby(MONTH, as_index=False)[[quantity, f"actual_{quantity}"]].sum()
    actual_month, forecast_month = _pair(by_month, quantity)
    full = in_full(part)
    return {
        "wape": metrics.wape(actual, forecast),
        "bias": metrics.bias(actual, forecast),
        "wape_month": metrics.wape(actual_month, forecast_month),
        "coverage_90": coverage(part[full] if full.any() else part, quantity),
        "cells": len(part),
        "origins": int(part["origin"].nunique()),
    }


def month_coverage(scores: pd.DataFrame, model: str, quantity: str) -> float:
    """Share of calendar months inside their own intervals, over all origins' months.

    Parameters
    ----------
    scores : DataFrame
        origin, horizon_days, level, quantity, model, metric, value.
    """
    if scores.empty:
        return float("nan")
    wanted = {"level": "total_month", "quantity": quantity, "model": model, "metric": "coverage_90"}
    rows = scores[(scores[list(wanted)] == pd.Series(wanted)).all(axis=1)]
    rows = rows.loc[rows.groupby("origin")["horizon_days"].idxmax()]
    days = rows["horizon_days"].to_numpy(dtype=float)
    return float(days @ rows["value"].to_numpy(dtype=float) / days.sum()) if len(rows) else np.nan


def change_of_error(
    cells: pd.DataFrame, model: str, baseline: str, quantity: str
) -> dict[str, Any]:
    """Relative change of the WAPE against a baseline, on the cells that both forecast.

    Returns
    -------
    dict
        ``change`` (below zero: ``model`` is better; None where nothing compares), ``wape``,
        ``wape_baseline``, ``bias_baseline``, ``cells`` and ``origins``.
    """
    mine = _known(cells[cells["model"] == model], quantity)
    theirs = _known(cells[cells["model"] == baseline], quantity)
    both = mine.merge(theirs[[*CELL, quantity]], on=CELL, suffixes=("", "_baseline"))
    actual, forecast = _pair(both, quantity)
    other = both[f"{quantity}_baseline"].to_numpy(float)
    wape, wape_baseline = metrics.wape(actual, forecast), metrics.wape(actual, other)
    comparable = np.isfinite(wape) and np.isfinite(wape_baseline) and wape_baseline > 0
    return {
        "change": wape / wape_baseline - 1 if comparable else None,
        "wape": wape,
        "wape_baseline": wape_baseline,
        "bias_baseline": metrics.bias(actual, other),
        "cells": len(both),
        "origins": int(both["origin"].nunique()),
    }


def by_month(cells: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Forecast of every model and the actual, by origin and calendar month, cohorts summed.

    Returns
    -------
    DataFrame
        origin, period, actual, then one column a model; missing where a model has no forecast.
    """
    wide = cells.pivot_table(
        index=MONTH, columns="model", values=quantity, aggfunc="sum", min_count=1, observed=True
    )
    actual = cells.drop_duplicates(CELL).groupby(MONTH)[f"actual_{quantity}"].sum(min_count=1)
    wide.insert(0, "actual", actual)
    wide.columns.name = None
    return wide.reset_index()


def _known(cells: pd.DataFrame, quantity: str) -> pd.DataFrame:
    return cells[np.isfinite(cells[quantity]) & np.isfinite(cells[f"actual_{quantity}"])]


def _pair(cells: pd.DataFrame, quantity: str) -> tuple[Any, Any]:
    return cells[f"actual_{quantity}"].to_numpy(float), cells[quantity].to_numpy(float)


def in_full(cells: pd.DataFrame) -> pd.Series:
    """Whether a cell's month was forecast from its first day to its last."""
    period = pd.to_datetime(cells["period"])
    until = cells["origin"] + pd.to_timedelta(cells["horizon_days"], unit="D")
    return (period > cells["origin"]) & (period + pd.offsets.MonthEnd(0) <= until)


def coverage(cells: pd.DataFrame, quantity: str) -> float:
    """Share of actuals inside the interval, of the cells that have one; nan where none has."""
    low, high = f"{quantity}_low", f"{quantity}_high"
    if low not in cells or high not in cells:
        return float("nan")
    part = cells[np.isfinite(cells[low]) & np.isfinite(cells[high])]
    return metrics.coverage(part[f"actual_{quantity}"], part[low], part[high])
