"""Exports of known shops, read and recognised alike on every engine."""

from __future__ import annotations

import io

import log_oracle
import pandas as pd
import pytest
import shop_exports

from pipelines.config import load as configuration
from pipelines.config import presets
from pipelines.console import Progress
from pipelines.data import customer_days as transactions
from pipelines.jobs.init import init_job

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("name", presets.NAMES)
def test_an_export_counts_what_plain_python_counts(place, tmp_path, name):
    export = shop_exports.EXPORTS[name](shop_exports.orders(customers=25))
    frame = pd.read_csv(io.StringIO(export.text), dtype="string").dropna(axis=1, how="all")
    wanted = sum(
        day.amount for some in log_oracle.customer_days(export.counted).values() for day in some
    )
    source = place(frame.astype(object).where(frame.notna(), None)).source
    keys = source.model_dump(exclude_none=True, exclude_defaults=True)
    currency = {"currency": shop_exports.CURRENCY.get(name, "USD")}
    raw = {"name": "x", "source": keys | {"preset": name}, "economics": currency}
    with transactions.load(configuration.parse(raw).log) as data:
        assert data.account.revenue == pytest.approx(wanted, abs=0.005)
    if source.kind == "spark":
        return
    output = tmp_path / "shop.toml"
    told = init_job(
        source.path,
        output,
        Progress(quiet=True),
        kind=source.kind,
        table=source.table,
        uri_env=source.uri_env,
    )
    assert told.facts["preset"] == name
    with transactions.load(configuration.load(output).log) as data:
        assert data.account.revenue == pytest.approx(wanted, abs=0.005)
