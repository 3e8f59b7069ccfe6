"""The backtest against a slow recomputation from the raw log, and against leaks."""

from __future__ import annotations

import datetime as dt
import hashlib
import pickle

import numpy as np
import pandas as pd
import pytest
from at_a_day import backtested, observe
from closeness import assert_close
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from pipelines.backtesting import run as backtest
from pipelines.backtesting.cell_scores import cell_scores
from pipelines.backtesting.run import BacktestResult
from pipelines.jobs.report import metric_records
from pipelines.training import fit as train

ORIGINS = (dt.date(2021, 12, 15), dt.date(2022, 6, 30))
LAST = dt.date(2022, 12, 31)
QUANTITIES = ("purchases", "revenue", "margin", "clv")


@pytest.fixture(scope="module")
def settings(config):
    chosen = config.backtest.model_copy(update={"origins": ORIGINS})
    return config.model_copy(update={"backtest": chosen})


@pytest.fixture(scope="module")
def result(data, settings, quiet) -> BacktestResult:
    return backtested(data, settings, quiet)


@pytest.fixture(scope="module")
def purchases(log) -> pd.DataFrame:
    """Customer-days by plain pandas: who, day, paid, first."""
    table = log.assign(day=pd.to_datetime(log["when"]).dt.normalize())
    days = table.groupby(["who", "day"], as_index=False)["paid"].sum()
    return days.assign(first=days.groupby("who")["day"].transform("min"))


def oracle_cells(purchases: pd.DataFrame, origin: dt.date) -> dict:
    """Purchases and revenue after the origin, one customer-day at a time."""
    cells: dict[tuple[pd.Timestamp, pd.Timestamp], list[float]] = {}
    for row in purchases.itertuples():
        if row.first <= pd.Timestamp(origin) < row.day <= pd.Timestamp(LAST):
            quarter = pd.Timestamp(row.first.year, 3 * ((row.first.month - 1) // 3) + 1, 1)
            cell = cells.setdefault((quarter, row.day.replace(day=1)), [0, 0.0])
            cell[0] += 1
            cell[1] += row.paid
    return cells


def earned(cell: list[float], period: pd.Timestamp, origin: dt.date, economics) -> tuple:
    """Margin and CLV of a cell, discounted from the middle of its forecast days to the origin."""
    margin = economics.margin * cell[1]
    start = max(period, pd.Timestamp(origin) + pd.Timedelta(days=1))
    end = min(period + pd.offsets.MonthEnd(0), pd.Timestamp(LAST))
    days = (start - pd.Timestamp(origin)).days - 1 + ((end - start).days + 1) / 2
    discount = (1 + economics.annual_discount_rate) ** (-days / 365.25)
    return margin, (margin - economics.cost_to_serve * cell[0]) * discount


@pytest.mark.parametrize("origin", ORIGINS)
def test_actuals_are_those_of_the_raw_log(result, purchases, origin):
    cells = result.cells[result.cells["origin"] == pd.Timestamp(origin)]
    expected = oracle_cells(purchases, origin)
    for model, table in cells.groupby("model"):
        found = table.set_index(["cohort", "period"])
        assert not found.index.duplicated().any(), model
        assert set(expected) <= set(found.index)
        for key, row in found.iterrows():
            bought, paid = expected.get(key, (0, 0.0))
            assert row["actual_purchases"] == bought
            assert row["actual_revenue"] == pytest.approx(paid, abs=1e-6)


def score(rows: pd.DataFrame, metric: str, quantity: str) -> float:
    """One metric by its definition, term by term."""
    pairs = list(zip(rows[f"actual_{quantity}"], rows[quantity], strict=True))
    actual = sum(a for a, _ in pairs)
    if metric == "wape":
        return sum(abs(f - a) for a, f in pairs) / actual
    if metric == "bias":
        return (sum(f for _, f in pairs) - actual) / actual
    if metric == "mae":
        return sum(abs(f - a) for a, f in pairs) / len(pairs)
    if metric == "rmse":
        return (sum((f - a) ** 2 for a, f in pairs) / len(pairs)) ** 0.5
    raise AssertionError(metric)


def test_cell_metrics_are_recomputed_from_the_raw_log(result, purchases, settings):
    happened = {origin: oracle_cells(purchases, origin) for origin in ORIGINS}
    checked = 0
    for (origin, level, quantity, model, metric), value in (
        result.metrics.set_index(["origin", "level", "quantity", "model", "metric"])["value"]
    ).items():
        if level in ("customer", "segment_month") or metric == "coverage_90":
            continue
        actual = happened[origin.date()]
        rows = result.cells[
            (result.cells["origin"] == origin) & (result.cells["model"] == model)
        ].copy()
        place = QUANTITIES.index(quantity)
        rows[f"actual_{quantity}"] = [
            (*cell, *earned(cell, key[1], origin.date(), settings.economics))[place]
            for key in zip(rows["cohort"], rows["period"], strict=True)
            for cell in [actual.get(key, (0, 0.0))]
        ]
        if level == "total_month":
            rows = rows.groupby("period")[[quantity, f"actual_{quantity}"]].sum()
        assert value == pytest.approx(score(rows, metric, quantity), rel=1e-9)
        checked += 1
    models = result.cells["model"].nunique()
    assert checked == len(ORIGINS) * models * 2 * len(QUANTITIES) * 4


def test_cells_cover_every_cohort_and_month_for_every_model(result):
    for (origin, _), table in result.cells.groupby(["origin", "model"]):
        periods = pd.period_range(origin + pd.Timedelta(days=1), LAST, freq="M").to_timestamp()
        assert sorted(table["period"].unique()) == list(periods)
        assert len(table) == table["cohort"].nunique() * len(periods)
        assert table["cohort"].max() <= origin
        assert (table["horizon_days"] == (pd.Timestamp(LAST) - origin).days).all()
        values = table[["purchases", "revenue", "actual_purchases", "actual_revenue"]]
        assert np.isfinite(values.to_numpy(dtype=float)).all()


def test_metrics_keep_the_contract_of_backtest_json(result):
    table = result.metrics
    assert set(table["level"]) == {"total_month", "cohort_month", "segment_month", "customer"}
    assert set(table["quantity"]) == set(QUANTITIES)
    assert {"clv", "lifetimes", "last_months_average"} <= set(table["model"])
    keys = ["origin", "horizon_days", "level", "quantity", "model", "metric"]
    assert not table.duplicated(keys).any()
    for record in metric_records(table):
        assert list(record) == [*keys, "value"]
        assert record["origin"] in {str(origin) for origin in ORIGINS}
        assert type(record["horizon_days"]) is int
        assert type(record["value"]) is float
    bounds = table[table["metric"].isin(["gini", "coverage_90", "auc", "brier"])]
    assert bounds["value"].between(-1, 1).all()


def test_months_have_intervals_of_their_own_and_are_held_to_them(result):
    """Narrower than the sum of their cohorts': errors of cohorts partly cancel."""
    rows = result.metrics[result.metrics["metric"] == "coverage_90"]
    months = rows[rows["level"] == "total_month"]
    assert set(months["model"]) == {"clv", "cohort"}
    assert len(months) == len(ORIGINS) * 2 * len(QUANTITIES)
    names = ["purchases", "revenue"]
    whole = pd.Index([1, 2])  # the third is forecast in part, and no month of a coverage
    cells = pd.DataFrame({"cohort": [1, 2, 1, 2, 1, 2], "period": [1, 1, 2, 2, 3, 3]})
    own = pd.DataFrame({"period": [1, 2, 3]})
    for name in names:
        cells[name], cells[f"actual_{name}"] = 10.0, [10.0, 11.0, 10.0, 30.0, 90.0, 90.0]
        cells[f"{name}_low"], cells[f"{name}_high"] = 5.0, 15.0
        own[f"{name}_low"], own[f"{name}_high"] = 18.0, 24.0
    found = {
        (level, quantity): value
        for level, quantity, _, metric, value in cell_scores("clv", cells, own, whole)
        if metric == "coverage_90"
    }
    assert found == {
        **{("cohort_month", name): 0.75 for name in names},
        **{("total_month", name): 0.5 for name in names},
    }


def test_wape_is_at_least_the_size_of_the_bias(result):
    wide = result.metrics.pivot_table(
        index=["origin", "level", "quantity", "model"], columns="metric", values="value"
    )
    both = wide[["wape", "bias"]].dropna()
    assert len(both) >= 2 * 2 * len(QUANTITIES) * 4
    assert (both["wape"] >= both["bias"].abs() - 1e-12).all()


def test_customer_totals_are_cell_totals(result, data, settings):
    """Both levels tell of the same forecast and the same truth."""
    known, truth = observe(ORIGINS[1], data, settings)
    cells = result.cells[result.cells["origin"] == pd.Timestamp(ORIGINS[1])]
    own = cells[cells["model"] == "clv"]
    for quantity in ("purchases", "revenue"):
        assert truth.customers[quantity].sum() == pytest.approx(own[f"actual_{quantity}"].sum())
        assert truth.cells[quantity].sum() == pytest.approx(own[f"actual_{quantity}"].sum())
    assert len(known.customers) == len(truth.customers)
    assert "customer_id" not in known.customers
    rows = result.metrics[
        (result.metrics["origin"] == pd.Timestamp(ORIGINS[1]))
        & (result.metrics["metric"] == "bias")
    ].set_index(["level", "quantity", "model"])["value"]
    for quantity in ("purchases", "revenue"):
        for model in ("clv", "lifetimes"):
            found = rows["customer", quantity, model]
            assert found == pytest.approx(rows["cohort_month", quantity, model], abs=1e-9)
            assert found == pytest.approx(rows["total_month", quantity, model], abs=1e-9)


@pytest.fixture(scope="module")
def sampled(data, settings):
    """An origin of which about a third of the customers is looked at one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "CUSTOMERS", 230)
        known, truth = observe(ORIGINS[1], data, settings)
    return known, truth, backtest.judge(known, truth, settings.train, explain=False)


def test_a_sample_of_customers_leaves_every_cohort_exact(result, sampled):
    known, _, made = sampled
    assert made.samples["sampled"].tolist() == [len(known.customers)]
    assert 150 < len(known.customers) < 300 < known.population
    whole = result.cells[result.cells["origin"] == pd.Timestamp(ORIGINS[1])]
    for model, cells in made.cells.groupby("model"):
        expected = whole[whole["model"] == model]
        if model == "gradient_boosting":  # an estimate from the sample
            assert cells["purchases"].sum() == pytest.approx(expected["purchases"].sum(), rel=0.3)
            continue
        pd.testing.assert_frame_equal(
            cells.reset_index(drop=True), expected.reset_index(drop=True), rtol=1e-9
        )


def test_a_sample_is_drawn_by_the_digest_of_the_id(sampled, purchases):
    known, truth, made = sampled
    first = purchases.drop_duplicates("who").set_index("who")["first"]
    who = sorted(first.index[first <= pd.Timestamp(ORIGINS[1])])
    assert known.population == len(who)
    limit = f"{int(230 / len(who) * 16**8):08x}"
    drawn = [name for name in who if hashlib.md5(name.encode()).hexdigest() < limit]
    assert len(known.customers) == len(drawn)
    late = (purchases["day"] > pd.Timestamp(ORIGINS[1])) & (purchases["day"] <= str(LAST))
    later = purchases[late].groupby("who")["paid"].agg(["size", "sum"]).reindex(drawn).fillna(0)
    np.testing.assert_array_equal(truth.customers["purchases"], later["size"])
    np.testing.assert_allclose(truth.customers["revenue"], later["sum"])
    assert (made.deciles.groupby(["model", "quantity"])["customers"].sum() == len(drawn)).all()


def test_a_log_below_the_bound_is_looked_at_whole(result, purchases):
    first = purchases.drop_duplicates("who")["first"]
    for row in result.samples.itertuples():
        assert row.sampled == row.customers == (first <= row.origin).sum()


def test_deciles_hold_every_customer_and_average_to_the_totals(result, purchases):
    for (origin, _, quantity), table in result.deciles.groupby(["origin", "model", "quantity"]):
        first = purchases.drop_duplicates("who")["first"]
        assert table["customers"].sum() == (first <= origin).sum()
        assert list(table["decile"]) == list(range(1, 11))
        assert table["forecast_mean"].is_monotonic_increasing
        actual = oracle_cells(purchases, origin.date()).values()
        total = sum(cell[0 if quantity == "purchases" else 1] for cell in actual)
        assert (table["actual_mean"] * table["customers"]).sum() == pytest.approx(total)


def test_churn_scores_are_those_of_scikit_learn(data, settings, result, purchases):
    origin = ORIGINS[1]
    known, truth = observe(origin, data, settings)
    fitted = train.estimate(known.training, settings.train)
    table = train.with_model_features(truth.churn.features, fitted.transactions, 60)
    made = fitted.churn.churn_probability(table)
    after = purchases[
        (purchases["day"] > pd.Timestamp(origin))
        & (purchases["day"] <= pd.Timestamp(origin) + pd.Timedelta(days=60))
    ]
    who = sorted(purchases.loc[purchases["first"] <= pd.Timestamp(origin), "who"].unique())
    churned = np.array([w not in set(after["who"]) for w in who])
    rows = result.metrics[
        (result.metrics["origin"] == pd.Timestamp(origin)) & (result.metrics["model"] == "churn")
    ].set_index("metric")["value"]
    assert rows["auc"] == pytest.approx(roc_auc_score(churned, made), abs=1e-9)
    assert rows["brier"] == pytest.approx(brier_score_loss(churned, made), abs=1e-9)
    assert rows["log_loss"] == pytest.approx(log_loss(churned, made), abs=1e-6)


def test_a_backtest_run_again_is_the_same(data, settings, quiet, result):
    again = backtested(data, settings, quiet)
    for name in ("metrics", "cells", "deciles", "churn_reliability", "churn_importance"):
        assert_close(getattr(result, name), getattr(again, name))


@pytest.mark.slow
def test_processes_change_nothing(data, settings, quiet, result):
    more = settings.backtest.model_copy(update={"jobs": 2})
    parallel = settings.model_copy(update={"backtest": more})
    again = backtested(data, parallel, quiet)
    assert_close(result.metrics, again.metrics)
    assert_close(result.cells, again.cells)


def test_what_a_forecast_sees_travels_to_another_process(data, settings):
    known, truth = observe(ORIGINS[0], data, settings)
    assert len(pickle.dumps((known, truth))) > 0


def test_a_horizon_beyond_the_log_leaves_churn_unjudged(data, settings, quiet):
    late = settings.backtest.model_copy(update={"origins": (dt.date(2022, 11, 30),)})
    settings = settings.model_copy(update={"backtest": late})
    made = backtested(data, settings, quiet)
    assert not made.metrics["metric"].isin(["auc", "brier", "log_loss"]).any()
    assert made.churn_reliability.empty
