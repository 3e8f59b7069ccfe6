"""From which days the past is replayed: chosen from the log, or by a person."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvmodels.core.errors import ConfigError, DataError
from clvmodels.core.months import month_end
from pipelines.backtesting import origins as origins_of
from pipelines.backtesting import run as backtest
from pipelines.backtesting.origins import choose_origins
from pipelines.data.features.drivers import Drivers
from pipelines.jobs import stages

DAYS = st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1))


def with_origins(config, **settings):
    return config.backtest.model_copy(update={"origins": (), **settings})


@given(first=DAYS, length=st.integers(0, 3000), most=st.integers(1, 60))
def test_chosen_origins_are_month_ends_with_history_and_holdout(config, first, length, most):
    last = first + dt.timedelta(days=length)
    settings = with_origins(config, max_origins=most)
    try:
        origins = choose_origins(first, last, settings)
    except DataError:
        # a month end always falls within 31 days
        assert length < origins_of.MIN_HISTORY_DAYS + origins_of.MIN_HOLDOUT.days + 31
        return
    assert 1 <= len(origins) <= most
    assert origins == sorted(set(origins))
    for origin in origins:
        assert origin == month_end(origin)
        assert (origin - first).days >= origins_of.MIN_HISTORY_DAYS
        assert (last - origin).days >= origins_of.MIN_HOLDOUT.days
    everything = choose_origins(first, last, with_origins(config, max_origins=60))
    if len(everything) > most > 1:
        assert (origins[0], origins[-1]) == (everything[0], everything[-1])
    assert set(origins) <= set(everything) or len(everything) == 60


@given(origins=st.lists(DAYS, min_size=1, max_size=6), first=DAYS, length=st.integers(400, 3000))
def test_configured_origins_are_taken_in_order_as_far_as_they_are_past(
    config, origins, first, length
):
    last = first + dt.timedelta(days=length)
    settings = with_origins(config, origins=tuple(origins))
    if min(origins) <= first:
        with pytest.raises(ConfigError, match="origins must lie after"):
            choose_origins(first, last, settings)
        return
    made = choose_origins(first, last, settings)
    past = sorted({o for o in origins if o < last})
    assert made == past or (not past and made == choose_origins(first, last, with_origins(config)))


def test_too_short_a_log_is_said_to_be(config):
    with pytest.raises(DataError, match="a backtest needs about"):
        choose_origins(dt.date(2022, 1, 1), dt.date(2022, 3, 1), with_origins(config))


def test_an_origin_before_anybody_came_back_is_named_or_left_out(data, config, quiet):
    """Named where a person chose it; of those chosen from the log, it is none."""
    early = dt.date(2021, 9, 30)
    first = data.purchases.group_by("customer_id").agg(first=data.purchases.date.min())
    days = data.purchases.join(first, "customer_id")
    days = days.filter((days.date == days.first) | (days.date > ibis.literal(early))).drop("first")

    def run(log, settings):
        return backtest.run(
            log,
            log.as_of,
            settings=settings,
            training=config.train,
            drivers_at=lambda _: Drivers(),
            valuation_at=stages.valuation_at(config),
            progress=quiet,
        )

    for origins in ((early, dt.date(2022, 6, 30)), (early,)):
        with pytest.raises(ConfigError, match=f"by {early} no customer had come back"):
            run(replace(data.snapshot, purchases=days), with_origins(config, origins=origins))
    with replace(data.snapshot, purchases=days).earlier(dt.date(2021, 10, 31)) as log:
        assert run(log, with_origins(config)).cells.empty
