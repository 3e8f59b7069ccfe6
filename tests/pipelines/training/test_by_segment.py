"""Customer models by segment, from a log to saved models and forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.registry import store
from tests.support.segment_shop import AS_OF, DIMENSIONS, TOML, known_at, shop
from tests.support.shop import run_clv

SOURCE = """
name = "segments"

[source]
kind = "parquet"
path = "{folder}/log.parquet"
"""

SETTINGS = """
[train]
transaction_model = "pareto_nbd"
churn_from = "purchase_model"

[backtest]
max_origins = 1
jobs = 1

[output]
models = "{folder}/models"
reports = "{folder}/reports"
"""


def configured(folder: Path) -> str:
    """The configuration of the shop in a folder."""
    return (SOURCE + TOML + SETTINGS).format(folder=folder)


@dataclass(frozen=True)
class Written:
    """A shop after ``clv train``."""

    folder: Path
    log: pd.DataFrame

    @property
    def file(self) -> str:
        return str(self.folder / "segments.toml")

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "reports" / "segments" / str(AS_OF.date()) / name)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("segments")
    log = shop(2, 6000)
    known = log[log["date"] <= AS_OF]
    known[["customer_id", "timestamp", "amount", *DIMENSIONS]].to_parquet(folder / "log.parquet")
    (folder / "segments.toml").write_text(configured(folder), encoding="utf-8")
    made = Written(folder, log)
    said = run_clv("train", "--config", made.file, "--as-of", str(AS_OF.date()))
    assert said.code == 0, said.err
    return made


def test_the_model_card_says_that_segments_act(written: Written) -> None:
    fitted, saved = store.load(written.folder / "models" / "segments")
    assert fitted.segments is not None
    assert fitted.segments.purchases is not None
    assert fitted.segments.spend is not None
    card = (saved.folder / "model_card.md").read_text(encoding="utf-8")
    assert "Purchases depend on the customer's channel" in card
    assert "The value of a purchase depends on the customer's" in card


def test_customers_add_up_to_cohorts(written: Written) -> None:
    customers, cohorts = written.table("customers.parquet"), written.table("cohorts.parquet")
    for mine, theirs in (("expected_purchases", "purchases"), ("expected_revenue", "revenue")):
        rows = customers.groupby("cohort")[mine].sum()
        cells = cohorts.groupby("cohort")[theirs].sum()
        np.testing.assert_allclose(rows.to_numpy(), cells.to_numpy(), rtol=1e-6)


def test_segments_are_worth_what_they_turn_out_to_be(written: Written) -> None:
    """Shares of the next year's revenue, by segment of 500 customers and more."""
    until = written.log["date"].max()
    actual = known_at(written.log, AS_OF, until).set_index("customer_id")
    table = written.table("customers.parquet").set_index("customer_id").join(actual[DIMENSIONS])
    for name in DIMENSIONS:
        foreseen = table.groupby(name)["expected_revenue"].sum()
        happened = actual.groupby(name)["revenue"].sum()
        share = (foreseen / foreseen.sum()) / (happened / happened.sum())
        assert (actual[name].value_counts() >= 500).all()
        assert (share.sub(1).abs() < 0.2).all(), share


def test_the_saved_model_forecasts_the_same(written: Written) -> None:
    first = written.table("customers.parquet")
    said = run_clv("forecast", "--config", written.file, "--as-of", str(AS_OF.date()))
    assert said.code == 0, said.err
    again = written.table("customers.parquet")
    pd.testing.assert_frame_equal(again, first, rtol=1e-9)


def test_the_option_leaves_segments_out(written: Written, tmp_path: Path) -> None:
    text = configured(written.folder).replace("[train]", "[train]\nby_segment = false")
    text = text.replace(f"{written.folder}/models", f"{tmp_path}/models")
    text = text.replace(f"{written.folder}/reports", f"{tmp_path}/reports")
    (tmp_path / "plain.toml").write_text(text, encoding="utf-8")
    options = ("--config", str(tmp_path / "plain.toml"), "--as-of", str(AS_OF.date()))
    said = run_clv("train", *options)
    assert said.code == 0, said.err
    assert store.load(tmp_path / "models" / "segments")[0].segments is None


def test_the_page_tells_how_wrong_segments_were(written: Written) -> None:
    folder = written.folder / "reports" / "segments" / str(AS_OF.date())
    page = (folder / "backtest.html").read_text(encoding="utf-8")
    assert "Past forecasts of segments" in page
    assert "lifetimes knows no segment" in page.replace("\n", " ")
