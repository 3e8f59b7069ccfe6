"""Fits. Each engine fits a few rows before the clock starts, so that imports are not timed here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.steps.common import FEW, Work, buyers_of, histories, quiet


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

    table = histories(folder)[["frequency", "recency", "T"]]
    BGNBD().fit(table.head(FEW))

    def work() -> dict[str, Any]:
        model = BGNBD().fit(table)
        return {"parameters": model.params_, "judge": ("BetaGeoFitter", table)}

    return work


def bgnbd_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import BetaGeoFitter

    table = histories(folder)[["frequency", "recency", "T"]]

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

    table = buyers_of(folder)[["frequency", "monetary_value"]]
    GammaGamma().fit(table.head(FEW))

    def work() -> dict[str, Any]:
        model = GammaGamma().fit(table)
        return {"parameters": model.params_, "judge": ("GammaGammaFitter", table)}

    return work


def spend_lifetimes(folder: Path) -> Work:
    with quiet():
        from lifetimes import GammaGammaFitter

    table = buyers_of(folder)[["frequency", "monetary_value"]]

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

    table = histories(folder)[["frequency", "recency", "T"]]
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
