"""Scores and segments of a scored table, found by counting in the engine that holds it.

They are those of :func:`clvmodels.activation.scores.rfm_scores`; no customer leaves the engine, and
none of its workers sorts them.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table

from clvmodels.activation.rfm_segments import RfmBox, RfmSegments
from clvmodels.activation.scores import SCORES, RfmLimits, limit_ranks
from pipelines.config.sections import Rfm
from pipelines.forecasting.tiers import largest
from pipelines.sources.dialect import double

RECENCY, FREQUENCY = "time_since_last", "frequency"
"""Columns of the scored table; what m scores is the configuration's to say."""

NO_LIMITS = (0.0,) * (SCORES - 1)


def limits_of(scored: Table, rfm: Rfm) -> RfmLimits:
    """Return the limits of a configuration, and the quantiles of customers where it gives none."""
    return RfmLimits(
        rfm.recency_limits or _quantiles(scored, RECENCY),
        rfm.frequency_limits or _quantiles(scored, FREQUENCY),
        rfm.monetary_limits or _quantiles(scored, rfm.monetary_column),
    )


def with_scores(scored: Table, limits: RfmLimits, rfm: Rfm) -> Table:
    """Add r_score, f_score, m_score and rfm_segment to each customer, as expressions."""
    table = scored.mutate(
        r_score=SCORES - _exceeded(scored, RECENCY, limits.recency),
        f_score=1 + _exceeded(scored, FREQUENCY, limits.frequency),
        m_score=1 + _exceeded(scored, rfm.monetary_column, limits.monetary),
    )
    return table.mutate(rfm_segment=_segment(table, rfm.table))


def _quantiles(scored: Table, column: str) -> tuple[float, ...]:
    customers = int(scored.count().execute())
    if customers == 0:
        return NO_LIMITS
    from_the_top = [customers + 1 - rank for rank in limit_ranks(customers)]
    return tuple(largest(scored, column, from_the_top))


def _exceeded(scored: Table, column: str, limits: Sequence[float]) -> IntegerValue:
    """How many limits each value lies beyond."""
    beyond: Sequence[IntegerValue] = [
        (scored[column] > double(limit)).cast("int64") for limit in limits
    ]
    total = beyond[0]
    for one in beyond[1:]:
        total = total + one
    return total


def _segment(table: Table, segments: RfmSegments) -> StringValue:
    cases = [(_inside(table, box), box.name) for box in segments.boxes]
    return ibis.cases(*cases[:-1], else_=cases[-1][1]) if cases[1:] else ibis.literal(cases[0][1])


def _inside(table: Table, box: RfmBox) -> BooleanValue:
    (r_low, r_high), (f_low, f_high), (m_low, m_high) = box.ends
    return (
        table.r_score.between(r_low, r_high)
        & table.f_score.between(f_low, f_high)
        & table.m_score.between(m_low, m_high)
    )
