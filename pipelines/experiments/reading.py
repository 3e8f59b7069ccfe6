"""What an experiment tells: every arm, every effect, and whether they can be read at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.core.errors import DataError
from clvmodels.core.schema import LEAST_CUSTOMERS
from clvmodels.experiments import contrasts as comparisons
from clvmodels.experiments.compare import Compared, compare
from clvmodels.experiments.contrasts import Contrast, Kind
from clvmodels.experiments.multiplicity import holm, simultaneous_level
from clvmodels.experiments.power import least_found
from clvmodels.experiments.sample_ratio import SUSPICIOUS, sample_ratio_p_value
from pipelines.config.experiment import Experiment, Factor
from pipelines.experiments.assignment import Assigned, outcome_column
from pipelines.experiments.collect import Collected
from pipelines.experiments.forecasts import covariates

POWER = 0.8
"""Of the least effect that an experiment is said to have been able to find."""

DIGITS = 9
"""Significant digits of what is kept: the last ones depend on the order of sums."""

NET_OF_COST = ("margin", "clv")


class Verdict(StrEnum):
    """What can be said of one effect."""

    HIGHER = "higher"
    LOWER = "lower"
    OPEN = "open"
    """The interval holds no effect."""
    CONSTANT = "constant"
    """No outcome differs from another."""
    UNREADABLE = "unreadable"
    """Arms are not as large as they were meant to be."""


@dataclass(frozen=True)
class Reading:
    """What an experiment tells.

    Attributes
    ----------
    arms : list of dict
        arm (levels by factor), assigned, customers (read), cost (per customer) and means (by
        metric).
    effects : list of dict
        One for each metric and comparison.
    sample_ratio : dict
        p-values of ``assigned`` and ``read`` customers, the ``limit`` and ``holds``.
    left_out : dict of str to str
        Metrics that could not be told, and why.
    notes : tuple of str
    """

    arms: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    sample_ratio: dict[str, Any]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    @property
    def is_readable(self) -> bool:
        """Whether arms are as large as they were meant to be."""
        return bool(self.sample_ratio["holds"])


def read(experiment: Experiment, assigned: Assigned, collected: Collected) -> Reading:
    """Compare the arms.

    Raises
    ------
    DataError
        If an arm holds fewer than ten customers to be read, or no metric could be told.
    """
    cells = assigned.cells
    cell = assigned.customers["cell"].to_numpy()[collected.place]
    customers = np.bincount(cell, minlength=len(cells))
    _require_customers(cells, customers, assigned, collected)
    if collected.metrics.columns.empty and not experiment.outcomes:
        raise DataError(f"nothing can be compared: {'; '.join(collected.left_out.values())}.")
    cost = costs(experiment.factors, cells, assigned.by_cell)
    net = collected.metrics.copy()
    for name in experiment.outcomes:
        net[name] = _outcome(assigned, name)[collected.place]
    for name in NET_OF_COST:
        if name in net:
            net[name] -= cost[cell]
    ratio = _sample_ratio(shares(experiment.factors, cells), assigned.by_cell, customers)
    arms: list[dict[str, Any]] = [
        {
            "arm": dict(zip(experiment.factors, levels, strict=True)),
            "assigned": int(assigned.by_cell[k]),
            "customers": int(customers[k]),
            "cost": _rounded(cost[k]),
            "means": {str(name): _rounded(net[name].to_numpy()[cell == k].mean()) for name in net},
        }
        for k, levels in enumerate(cells)
    ]
    effects = _effects(experiment, assigned, collected, net, cell, bool(ratio["holds"]))
    return Reading(arms, effects, ratio, collected.left_out, collected.notes)


def _outcome(assigned: Assigned, name: str) -> np.ndarray:
    return assigned.customers[outcome_column(name)].to_numpy(dtype=float)


def _require_customers(
    cells: Sequence[tuple[str, ...]],
    customers: np.ndarray,
    assigned: Assigned,
    collected: Collected,
) -> None:
    few = np.flatnonzero(customers < LEAST_CUSTOMERS)
    if not few.size:
        return
    k = int(few[0])
    count = int(customers[k])
    aside = {**assigned.set_aside, **collected.set_aside}
    reasons = ", ".join(f"{count} {reason}" for reason, count in aside.items() if count)
    raise DataError(
        f"arm '{' / '.join(cells[k])}' has {count} customer{'s' * (count != 1)} to "
        f"be read, of {assigned.by_cell[k]} assigned (set aside: {reasons or 'none'}). Expected "
        f"{LEAST_CUSTOMERS} or more: fewer tell nothing but what each of them did. Wait until more "
        "windows are over, or leave the arm out of the table."
    )


def shares(factors: Mapping[str, Factor], cells: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Return the share of customers meant for every cell: the product of its levels' shares."""
    each = [
        math.prod(f.arm(arm).share for f, arm in zip(factors.values(), levels, strict=True))
        for levels in cells
    ]
    return np.asarray(each) / sum(each)


def costs(
    factors: Mapping[str, Factor], cells: Sequence[tuple[str, ...]], assigned: np.ndarray
) -> np.ndarray:
    """Return the campaign cost of one customer of every cell, in currency.

    Fixed costs are spread over all customers that were assigned the level.
    """
    total = np.zeros(len(cells))
    for place, factor in enumerate(factors.values()):
        own = np.array([levels[place] for levels in cells])
        for k, level in enumerate(own):
            arm = factor.arm(level)
            size = max(int(assigned[own == level].sum()), 1)
            total[k] += arm.cost_per_customer + arm.fixed_cost / size
    return total


def _sample_ratio(meant: np.ndarray, assigned: np.ndarray, read: np.ndarray) -> dict[str, Any]:
    told = {"assigned": sample_ratio_p_value(assigned, meant)}
    told["read"] = sample_ratio_p_value(read, meant)
    return {
        **{name: _rounded(value) for name, value in told.items()},
        "limit": SUSPICIOUS,
        "holds": min(told.values()) >= SUSPICIOUS,
    }


def _effects(
    experiment: Experiment,
    assigned: Assigned,
    collected: Collected,
    net: pd.DataFrame,
    cell: np.ndarray,
    readable: bool,
) -> list[dict[str, Any]]:
    compared = comparisons.contrasts(assigned.factors)
    family, level = len(compared) * net.shape[1], 1 - experiment.alpha
    found = [
        (name, one)
        for name in net
        for one in compare(
            net[name].to_numpy(),
            cell,
            compared,
            covariates(collected.forecast, str(name)),
            level=level,
            family=family,
            random_state=experiment.seed,
        )
    ]
    adjusted = holm([one.p_value for _, one in found])
    strict = 1 - simultaneous_level(level, family)
    return [
        _described(str(name), one, float(p), experiment, strict, readable)
        for (name, one), p in zip(found, adjusted, strict=True)
    ]


def _described(
    metric: str, one: Compared, holm_p: float, experiment: Experiment, strict: float, readable: bool
) -> dict[str, Any]:
    best = one.best
    least = least_found(best.standard_error, best.freedom, strict, POWER) if best.is_told else None
    relative = one.base if math.isfinite(one.base) and one.base > 0 else float("nan")
    numbers = {
        "effect": best.estimate,
        "low": one.interval[0],
        "high": one.interval[1],
        "low_together": one.together[0],
        "high_together": one.together[1],
        "p_value": one.p_value,
        "p_holm": holm_p,
        "standard_error": best.standard_error,
        "base": one.base,
        "lift": best.estimate / relative,
        "plain_effect": one.plain.estimate,
        "plain_low": one.plain.interval(1 - experiment.alpha)[0],
        "plain_high": one.plain.interval(1 - experiment.alpha)[1],
        "variance_gain": one.gain,
        "least_found": least,
    }
    return {
        "metric": metric,
        "kind": one.contrast.kind.value,
        "comparison": named(one.contrast, experiment.factors),
        "method": one.method.value,
        **{name: _rounded(value) for name, value in numbers.items()},
        "verdict": _verdict(one, holm_p, experiment.alpha, readable).value,
    }


def named(contrast: Contrast, factors: Mapping[str, Factor]) -> str:
    """Name what is compared: ``mens against none``, ``offer: 10 % x subject: funny``."""
    if contrast.kind is Kind.INTERACTION:
        return " x ".join(f"{factor}: {level}" for factor, level in contrast.of)
    ((factor, level),) = contrast.of
    of = f"{factor}: " if contrast.kind is Kind.MAIN else ""
    return f"{of}{level} against {factors[factor].control}"


def _verdict(one: Compared, holm_p: float, alpha: float, readable: bool) -> Verdict:
    if not readable:
        return Verdict.UNREADABLE
    if not one.best.is_told:
        return Verdict.CONSTANT
    if holm_p >= alpha:
        return Verdict.OPEN
    return Verdict.HIGHER if one.best.estimate > 0 else Verdict.LOWER


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
