"""The choice of a transaction model on customers whose later purchases are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels import BGNBD, NBD, ParetoNBD
from clvmodels.core.errors import InvalidValueError
from clvmodels.evaluation.selection import compare_on_holdout
from clvmodels.simulation.simulate import ParetoNBDProcess, simulate_log

HORIZON = 200.0


@pytest.fixture(scope="module")
def split() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A summary at day 300 of Pareto/NBD customers, and what they bought in 200 days after it."""
    log = simulate_log(ParetoNBDProcess(0.8, 40.0, 0.6, 60.0), 4000, days=500, random_state=4)
    known = log.summary(until=300.0)
    later = log.summary()
    both = known.merge(later[["customer_id", "frequency"]], on="customer_id", suffixes=("", "_end"))
    both["purchases"] = both["frequency_end"] - both["frequency"]
    both["weight"] = 1.0
    return both[["frequency", "recency", "T", "weight"]], both.drop(columns="frequency_end")


def slow_mae(kind: type, known: pd.DataFrame, later: pd.DataFrame) -> float:
    made = kind().fit(known).expected_purchases(later, HORIZON)
    actual = later["purchases"].to_numpy()
    return float(np.mean(np.abs(made * actual.sum() / made.sum() - actual)))


def test_scores_are_mean_absolute_errors_with_the_level_taken_out(split) -> None:
    table = compare_on_holdout([BGNBD, ParetoNBD], *split, HORIZON).set_index("model")
    for kind in (BGNBD, ParetoNBD):
        assert table.loc[kind.__name__, "mae"] == pytest.approx(slow_mae(kind, *split))
    assert table["identified"].all()


def test_a_model_without_attrition_loses_to_the_one_that_made_the_data(split) -> None:
    assert compare_on_holdout([NBD, ParetoNBD], *split, HORIZON)["model"][0] == "ParetoNBD"


def test_weights_stand_for_repeated_rows(split) -> None:
    known, later = (part.head(500) for part in split)
    twice = [pd.concat([part, part]) for part in (known, later)]
    heavy = [part.assign(weight=2.0) for part in (known, later)]
    first, second = (compare_on_holdout([BGNBD], *parts, HORIZON) for parts in (twice, heavy))
    assert first["mae"][0] == pytest.approx(second["mae"][0], rel=1e-7)


def test_an_unidentified_model_comes_last_and_equals_keep_their_order(split) -> None:
    known, later = split
    loyal = known.assign(recency=known["T"].where(known["frequency"] > 0, 0.0))  # nobody leaves
    table = compare_on_holdout([ParetoNBD, NBD], loyal, later, HORIZON)
    assert list(table["model"]) == ["NBD", "ParetoNBD"]
    assert list(table["identified"]) == [True, False]
    assert list(compare_on_holdout([BGNBD, BGNBD], known, later, HORIZON).index) == [0, 1]


def test_nothing_bought_cannot_tell_models_apart(split) -> None:
    known, later = split
    with pytest.raises(InvalidValueError, match="nobody bought within the 200 days"):
        compare_on_holdout([BGNBD], known, later.assign(purchases=0), HORIZON)
