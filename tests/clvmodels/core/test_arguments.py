"""What is given beside a table: text, dates, infinities and counts that cannot be, everywhere."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from cohort_tables import AS_OF, UNTIL
from true_parameters import TRUE_PARAMETERS

from clvmodels import BGNBD, MBGNBD, NBD, GammaGamma, ParetoNBD
from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.core import metrics
from clvmodels.core.arguments import day, number, numbers, probability, read_horizon, whole_number
from clvmodels.core.errors import InvalidValueError
from clvmodels.core.months import month_grid
from clvmodels.evaluation.spend import spend_by_frequency, spend_distribution
from clvmodels.evaluation.transactions import (
    conditional_expectations,
    frequency_histogram,
    tracking,
)
from clvmodels.finance import clv as value
from clvmodels.simulation.simulate import NBDProcess, simulate_log

ROWS = pd.DataFrame(
    {
        "frequency": [2, 0, 5],
        "recency": [9.0, 0.0, 20.0],
        "T": 30.0,
        "monetary_value": [9.0, 0.0, 4.0],
    }
)


@pytest.fixture(scope="module")
def fitted(transaction_model, histories):
    return type(transaction_model)().fit(histories)


@pytest.fixture(scope="module")
def fitted_cohorts(table):
    return CohortForecaster(select=False, draws=20).fit(table, AS_OF)


@pytest.mark.parametrize(
    "values",
    [3, 3.5, [1, 2], np.float32(3), [Decimal("1.5"), 2], pd.Series([1, 2], dtype="Int64"), [True]],
)
def test_numbers_of_every_kind_are_read(values):
    np.testing.assert_array_equal(numbers(values, "x"), np.asarray(values).astype(float))


@pytest.mark.parametrize(
    "values",
    [
        "30",
        ["30"],
        [1, "2"],
        None,
        [[1], [1, 2]],
        [1, None],
        dt.timedelta(3),
        np.timedelta64(3, "D"),
        np.datetime64("2020-01-01"),
        dt.date(2020, 1, 1),
        1j,
        10**400,
        {"a": 1},
    ],
    ids=repr,
)
def test_what_is_no_number_is_named_and_refused(values):
    with pytest.raises(InvalidValueError, match="x must hold numbers; found"):
        numbers(values, "x")


HORIZONS = ["30", ["30", "60"], None, np.nan, -1.0, np.inf, 1e300, [], [[1.0]], dt.timedelta(30)]


@pytest.mark.parametrize("horizon", HORIZONS, ids=repr)
@pytest.mark.parametrize(
    "ask",
    [
        lambda m, t: m.expected_purchases(ROWS, t),
        lambda m, t: m.probability_no_purchase(ROWS, t),
        lambda m, t: m.purchase_pmf_given_history(ROWS, 0, t),
        lambda m, t: m.purchase_pmf(0, t),
        lambda m, t: m.expected_purchases_new_customer(t),
        lambda m, t: m.simulate(ROWS, t, 3),
        lambda m, t: m.total_purchases(ROWS, t),
        lambda m, t: m.discounted_expected_purchases(ROWS, t, [1.0]),
    ],
)
def test_horizons(fitted, ask, horizon):
    with pytest.raises(InvalidValueError, match=r"horizon|\bt\b"):
        ask(fitted, horizon)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.purchase_pmf_given_history(ROWS, 0, [30.0, 60.0]),
        lambda m: m.simulate(ROWS, [30.0, 60.0], 3),
        lambda m: m.total_purchases(ROWS, [30.0]),
    ],
)
def test_where_one_horizon_is_asked_several_are_refused(fitted, ask):
    with pytest.raises(InvalidValueError, match="horizon must be a single number"):
        ask(fitted)


def test_the_pmf_of_new_customers_at_several_times(transaction_model):
    together = transaction_model.purchase_pmf([0, 1, 4], [30.0, 60.0])
    assert together.shape == (3, 2)
    for column, time in enumerate([30.0, 60.0]):
        np.testing.assert_allclose(
            together[:, column], transaction_model.purchase_pmf([0, 1, 4], time), rtol=1e-12
        )
    none = transaction_model.purchase_pmf(0, [30.0, 60.0])
    np.testing.assert_allclose(none, together[0], rtol=1e-12)
    assert np.ndim(transaction_model.purchase_pmf(0, 30.0)) == 0


@pytest.mark.parametrize(
    "weights",
    ["3", ["1", "2", "3"], [1, 2, None], [1, np.inf, 1], [1e300] * 3, [1, np.nan, 1], [1, 2]],
)
@pytest.mark.parametrize("model", [BGNBD, MBGNBD, NBD, ParetoNBD, GammaGamma])
def test_weights(model, weights):
    with pytest.raises(InvalidValueError, match="weight"):
        model().fit(ROWS, weights)
    params = TRUE_PARAMETERS.get(model, {"p": 6.0, "q": 4.0, "v": 15.0})
    with pytest.raises(InvalidValueError, match="weight"):
        model.from_params(**params).log_likelihood(ROWS, weights)


@pytest.mark.parametrize(
    "level", [0, 1, -0.5, 1.5, 95, np.nan, np.inf, "0.9", None, [0.5, 0.9]], ids=repr
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda m, level: m.confidence_intervals(level),
        lambda m, level: m.summary(level),
        lambda m, level: m.delta_interval(lambda a: a.params_["r"], level),
        lambda m, level: m.draw_interval(lambda a: a.params_["r"], level, n_draws=3),
        lambda m, level: m.total_purchases(ROWS, 9.0, level),
        lambda m, level: value.value_interval(*np.ones((6, 2)), level=level),
    ],
)
def test_levels(fitted, ask, level):
    with pytest.raises(InvalidValueError, match="level must lie between 0 and 1"):
        ask(fitted, level)


@pytest.mark.parametrize("n", [0, -3, 2.5, "9", None, np.nan, True], ids=repr)
@pytest.mark.parametrize(
    "ask",
    [
        lambda m, n: m.draw_interval(lambda a: a.params_["r"], n_draws=n),
        lambda m, n: m.parameter_draws(n),
        lambda m, n: m.parametric_bootstrap(ROWS, n),
        lambda m, n: m.simulate(ROWS, 9.0, n),
    ],
)
def test_numbers_of_draws(fitted, ask, n):
    with pytest.raises(InvalidValueError, match="must be a whole number of"):
        ask(fitted, n)


def test_one_draw_has_no_spread(fitted):
    with pytest.raises(InvalidValueError, match="n_draws must be a whole number of 2 or more"):
        fitted.draw_interval(lambda m: m.params_["r"], n_draws=1)
    assert len(fitted.parameter_draws(np.int64(1), random_state=1)) == 1
    assert fitted.simulate(ROWS, 9.0, 1).shape == (3, 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.purchase_pmf("0", 9.0),
        lambda m: m.purchase_pmf(np.inf, 9.0),
        lambda m: m.purchase_pmf([[0, 1]], 9.0),
        lambda m: m.dert(ROWS, "0.1"),
        lambda m: m.dert(ROWS, 5e-324),
        lambda m: m.discounted_expected_purchases(ROWS, [1.0, 2.0], ["1", "1"]),
        lambda m: m.expected_purchases_new_customer(9.0, "age"),
        lambda m: type(m)(penalty="a lot").fit(ROWS),
        lambda m: type(m)(penalty=np.nan).fit(ROWS),
        lambda m: frequency_histogram(m, ROWS, "7"),
        lambda m: tracking(m, ROWS, ["-9", "0"], [1, 1]),
        lambda m: tracking(m, ROWS, [-9.0, np.inf], [1, 1]),
        lambda m: conditional_expectations(ROWS, ["1", "1", "1"], [1, 1, 1]),
        lambda m: conditional_expectations(ROWS, [1, 1, 1], [1, 1, 1], groups=2.5),
        lambda m: spend_distribution(GammaGamma(0.1).fit(ROWS), ROWS, bins=0.5),
        lambda m: spend_by_frequency(ROWS, "7"),
        lambda m: GammaGamma(0.1).fit(ROWS).simulate(ROWS, [["1"], ["2"], ["3"]]),
        lambda m: GammaGamma(0.1).fit(ROWS).simulate(ROWS, [[1], [2], [np.inf]]),
        lambda m: GammaGamma(0.1).fit(ROWS).simulate(ROWS, [[1], [2], [np.nan]]),
        lambda m: metrics.wape(["1"], [1.0]),
        lambda m: value.discount_factors(["30"], 0.1),
        lambda m: value.discount_factors([30], "0.1"),
        lambda m: value.discount_factors([30], -1.0),
        lambda m: value.historical_ltv(9.0, 0.3, "0.1"),
        lambda m: simulate_log(NBDProcess(r=1.0, alpha=9.0), "9"),
        lambda m: simulate_log(NBDProcess(r=1.0, alpha=9.0), 9, days="30"),
        lambda m: simulate_log(NBDProcess(r=1.0, alpha=9.0), 9, season=["1"] * 12),
        lambda m: NBDProcess(r="1", alpha=9.0),
        lambda m: month_grid("2020-01-01", dt.date(2020, 2, 1)),
        lambda m: month_grid(dt.date(2020, 1, 1), pd.NaT),
    ],
)
def test_no_other_question_takes_them_either(transaction_model, ask):
    with pytest.raises(InvalidValueError):
        ask(transaction_model)


def test_one_number_a_whole_one_a_share_a_day():
    assert number(Decimal("2.5"), "x") == 2.5
    assert whole_number(np.int64(3), "x", 1) == 3
    assert probability(np.float32(0.5)) == 0.5
    assert read_horizon(7) == 7.0
    assert day(pd.Timestamp("2020-02-29 13:00"), "as_of") == dt.date(2020, 2, 29)
    for bad in (np.nan, [1.0], "1"):
        with pytest.raises(InvalidValueError, match="x must"):
            number(bad, "x")
    with pytest.raises(InvalidValueError, match="as_of must be a date, such as"):
        day("2020-02-29", "as_of")


# The cohort forecast


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda f: f.forecast("2022-06-30"), "until must be a date"),
        (lambda f: f.forecast(UNTIL, level=["month"]), "level must be one of"),
        (lambda f: f.forecast(UNTIL, level=0.9), "level must be one of"),
        (lambda f: f.forecast(UNTIL, customers=pd.Series(["9"], [UNTIL])), "customers must hold"),
        (lambda f: f.forecast(UNTIL, customers=pd.Series([9.0], ["x"])), "months must be dates"),
        (lambda f: f.forecast_new(UNTIL, pd.Series(["9"], [UNTIL])), "acquisitions must hold"),
        (lambda f: f.forecast_new(UNTIL, pd.Series([np.inf], [UNTIL])), "acquisitions need"),
    ],
)
def test_the_cohort_forecast_takes_no_text_either(fitted_cohorts, ask, message):
    with pytest.raises(InvalidValueError, match=message):
        ask(fitted_cohorts)


@pytest.mark.parametrize("draws", [0, 1, -5, 2.5, "9", np.nan], ids=repr)
def test_an_interval_needs_draws(fitted_cohorts, draws):
    few = CohortForecaster.from_dict(fitted_cohorts.to_dict())
    few.draws = draws
    with pytest.raises(InvalidValueError, match="draws must be a whole number of 2 or more"):
        few.forecast(UNTIL)


@pytest.mark.parametrize("as_of", ["2021-12-31", None, 20211231, pd.NaT])
def test_the_day_of_a_cohort_table_is_a_date(table, as_of):
    with pytest.raises(InvalidValueError, match="as_of must be a date"):
        CohortForecaster().fit(table, as_of)
