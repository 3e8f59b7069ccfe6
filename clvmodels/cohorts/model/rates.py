"""Purchases per customer-day by age, season, period and cohort."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pandas as pd

from clvmodels.cohorts.model.effects import Covariates, EffectSpace, season
from clvmodels.cohorts.model.table import Cells, CohortTable, Months
from clvmodels.core.arguments import number
from clvmodels.core.arrays import Array
from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics.loglinear import Block, Fixed, LogLinearFit, Shrunk, fit_loglinear

Company = Literal["total", "acquisitions", "none"]

MATURE_GROWTH_SD = 0.12
YOUNG_GROWTH_SD = 0.7
"""Prior sd of the yearly log growth of a company's purchases: one whose log starts mid-life
rarely gains or loses more than a quarter in a year; the acquisitions of a young one may double."""


COVARIATE_SD = 0.3
MIX_SD = 0.15
"""Prior sd of the log effect of one standard deviation of a covariate by period, by cohort."""

FIRST_MONTH_SD = 1.0
"""Prior sd of the log departure of a cohort's first month from the curve of age; without one, a
log of a single month would not know its level."""

BEGUN_EVIDENCE = 3.0
"""How firmly a month that has only begun is held to the usual error of such a part: a first of
January, or a last day that was loaded in part, is further off than any day before."""

LEAST_DAYS = 20
"""Days of the first month that must be known for the company's purchases in it to speak for its
season."""


@dataclass(frozen=True)
class RateOptions:
    """What the rate model may contain, and the prior guesses that the data then overrule.

    Attributes
    ----------
    season : bool
        Whether months of the year differ.
    cohorts : bool
        Whether cohorts differ in level.
    bends : bool
        Whether the age effect may depart from a power of age.
    company : bool
        Whether company-wide purchases help to tell season from age.
    period_covariates, cohort_covariates : bool
        Whether covariates that are given are used.
    damping : float
        Pace of age beyond the oldest age observed; see EffectSpace.
    age_slope, age_slope_sd : float
        Prior of the slope of log rate in log age: repeat rates fall as a power of age.
    season_sd, period_sd, cohort_sd, bend_sd : float
        Prior guesses of the spread of effects, in logs.
    season_sd_alone : float
        The guess for season in a log without a company-wide series, where season and age can
        hardly be told apart.
    """

    season: bool = True
    cohorts: bool = True
    bends: bool = True
    company: bool = True
    period_covariates: bool = True
    cohort_covariates: bool = True
    damping: float = 0.7
    age_slope: float = -0.35
    age_slope_sd: float = 0.12
    season_sd: float = 0.25
    season_sd_alone: float = 0.1
    period_sd: float = 0.03
    cohort_sd: float = 0.2
    bend_sd: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                if not isinstance(value, bool | np.bool_):
                    raise InvalidValueError(f"{field.name} must be true or false; found {value!r}")
            elif number(value, field.name) < 0 and field.name.endswith("_sd"):
                raise InvalidValueError(f"{field.name} must not be negative; found {value}")


@dataclass(frozen=True)
class RateModel:
    """A fitted rate model.

    Attributes
    ----------
    space : EffectSpace
    fit : LogLinearFit
    company : str
        Which company-wide series was used: ``total``, ``acquisitions`` or ``none``.
    period_covariates, cohort_covariates : Covariates
    """

    space: EffectSpace
    fit: LogLinearFit
    company: Company
    period_covariates: Covariates
    cohort_covariates: Covariates

    def design(self, cells: Cells, period_covariates: pd.DataFrame | None = None) -> Array:
        """Design matrix of cells, shape (n, p); covariates only for periods after the fit."""
        blocks = _blocks(
            self.space,
            cells,
            RateOptions(),
            self.period_covariates.columns(cells.period, period_covariates),
            self.cohort_covariates.columns(cells.cohort),
        )
        design = np.zeros((cells.size, self.fit.coefficients.size))
        for block in blocks:
            if block.name in self.fit.slices:
                design[:, self.fit.slices[block.name]] = block.design
        return design


def fit_rates(
    table: CohortTable,
    options: RateOptions | None = None,
    period_covariates: pd.DataFrame | None = None,
    cohort_covariates: pd.DataFrame | None = None,
) -> RateModel:
    r"""Fit repeat purchases by cohort and calendar month.

    .. math::
       \log \mathrm{E}[y_{ct}] = \log e_{ct} + f(a_{ct}) + s_{m(t)} + p_t + u_c,

    with customer-days e, age a, month of year m; f is a power of age with bends. Variance is
    mu + kappa mu^2. A last month that has only begun has an effect of its own as well, with the
    usual error of so small a part of a month: it tells of other months what it is worth. Age,
    period and cohort are linearly dependent (t = c + a), so the priors decide what no data can:
    season, period and cohort effects centre on zero, and the slope of the age effect on a power
    law. Where the log holds a whole company, a further row for each month joins the likelihood,
    log-linear in time, with the season of the cohorts:

    * ``total``, first and repeat purchases together, if first purchases are most frequent at the
      start of the log. Such a log starts mid-life: its first "new" customers are old ones seen
      for the first time (left truncation), repeat purchases alone rise as they are recognised,
      and only the sum of both shows the season.
    * ``acquisitions``, first purchases alone, for a young company: their season needs no age.
    * ``none`` if acquisition has stopped: the log is a sample of cohorts.
    """
    options = options or RateOptions()
    space = EffectSpace.of(table, options.damping)
    last = int(space.months[-1])
    by_period = Covariates.of(
        period_covariates if options.period_covariates else None, "period", last
    )
    by_cohort = Covariates.of(
        cohort_covariates if options.cohort_covariates else None, "cohort", last
    )
    company = company_series(table) if options.company and options.season else "none"
    cells = table.cells
    blocks = _blocks(
        space,
        cells,
        options,
        by_period.columns(cells.period),
        by_cohort.columns(cells.cohort),
        alone=company == "none",
    )
    if table.begun < 1.0:
        doubt = table.shares.error_of(table.begun)
        blocks.append(Shrunk("begun", _is_last(cells.period, last), doubt, BEGUN_EVIDENCE))
    response, offset = table.purchases, np.log(cells.exposure)
    if company != "none":
        series = table.total_purchases if company == "total" else table.first_purchases
        growth = MATURE_GROWTH_SD if company == "total" else YOUNG_GROWTH_SD
        whole = (table.month_days >= LEAST_DAYS) | (table.months == last)
        rows = by_period.columns(table.months[whole])
        blocks = _with_company(blocks, space, table.months[whole], growth, rows)
        response = np.concatenate([response, series[whole]])
        offset = np.concatenate([offset, np.log(table.month_days[whole])])
    fit = fit_loglinear(response, offset, blocks, phi=1.0)
    return RateModel(space, fit, company, by_period, by_cohort)


def company_series(table: CohortTable) -> Company:
    """Which company-wide series can tell season from age in this log."""
    months = table.whole_months.size
    if months < 4:
        return "none"
    rate = (table.first_purchases / table.month_days)[:months]
    recent, start = rate[-min(6, months // 2) :], float(rate[:3].mean())
    level = float(recent.mean())
    if rate[-2:].sum() <= 0 or level <= 0.02 * start:
        return "none"
    return "total" if start > 1.5 * level else "acquisitions"


def _blocks(
    space: EffectSpace,
    cells: Cells,
    options: RateOptions,
    period_columns: Array,
    cohort_columns: Array,
    alone: bool = False,
) -> list[Block]:
    blocks: list[Block] = [
        Fixed("level", np.ones((cells.size, 1))),
        Fixed("age", space.age(cells), options.age_slope, options.age_slope_sd),
        Fixed("first_month", space.first_month(cells), sd=FIRST_MONTH_SD),
        Shrunk("period", space.period(cells.period), options.period_sd, 10.0),
    ]
    if options.bends:
        blocks.append(Shrunk("age_bends", space.age_bends(cells), options.bend_sd, 8.0))
    if options.cohorts:
        blocks.append(Shrunk("cohort", space.cohort(cells), options.cohort_sd, 4.0))
    if options.season:
        sd = options.season_sd_alone if alone else options.season_sd
        blocks.append(Shrunk("season", season(cells.period), sd, 4.0))
    if period_columns.shape[1]:
        blocks.append(Fixed("period_covariates", period_columns, sd=COVARIATE_SD))
    if cohort_columns.shape[1]:
        blocks.append(Fixed("cohort_covariates", cohort_columns, sd=MIX_SD))
    return [block for block in blocks if block.design.shape[1]]


def _is_last(period: Months, last: int) -> Array:
    return (period == last).astype(float)[:, None]


def _with_company(
    blocks: list[Block], space: EffectSpace, months: Months, growth_sd: float, covariates: Array
) -> list[Block]:
    """Add one row for each month to every block, and the company's own level and growth."""
    # The company's purchases are partly the cohorts' own: its rows are there to place the season,
    # and the intervals, stretched by earlier errors, answer for the double counting.
    shared = {
        "season": season(months),
        "period": space.period(months),
        "begun": _is_last(months, int(space.months[-1])),
    }
    out: list[Block] = []
    for block in blocks:
        below = shared.get(block.name, np.zeros((months.size, block.design.shape[1])))
        out.append(_replace_design(block, np.vstack([block.design, below])))
    rows = blocks[0].design.shape[0]
    for name, columns, sd in (
        ("company_level", np.ones((months.size, 1)), np.inf),
        ("company_growth", space.years(months), growth_sd),
        # What wins new customers need not bring known ones back: an effect of its own.
        ("company_covariates", covariates, COVARIATE_SD),
    ):
        if columns.shape[1]:
            above = np.zeros((rows, columns.shape[1]))
            out.append(Fixed(name, np.vstack([above, columns]), sd=sd))
    return out


def _replace_design(block: Block, design: Array) -> Block:
    if isinstance(block, Fixed):
        return Fixed(block.name, design, block.mean, block.sd)
    return Shrunk(block.name, design, block.sd, block.evidence)
