"""Customers with known parameters: an exact, vectorised transaction log to test against.

Each customer buys by a Poisson process of their own rate (or at every k-th of its events, or as a
contract says) and leaves by the dropout rule of one of the buy-till-you-die models; the value of
each purchase follows the Gamma-Gamma model. Season, trend and cohort effects change the rate over
calendar time.

Notes
-----
A Poisson process of rate ``rate * s(t)`` is a homogeneous one on the clock ``S(t)``, the integral
of ``s``. Given that it makes ``n`` purchases in a window, their times on that clock are ``n``
ordered uniforms, and ordered uniforms are ratios of partial sums of exponentials. Nothing is
approximated, and nothing needs a loop over customers or a sort.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from clvmodels.core.arguments import number, numbers, whole_number
from clvmodels.core.arrays import Array, Integers
from clvmodels.core.errors import InvalidValueError
from clvmodels.simulation.log import SimulatedLog
from clvmodels.simulation.processes import (
    BGCNBDProcess,
    BGNBDProcess,
    ContractProcess,
    GammaGammaSpend,
    MBGCNBDProcess,
    MBGNBDProcess,
    NBDProcess,
    ParetoNBDProcess,
    Process,
    Traits,
)

__all__ = [
    "BGCNBDProcess",
    "BGNBDProcess",
    "ContractProcess",
    "GammaGammaSpend",
    "MBGCNBDProcess",
    "MBGNBDProcess",
    "NBDProcess",
    "ParetoNBDProcess",
    "SimulatedLog",
    "simulate_log",
]

RandomState = int | np.random.SeedSequence | np.random.Generator | None

_DAYS_A_YEAR = 365.25


def simulate_log(
    process: Process,
    n_customers: int,
    *,
    spend: GammaGammaSpend | None = None,
    start: dt.date = dt.date(2020, 1, 1),
    days: float = 730,
    acquisition: float | ArrayLike | None = None,
    season: Sequence[float] | None = None,
    trend: float = 0.0,
    cohort_effects: Sequence[float] | None = None,
    random_state: RandomState = None,
    first_number: int = 0,
) -> SimulatedLog:
    """Simulate the transactions of customers whose parameters are known.

    Parameters
    ----------
    process : Process
        How they buy and leave, such as :class:`BGNBDProcess`; season, trend and cohort effects
        leave :class:`ContractProcess` alone.
    n_customers : int
    spend : GammaGammaSpend, optional
        Value of a purchase; by default p = 6.25, q = 3.74, v = 15.44.
    start : datetime.date
    days : float
        Length of the window.
    acquisition : float or array-like, optional
        Of first purchases: uniform over so many days (0: all at the start; by default the whole
        window), or weights of the days from ``start`` on.
    season : sequence of 12 floats, optional
        Factors on the purchase rate, January to December, used as given.
    trend : float
        Growth of the purchase rate a year, compounded (0.1: times exp(0.1)).
    cohort_effects : sequence of floats, optional
        Factors on the purchase rate of who comes in the first, second, … month; the last holds on.
    random_state : int, SeedSequence, Generator or None
        Seed; equal seeds give equal logs.
    first_number : int
        Of the first customer, so that logs made in parts have distinct ids.

    Raises
    ------
    InvalidValueError
        If a size, factor or weight is negative, not finite or of the wrong length.
    """
    n_customers = whole_number(n_customers, "n_customers", 1)
    days, trend = number(days, "days"), number(trend, "trend")
    _check(days > 0, f"days must be positive and finite; found {days}")
    rng = np.random.default_rng(random_state)
    joined = _first_purchases(acquisition, n_customers, days, rng)
    traits = process.draw(n_customers, rng)
    clock = _clock(start, days, season, trend)
    factor = _cohort_factor(cohort_effects, start, joined)
    customer, day = _purchase_days(traits, factor, joined, days, clock, rng)
    spend = spend or GammaGammaSpend(6.25, 3.74, 15.44)
    mean_spend, amount = spend.draw(np.bincount(customer, minlength=n_customers), rng)
    return SimulatedLog(
        start, float(days), customer, day, amount, joined, traits, mean_spend, first_number
    )


def _purchase_days(
    traits: Traits,
    factor: Any,
    joined: Array,
    days: float,
    clock: tuple[Array, Array],
    rng: np.random.Generator,
) -> tuple[Integers, Array]:
    """Customer and day of every purchase, each customer's first one before the repeats."""
    if traits.period is None:
        repeats, later = _by_chance(traits, factor, joined, days, clock, rng)
    else:
        repeats, later = _by_contract(traits.period, traits.lifetime, joined, days)
    customer = np.repeat(np.arange(joined.size), repeats + 1)
    is_first = np.empty(customer.size, dtype=bool)
    is_first[:1] = True
    np.not_equal(customer[1:], customer[:-1], out=is_first[1:])
    day = np.empty(customer.size)
    day[is_first] = joined
    # Rounding on the way through the clock must not put a purchase before the first one.
    day[~is_first] = np.clip(later, np.repeat(joined, repeats), np.nextafter(days, 0))
    return customer, day


def _by_chance(
    traits: Traits,
    factor: Any,
    joined: Array,
    days: float,
    clock: tuple[Array, Array],
    rng: np.random.Generator,
) -> tuple[Integers, Array]:
    """How often each customer buys again, and all the days of it, customer by customer."""
    knots, passed = clock
    rate = traits.stages * traits.rate * factor
    opens = np.interp(joined, knots, passed)
    closes = np.interp(np.minimum(joined + traits.lifetime, days), knots, passed)
    drawn = rng.poisson(rate * (closes - opens))
    repeats = np.minimum(drawn // traits.stages, traits.most_repeats).astype(np.int64)
    position = _ordered_uniforms(drawn, repeats, traits.stages, rng)
    position *= np.repeat(closes - opens, repeats)
    position += np.repeat(opens, repeats)
    return repeats, np.interp(position, passed, knots)


def _by_contract(
    period: float, lifetime: Array, joined: Array, days: float
) -> tuple[Integers, Array]:
    """As :func:`_by_chance`, a period apart."""
    periods = np.minimum(lifetime, days - joined) / period
    repeats = np.maximum(np.ceil(periods * (1 - 1e-12)) - 1, 0).astype(np.int64)
    number = np.arange(repeats.sum()) - np.repeat(np.cumsum(repeats) - repeats, repeats) + 1
    return repeats, np.repeat(joined, repeats) + period * number


def _ordered_uniforms(
    drawn: Integers, kept: Integers, every: int, rng: np.random.Generator
) -> Array:
    """Each ``every``-th of ``drawn`` uniforms in ascending order, ``kept`` by customer in turn."""
    gaps = drawn + 1
    ends = np.cumsum(gaps)
    sums = np.cumsum(rng.standard_exponential(int(ends[-1])))
    before = np.concatenate(([0.0], sums[ends[:-1] - 1]))
    total = sums[ends - 1] - before
    offset = np.repeat(np.cumsum(kept) - kept, kept)
    place = every * (np.arange(offset.size) - offset + 1) - 1
    index = np.repeat(ends - gaps, kept) + place
    ordered: Array = (sums[index] - np.repeat(before, kept)) / np.repeat(total, kept)
    return ordered


def _first_purchases(
    acquisition: float | ArrayLike | None, n: int, days: float, rng: np.random.Generator
) -> Array:
    if acquisition is None:
        return rng.uniform(0, days, n)
    weights = numbers(acquisition, "acquisition")
    _check(bool(np.all(np.isfinite(weights)) and np.all(weights >= 0)), "acquisition must be >= 0")
    if weights.ndim == 0:
        _check(float(weights) <= days, f"acquisition over {weights} days exceeds {days} days")
        return rng.uniform(0, float(weights), n)
    _check(
        weights.ndim == 1 and 0 < weights.size <= days and weights.sum() > 0,
        f"acquisition needs at most one weight a day ({days:g} days) and a positive sum; "
        f"found shape {weights.shape}",
    )
    return rng.choice(weights.size, n, p=weights / weights.sum()) + rng.uniform(0, 1, n)


def _clock(
    start: dt.date, days: float, season: Sequence[float] | None, trend: float
) -> tuple[Array, Array]:
    """Days and the integral of the rate factor up to each, strictly increasing."""
    whole = int(np.ceil(days))
    knots = np.arange(whole + 1, dtype=float)
    middle = knots[:-1] + 0.5
    speed = np.exp(trend * middle / _DAYS_A_YEAR)
    if season is not None:
        factors = numbers(season, "season")
        _check(
            factors.shape == (12,) and bool(np.all(np.isfinite(factors)) and np.all(factors > 0)),
            f"season needs 12 positive factors, January to December; found {season!r}",
        )
        speed = speed * factors[_months(start, middle) % 12]
    return knots, np.concatenate(([0.0], np.cumsum(speed)))


def _cohort_factor(effects: Sequence[float] | None, start: dt.date, joined: Array) -> Any:
    if effects is None:
        return 1.0
    factors = numbers(effects, "cohort_effects")
    _check(
        factors.ndim == 1 and factors.size > 0 and bool(np.all(factors >= 0)),
        f"cohort_effects needs one factor >= 0 a month; found {effects!r}",
    )
    month = _months(start, joined) - _months(start, np.zeros(1))[0]
    return factors[np.minimum(month, factors.size - 1)]


def _months(start: dt.date, day: Array) -> Integers:
    """Calendar months since January 1970."""
    dates = np.datetime64(start, "D") + np.floor(day).astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise InvalidValueError(message)
