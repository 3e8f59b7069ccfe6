"""Diagnostics against one customer at a time, and on customers the models are true of."""

from __future__ import annotations

import importlib.resources

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import gammaln

from clvmodels import BGNBD, MBGNBD, NBD, GammaGamma, ParetoNBD
from clvmodels.core.errors import InvalidValueError
from clvmodels.evaluation.spend import (
    spend_by_frequency,
    spend_correlation,
    spend_distribution,
)
from clvmodels.evaluation.transactions import (
    compare_models,
    conditional_expectations,
    frequency_histogram,
    tracking,
)
from clvmodels.simulation.simulate import BGNBDProcess, GammaGammaSpend, simulate_log

PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""Fader, Hardie and Lee (2005), Marketing Science 24(2), section 4: BG/NBD on CDNOW, in weeks."""


@pytest.fixture(scope="module")
def cdnow():
    """The 2,357 customers of the paper, in weeks, as the lifetimes package carries them."""
    path = importlib.resources.files("lifetimes") / "datasets" / "cdnow_customers_summary.csv"
    with path.open() as file:
        return pd.read_csv(file)


@pytest.fixture(scope="module")
def log():
    return simulate_log(
        BGNBDProcess(0.6, 30.0, 0.8, 3.0),
        20_000,
        spend=GammaGammaSpend(6.0, 4.0, 15.0),
        days=360,
        random_state=3,
    )


@pytest.fixture(scope="module")
def summary(log):
    return log.summary(240.0)


@pytest.fixture(scope="module")
def model():
    return BGNBD.from_params(r=0.6, alpha=30.0, a=0.8, b=3.0)


def repeated(table, seed=1):
    """A weighted table and the same one with its rows repeated."""
    weight = np.random.default_rng(seed).integers(1, 4, len(table))
    return table.assign(weight=weight), table.loc[table.index.repeat(weight)]


def test_histogram_of_cdnow(cdnow):
    """Observed counts: Fader and Hardie, note 004 (BG/NBD in Excel), figure of actual counts."""
    table = frequency_histogram(BGNBD.from_params(**PUBLISHED), cdnow)
    assert table["frequency"].tolist() == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["observed"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    assert table["expected"].sum() == pytest.approx(len(cdnow))
    gap = (table["observed"] - table["expected"]).abs().sum() / len(cdnow)
    assert gap < 0.04


def test_histogram_matches_one_customer_at_a_time(model, summary):
    part = summary.head(60)
    table = frequency_histogram(model, part, highest=4)
    slow = np.zeros(5)
    for T in part["T"]:
        for count in range(4):
            slow[count] += model.purchase_pmf(count, T)
    slow[4] = len(part) - slow.sum()
    np.testing.assert_allclose(table["expected"], slow, rtol=1e-10)


def test_histogram_of_a_true_model_fits(model, summary):
    table = frequency_histogram(model, summary)
    chi = ((table["observed"] - table["expected"]) ** 2 / table["expected"]).sum()
    assert chi < stats.chi2.ppf(0.999, df=7)


def test_histogram_with_very_many_times_is_close(model, summary):
    merged = frequency_histogram(model, summary.head(500))
    slow = np.array([model.purchase_pmf(np.arange(7), T) for T in summary["T"].head(500)])
    np.testing.assert_allclose(merged["expected"][:7], slow.sum(axis=0), rtol=1e-4)


def test_tracking_matches_one_customer_at_a_time(model, summary):
    part = summary.head(80)
    ends = np.array([-120.0, -30.0, 0.0, 60.0])
    table = tracking(model, part, ends, [1.0, 2.0, 3.0, np.nan])
    slow = [
        sum(float(model.expected_purchases_new_customer(T + end)) for T in part["T"] if T + end > 0)
        for end in ends
    ]
    np.testing.assert_allclose(table["cumulative_expected"], slow, rtol=1e-10)
    np.testing.assert_allclose(table["expected"], np.diff(slow, prepend=0.0), rtol=1e-10)
    assert table["cumulative_observed"].tolist()[:3] == [1.0, 3.0, 6.0]
    assert np.isnan(table["cumulative_observed"].iloc[-1])


def test_tracking_of_a_true_model_stays_on_course(model, log, summary):
    ends = np.arange(-210.0, 121.0, 30.0)
    joined = log.joined[log.customer] <= 240
    repeat = np.concatenate(([False], log.customer[1:] == log.customer[:-1])) & joined
    edges = np.append(-np.inf, ends + 240)
    observed = np.histogram(log.day[repeat], edges)[0]
    table = tracking(model, summary, ends, observed)
    np.testing.assert_allclose(
        table["cumulative_observed"].tail(6), table["cumulative_expected"].tail(6), rtol=0.03
    )


def test_conditional_expectations_of_cdnow(cdnow):
    """Actual means: BTYD walkthrough (R package BTYD, vignette), CDNOW by calibration frequency.

    Expected means: BG/NBD at the published parameters, recomputed there, 39 weeks.
    """
    path = importlib.resources.files("lifetimes") / "datasets" / "CDNOW_sample.txt"
    names = ["master_id", "customer", "date", "cds", "value"]
    with path.open() as file:
        rows = pd.read_csv(file, sep=r"\s+", names=names)
    dates = pd.to_datetime(rows["date"].astype(str), format="%Y%m%d")
    days = rows.assign(date=dates).drop_duplicates(["customer", "date"])
    end = pd.Timestamp(1997, 9, 30)
    known = days[days["date"] <= end].groupby("customer")["date"].agg(["count", "min", "max"])
    summary = pd.DataFrame(
        {
            "frequency": known["count"] - 1,
            "recency": (known["max"] - known["min"]).dt.days / 7,
            "T": (end - known["min"]).dt.days / 7,
        }
    )
    later = days[days["date"] > end].groupby("customer").size()
    actual = later.reindex(known.index, fill_value=0)
    expected = BGNBD.from_params(**PUBLISHED).expected_purchases(summary, horizon=39)
    table = conditional_expectations(summary, expected, actual)
    published = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    np.testing.assert_allclose(table["actual"], published, atol=6e-4)
    recomputed = [0.2251, 0.5231, 1.0441, 1.5203, 2.1638, 2.6538, 3.5040, 6.1570]
    np.testing.assert_allclose(table["expected"], recomputed, rtol=2e-3)


@pytest.mark.parametrize("by", ["frequency", "recency"])
def test_conditional_expectations_are_group_means(model, log, summary, by):
    later = log.summary(360.0).set_index("customer_id")["frequency"]
    actual = later.loc[summary["customer_id"]].to_numpy() - summary["frequency"].to_numpy()
    expected = model.expected_purchases(summary, horizon=120.0)
    table = conditional_expectations(summary, expected, actual, by=by)
    assert table["customers"].sum() == len(summary)
    for name, values in (("expected", expected), ("actual", actual)):
        assert (table["customers"] * table[name]).sum() == pytest.approx(values.sum())
    none = summary["frequency"] == 0
    assert table["actual"].iloc[0] == pytest.approx(actual[none].mean())
    # The model is true of these customers, so the two agree within sampling error.
    error = np.sqrt(np.maximum(table["expected"], 0.05) / table["customers"]) * 2.5
    assert (np.abs(table["expected"] - table["actual"]) < 4 * error).all()


def test_recency_groups_are_of_equal_size(summary):
    table = conditional_expectations(summary, summary["T"], summary["T"], by="recency", groups=5)
    assert table["group"].iloc[0] == "none"
    assert len(table) == 5
    assert table["customers"].iloc[1:].std() < 2


def test_spend_distribution_integrates_the_density(summary):
    """Fader and Hardie (2013), equation 1a, integrated over each interval."""
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0)
    part = summary[summary["frequency"] > 0].head(40)
    table = spend_distribution(spend, part, bins=6)
    p, q, v = 6.0, 4.0, 15.0

    def density(m, x):
        return np.exp(
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
            + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(v + x * m)
        )  # fmt: skip

    for row in table.itertuples():
        slow = sum(quad(density, row.low, row.high, args=(x,))[0] for x in part["frequency"])
        assert row.expected == pytest.approx(slow, abs=1e-6)
    assert table["observed"].sum() == len(part)
    assert table["expected"].sum() == pytest.approx(len(part))


def test_spend_distribution_of_a_true_model_fits(summary):
    table = spend_distribution(GammaGamma.from_params(p=6.0, q=4.0, v=15.0), summary)
    chi = ((table["observed"] - table["expected"]) ** 2 / table["expected"]).sum()
    assert chi < stats.chi2.ppf(0.999, df=len(table) - 1)


def test_spend_by_frequency_is_a_group_by(summary):
    table = spend_by_frequency(summary, highest=4).set_index("frequency")
    buyers = summary[summary["frequency"] > 0]
    grouped = buyers.groupby(buyers["frequency"].clip(upper=4))["monetary_value"]
    np.testing.assert_allclose(table["mean_value"], grouped.mean())
    np.testing.assert_allclose(table["standard_error"], grouped.sem())
    assert table.index.tolist() == ["1", "2", "3", "4+"]


def test_correlation_is_scipys(summary):
    buyers = summary[summary["frequency"] > 0]
    found = spend_correlation(summary)
    pair = buyers["frequency"], buyers["monetary_value"]
    assert found["pearson"] == pytest.approx(stats.pearsonr(*pair).statistic)
    assert found["spearman"] == pytest.approx(stats.spearmanr(*pair).statistic)
    dependent = buyers.assign(monetary_value=buyers["frequency"] * 10.0)
    assert spend_correlation(dependent) == pytest.approx({"pearson": 1.0, "spearman": 1.0})
    assert np.isnan(spend_correlation(buyers.assign(frequency=2))["pearson"])


def test_weights_mean_repetition(model, summary):
    few = summary[summary["frequency"] > 0].head(300)
    weighted, rows = repeated(few)
    spend = GammaGamma.from_params(p=6.0, q=4.0, v=15.0)
    for make in (
        lambda t: frequency_histogram(model, t),
        lambda t: tracking(model, t, [-50.0, 0.0], [1.0, 1.0]),
        lambda t: spend_distribution(spend, t),
        spend_by_frequency,
        lambda t: conditional_expectations(t, t["T"], t["recency"], by="recency"),
        lambda t: conditional_expectations(t, t["T"], t["recency"]),
    ):
        pd.testing.assert_frame_equal(make(weighted), make(rows), rtol=1e-9)
    assert spend_correlation(weighted) == pytest.approx(spend_correlation(rows))


def test_best_model_comes_first(cdnow):
    fitted = [kind().fit(cdnow) for kind in (NBD, ParetoNBD, BGNBD, MBGNBD)]
    table = compare_models(fitted).set_index("model")
    assert table.index[-1] == "NBD"
    assert table["bic_difference"].iloc[0] == 0
    assert table["bic"].is_monotonic_increasing
    bgnbd = table.loc["BGNBD"]
    # Fader, Hardie and Lee (2005), Marketing Science 24(2), section 4: both log-likelihoods.
    assert bgnbd["log_likelihood"] == pytest.approx(-9582.4, abs=0.05)
    assert table.loc["ParetoNBD", "log_likelihood"] == pytest.approx(-9595.0, abs=0.05)
    assert bgnbd["aic"] == pytest.approx(2 * 4 + 2 * 9582.43, abs=0.01)
    assert bgnbd["bic"] == pytest.approx(4 * np.log(2357) + 2 * 9582.43, abs=0.01)


def test_what_cannot_be_asked(model, summary, cdnow):
    with pytest.raises(InvalidValueError, match="same customers"):
        compare_models([BGNBD().fit(cdnow), NBD().fit(cdnow.head(100))])
    with pytest.raises(InvalidValueError, match="found fits to none"):
        compare_models([])
    with pytest.raises(InvalidValueError, match="ends must rise"):
        tracking(model, summary, [0.0, -1.0], [1.0, 1.0])
    with pytest.raises(InvalidValueError, match="by must be"):
        conditional_expectations(summary, summary["T"], summary["T"], by="T")
    with pytest.raises(InvalidValueError, match="one finite number for each"):
        conditional_expectations(summary, [1.0], summary["T"])
    covariate = BGNBD(purchase_covariates=["z"])
    covariate.params_ = {"r": 1.0, "alpha": 1.0, "a": 1.0, "b": 1.0, "purchase:z": 0.5}
    with pytest.raises(InvalidValueError, match="purchase:z"):
        frequency_histogram(covariate, summary)
