"""Value of a repeat purchase by cohort, month of year and time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clvmodels.cohort_effects import EffectSpace, season
from clvmodels.cohort_table import Cells, CohortTable
from clvmodels.loglinear import Block, Fixed, LogLinearFit, Shrunk, fit_loglinear

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ValueModel:
    """A fitted order-value model; see :func:`fit_values`."""

    space: EffectSpace
    fit: LogLinearFit
    unit: float

    def design(self, cells: Cells) -> Array:
        """Design matrix of cells, shape (n, p)."""
        design = np.zeros((cells.size, self.fit.coefficients.size))
        for block in _blocks(self.space, cells):
            if block.name in self.fit.slices:
                design[:, self.fit.slices[block.name]] = block.design
        return design

    def expected(self, cells: Cells) -> Array:
        """Expected value of a purchase in each cell, in currency."""
        return np.asarray(self.unit * np.exp(self.design(cells) @ self.fit.coefficients))


def fit_values(table: CohortTable, damping: float) -> ValueModel:
    r"""Fit the revenue of repeat purchases given their number.

    .. math:: \log \mathrm{E}[R_{ct}] = \log n_{ct} + g(a_{ct}) + h\,t + s_{m(t)} + p_t + u_c,

    with variance phi mu + kappa mu^2. The cohort's own level u carries the persistence of a few
    large customers; phi, learned from the cells and robust to single orders, says how far a
    handful of purchases can be trusted against the company's level. The trend h is shrunk and,
    being in time, does not carry on after the log. Refunds that outweigh a cell's purchases, or
    stand in a cell without any, lower the level of all values. Without any repeat purchase the
    value of first purchases is used.
    """
    space = EffectSpace.of(table, damping)
    sold = table.purchases > 0
    cells, purchases, revenue = table.cells, table.purchases, table.revenue
    if not (revenue[sold] > 0).any() or revenue.sum() <= 0:
        first = table.first_purchases > 0
        unit = float(table.first_revenue[first].sum() / max(table.first_purchases.sum(), 1.0))
        blocks = [Fixed("level", np.ones((1, 1)))]
        fit = fit_loglinear(np.ones(1), np.zeros(1), blocks, phi=1.0)
        return ValueModel(space, fit, unit)
    cells = Cells(cells.cohort[sold], cells.period[sold], cells.exposure[sold])
    positive = np.maximum(revenue[sold], 0.0)
    gross = float(positive.sum() / purchases.sum())
    fit = fit_loglinear(positive / gross, np.log(purchases[sold]), _blocks(space, cells))
    return ValueModel(space, fit, float(revenue.sum() / purchases.sum()))


def _blocks(space: EffectSpace, cells: Cells) -> list[Block]:
    return [
        Fixed("level", np.ones((cells.size, 1))),
        Fixed("age", space.age(cells), sd=0.05),
        Fixed("trend", space.years(cells.period), sd=0.05),
        Shrunk("cohort", space.cohort(cells), 0.3, 4.0),
        Shrunk("season", season(cells.period), 0.06, 6.0),
        Shrunk("period", space.period(cells.period), 0.055, 6.0),
    ]
