"""Cohort-month tables that are odd, small or wrong, and what becomes of them."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from cohort_tables import simulated_table

from clvmodels.cohorts import intervals
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.model.table import read_cohort_months
from clvmodels.core.errors import InvalidValueError
from clvmodels.numerics.loglinear import MOST_SD

AS_OF = dt.date(2020, 12, 31)
UNTIL = dt.date(2021, 6, 30)


@pytest.fixture(scope="module")
def table():
    return simulated_table(months=14, new_customers=60)


def test_rows_after_the_as_of_date_may_be_anything(table):
    later = table[table["period"] > pd.Timestamp(AS_OF)]
    known = table[table["period"] <= pd.Timestamp(AS_OF)]
    twice = pd.concat([table, later.assign(purchases=-1.0, revenue=np.nan)])
    plain, odd = (CohortForecaster().fit(frame, AS_OF).to_dict() for frame in (known, twice))
    assert plain == odd


@pytest.mark.parametrize(
    ("change", "as_of", "message"),
    [
        (lambda t: t.assign(period=t["period"].mask(t.index == 3)), AS_OF, "a cohort and a period"),
        (lambda t: t, dt.date(2020, 12, 10), "more customer_days than their customers can have"),
    ],
)
def test_a_table_that_cannot_be_of_its_day_is_refused(table, change, as_of, message):
    with pytest.raises(InvalidValueError, match=message):
        CohortForecaster().fit(change(table), as_of)


def test_a_log_does_not_start_after_its_first_month(table):
    with pytest.raises(InvalidValueError, match="they begin in 2020-01, before log_start"):
        read_cohort_months(table, AS_OF, dt.date(2020, 2, 1))
    assert read_cohort_months(table, AS_OF, dt.date(2020, 1, 31)).month_days[0] == 1


def test_customers_are_of_known_cohorts_once(table):
    fitted = CohortForecaster(select=False).fit(table, AS_OF)
    months = pd.to_datetime(["2020-03-01", "2020-03-01", "2021-03-01"])
    for some in (months[:2], months[1:]):
        with pytest.raises(InvalidValueError, match="one count a cohort"):
            fitted.forecast(UNTIL, customers=pd.Series(5.0, index=some))


@pytest.mark.parametrize("customers", [5, 50, 5000])
def test_a_single_month_of_log_gives_no_absurd_number(customers):
    """Its level rests on the prior of the curve of age alone, and the interval says so."""
    frame = simulated_table(months=1, new_customers=customers, seed=1)
    made = CohortForecaster().fit(frame, dt.date(2020, 1, 31))
    total = made.forecast(dt.date(2020, 7, 31), level="total").iloc[0]
    bought = frame["purchases"].sum() + 0.5
    assert bought < total["purchases"] < 40 * bought
    assert total["purchases_high"] < 500 * bought


def test_a_last_month_unlike_all_before_gives_no_absurd_number():
    frame = simulated_table(months=8, new_customers=100)
    late = frame["period"] == frame["period"].max()
    counts = frame["purchases"].where(late, 0)
    frame = frame.assign(purchases=counts, revenue=50.0 * counts)
    made = CohortForecaster().fit(frame, dt.date(2020, 8, 31))
    total = made.forecast(dt.date(2021, 2, 28), level="total").iloc[0]
    assert total["purchases"] < 100 * counts.sum()
    assert np.isfinite(total.to_numpy()).all()
    assert max(made.evidence_["sds"].values()) <= MOST_SD
    assert made.spread_.purchases <= intervals.MOST_REACH
    json.dumps(made.to_dict(), allow_nan=False)
