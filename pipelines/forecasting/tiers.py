"""Value tiers of a scored table, found by counting in the engine that holds it.

The tiers are those of :func:`clvmodels.finance.clv.value_tiers`, ties by customer_id. No customer
leaves the engine, and none of its workers sorts more than the customers who tie at the end of a
tier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ibis
from ibis import _
from ibis.expr.types import BooleanValue, StringValue, Table

from clvmodels.finance.clv import TIER_NAMES, tier_limits
from pipelines.sources.dialect import double

BINS = 4096
"""Parts into which a pass over the values cuts what may hold a sought one."""


@dataclass(frozen=True)
class Bracket:
    """Values among which a sought one is, and which of them it is.

    Attributes
    ----------
    low, high : float
        The least and the largest of them; equal where the search is over.
    rank : int
        Of the sought one among them, 1 for the largest.
    """

    low: float
    high: float
    rank: int


@dataclass(frozen=True)
class TierEnd:
    """The last customer of a tier, in the order of the tiers.

    Attributes
    ----------
    clv : float
        Who is worth more is in the tier, or in a better one.
    customer_id : str, optional
        Of those who are worth just as much, the last one who still is; None: all of them are.
    """

    clv: float
    customer_id: str | None

    def holds(self, scored: Table) -> BooleanValue:
        """Tell who is in the tier or a better one."""
        limit = double(self.clv)
        if self.customer_id is None:
            return scored.clv >= limit
        tied = (scored.clv == limit) & (scored.customer_id <= self.customer_id)
        return (scored.clv > limit) | tied


def tier_of(scored: Table) -> StringValue:
    """Return the tier of each customer, as an expression.

    Parameters
    ----------
    scored : ibis Table
        customer_id, clv; one row a customer, evaluated already, since it is read several times.
    """
    *better, rest = TIER_NAMES
    ends = tier_ends(scored)
    if not ends:
        return ibis.literal(rest)
    cases = [(end.holds(scored), name) for end, name in zip(ends, better, strict=True)]
    return ibis.cases(*cases, else_=rest)


def tier_ends(scored: Table) -> list[TierEnd]:
    """Return where the tiers but the last end, best first; none where there are no customers."""
    limits = tier_limits(int(scored.count().execute()))
    if limits[0] == 0:
        return []
    values = largest(scored, "clv", limits)
    counts = {}
    for at, value in enumerate(values):
        counts[f"above_{at}"] = (scored.clv > double(value)).sum()
        counts[f"equal_{at}"] = (scored.clv == double(value)).sum()
    row = scored.agg(**counts).execute().iloc[0]
    ends = []
    for at, (limit, value) in enumerate(zip(limits, values, strict=True)):
        wanted = limit - int(row[f"above_{at}"])
        last = None
        if wanted < row[f"equal_{at}"]:
            tied = scored.filter(scored.clv == double(value)).select("customer_id")
            last = str(tied.order_by("customer_id").limit(wanted).customer_id.max().execute())
        ends.append(TierEnd(value, last))
    return ends


def largest(table: Table, column: str, ranks: Sequence[int]) -> list[float]:
    """Return the values of some ranks in a column, 1 for the largest, exactly.

    Every pass counts the values by part of the brackets that hold the sought ones, until a bracket
    holds one value only. Parts keep the order of the values whatever is lost in rounding, for
    subtraction, division and rounding down never turn it round; and the ends of a bracket are in
    different parts, so that it shrinks.

    Parameters
    ----------
    table : ibis Table
    column : str
        Finite numbers in double precision.
    ranks : sequence of int
        From 1 to the number of rows.
    """
    values = table.select(value=table[column])
    row = values.agg(low=_.value.min(), high=_.value.max()).execute().iloc[0]
    brackets = [Bracket(float(row["low"]), float(row["high"]), rank) for rank in ranks]
    while any(bracket.low < bracket.high for bracket in brackets):
        brackets = _narrowed(values, brackets)
    return [bracket.low for bracket in brackets]


def _narrowed(values: Table, brackets: list[Bracket]) -> list[Bracket]:
    open_ends = {(b.low, b.high) for b in brackets if b.low < b.high}
    parts = {ends: _parts(values, *ends) for ends in open_ends}
    narrowed = []
    for bracket in brackets:
        before = 0
        for part in parts.get((bracket.low, bracket.high), []):
            if before + part.customers >= bracket.rank:
                bracket = Bracket(part.low, part.high, bracket.rank - before)
                break
            before += part.customers
        narrowed.append(bracket)
    return narrowed


def _parts(values: Table, low: float, high: float) -> list[Any]:
    """Return least value, largest value and count of every part that holds any, largest first."""
    inside = values.filter(values.value.between(double(low), double(high)))
    share = (inside.value - double(low)) / double(high - low)
    counted = inside.group_by(place=(share * BINS).floor().cast("int64")).agg(
        low=_.value.min(), high=_.value.max(), customers=_.count()
    )
    return list(counted.execute().sort_values("place", ascending=False).itertuples())
