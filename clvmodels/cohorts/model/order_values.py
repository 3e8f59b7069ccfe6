"""Value of a repeat purchase by cohort, month of year and time; mean value of a first one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.effects import Covariates, EffectSpace, season
from clvmodels.cohorts.model.table import Cells, CohortTable, Months
from clvmodels.core.arrays import Array
from clvmodels.core.schema import LEAST_CUSTOMERS
from clvmodels.numerics.loglinear import Block, Fixed, LogLinearFit, Shrunk, fit_loglinear

LEAST_NET = 0.01
"""Share of their value that purchases keep at least, whatever was sent back."""

RECENT_MONTHS = 12
"""Months whose new customers say how many will come, and what they spend first."""


@dataclass(frozen=True)
class ValueModel:
    """A fitted order-value model; see :func:`fit_values`."""

    space: EffectSpace
    fit: LogLinearFit
    unit: float
    period_covariates: Covariates

    @property
    def scale(self) -> float:
        """What revenue is measured in: the mean value of a purchase, or 1 where that is nothing."""
        return self.unit or 1.0

    def design(self, cells: Cells, period_covariates: pd.DataFrame | None = None) -> Array:
        """Design matrix of cells, shape (n, p); covariates only for periods after the fit."""
        columns = self.period_covariates.columns(cells.period, period_covariates)
        design = np.zeros((cells.size, self.fit.coefficients.size))
        for block in _blocks(self.space, cells, columns):
            if block.name in self.fit.slices:
                design[:, self.fit.slices[block.name]] = block.design
        return design

    def expected(self, design: Array) -> Array:
        """Expected value of a purchase, in currency, from a design matrix."""
        return np.asarray(self.unit * np.exp(design @ self.fit.coefficients))

    def shape(self, period: Months, period_covariates: pd.DataFrame | None = None) -> Array:
        """Log of what months do to the value of any purchase: season and covariates, shape (n,).

        Age and cohort effects are those of repeat purchases, and say nothing about first ones.
        """
        shape = np.zeros(period.size)
        if "season" in self.fit.slices:
            shape = shape + self.fit.block("season")[period % 12]
        if "period_covariates" in self.fit.slices:
            columns = self.period_covariates.columns(period, period_covariates)
            shape = shape + columns @ self.fit.block("period_covariates")
        return shape


def fit_values(
    table: CohortTable, damping: float, period_covariates: pd.DataFrame | None = None
) -> ValueModel:
    r"""Fit the revenue of repeat purchases given their number.

    .. math:: \log \mathrm{E}[R_{ct}] = \log n_{ct} + g(a_{ct}) + h\,t + s_{m(t)} + p_t + u_c,

    with variance phi mu + kappa mu^2. The cohort's own level u carries the persistence of a few
    large customers; phi, learned from the cells and robust to single orders, says how far a
    handful of purchases can be trusted against the company's level. The trend h is shrunk and,
    being in time, does not carry on after the log. Refunds that outweigh a cell's purchases, or
    stand in a cell without any, lower the level of all values, to :data:`LEAST_NET` of it at
    most. Without any repeat purchase the value of first purchases is used. A covariate of the
    period (a price index, say) may move the value of orders as well as their number.
    """
    space = EffectSpace.of(table, damping)
    by_period = Covariates.of(period_covariates, "period", int(space.months[-1]))
    sold = table.purchases > 0
    cells, purchases, revenue = table.cells, table.purchases, table.revenue
    positive = np.maximum(revenue[sold], 0.0)
    gross = float(positive.sum())
    if not gross:
        first = table.first_purchases > 0
        worth = 0.0 if sold.any() else max(float(table.first_revenue[first].sum()), 0.0)
        level = Fixed("level", np.ones((1, 1)))
        fit = fit_loglinear(np.ones(1), np.zeros(1), [level], phi=1.0)
        return ValueModel(space, fit, worth / max(table.first_purchases.sum(), 1.0), by_period)
    cells = Cells(cells.cohort[sold], cells.period[sold], cells.exposure[sold])
    bought = float(purchases.sum())
    blocks = _blocks(space, cells, by_period.columns(cells.period))
    fit = fit_loglinear(positive * bought / gross, np.log(purchases[sold]), blocks)
    net = max(float(revenue.sum()), LEAST_NET * gross)
    return ValueModel(space, fit, net / bought, by_period)


def value_of_first(table: CohortTable, values: ValueModel) -> float:
    """Mean value of a first purchase in the last year, at that year's season and covariates.

    It is kept in the saved model and multiplies every forecast of new customers, so that it must
    not be what one customer spent: of a year with fewer than
    :data:`clvmodels.core.schema.LEAST_CUSTOMERS` new ones it is drawn from further back, by whole
    months, until it rests on so many, or on all customers of a log that has fewer.
    """
    bought, months = table.first_purchases, table.months
    year = max(months.size - RECENT_MONTHS, 0)
    enough = np.flatnonzero(np.cumsum(bought[::-1])[::-1] >= LEAST_CUSTOMERS)
    start = min(year, int(enough[-1]) if enough.size else 0)
    count = float(bought[start:].sum())
    if not count:
        return values.unit
    mean = float(table.first_revenue[start:].sum()) / count
    if start == year:
        return mean
    then, now = (mean_shape(values, months[k:], bought[k:]) for k in (start, year))
    return mean * float(np.exp(now - then))


def mean_shape(values: ValueModel, months: Months, bought: Array) -> float:
    """What months do to the log value of a purchase, on average over those who first bought."""
    weight = np.maximum(bought, 1e-9)
    return float(weight @ values.shape(months) / weight.sum())


def _blocks(space: EffectSpace, cells: Cells, period_columns: Array) -> list[Block]:
    blocks: list[Block] = [
        Fixed("level", np.ones((cells.size, 1))),
        Fixed("age", space.age(cells), sd=0.05),
        Fixed("trend", space.years(cells.period), sd=0.05),
        Shrunk("cohort", space.cohort(cells), 0.3, 4.0),
        Shrunk("season", season(cells.period), 0.06, 6.0),
        Shrunk("period", space.period(cells.period), 0.055, 6.0),
        Fixed("period_covariates", period_columns, sd=0.1),
    ]
    return [block for block in blocks if block.design.shape[1]]
