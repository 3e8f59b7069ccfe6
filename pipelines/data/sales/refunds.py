"""Refunds: which day of a customer is a purchase, and which purchase a refund is of."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
from ibis import _
from ibis.expr.types import BooleanColumn, Table

from pipelines.sources.engines.base import Engine


def is_purchase(days: Table) -> BooleanColumn:
    """A day that nets to more than zero, or holds no refund."""
    return (days.amount > 0) | ~days.refunded


def with_refunds(engine: Engine, days: Table, counts: Mapping[str, int]) -> tuple[Table, int]:
    """Mark purchase days, and tie every refund day to the purchases before it.

    A refund before the second purchase can only be of the first. A refund before the first
    purchase in the log has nothing to reduce and is left out; the number of such rows is
    returned. Both look back in time only, so the table serves every earlier origin.

    Parameters
    ----------
    engine : Engine
    days : ibis Table
        Customer-days kept.
    counts : mapping of str to int
        Their ``refund_days``, and the ``refunds``, rows of the source behind these.
    """
    any_refunds = counts["refund_days"] > 0
    own = ("customer_id", "date", "amount", "purchase", "refund_of_first")
    counted = ("refunded", "rows", "copies", "granted_on", "withdrawn_on")
    extra = [name for name in days.columns if name not in (*own, *counted)]
    names = [*own, *extra]
    bought = days if not any_refunds else days.filter(is_purchase(days))
    bought = bought.mutate(purchase=ibis.literal(1, "int64"), refund_of_first=ibis.literal(False))
    if not any_refunds:
        return bought.select(names), 0
    refunds = days.filter(~is_purchase(days))
    earlier = bought.select("customer_id", bought_on=bought.date)
    before = (
        refunds.join(earlier, "customer_id")
        .filter(_.bought_on < _.date)
        .group_by("customer_id", "date")
        .agg(purchases_before=_.count())
    )
    tied = refunds.join(before, ["customer_id", "date"]).mutate(
        purchase=ibis.literal(0, "int64"), refund_of_first=_.purchases_before == 1
    )
    tied = engine.materialise(tied.select("rows", *names))
    tied = tied.mutate(purchase=tied.purchase.cast("int64"))  # Spark types literals by size
    orphans = counts["refunds"] - int(tied.rows.sum().fill_null(0).execute())
    return bought.select(names).union(tied.select(names)), orphans
