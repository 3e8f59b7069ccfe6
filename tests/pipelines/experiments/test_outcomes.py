"""Sums of the window and forecasts against plain Python over plain rows."""

from __future__ import annotations

import datetime as dt

import example_logs as logs
import numpy as np
import pandas as pd
import pytest

from clvmodels.finance.clv import UnitEconomics
from pipelines.config.load import Train
from pipelines.data import customer_days as transactions
from pipelines.experiments import forecasts, outcomes
from pipelines.experiments.collect import collect, known_customers

ECONOMICS = UnitEconomics(0.5, 1.25, 0.1)


def given(seed=3, count=100, first="2022-07-01", spread=60):
    """Assignments over some days, of customers of ``messy_log`` and strangers."""
    rng = np.random.default_rng(seed)
    ids = sorted([f"{n:05d}" for n in range(count)] + ["stranger"])
    day = pd.Timestamp(first) + pd.to_timedelta(rng.integers(0, spread, len(ids)), unit="D")
    frame = pd.DataFrame({"customer_id": ids, "day": day.astype("datetime64[s]")})
    return frame.assign(until=frame["day"] + pd.Timedelta(days=20))


@pytest.fixture
def loaded(tmp_path):
    """A log with refunds, orders and recorded margins, some missing."""
    frame = logs.messy_log()
    rng = np.random.default_rng(5)
    frame["order"] = rng.integers(0, 400, len(frame))
    frame["earned"] = (frame["value"] * 0.3).round(2)
    frame.loc[rng.random(len(frame)) < 0.3, "earned"] = np.nan
    frame.to_csv(tmp_path / "log.csv", index=False)
    columns = {"transaction_id": "order", "margin": "earned"}
    config = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")}, columns=columns)
    with transactions.load(config.log) as data:
        yield data


def test_window_sums_are_those_of_plain_python(loaded):
    customers = given()
    with outcomes.placed(loaded.purchases, customers) as table:
        found = outcomes.window_sums(loaded.snapshot, table, ECONOMICS.margin)
    days = loaded.purchases.execute()
    days["date"] = pd.to_datetime(days["date"])
    assert list(found["customer_id"]) == list(customers["customer_id"])
    assert found["revenue"].lt(0).any()  # refunds
    for row, asked in zip(found.itertuples(), customers.itertuples(), strict=True):
        own = days[days["customer_id"] == asked.customer_id]
        inside = own[(own["date"] >= asked.day) & (own["date"] <= asked.until)]
        counted = inside[~inside["refund_of_first"]]
        assert row.purchases == inside["purchase"].sum()
        assert row.orders == inside.loc[inside["purchase"] == 1, "orders"].sum()
        assert row.revenue == pytest.approx(counted["amount"].sum(), abs=1e-6)
        bare = counted.loc[counted["margin"].isna(), "amount"].sum()
        assert row.gross_margin == pytest.approx(counted["margin"].sum() + 0.5 * bare, abs=1e-6)
        assert row.individual == (len(own) > 0)


def collected(loaded, customers, *metrics):
    return collect(
        loaded.snapshot,
        customers,
        metrics=metrics,
        window_days=21,
        settings=Train(),
        economics=ECONOMICS,
        horizon_months=6,
    )


def test_only_customers_known_before_their_own_assignment_are_read(loaded):
    customers = given()
    found = collected(loaded, customers, "purchases")
    first = known_customers(loaded.snapshot).set_index("customer_id")["first_purchase"]
    bought = customers["customer_id"].map(first)
    known = bought < customers["day"]
    assert list(found.place) == list(np.flatnonzero(known))
    assert found.set_aside == {"unknown": int((~known).sum()), "totals_only": 0}
    # The forecast of the day before the first assignment knows who had bought by then.
    missing = found.forecast["purchases"].isna().to_numpy()
    late = bought[known] >= customers["day"].min()
    assert list(missing) == list(late)
    assert missing.any()
    x = forecasts.covariates(found.forecast, "purchases")
    assert x.shape == (len(found.place), 2)
    assert list(x[:, 1] == 1) == list(missing)


def test_forecasts_know_nothing_of_the_window(loaded):
    """The same with a log that ends the day before the first assignment."""
    customers = given(spread=1)
    before = collected(loaded, customers, "revenue").forecast
    with loaded.snapshot.earlier(dt.date(2022, 6, 30)) as then:
        fitted = forecasts.fit(then, Train())
        with outcomes.placed(then.purchases, customers) as table:
            known = outcomes.histories(then, table).dropna()
    told = forecasts.expected(fitted, known, 21, ECONOMICS, 6)
    kept = set(known.index)
    place = [at for at, name in enumerate(customers["customer_id"]) if name in kept]
    assert len(before) == len(place)
    for name in told:
        assert before[name].to_numpy() == pytest.approx(told[name].to_numpy(), rel=1e-12)
    assert told["retention"].between(0, 1).all()
    assert (told["retention"] <= told["purchases"] + 1e-12).all()


def test_clv_is_the_margin_since_assignment_and_the_forecast_ahead(loaded):
    customers = given(spread=1)
    found = collected(loaded, customers, "margin", "clv").metrics
    day = customers["until"].max().date()
    with loaded.snapshot.earlier(day) as then:
        fitted = forecasts.fit(then, Train())
        with outcomes.placed(then.purchases, customers) as table:
            known = outcomes.histories(then, table).dropna()
    ahead = forecasts.expected(fitted, known, 21, ECONOMICS, 6)["clv"]
    ids = customers["customer_id"].iloc[collected(loaded, customers, "margin").place]
    assert found["clv"].to_numpy() == pytest.approx(
        found["margin"].to_numpy() + ahead.loc[ids].to_numpy(), rel=1e-9
    )


def test_a_log_too_young_for_a_forecast_leaves_it_out_and_says_so(loaded):
    found = collected(loaded, given(first="2022-01-02", spread=1), "purchases")
    assert found.forecast is None
    assert "nobody had bought on a second day by 2022-01-01" in found.notes[0]
    assert forecasts.covariates(found.forecast, "purchases") is None


def test_orders_need_a_log_that_tells_them(tmp_path):
    logs.messy_log().to_csv(tmp_path / "log.csv", index=False)
    config = logs.config({"kind": "csv", "path": str(tmp_path / "log.csv")})
    with transactions.load(config.log) as data:
        found = collected(data, given(), "orders", "purchases")
    assert list(found.metrics) == ["purchases"]
    assert "transaction_id" in found.left_out["orders"]


def test_who_may_not_be_profiled_is_left_out(tmp_path):
    frame = logs.messy_log()
    number = frame["customer"].str.slice(-1)
    frame["agreed"] = np.where(number.isin(["0", "1"]), "no", "yes")
    frame.to_csv(tmp_path / "log.csv", index=False)
    config = logs.config(
        {"kind": "csv", "path": str(tmp_path / "log.csv")},
        columns={"consent": "agreed"},
        governance={"consent": "aggregate_only"},
    )
    with transactions.load(config.log) as data:
        customers = given()
        found = collected(data, customers, "purchases")
        known = known_customers(data.snapshot)
    kept = customers["customer_id"].iloc[found.place]
    assert not kept.str.endswith(("0", "1")).any()
    assert not known["customer_id"].str.endswith(("0", "1")).any()
    assert found.set_aside["totals_only"] > 0
    assert sum(found.set_aside.values()) + len(kept) == len(customers)
