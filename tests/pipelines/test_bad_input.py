"""Broken files and configurations: each has its message, its exit code, and leaves nothing."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from clvmodels.exceptions import ClvError
from pipelines import cli

HEADER = "customer,day,value"
ROWS = [f"{n % 7:03d},2022-{n % 12 + 1:02d}-{n % 28 + 1:02d},{n + 0.5}" for n in range(40)]
GOOD = "\n".join([HEADER, *ROWS]) + "\n"
COLUMNS = '[columns]\ncustomer_id = "customer"\ntimestamp = "day"\namount = "value"\n'


def csv(*rows: str, good: int = 40, header: str = HEADER) -> bytes:
    """Return a log of good rows and then the given ones."""
    return ("\n".join([header, *ROWS[:good], *rows]) + "\n").encode()


def parquet(**columns: object) -> bytes:
    frame = pd.read_csv(io.StringIO(GOOD), dtype={"customer": str}, parse_dates=["day"])
    buffer = io.BytesIO()
    frame.assign(**columns).to_parquet(buffer)
    return buffer.getvalue()


def damaged(content: bytes) -> bytes:
    """Return a file whose beginning is of its kind, and whose first page is not."""
    return content[:4] + b"\xff" * 400 + content[404:]


def duckdb_file() -> bytes:
    """Return a DuckDB file with the good log as table log."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.register("good", pd.read_csv(io.StringIO(GOOD), dtype={"customer": str}))
            connection.execute("CREATE TABLE log AS FROM good")
        return file.read_bytes()


@dataclass
class Case:
    name: str
    says: str | tuple[str, ...]
    code: int
    log: bytes | None = None
    file: str = "log.csv"
    source: str = 'kind = "csv"\npath = "log.csv"'
    columns: str = COLUMNS
    more: str = ""
    config: str | None = None
    others: dict[str, bytes] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    def toml(self) -> str:
        if self.config is not None:
            return self.config
        return f'name = "broken"\n[source]\n{self.source}\n{self.columns}\n{self.more}\n'


PARQUET = {"file": "log.parquet", "source": 'kind = "parquet"\npath = "log.parquet"'}
DUCKDB = {"file": "log.duckdb", "source": 'kind = "duckdb"\npath = "log.duckdb"\ntable = "log"'}
MINIMAL = '[source]\nkind = "csv"\npath = "log.csv"\n' + COLUMNS

CONFIGURATIONS = [
    Case("not TOML", "is not valid TOML", 2, config="name = = 3"),
    Case("bytes that are no text", "cannot read the configuration file", 2, config="\udcff"),
    Case("no name", "missing key 'name'", 2, config=MINIMAL),
    Case("a name that is a path", "name: String should match", 2, config='name="../x"\n' + MINIMAL),
    Case(
        "unknown key",
        "unknown key 'time_zon' in [calendar]; did you mean 'time_zone'?",
        2,
        more='[calendar]\ntime_zon = "UTC"',
    ),
    Case("unknown section", "unknown key 'sorce' in the top level", 2, more="[sorce]\nx = 1"),
    Case(
        "unknown time zone",
        "did you mean 'Europe/London'?",
        2,
        more='[calendar]\ntime_zone = "Europe/Londn"',
    ),
    Case(
        "margin over 1", "economics.margin: Input should be less", 2, more="[economics]\nmargin=2"
    ),
    Case("text for a number", "economics.margin", 2, more='[economics]\nmargin="a lot"'),
    Case(
        "a limit that is no number",
        "max_bad_row_share",
        2,
        more="[governance]\nmax_bad_row_share=nan",
    ),
    Case("unknown refund rule", "governance.refunds", 2, more='[governance]\nrefunds="ignore"'),
    Case("csv without a path", "kind = 'csv' also needs path", 2, source='kind = "csv"'),
    Case("unknown kind", "source.kind", 2, source='kind = "word"\npath = "log.docx"'),
    Case(
        "two amounts",
        "either amount or price, not both",
        2,
        columns=COLUMNS + 'price = "value"\nquantity = "value"',
    ),
    Case(
        "no amount", "name either amount, or both", 2, columns='[columns]\ncustomer_id = "customer"'
    ),
    Case(
        "memory in words",
        "source.memory_limit",
        2,
        source='kind="csv"\npath="log.csv"\nmemory_limit="lots"',
    ),
    Case(
        "database without its variable",
        "environment variable CLV_NOT_SET, named by source.uri_env, is not set",
        2,
        source='kind = "postgres"\nuri_env = "CLV_NOT_SET"\ntable = "log"',
    ),
    Case(
        "consent that is nowhere",
        "needs columns.consent or a [consent] section",
        2,
        log=csv(),
        more='[governance]\nconsent = "exclude"',
    ),
    Case(
        "consent in two places",
        "consent: needs either path or table",
        2,
        more='[consent]\npath = "a.csv"\ntable = "b"',
    ),
    Case(
        "consent file that is not there",
        "no file at",
        2,
        log=csv(),
        more='[governance]\nconsent = "exclude"\n[consent]\npath = "nobody.csv"',
    ),
    Case(
        "covariates that are nowhere",
        "no file at",
        2,
        log=csv(),
        more='[covariates]\npath = "nobody.csv"\ncolumns = ["spend"]',
    ),
    Case(
        "covariates without a path",
        "covariates: path and columns go together",
        2,
        more='[covariates]\ncolumns = ["spend"]',
    ),
    Case(
        "the logarithm of another column",
        "log names 'spent'; did you mean 'spend'?",
        2,
        more='[covariates]\npath = "d.csv"\ncolumns = ["spend"]\nlog = ["spent"]',
    ),
    Case(
        "the mix of a dimension that is not mapped",
        "covariates.by_cohort names channel, which [columns] does not map",
        2,
        more='[covariates]\nby_cohort = ["channel"]',
    ),
    Case(
        "the mix of something else",
        "covariates.by_cohort",
        2,
        more='[covariates]\nby_cohort = ["shoe_size"]',
    ),
    Case(
        "covariates without a cohort forecast",
        "[covariates] and [plan] need [train] cohort_level = true",
        2,
        more='[plan]\npath = "plan.csv"\n[train]\ncohort_level = false',
    ),
    Case(
        "a plan that is nowhere",
        "no file at",
        2,
        log=csv(),
        more='[plan]\npath = "plan.csv"',
    ),
    Case(
        "covariates by day",
        ("needs months in 'period'", "'2022-01-15' in row 1"),
        1,
        log=csv(),
        more='[covariates]\npath = "d.csv"\ncolumns = ["spend"]',
        others={"d.csv": b"period,spend\n2022-01-15,3\n"},
    ),
    Case(
        "covariates with a month missing",
        "no row for 2022-02",
        1,
        log=csv(),
        more='[covariates]\npath = "d.csv"\ncolumns = ["spend"]',
        others={"d.csv": b"period,spend\n2022-01,3\n2022-03,4\n"},
    ),
    Case(
        "covariates in words",
        "found 'lots' for 2022-01",
        1,
        log=csv(),
        more='[covariates]\npath = "d.csv"\ncolumns = ["spend"]',
        others={"d.csv": b"period,spend\n2022-01,lots\n"},
    ),
    Case(
        "covariates without their column",
        "needs the column spend; found: period, spending",
        1,
        log=csv(),
        more='[covariates]\npath = "d.csv"\ncolumns = ["spend"]',
        others={"d.csv": b"period,spending\n2022-01,3\n"},
    ),
    Case(
        "as-of in a year far away",
        "--as-of must be a date from 1700-01-01 to 2200-12-31; found '9999-12-31'",
        2,
        log=csv(),
        arguments=("--as-of", "9999-12-31"),
    ),
    Case(
        "as-of in the year 1",
        "--as-of must be a date from",
        2,
        log=csv(),
        arguments=("--as-of", "0001-01-01"),
        more="[governance]\nretention_days = 400",
    ),
    Case("a calendar without end", "calendar.latest", 2, more='[calendar]\nlatest = "9999-12-31"'),
    Case("retention for ever", "retention_days", 2, more="[governance]\nretention_days = 9000000"),
    Case(
        "no memory",
        ("cannot open log.csv with DuckDB", "Raise source.memory_limit"),
        2,
        log=csv(),
        source='kind="csv"\npath="log.csv"\nmemory_limit="0MB"',
    ),
    Case(
        "as-of that is no date",
        "--as-of must be a date",
        2,
        log=csv(),
        arguments=("--as-of", "soon"),
    ),
]

FILES = [
    Case("no file", ("no file at", "log.csv", "set [source] path"), 2),
    Case("a folder without data", "no file at", 2, source='kind = "csv"\npath = "."'),
    Case("an object store", "kind = 'spark'", 2, source='kind = "csv"\npath = "s3://b/log.csv"'),
    Case("empty file", ("log.csv is empty", "a header and rows"), 1, log=b""),
    Case("a header and nothing else", "holds no rows", 1, log=b"customer,day,value\n"),
    Case("a blank line first", "begins with a blank line", 1, log=b"\n" + csv()),
    Case(
        "a column twice", "names the column value twice", 1, log=csv(header="customer,value,value")
    ),
    Case(
        "a missing column",
        (
            "'value', mapped by columns.amount (did you mean 'values'?)",
            "found: customer, day, values",
        ),
        1,
        log=csv(header="customer,day,values"),
    ),
    Case(
        "the wrong delimiter",
        ("needs the columns", "found: customer,day,value"),
        1,
        log=csv(),
        source='kind = "csv"\npath = "log.csv"\ndelimiter = ";"',
    ),
    Case(
        "SQL in a column name",
        "'x\"; DROP TABLE log; --', mapped by columns.amount",
        1,
        log=csv(),
        columns=COLUMNS.replace('"value"', "'x\"; DROP TABLE log; --'"),
    ),
    Case(
        "an unknown encoding",
        "Python knows no encoding 'utf-9'",
        2,
        log=csv(),
        source='kind = "csv"\npath = "log.csv"\nencoding = "utf-9"',
    ),
    Case(
        "UTF-16 read as UTF-8", ("as utf-8 text", "[source] encoding"), 1, log=GOOD.encode("utf-16")
    ),
    Case(
        "UTF-8 read as UTF-16",
        "[source] encoding",
        1,
        log=csv(),
        source='kind = "csv"\npath = "log.csv"\nencoding = "utf-16"',
    ),
    Case(
        "mixed encodings",
        "cannot be read",
        1,
        log=csv(*(f"Jos\xe9{n},2022-01-01,3" for n in range(9))).decode().encode("latin-1"),
    ),
    Case(
        "a truncated gzip",
        "cannot read",
        1,
        file="log.csv.gz",
        log=gzip.compress(csv())[:-30],
        source='kind = "csv"\npath = "log.csv.gz"',
    ),
    Case(
        "plain text named gz",
        "cannot read",
        1,
        file="log.csv.gz",
        log=csv(),
        source='kind = "csv"\npath = "log.csv.gz"',
    ),
    Case("a picture named csv", "log.csv", 1, log=bytes(range(256)) * 20),
    Case(
        "files that differ",
        "files read together need the same columns",
        1,
        log=csv(),
        others={"log2.csv": csv(header="customer,day,amount")},
        source='kind = "csv"\npath = "log*.csv"',
    ),
    Case("a truncated Parquet", ("cannot read", "log.parquet"), 1, log=parquet()[:-200], **PARQUET),
    Case(
        "a damaged page of Parquet, and retention",
        ("cannot read", "log.parquet"),
        1,
        log=damaged(parquet()),
        more="[governance]\nretention_days = 400",
        **PARQUET,
    ),
    Case("a CSV named Parquet", "cannot read", 1, log=csv(), **PARQUET),
    Case(
        "Parquet without rows",
        "holds no rows",
        1,
        log=(
            lambda b: (
                pd.read_csv(io.StringIO(GOOD), dtype=str).iloc[:0].to_parquet(b),
                b.getvalue(),
            )[1]
        )(io.BytesIO()),
        **PARQUET,
    ),
    Case(
        "Parquet with a column twice",
        "names the column value twice",
        1,
        log=parquet(Value=1.0),
        **PARQUET,
    ),
    Case(
        "times as fractions",
        "column 'day' holds float64, expected dates",
        1,
        log=parquet(day=[0.5] * 40),
        **PARQUET,
    ),
    Case(
        "amounts as yes and no",
        "column 'value' holds boolean, expected numbers",
        1,
        log=parquet(value=[True] * 40),
        **PARQUET,
    ),
    Case(
        "SQL in a table name",
        "no table or view named 'log; DROP TABLE log'",
        2,
        file="log.duckdb",
        log=duckdb_file(),
        source=DUCKDB["source"].replace('"log"', '"log; DROP TABLE log"'),
    ),
    Case(
        "a table that is not there",
        "tables there: log",
        2,
        file="log.duckdb",
        log=duckdb_file(),
        source=DUCKDB["source"].replace('"log"', '"lug"'),
    ),
    Case("no DuckDB file", "no DuckDB file at", 2, **DUCKDB),
    Case("a DuckDB file that is none", "cannot open", 2, log=b"not a database" * 400, **DUCKDB),
]

ROWS_OF_FILES = [
    Case(
        "a header twice",
        ("that cannot be read", "row 41 'day'"),
        1,
        log=csv(HEADER),
        more="[governance]\nmax_bad_row_share = 0.01",
    ),
    Case(
        "amounts in words", ("not finite", "row 41 'ten'"), 1, log=csv(*["001,2022-01-01,ten"] * 9)
    ),
    Case(
        "amounts with a decimal comma",
        ("row 1 '5,50'", "set [source] decimal = ','"),
        1,
        log=csv(*['001,2022-01-01,"5,50"'] * 9, good=0),
    ),
    Case("infinite amounts", "'inf'", 1, log=csv(*["001,2022-01-01,inf"] * 9)),
    Case(
        "no amounts",
        "no purchase is left of the 9 rows",
        1,
        log=csv(*["001,2022-01-01,"] * 9, good=0),
        more="[governance]\nmax_bad_row_share = 1.0",
    ),
    Case(
        "years of two digits",
        ("a date that is missing, unreadable", "'1/2/22'", "set [columns] date_format"),
        1,
        log=csv(*["001,1/2/22,5"] * 9, good=0),
    ),
    Case("days that do not exist", "'2022-02-30'", 1, log=csv(*["001,2022-02-30,5"] * 9)),
    Case(
        "a format that does not match",
        "'2022-01-01'",
        1,
        log=csv(),
        columns=COLUMNS + 'date_format = "%d/%m/%Y"',
    ),
    Case("dates from 1900", "'1900-01-01'", 1, log=csv(*["001,1900-01-01,5"] * 9)),
    Case("dates from 2999", "'2999-01-01'", 1, log=csv(*["001,2999-01-01,5"] * 9)),
    Case(
        "commas without quotes",
        ("wrong number of fields", "line 42 '001,2022-01-01,5,50'"),
        1,
        log=csv(*["001,2022-01-01,5,50"] * 9),
    ),
    Case("too few fields", "wrong number of fields", 1, log=csv(*["001,2022-01-01"] * 9)),
    Case(
        "a quote left open",
        "open quotes",
        1,
        log=csv('"001,2022-01-01,5'),
        more="[governance]\nmax_bad_row_share = 0.0",
    ),
    Case(
        "no ids at all",
        ("9 of 9 rows without a customer id (100.0%), limit 30.0%"),
        1,
        log=csv(*[",2022-01-01,5"] * 9, good=0),
    ),
    Case(
        "no ids and no limit",
        "no purchase is left of the 9 rows",
        1,
        log=csv(*["NULL,2022-01-01,5"] * 9, good=0),
        more="[governance]\nmax_missing_id_share = 1.0",
    ),
    Case(
        "only refunds",
        ("no purchase is left", "refunds before the customer's first purchase"),
        1,
        log=csv(*["001,2022-01-01,-5"] * 9, good=0),
    ),
    Case(
        "only zeros, dropped",
        "no purchase is left",
        1,
        log=csv(*["1,2022-01-01,0"] * 9, good=0),
        more='[governance]\nzero_value = "drop"',
    ),
    Case(
        "refunds, rejected",
        "1 rows with a negative amount, and governance.refunds is 'reject'",
        1,
        log=csv("001,2022-01-01,-5"),
        more='[governance]\nrefunds = "reject"',
    ),
    Case(
        "as-of before the data",
        "later than the as-of date",
        1,
        log=csv(),
        arguments=("--as-of", "2020-01-01"),
    ),
    Case(
        "stale data",
        "days before the as-of date, limit 30 (governance.max_stale_days)",
        1,
        log=csv(),
        arguments=("--as-of", "2024-01-01"),
        more="[governance]\nmax_stale_days = 30",
    ),
    Case(
        "one purchase and nothing else",
        ("no customer has been observed for a day", "a log of several months is needed"),
        1,
        log=csv("001,2022-01-05,5", good=0),
    ),
    Case(
        "everybody on one day",
        ("no customer has been observed for a day", "the log begins on 2022-01-05"),
        1,
        log=csv(*(f"{n:03d},2022-01-05,{n + 1}" for n in range(50)), good=0),
    ),
    Case(
        "nobody who came back",
        "no customer bought on a second day from 2022-01-01 to 2022-03-01",
        1,
        log=csv(*(f"{n:03d},2022-01-{n + 1:02d},5" for n in range(30)), good=0),
        arguments=("--as-of", "2022-03-01"),
    ),
    Case(
        "nobody consented",
        "the customer did not consent",
        1,
        log=csv(),
        others={"consent.csv": b"customer_id,timestamp,granted\n001,2022-01-01,no\n"},
        more='[governance]\nconsent = "exclude"\n[consent]\npath = "consent.csv"',
    ),
    Case(
        "consent without a column",
        "needs the column granted",
        1,
        log=csv(),
        others={"consent.csv": b"customer_id,timestamp\n001,2022-01-01\n"},
        more='[governance]\nconsent = "exclude"\n[consent]\npath = "consent.csv"',
    ),
]

CASES = CONFIGURATIONS + FILES + ROWS_OF_FILES


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], ClvError]:
    """Return a function that runs ``clv train`` on a case and gives the error that ends it."""
    monkeypatch.chdir(tmp_path)

    def run(case: Case) -> ClvError:
        (tmp_path / "config.toml").write_bytes(case.toml().encode("utf-8", "surrogateescape"))
        for name, content in {case.file: case.log, **case.others}.items():
            if content is not None:
                (tmp_path / name).write_bytes(content)
        before = sorted(tmp_path.rglob("*"))
        arguments = ["train", "--config", "config.toml", "--quiet", *case.arguments]
        with pytest.raises(ClvError) as caught:
            cli.app(arguments, standalone_mode=False)
        assert sorted(tmp_path.rglob("*")) == before
        return caught.value

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_input_is_refused_with_its_message(case, refused):
    error = refused(case)
    message = str(error)
    for fragment in (case.says,) if isinstance(case.says, str) else case.says:
        assert fragment in message
    assert error.exit_code == case.code
    assert "\n" not in message
    assert "Traceback" not in message


def test_the_corpus_is_large_enough():
    assert len({case.name for case in CASES}) == len(CASES) >= 60
