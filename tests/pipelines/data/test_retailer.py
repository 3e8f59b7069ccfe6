"""A real, messy log: Online Retail II to June 2011, where CLV_RETAILER_LOG names its file."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from pipelines.config.load import load
from pipelines.data import customer_days as transactions
from pipelines.data import features
from pipelines.data.quality import checks
from pipelines.sources.paths import kind_of_file

LOG = os.environ.get("CLV_RETAILER_LOG", "")

pytestmark = [
    pytest.mark.retailer,
    pytest.mark.skipif(not Path(LOG).is_file(), reason="CLV_RETAILER_LOG names no file"),
]


@pytest.fixture(scope="module")
def data():
    config = load(Path(__file__).parents[3] / "configs" / "online_retail.toml")
    source = config.source.model_copy(update={"path": LOG, "kind": kind_of_file(LOG)})
    config = config.model_copy(update={"source": source})
    with transactions.load(config.log) as loaded:
        checks.validate(loaded.purchases, config.calendar.earliest, loaded.as_of)
        yield loaded


def scalar(query: str) -> int:
    return duckdb.sql(query.format(log=f"read_parquet('{LOG}')")).fetchone()[0]


def test_every_line_is_accounted_for(data):
    account = data.account
    assert account.read == scalar("SELECT count(*) FROM {log}") == 748_841
    no_id = scalar('SELECT count(*) FROM {log} WHERE "Customer ID" IS NULL')
    assert account.set_aside["no_id"] == no_id
    assert account.kept + sum(account.set_aside.values()) == account.read


def test_purchases_are_those_of_a_query_written_by_hand(data):
    codes = "'POST','DOT','M','D','C2','C3','S','B','PADS','CRUK','BANK CHARGES','AMAZONFEE'"
    codes += ",'ADJUST','ADJUST2','TEST001','TEST002','SP1002','GIFT','DCGSSBOY','DCGSSGIRL'"
    days = f"""
        SELECT "Customer ID" AS id, CAST(InvoiceDate AS DATE) AS day,
               round(sum(Quantity * Price), 8) AS amount, min(Quantity * Price) AS lowest
        FROM (SELECT DISTINCT * FROM {{log}})
        WHERE "Customer ID" IS NOT NULL AND upper(trim(StockCode)) NOT IN ({codes})
          AND Quantity * Price <> 0
        GROUP BY ALL
    """
    bought = f"SELECT count(*) FROM ({days}) WHERE amount > 0 OR lowest >= 0"
    assert data.account.purchases == scalar(bought)
    assert data.account.customers == scalar(bought.replace("count(*)", "count(DISTINCT id)"))


def test_ids_and_dimensions_are_text(data):
    table = features.summary(data.purchases, data.as_of).execute()
    assert table["customer_id"].str.fullmatch(r"1\d{4}").all()
    assert table["country"].notna().all()
    assert table["country"].value_counts().index[0] == "United Kingdom"
