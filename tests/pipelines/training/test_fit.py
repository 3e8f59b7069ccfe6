"""What the models learn from, and that nothing after the as-of date is part of it."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from at_a_day import training_at
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from shop import TRAINED_AS_OF, altered, dataset_of

from clvmodels import BGCNBD, BGNBD, MBGCNBD
from clvmodels.core.errors import ConvergenceWarning, DataError
from clvmodels.core.months import month_end
from clvmodels.evaluation.selection import compare_on_holdout
from clvmodels.registry import CANDIDATES, TRANSACTION_MODELS
from clvmodels.simulation.simulate import (
    BGCNBDProcess,
    ContractProcess,
    MBGCNBDProcess,
    MBGNBDProcess,
    simulate_log,
)
from clvmodels.transactions.regular.choice import MOST_STAGES
from pipelines.config.load import Train
from pipelines.data.features import scoring_table
from pipelines.training import fit as train
from pipelines.training import model_choice, training_data
from pipelines.training.model_choice import ModelSource, choose_model, evenness
from pipelines.training.training_data import Trial

AS_OF = TRAINED_AS_OF

days = st.dates(dt.date(2000, 1, 1), dt.date(2030, 1, 1))


@given(days, st.integers(0, 2000), st.integers(7, 730))
def test_churn_origins_learn_nothing_later_than_as_of(first, length, horizon):
    as_of = first + dt.timedelta(days=length)
    origins = training_data.churn_origins(first, as_of, horizon)
    assert origins == sorted(set(origins))
    assert len(origins) <= training_data.CHURN_ORIGINS + 1
    for origin in origins:
        assert origin + dt.timedelta(days=horizon) <= as_of
        assert origin >= first + dt.timedelta(days=training_data.CHURN_LEAST_DAYS)
        assert origin == month_end(origin)
    enough = 31 * (training_data.CHURN_ORIGINS + 1) + training_data.CHURN_LEAST_DAYS + horizon
    if length >= enough:
        assert len(origins) == training_data.CHURN_ORIGINS + 1
        assert month_end(origins[-1] + dt.timedelta(days=1)) + dt.timedelta(days=horizon) > as_of


@pytest.fixture(scope="module")
def other_future(log, config, tmp_path_factory):
    with dataset_of(altered(log, AS_OF), config, tmp_path_factory.mktemp("future")) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def known(data, config):
    return training_at(AS_OF, data, config)


@pytest.fixture(scope="module")
def fitted(known, config):
    return train.estimate(known, config.train)


def test_the_altered_log_is_another_log(data, other_future):
    assert data.fingerprint != other_future.fingerprint
    assert data.account.revenue != other_future.account.revenue


def test_nothing_after_as_of_reaches_the_models(data, other_future, known, config):
    assert_close(known, training_at(AS_OF, other_future, config))


def test_nothing_after_as_of_reaches_the_scores(data, other_future):
    def scored_by(log):
        with log.snapshot.earlier(AS_OF) as then:
            return scoring_table(then).order_by("customer_id").to_pandas()

    one, other = scored_by(data), scored_by(other_future)
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_a_change_before_as_of_does_reach_the_models(log, data, known, config, tmp_path):
    """The comparison above can fail."""
    with dataset_of(altered(log, AS_OF - dt.timedelta(days=120)), config, tmp_path) as early:
        other = training_at(AS_OF, early, config)
    assert not known.summary.equals(other.summary)
    assert not known.churn[-1].features.equals(other.churn[-1].features)


def test_labels_are_what_happened_in_the_raw_log(log, known):
    when = pd.to_datetime(log["when"]).dt.date
    for part in known.churn:
        end = part.origin + dt.timedelta(days=60)
        assert end <= AS_OF
        before = sorted(set(log["who"][when <= part.origin]))
        returned = set(log["who"][(when > part.origin) & (when <= end)])
        np.testing.assert_array_equal(part.churned, [who not in returned for who in before])


def test_the_summary_holds_every_customer_once(log, known):
    when = pd.to_datetime(log["when"]).dt.date
    assert known.summary["weight"].sum() == log["who"][when <= AS_OF].nunique()
    repeat = known.summary[known.summary["frequency"] > 0]
    assert known.spend["weight"].sum() >= repeat["weight"].sum() > 0


def test_models_and_training_tables_hold_no_customers(known):
    for table in (
        known.summary,
        known.spend,
        known.cohort_months,
        *(p.features for p in known.churn),
    ):
        assert "customer_id" not in table


def test_estimation_is_deterministic(data, known, fitted, config):
    again = train.estimate(training_at(AS_OF, data, config), config.train)
    assert_close(again.transactions.to_dict(), fitted.transactions.to_dict())
    assert_close(again.spend.to_dict(), fitted.spend.to_dict())
    table = train.with_model_features(known.churn[-1].features, fitted.transactions, 60)
    assert_close(again.churn.churn_probability(table), fitted.churn.churn_probability(table))


def test_parameters_of_the_simulation_are_recovered(fitted):
    """Within four standard errors: days are whole, so not exactly the continuous model."""
    table = fitted.transactions.summary(0.95)
    truth = pd.Series({"r": 0.5, "alpha": 20.0, "a": 0.8, "b": 3.0})
    distance = (table.iloc[:, 0] - truth) / table.iloc[:, 1]
    assert distance.abs().max() < 4


def test_too_little_history_gives_no_classifier_and_a_note(data, config):
    early = data.first_date + dt.timedelta(days=75)
    known = training_at(early, data, config)
    assert known.churn == ()
    fitted = train.estimate(known, config.train)
    assert fitted.churn is None
    assert any("churn_horizon_days" in note for note in fitted.notes)
    with pytest.raises(DataError, match="churn_horizon_days"):
        train.fit_churn(known.churn, [], horizon_days=60, random_state=1)


@pytest.mark.parametrize("engine", ["own", "lifetimes"])
@pytest.mark.parametrize("model", ["bgnbd", "mbgnbd", "pareto_nbd", "auto", "bgcnbd", "mbgcnbd"])
def test_every_configurable_model_is_fitted(known, config, engine, model):
    if engine == "lifetimes" and model in ("bgcnbd", "mbgcnbd"):
        with pytest.raises(ValidationError, match=f"lifetimes package has no {model}"):
            Train(engine=engine, transaction_model=model)
        return
    settings = config.train.model_copy(update={"engine": engine, "transaction_model": model})
    chosen = choose_model(None, settings)
    assert chosen.name == ("bgnbd" if model == "auto" else model)
    fitted = train.fit_transactions(known.summary, chosen.name, engine)
    assert type(fitted).__name__.startswith("Lifetimes") == (engine == "lifetimes")
    assert all(np.isfinite(value) for value in fitted.params_.values())
    assert np.isfinite(train.fit_spend(known.spend, engine).log_likelihood_)


def test_both_engines_reach_the_same_fit(known):
    table = train.parity(known).set_index(["model", "quantity"])
    assert list(table.columns) == ["own", "lifetimes", "difference"]
    for name in ("BGNBD", "GammaGamma"):
        row = table.loc[(name, "log_likelihood")]
        assert row["own"] >= row["lifetimes"] - 1e-3
        assert row["own"] == pytest.approx(row["lifetimes"], abs=0.5)


@pytest.mark.parametrize(("asked", "source"), [("auto", "compared"), ("pareto_nbd", "configured")])
def test_the_model_that_a_run_goes_by_is_told_with_where_it_is_from(known, config, asked, source):
    settings = config.train.model_copy(update={"transaction_model": asked})
    trial = known.trial if asked == "auto" else None
    choice = choose_model(trial, settings)
    assert choice.described() == {"name": choice.name, "source": source}
    assert choice.name in TRANSACTION_MODELS
    assert (choice.note is None) == (trial is None)
    if trial is None:
        assert choice.name == asked


def test_the_configuration_is_as_it_was_after_a_fit(known, fitted, config):
    """The choice stands beside it."""
    assert config.train.transaction_model == "auto"
    assert fitted.choice.source is ModelSource.COMPARED
    assert type(fitted.transactions) is TRANSACTION_MODELS[fitted.choice.name]


def a_trial(process, cut=300, days=200):
    """What the customers of a process had bought by a day, and what they bought after it."""
    log = simulate_log(process, 4000, days=cut + days, acquisition=250, random_state=6)
    known = log.summary(until=cut)[["frequency", "recency", "T"]].assign(weight=1.0)
    made = np.bincount(log.customer[log.day > cut], minlength=log.n_customers)
    return Trial(known, known.assign(purchases=made[: len(known)]), days)


@pytest.mark.parametrize(
    ("process", "chosen"),
    [
        (MBGCNBDProcess(1.2, 12.0, 0.7, 4.0, k=3), "mbgcnbd"),
        (BGCNBDProcess(1.2, 12.0, 0.7, 4.0, k=3), "mbgcnbd"),
        (MBGNBDProcess(1.2, 36.0, 0.7, 4.0), "mbgnbd"),
    ],
)
def test_regular_buyers_are_found_among_the_models_and_chance_stays_chance(config, process, chosen):
    trial = a_trial(process)
    choice = choose_model(trial, config.train)
    table = compare_on_holdout(CANDIDATES, trial.summary, trial.later, trial.days)
    mae = table.set_index("model")["mae"]
    if process.__class__ is MBGNBDProcess:
        assert choice.name in ("bgnbd", "mbgnbd", "pareto_nbd")
    else:
        assert choice.name == chosen
        assert mae.min() < 0.94 * mae[["BGNBD", "MBGNBD", "ParetoNBD"]].min()


def test_how_even_purchases_are_is_told_and_a_plan_proposed(known):
    regular = BGCNBD.from_params(r=1.0, alpha=3.0, a=0.8, b=2.5, k=3)
    assert "Erlang-3" in evenness(regular)
    for silent in (BGNBD().fit(known.summary), BGCNBD.from_params(**regular.params_, k=1)):
        assert evenness(silent) is None
    log = simulate_log(ContractProcess(1.0, 12.0), 1500, days=700, random_state=2)
    paid = log.summary()[["frequency", "recency", "T"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all pay equally often
        plan = MBGCNBD().fit(paid)
    assert plan.k_ == MOST_STAGES
    assert "a model of renewals" in evenness(plan)


def test_nothing_to_compare_on_leaves_the_simplest_model_and_says_so(known, config):
    nobody = replace(known.trial, later=known.trial.later.assign(purchases=0))
    choice = choose_model(nobody, config.train)
    assert (choice.name, choice.source) == ("bgnbd", ModelSource.SIMPLEST)
    assert choice.note.startswith("BGNBD, the simplest model: ")


def test_a_choice_against_the_smallest_error_says_why():
    table = pd.DataFrame(
        {"model": ["MBGNBD", "ParetoNBD"], "mae": [1.4, 1.3], "identified": [True, False]}
    )
    note = model_choice._note(table, 90)
    assert "MBGNBD was chosen on the last 90 days" in note
    assert "MBGNBD 1.4000, ParetoNBD 1.3000 (not identified)" in note
    assert note.endswith("come last, whatever theirs.")


def test_notes_hold_findings_and_no_advice_to_programmers(known, config):
    """[train] has no penalty: a person who reads a model card could not set one."""
    few = known.summary[known.summary["frequency"] == 1].head(3).assign(recency=1.0, T=2.0)
    odd = replace(known, summary=few, trial=None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        BGNBD().fit(few)
    assert any("set penalty" in str(warning.message) for warning in caught)
    notes = train.estimate(odd, config.train).notes
    assert any("do not identify" in note for note in notes)
    assert not any("penalty" in note for note in notes)
