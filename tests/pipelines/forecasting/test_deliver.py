"""The two forecast tables as they are written: in batches, in order, adding up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from at_a_day import deliver_at, grid_at, training_at
from closeness import assert_close
from shop import TRAINED_AS_OF, altered, dataset_of

from clvmodels.core import schema
from clvmodels.finance.clv import value_tiers
from pipelines.data import features
from pipelines.data.features import Snapshot
from pipelines.data.margins import Margin
from pipelines.forecasting import customers as forecast
from pipelines.forecasting import deliver
from pipelines.forecasting.carriers import Carriers
from pipelines.jobs import stages
from pipelines.sources.engines import batches
from pipelines.training import fit as train

AS_OF = TRAINED_AS_OF


@pytest.fixture(scope="module")
def fitted(data, config):
    return train.estimate(training_at(AS_OF, data, config), config.train)


@pytest.fixture(scope="module")
def write(data, fitted, config):
    def run(folder, source=data):
        folder.mkdir()
        made = deliver_at(AS_OF, source, fitted, config, folder)
        return made, *(pd.read_parquet(folder / n) for n in (deliver.CUSTOMERS, deliver.COHORTS))

    return run


@pytest.fixture(scope="module")
def written(write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("deliver") / "first")


def test_nothing_but_the_two_tables_is_written(write, tmp_path):
    write(tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {deliver.CUSTOMERS, deliver.COHORTS}


def test_equal_runs_write_equal_files(write, tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    for name in (deliver.CUSTOMERS, deliver.COHORTS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("rows", [7, 250, 699])
def test_the_size_of_batches_changes_nothing(written, write, tmp_path, monkeypatch, rows):
    stream, sums, carried = batches.stream, forecast.history_sums, Carriers.of
    monkeypatch.setattr(batches, "stream", lambda table, _: stream(table, rows))
    monkeypatch.setattr(
        forecast, "history_sums", lambda *given, **more: sums(*given, rows=rows, **more)
    )
    monkeypatch.setattr(Carriers, "of", lambda *given: carried(*given, rows=rows))
    _, customers, cohorts = write(tmp_path / "out")
    # cohort sums, and the factors made of them, are summed in another order
    pd.testing.assert_frame_equal(customers, written[1], rtol=1e-11)
    pd.testing.assert_frame_equal(cohorts, written[2], rtol=1e-11)


def test_customers_are_in_order_and_in_their_schema(written):
    _, customers, cohorts = written
    assert list(customers) == schema.CUSTOMER_FORECAST.names
    assert list(cohorts)[:2] == ["cohort", "period"]
    schema.COHORT_FORECAST.require(cohorts.columns)
    assert customers["customer_id"].is_monotonic_increasing
    assert customers["customer_id"].is_unique


def test_customers_add_up_to_their_cohorts_and_cohorts_to_the_totals(written):
    made, customers, cohorts = written
    customers = customers.assign(cohort=pd.to_datetime(customers["cohort"]))
    cohorts = cohorts.assign(cohort=pd.to_datetime(cohorts["cohort"]))
    for one, many in (("expected_purchases", "purchases"), ("expected_revenue", "revenue")):
        pd.testing.assert_series_equal(
            customers.groupby("cohort")[one].sum(),
            cohorts.groupby("cohort")[many].sum(),
            check_names=False,
            rtol=1e-9,
            check_index_type=False,
        )
    total = made.totals.set_index("quantity")["value"]
    assert total["purchases"] == pytest.approx(cohorts["purchases"].sum())
    assert total["revenue"] == pytest.approx(customers["expected_revenue"].sum())
    assert total["margin"] == pytest.approx(0.4 * total["revenue"])
    if "clv" in total.index:
        assert total["clv"] == pytest.approx(customers["clv"].sum())


def test_intervals_enclose_their_forecast(written):
    _, _, cohorts = written
    for quantity in ("purchases", "revenue", "margin"):
        low, high = cohorts[f"{quantity}_low"], cohorts[f"{quantity}_high"]
        assert (low <= high).all()
        assert low.min() >= 0
        assert (
            (low <= cohorts[quantity] * (1 + 1e-9) + 1e-9) & (cohorts[quantity] <= high)
        ).mean() > 0.95


def test_tiers_are_the_ranks_of_clv(written):
    made, customers, _ = written
    assert list(customers["tier"]) == list(value_tiers(customers["clv"]))
    best = customers.sort_values("clv", ascending=False)
    assert set(best["tier"].head(7)) == {"top 1 %"}
    assert (customers["tier"] == "other 90 %").sum() == 630
    assert made.tiers["customers"].sum() == made.customers == len(customers)
    assert made.tiers["clv"].sum() == pytest.approx(customers["clv"].sum())
    assert made.tiers["share_of_clv"].sum() == pytest.approx(1)


def test_segments_are_sums_of_the_raw_log(written, log):
    made, customers, _ = written
    known = log[pd.to_datetime(log["when"]).dt.date <= AS_OF]
    country = known.groupby("who")["land"].first()
    clv = customers.set_index("customer_id")["clv"]
    table = made.segments.set_index(["dimension", "value"])
    for land in ("DE", "FR", "IT"):
        mine = country.index[country == land]
        row = table.loc[("country", land)]
        assert row["customers"] == len(mine)
        spent = known.loc[known["who"].isin(mine), "paid"].sum()
        assert row["ltv_revenue"] == pytest.approx(spent / len(mine))
        assert row["clv"] == pytest.approx(clv[mine].mean())


def test_tables_at_hand_change_nothing(data, fitted, written, config, tmp_path):
    """The summary as an expression, and the cohort months that training has read, serve too."""
    history = training_at(AS_OF, data, config).history
    summary = features.summary(data.purchases, AS_OF, people="all")
    then = Snapshot(data.purchases, data.first_date, AS_OF, summary)
    stages.delivered(fitted, then, history, tmp_path, config, Margin(config.economics.margin))
    cohorts = pd.read_parquet(tmp_path / deliver.COHORTS)
    assert_close(cohorts, written[2])


def test_what_another_engine_wrote_is_replaced(data, fitted, config, written, tmp_path):
    """Spark writes a folder of that name."""
    (tmp_path / deliver.CUSTOMERS).mkdir()
    (tmp_path / deliver.CUSTOMERS / "part-0.parquet").touch()
    deliver_at(AS_OF, data, fitted, config, tmp_path)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / deliver.CUSTOMERS), written[1])


def test_who_may_only_be_counted_is_in_no_row(log, config, tmp_path):
    """Nobody has consented: cohorts are forecast, customers are not."""
    governance = config.governance.model_copy(update={"consent": "aggregate_only"})
    columns = config.columns.model_copy(update={"consent": "agreed"})
    train_only = config.train.model_copy(update={"cohort_level": False})
    config = config.model_copy(
        update={"governance": governance, "columns": columns, "train": train_only}
    )
    with dataset_of(log.assign(agreed="no"), config, tmp_path) as data:
        fitted = train.estimate(training_at(AS_OF, data, config), config.train)
        made = deliver_at(AS_OF, data, fitted, config, tmp_path)
    assert pd.read_parquet(tmp_path / deliver.CUSTOMERS).empty
    assert made.tiers.empty
    assert (made.customers, made.mean_clv) == (0, 0.0)
    assert made.cohorts["purchases"].sum() > 0


def test_nothing_after_as_of_reaches_the_files(written, write, log, config, tmp_path):
    with dataset_of(altered(log, AS_OF), config, tmp_path) as other:
        _, customers, cohorts = write(tmp_path / "out", other)
    assert_close(customers, written[1])
    assert_close(cohorts, written[2])


def test_the_cohort_level_moves_customers_of_a_cohort_alike(written, fitted, data, config):
    """Within a cohort, the customer models' ranks stay as they were."""
    _, customers, _ = written
    with data.snapshot.earlier(AS_OF) as then:
        table = features.scoring_table(then).order_by("customer_id").to_pandas()
    alone = forecast.customer_months(fitted, table, grid_at(AS_OF, config)).purchases[:, 0]
    first = customers["cohort"] == customers["cohort"].mode()[0]
    order = np.argsort(alone[first.to_numpy()], kind="stable")
    made = customers.loc[first, "expected_purchases"].to_numpy()[order]
    assert np.corrcoef(made, np.sort(alone[first.to_numpy()]))[0, 1] > 0.99
