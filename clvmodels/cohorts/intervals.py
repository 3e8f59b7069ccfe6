"""Intervals by simulation: coefficients, period shocks and counts drawn together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clvmodels.core.arguments import number, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics.loglinear import LogLinearFit
from clvmodels.numerics.special import symmetric_root

LEVEL = 0.9
NORMAL_90 = 1.6448536269514722
"""Half-width of an interval of that level of the normal distribution, in standard deviations."""

DRAWS = 1000


def draw_log_means(
    fit: LogLinearFit, design: Array, period: Integers, draws: int, rng: np.random.Generator
) -> Array:
    """Deviations of the log mean from its forecast, shape (n, draws).

    Coefficients are drawn from their posterior; every future month has a shock of its own that
    all cohorts share, of the spread learned for past months.
    """
    root = symmetric_root(fit.covariance)
    deviation = (design @ root) @ rng.standard_normal((root.shape[1], draws))
    months, month = np.unique(period, return_inverse=True)
    shock = rng.standard_normal((months.size, draws))
    begun = np.zeros(period.size)
    if "period" in fit.slices:
        # A month already begun has its effect among the coefficients.
        begun = design[:, fit.slices["period"]].sum(axis=1)
    return np.asarray(
        deviation + fit.sds.get("period", 0.0) * (1.0 - begun)[:, None] * shock[month]
    )


@dataclass(frozen=True)
class Unseen:
    """What a log cannot show of the months ahead, as spreads of effects in logs.

    No error of the past tells what an autumn will bring to a log that starts in winter, or how
    cohorts will do at an age that none has reached; businesses in general do.

    Attributes
    ----------
    season_sd : float
        Of the months of the year that the log has not seen.
    age_sd : float
        Of the slope in log age beyond the oldest age observed, about the damped one.
    """

    season_sd: float
    age_sd: float

    def draw(
        self, season: Array, beyond: Array, learned_sd: float, draws: int, rng: np.random.Generator
    ) -> Array:
        """Deviations of the log mean, shape (n, draws), 0 where everything was seen.

        Parameters
        ----------
        season : ndarray, shape (n, 12)
            Indicators of the month of year, zero where it was seen.
        beyond : ndarray, shape (n, 1)
            Log age past the oldest observed.
        learned_sd : float
            Spread of season that the coefficients' own draws hold already.
        """
        extra = np.sqrt(max(self.season_sd**2 - learned_sd**2, 0.0))
        months = extra * rng.standard_normal((season.shape[1], draws))
        return np.asarray(season @ months + self.age_sd * beyond * rng.standard_normal(draws))


def draw_counts(mean: Array, deviation: Array, kappa: float, rng: np.random.Generator) -> Array:
    """Counts whose variance given the mean is mu + kappa mu^2 (negative binomial), as floats."""
    mu = mean[:, None] * np.exp(np.clip(deviation, -20.0, 20.0))
    if kappa > 1e-6:
        mu = mu * rng.gamma(1.0 / kappa, kappa, mu.shape)
    return rng.poisson(np.minimum(mu, 1e15)).astype(float)


def draw_revenue(
    counts: Array, value: Array, deviation: Array, phi: float, kappa: float,
    rng: np.random.Generator,
) -> Array:  # fmt: skip
    """Revenue of ``counts`` purchases: gamma with variance phi mu + kappa mu^2, in units."""
    mu = counts * value[:, None] * np.exp(np.clip(deviation, -20.0, 20.0))
    variance = phi * mu + kappa * mu**2
    shape = np.maximum(mu**2 / np.maximum(variance, 1e-300), 1e-6)
    drawn = rng.standard_gamma(shape) * np.where(mu > 0, variance / np.maximum(mu, 1e-300), 0.0)
    return np.where(mu > 0, drawn, 0.0)


def group_sums(values: Array, group: Integers, groups: int) -> Array:
    """Sum rows of ``values``, shape (n, d), within groups; shape (groups, d)."""
    out = np.zeros((groups, values.shape[1]))
    np.add.at(out, group, values)
    return out


def interval(draws: Array, spread: float = 1.0, level: float = LEVEL) -> tuple[Array, Array]:
    """Central interval of draws along the last axis, stretched about the median.

    ``spread`` stretches the logarithms of one plus the ends, so that an interval never passes
    below zero; :func:`reach` measures an actual on the same scale. Revenue comes in values of a
    purchase, so that its currency changes nothing.
    """
    low, middle, high = _quantiles(draws, level)
    return (
        np.maximum(np.expm1(middle + spread * (low - middle)), 0.0),
        np.expm1(middle + spread * (high - middle)),
    )


def reach(actual: Array, draws: Array, level: float = LEVEL) -> Array:
    """Spread at which the interval of each row just holds its actual; 1 at the model's own ends.

    :data:`MOST_REACH` at most: beyond it the model had no idea, and no stretch would help it.
    """
    low, middle, high = _quantiles(draws, level)
    distance = np.log1p(actual) - middle
    side = np.where(distance >= 0, high - middle, middle - low)
    return np.asarray(np.minimum(np.abs(distance) / np.maximum(side, 1e-9), MOST_REACH))


def _quantiles(draws: Array, level: float) -> tuple[Array, Array, Array]:
    tail = 0.5 * (1.0 - level)
    low, middle, high = np.quantile(np.log1p(draws), [tail, 0.5, 1.0 - tail], axis=-1)
    return low, middle, high


MOST_REACH = 10.0

PRIOR_SPREAD = 1.15
PRIOR_ORIGINS = 10.0
"""A model's own intervals are too narrow, because the model is not quite true; so many origins'
worth of belief is put on that excess before any error has been seen. Set, with :data:`AT_LEVEL`,
on 396 simulated logs of nine kinds."""

IntervalLevel = Literal[
    "cohort_month", "quarter_month", "month", "total", "company_month", "company_total"
]

AT_LEVEL: dict[IntervalLevel, float] = {
    "cohort_month": 1.0,
    "quarter_month": 1.0,
    "month": 0.95,
    "total": 0.9,
    "company_month": 1.0,
    "company_total": 1.1,
}
"""Shares of the cells' (the company's months') stretch that sums of them need: errors cancel by a
little more than the draws say."""

PRIOR_COMPANY = 1.0
COMPANY_ORIGINS = 4.0
"""The same for the company's months, whose number of new customers no model knows: the past of a
log soon says more than the prior."""

SHARED = 2.5
"""Successive origins share most of the months they are judged on; so many of them say as much as
one that stands alone."""

HALF_LIFE_ORIGINS = 2.0
"""An origin further back had less log behind it, and says less of the errors to come."""


@dataclass(frozen=True)
class Spread:
    """By how much intervals are stretched, learned on earlier origins (conformal).

    Attributes
    ----------
    purchases, revenue : float
        1 keeps the model's own intervals.
    origins : int
        Earlier origins behind them.
    company_purchases, company_revenue : float
        The same of the company's months, new customers included.
    """

    purchases: float = PRIOR_SPREAD
    revenue: float = PRIOR_SPREAD
    origins: int = 0
    company_purchases: float = PRIOR_COMPANY
    company_revenue: float = PRIOR_COMPANY

    def __post_init__(self) -> None:
        for name in ("purchases", "revenue", "company_purchases", "company_revenue"):
            if not number(getattr(self, name), f"the spread of {name}") > 0:
                raise InvalidValueError(
                    f"the spread of {name} must be above 0; found {getattr(self, name)}"
                )
        whole_number(self.origins, "the spread's origins", 0)

    def at(self, level: IntervalLevel) -> tuple[float, float]:
        """Stretch of purchases and of revenue at a level."""
        share = AT_LEVEL[level]
        if level.startswith("company"):
            return self.company_purchases * share, self.company_revenue * share
        return self.purchases * share, self.revenue * share


def learn_spread(
    purchases: list[Array],
    revenue: list[Array],
    company: list[tuple[Array, Array]] | None = None,
    level: float = LEVEL,
) -> Spread:
    """Spread from the reaches of the cells of earlier origins, shrunk to the prior.

    The stretch that would have held ``level`` of past actuals is the conformal one (Vovk,
    Gammerman & Shafer 2005), here with weights that fall with the age of an origin (Barber,
    Candes, Ramdas & Tibshirani 2023). Cells of one origin err together, and so do origins
    that follow each other, so the evidence is counted in origins that stand alone.

    Parameters
    ----------
    purchases, revenue : list of ndarray
        Reaches of each origin's cells (see :func:`reach`), earliest origin first.
    company : list of tuple of ndarray, optional
        Reaches of the company's months, of purchases and of revenue.
    """
    if not purchases:
        return Spread()
    weight = 0.5 ** (np.arange(len(purchases))[::-1] / HALF_LIFE_ORIGINS)
    origins = float(weight.sum() ** 2 / (weight @ weight)) / SHARED

    def shrunk(cells: list[Array], prior: float, worth: float) -> float:
        each = np.repeat(weight, [reaches.size for reaches in cells])
        reached = np.concatenate(cells)
        if not reached.size:
            return prior
        seen = np.quantile(reached, level, weights=each, method="inverted_cdf")
        return float(np.sqrt((worth * prior**2 + origins * seen**2) / (worth + origins)))

    of_company = [
        shrunk([one[at] for one in company], PRIOR_COMPANY, COMPANY_ORIGINS)
        if company
        else PRIOR_COMPANY
        for at in (0, 1)
    ]
    return Spread(
        shrunk(purchases, PRIOR_SPREAD, PRIOR_ORIGINS),
        shrunk(revenue, PRIOR_SPREAD, PRIOR_ORIGINS),
        len(purchases),
        *of_company,
    )
