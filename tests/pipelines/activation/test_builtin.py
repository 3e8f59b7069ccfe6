"""Built-in audiences find whom they should, in a shop whose customers' behaviour is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from at_a_day import deliver_at, training_at
from shop import dataset_of

from clvmodels.activation.conditions import members
from pipelines.activation import builtin, customers
from pipelines.forecasting import deliver
from pipelines.training import fit as train

END = pd.Timestamp("2022-12-31")
NEW = 4
"""First purchases on each of the days of onboarding, and on the days beside them."""


def made_log(rng: np.random.Generator) -> pd.DataFrame:
    """Customers of known kinds; the kind is the first word of the id."""
    rows: list[tuple[str, pd.Timestamp, float]] = []

    def regular(kind: str, count: int, gap: float, silent: tuple[int, int], paid: float) -> None:
        for number in range(count):
            day = END - pd.Timedelta(days=int(rng.integers(*silent)))
            start = day - pd.Timedelta(days=int(rng.integers(250, 500)))
            while day >= start:
                rows.append((f"{kind} {number}", day, paid * rng.gamma(10, 0.1)))
                day -= pd.Timedelta(days=int(max(rng.normal(gap, gap / 5), 2)))

    regular("steady", 200, 14, (0, 14), 100.0)
    regular("silent", 40, 14, (30, 40), 100.0)
    regular("small", 200, 30, (0, 30), 15.0)
    regular("gone", 100, 20, (180, 260), 40.0)
    for number in range(300):
        first = END - pd.Timedelta(days=int(rng.integers(80, 600)))
        second = first + pd.Timedelta(days=int(rng.integers(20, 40)))
        rows += [(f"twice {number}", day, 25.0) for day in (first, second)]
    for age in range(1, 601):
        days = NEW if age < 40 else 1
        rows += [
            (f"once-{age} {number}", END - pd.Timedelta(days=age), 20.0) for number in range(days)
        ]
    return pd.DataFrame(rows, columns=["who", "when", "paid"]).assign(land="DE")


@pytest.fixture(scope="module")
def table(config, tmp_path_factory) -> pd.DataFrame:
    """The customer forecast of the shop, with each customer's kind."""
    folder = tmp_path_factory.mktemp("known")
    log = made_log(np.random.default_rng(7))
    with dataset_of(log, config, folder) as data:
        fitted = train.estimate(training_at(END.date(), data, config), config.train)
        deliver_at(END.date(), data, fitted, config, folder)
    made = customers.read(folder / deliver.CUSTOMERS)
    return made.assign(kind=made["customer_id"].str.split(" ").str[0])


def found(table: pd.DataFrame, name: str) -> np.ndarray:
    asked = builtin.audiences(table)[name].where
    return members(table, [condition.plain for condition in asked])


@pytest.mark.parametrize(
    ("name", "truth", "precision", "recall"),
    [
        ("top_at_risk", ["silent"], 0.8, 0.8),
        ("win_back", ["gone", "twice"], 0.9, 0.8),
        ("top_10_percent", ["steady"], 0.9, 0.6),
        ("second_purchase", [f"once-{age}" for age in range(22, 35)], 0.9, 0.9),
    ],
)
def test_an_audience_finds_whom_it_should(table, name, truth, precision, recall):
    """Precision and recall, and that precision is far from chance: the kind's share of all."""
    chosen, true = found(table, name), table["kind"].isin(truth).to_numpy()
    assert chosen.any()
    hits = (chosen & true).sum()
    print(f"{name}: {hits / chosen.sum():.2f}, {hits / true.sum():.2f}, {true.mean():.3f}")
    assert hits / chosen.sum() >= precision
    assert hits / true.sum() >= recall
    assert hits / chosen.sum() >= 3 * true.mean()


@pytest.mark.parametrize("day", builtin.DAYS)
def test_newcomers_are_found_on_their_day(table, day):
    chosen = found(table, f"onboarding_day_{day}")
    assert chosen.sum() == NEW
    assert set(table.loc[chosen, "kind"]) == {f"once-{day}"}


def test_tops_hold_their_share_of_the_customers(table):
    for share in builtin.SHARES:
        chosen = found(table, f"top_{share}_percent")
        assert chosen.sum() >= np.ceil(share / 100 * len(table))
        assert table.loc[chosen, "clv"].min() > table.loc[~chosen, "clv"].max()


def test_the_forecast_before_tells_whose_probability_fell(table, tmp_path):
    before = table.assign(probability_alive=np.where(table["kind"] == "silent", 0.0, 1.0))
    before.iloc[1:].to_parquet(tmp_path / "before.parquet")
    table.to_parquet(tmp_path / "now.parquet")
    made = customers.read(tmp_path / "now.parquet", tmp_path / "before.parquet")
    assert made["probability_alive_change"].isna().tolist() == [True] + [False] * (len(table) - 1)
    at_risk = found(made, "top_at_risk")
    assert not (at_risk & (table["kind"] == "silent")).any()
    assert "in the forecast before" in builtin.audiences(made)["top_at_risk"].reason


def test_no_reason_names_a_forecast_before_where_there_is_none(table):
    assert "forecast before" not in builtin.audiences(table)["top_at_risk"].reason
