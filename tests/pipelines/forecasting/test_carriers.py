"""Who carries a cohort: sums of the customer models, and how many customers are behind them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import small_cohorts
from at_a_day import everybody_at, grid_at, training_at
from shop import dataset_of

from clvmodels import BGNBD, GammaGamma
from clvmodels.core.months import month_grid
from pipelines.forecasting import customers as forecast
from pipelines.forecasting.carriers import Carriers
from pipelines.forecasting.levelling import cohort_level
from pipelines.training import fit as train
from pipelines.training.fit import Fitted

GRID = month_grid(dt.date(2022, 6, 30), dt.date(2022, 12, 31))
MODELS = Fitted(
    GRID.as_of,
    BGNBD.from_params(r=0.5, alpha=10.0, a=0.7, b=3.0),
    GammaGamma.from_params(p=9.0, q=3.0, v=500.0),
    spend_from="all",
)


def known(*rows):
    """Histories: month of first purchase, frequency, recency, T, customers, mean value."""
    table = pd.DataFrame(
        rows, columns=["month", "frequency", "recency", "T", "weight", "value_all"]
    )
    cohort = pd.to_datetime([f"2022-{month:02d}-01" for month in table.pop("month")])
    return table.assign(cohort=cohort, quarter=cohort, value_repeat=table["value_all"])


FEW = known(
    (1, 0, 0.0, 170.0, 3.0, 40.0),
    (1, 4, 100.0, 160.0, 1.0, 90.0),
    (1, 4, 150.0, 160.0, 2.0, 30.0),
    (2, 2, 60.0, 140.0, 5.0, 10.0),
    (2, 60, 130.0, 140.0, 1.0, 9000.0),
)


@pytest.mark.parametrize("rows", [1, 2, 250])
def test_their_sums_are_those_of_the_customer_models(rows):
    carriers = Carriers.of(MODELS, FEW, GRID, rows)
    base = forecast.history_sums(MODELS, FEW, GRID)
    pd.testing.assert_frame_equal(carriers.base(GRID), base, rtol=1e-12, check_dtype=False)
    # frequency and T alike: one row
    assert carriers.orders.tolist() == [1, 5, 3, 61]
    assert [(part.start, part.stop) for part in carriers.rows()] == [(0, 2), (2, 4)]


def test_who_has_left_counts_for_nothing():
    """Customer by customer, from the definitions."""
    carriers = Carriers.of(MODELS, FEW, GRID)
    everybody = FEW.loc[FEW.index.repeat(FEW["weight"].astype(int))].reset_index(drop=True)
    months = forecast.customer_months(MODELS, everybody, GRID)
    for c, (_, rows) in enumerate(everybody.groupby("cohort")):
        mine = [0.0, 0.0, 0.0, 0.0]
        for i in rows.index:
            bought, spent = months.purchases[i].sum(), months.revenue[i].sum()
            for at, value in enumerate((bought, bought**2, spent, spent**2)):
                mine[at] += value
        assert carriers.buyers[c] == pytest.approx(mine[0] ** 2 / mine[1])
        assert carriers.spenders[c] == pytest.approx(mine[2] ** 2 / mine[3])
    # one customer's revenue is nearly all of the second cohort's
    assert carriers.spenders[1] == pytest.approx(1.0, abs=0.01)


def test_a_cohort_of_whom_nobody_is_left_has_no_carriers():
    gone = known((1, 400, 1.0, 170.0, 4.0, 20.0))
    carriers = Carriers.of(MODELS, gone, GRID)
    assert carriers.buyers.tolist() == carriers.spenders.tolist() == [0.0]
    np.testing.assert_array_equal(carriers.purchases, 0.0)


def test_a_cohort_is_believed_by_those_who_are_left(config, tmp_path):
    """Where one customer is left of eight, the company's correction is all that is known."""
    log = small_cohorts.subscription()
    payment = log.groupby("who").cumcount()
    last_to_stay = log["who"].eq(log[log["who"].str.startswith("S03")]["who"].mode()[0])
    gone = log["who"].str.startswith("S03") & ~last_to_stay & (payment >= 8)
    with dataset_of(log[~gone], config, tmp_path) as data:
        learned = training_at(data.as_of, data, config)
        everybody = everybody_at(data.as_of, data)
        fitted = train.estimate(replace(learned, churn=()), config.train)
        level = cohort_level(fitted, everybody, learned.history, grid_at(data.as_of, config))
    carriers = Carriers.of(fitted, everybody, level.grid)
    table = level.corrections.set_index("cohort")
    lone = pd.Timestamp("2023-04-01")
    left = pd.Series(carriers.buyers, carriers.cohorts).reindex(table.index, fill_value=0.0)
    assert left[lone] < 1.3
    # of others as large one customer may be left too, and they are believed no more
    alike = table[(table["purchases"] >= table.loc[lone, "purchases"]) & (left > 1.5)]
    assert len(alike) > 5
    assert table.loc[lone, "weight"] < 0.75 * alike["weight"].min()
    np.testing.assert_allclose(table["weight"], (1 - 1 / left).clip(lower=0.0), atol=1e-12)
