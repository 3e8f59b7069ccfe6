"""What the churn classifier sees of a customer at an origin."""

from __future__ import annotations

import datetime as dt
import math

import ibis
from ibis import _
from ibis.expr.types import Table, Value

from pipelines.data.features.rfm import days_between, dimensions, of_people
from pipelines.data.features.snapshot import Snapshot
from pipelines.sources.dialect import double, earliest, latest

WINDOWS = (30, 90, 180, 365)
"""Lengths of the recent windows, in days."""


def with_gaps(purchases: Table) -> Table:
    """Add the days since the customer's purchase before, null where there is none.

    No later day has a part in it: :func:`churn_features` of any origin reads it from here, so
    that a table which serves several origins is put in order once.
    """
    bought_on = ibis.ifelse(purchases.purchase == 1, purchases.date, ibis.null("date"))
    before = ibis.window(group_by="customer_id", order_by="date", rows=(None, -1))
    # from the purchase before: refund days neither have nor interrupt a gap
    return purchases.mutate(gap=days_between(bought_on.max().over(before), purchases.date))


def churn_features(purchases: Table, origin: dt.date) -> Table:
    """Return one row for every customer known at the origin, from nothing after it.

    Customers who count in totals only are left out.

    Parameters
    ----------
    purchases : ibis Table
        Customer-days, ``schema.PURCHASES``; :func:`with_gaps` or without.
    origin : date
        The last day that is known, inclusive.

    Returns
    -------
    ibis Table
        customer_id, then features (null where a customer's history does not define one):

        - frequency (repeat purchases), recency, T, time_since_last (days);
        - spend_total (net of refunds), spend_mean (per purchase), spend_first, spend_last,
          spend_largest, refund_days;
        - gap_mean, gap_sd, gap_last (days between purchases), gap_ratio (time since the last
          purchase over the mean gap);
        - purchases_w and spend_w in the last w days, for w of :data:`WINDOWS`;
        - trend_purchases, trend_spend: the last 90 days less the 90 days before;
        - origin_month_sin, origin_month_cos, first_purchase_month (1 to 12);
        - the dimensions of the first purchase, where mapped.
    """
    day = ibis.literal(origin)
    days = of_people(purchases, "individual").filter(_.date <= day)
    dated = days if "gap" in days.columns else with_gaps(days)
    dated = dated.mutate(age=day.delta(dated.date, unit="day"))
    bought = dated.purchase == 1
    gaps = bought & dated.gap.notnull()
    facts = dated.group_by("customer_id").agg(
        bought=_.purchase.sum(),
        refund_days=(1 - _.purchase).sum(),
        first=_.date.min(where=bought),
        last=_.date.max(where=bought),
        spend_total=_.amount.sum().round(8),
        spend_first=earliest(dated.amount, dated.date, bought),
        spend_last=latest(dated.amount, dated.date, bought),
        spend_largest=_.amount.max(where=bought),
        gap_sum=_.gap.sum(where=gaps),
        gap_squares=(_.gap * _.gap).sum(where=gaps),
        gap_last=latest(dated.gap, dated.date, gaps),
        **{
            f"{name}_{length}": column.sum(where=dated.age < length).fill_null(0).round(8)
            for length in WINDOWS
            for name, column in (("purchases", dated.purchase), ("spend", dated.amount))
        },
        **{name: dated[name].argmin(dated.date, where=bought) for name in dimensions(dated)},
    )
    return _derive(facts.filter(facts.bought > 0), origin)


def scoring_table(snapshot: Snapshot) -> Table:
    """Everything a customer is scored by: RFM summary, dimensions and churn features.

    Who may not be profiled has no churn features, and so no row.
    """
    summary = snapshot.summary
    features = churn_features(snapshot.purchases, snapshot.as_of)
    both = [n for n in features.columns if n in summary.columns and n != "customer_id"]
    return summary.join(features.drop(*both), "customer_id")


def _derive(facts: Table, origin: dt.date) -> Table:
    day = ibis.literal(origin)
    frequency = (facts.bought - 1).cast("float64")
    repeats = frequency.nullif(0)
    time_since_last = days_between(facts["last"], day)
    gap_mean = facts.gap_sum / repeats
    # sample variance; differences of whole days, so the subtraction is exact enough
    variance = (facts.gap_squares - facts.gap_sum * gap_mean) / (frequency - 1).nullif(0)
    angle = 2 * math.pi * (origin.month - 1) / 12
    features: dict[str, Value] = {
        "frequency": frequency,
        "recency": days_between(facts["first"], facts["last"]),
        "T": days_between(facts["first"], day),
        "time_since_last": time_since_last,
        "spend_total": facts.spend_total,
        "spend_mean": (facts.spend_total / facts.bought).round(8),
        "spend_first": facts.spend_first,
        "spend_last": facts.spend_last,
        "spend_largest": facts.spend_largest,
        "refund_days": facts.refund_days,
        "gap_mean": gap_mean,
        "gap_sd": ibis.ifelse(variance > 0, variance, variance * 0).sqrt().round(8),
        "gap_last": facts.gap_last,
        "gap_ratio": time_since_last / gap_mean,
    }
    for length in WINDOWS:
        for name in ("purchases", "spend"):
            features[f"{name}_{length}"] = facts[f"{name}_{length}"].cast("float64")
    for name in ("purchases", "spend"):
        recent, both = facts[f"{name}_90"], facts[f"{name}_180"]
        features[f"trend_{name}"] = (2 * recent - both).cast("float64")
    features["origin_month_sin"] = double(math.sin(angle))
    features["origin_month_cos"] = double(math.cos(angle))
    features["first_purchase_month"] = facts["first"].month().cast("float64")
    return facts.select("customer_id", **features, **{n: facts[n] for n in dimensions(facts)})
