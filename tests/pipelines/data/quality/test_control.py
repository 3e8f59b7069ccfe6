"""The log against another system's monthly totals."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import example_logs as logs
import pandas as pd
import pytest

from clvmodels.core.errors import ConfigError, MissingColumnError
from pipelines import cli
from pipelines.config.load import Config
from pipelines.data import customer_days as transactions
from pipelines.data.quality.control import Controlled
from pipelines.jobs import stages

LATE = dt.date(2023, 1, 15)


def log() -> pd.DataFrame:
    return logs.messy_log(customers=60).dropna(subset="customer").query("value > 0")


def totals(frame: pd.DataFrame) -> pd.DataFrame:
    """The books: every whole month up to the as-of date, and the one before the log."""
    months = frame.groupby(frame["day"].dt.strftime("%Y-%m"))["value"].sum().round(2)
    whole = months[months.index < f"{LATE:%Y-%m}"]
    return pd.DataFrame({"month": ["2021-12", *whole.index], "net": [5.0, *whole]})


def write(table: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".xlsx":
        table.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep=";")
    return path


def config(folder: Path, frame: pd.DataFrame, **control: object) -> Config:
    frame.to_parquet(folder / "log.parquet")
    source = {"kind": "parquet", "path": str(folder / "log.parquet")}
    mapped = {"period": "month", "amount": "net"} | control
    return logs.config(source, control=mapped)


def compared(settings: Config) -> Controlled:
    with transactions.load(settings.log, LATE) as data:
        found = stages.controlled(data, settings)
    assert found is not None
    return found


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_equal_books_are_within_the_limit_from_every_kind_of_file(tmp_path, suffix):
    frame = log()
    books = write(totals(frame), tmp_path / f"books{suffix}")
    found = compared(config(tmp_path, frame, path=str(books)))
    assert found.broken == []
    assert found.left_out == 1  # the month before the log
    assert found.months["difference"].abs().max() == 0
    assert len(found.months) == 12


def test_months_that_differ_are_named_with_both_sums(tmp_path):
    frame = log()
    books = totals(frame)
    for month, factor in (("2022-03", 1.5), ("2022-08", 1.005)):
        books.loc[books["month"] == month, "net"] *= factor
    path = str(write(books, tmp_path / "books.csv"))
    found = compared(config(tmp_path, frame, path=path))
    (said,) = found.broken
    own = frame["value"][frame["day"].dt.strftime("%Y-%m") == "2022-03"].sum()
    assert "1 of 12 months differ from the totals of [control] by more than 1.0%" in said
    assert f"2022-03: {own:,.2f} in the log, {own * 1.5:,.2f} there" in said
    assert "2022-08" not in said
    tight = compared(config(tmp_path, frame, path=path, max_difference_share=0.001))
    assert "2022-08" in tight.broken[0]


def test_a_month_that_the_log_lacks_differs_by_all_of_it(tmp_path):
    frame = log()
    books = write(totals(frame), tmp_path / "books.csv")
    lacking = frame[frame["day"].dt.strftime("%Y-%m") != "2022-05"]
    found = compared(config(tmp_path, lacking, path=str(books)))
    row = found.months.set_index("period").loc["2022-05-01"]
    assert (row["revenue"], row["share"], row["beyond"]) == (0.0, -1.0, True)


def test_a_table_beside_the_log_s_is_read(tmp_path):
    frame, file = log(), tmp_path / "shop.duckdb"
    books = totals(frame)
    with duckdb.connect(str(file)) as connection:
        for name, table in (("log", frame), ("books", books)):
            connection.register("frame", table)
            connection.execute(f"CREATE TABLE {name} AS FROM frame")
    source = {"kind": "duckdb", "path": str(file), "table": "log"}
    control = {"table": "books", "period": "month", "amount": "net"}
    assert compared(logs.config(source, control=control)).broken == []
    lacking = {"table": "books", "period": "month", "amount": "gross"}
    with pytest.raises(MissingColumnError, match="control"):
        compared(logs.config(source, control=lacking))
    with pytest.raises(ConfigError, match="holds no tables"):
        logs.config({"kind": "csv", "path": "log.csv"}, control=control)


def test_check_ends_with_1_beyond_the_limit_and_lists_every_month(tmp_path, capsys):
    frame = log()
    frame.to_csv(tmp_path / "log.csv", index=False)
    books = totals(frame)
    books.loc[4, "net"] += 1000
    write(books, tmp_path / "books.csv")
    file = tmp_path / "shop.toml"
    file.write_text(
        'name = "shop"\n[source]\nkind = "csv"\npath = "log.csv"\n'
        '[columns]\ncustomer_id = "customer"\ntimestamp = "day"\namount = "value"\n'
        '[control]\npath = "books.csv"\nperiod = "month"\namount = "net"\n'
    )
    arguments = ["check", "--config", str(file), "--as-of", str(LATE), "--quiet"]
    assert cli.app(arguments, standalone_mode=False) == 1
    out = capsys.readouterr().out
    assert "failed: 1 of 12 months differ" in out
    assert "control: " in out
    cli.app([*arguments, "--json"], standalone_mode=False)
    import json

    facts = json.loads(capsys.readouterr().out)
    assert [row["beyond"] for row in facts["control"]].count(True) == 1
    assert len(facts["control"]) == 12
