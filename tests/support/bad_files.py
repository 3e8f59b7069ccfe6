"""Files that are not there, not whole, or not what they are said to be."""

from __future__ import annotations

import gzip
import io

import pandas as pd
from bad_cases import (
    COLUMNS,
    DUCKDB,
    GOOD,
    HEADER,
    PARQUET,
    Case,
    csv,
    damaged,
    duckdb_file,
    parquet,
    workbook,
)

CSV_OF_XLSX = 'kind = "csv"\npath = "log.xlsx"'
EXCEL = {"file": "log.xlsx", "source": 'kind = "excel"\npath = "log.xlsx"'}
XLSX = workbook(April=[HEADER.split(","), ("1", "2022-01-05", 1.0)])

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
    Case(
        "a workbook said to be CSV",
        "set it to 'excel'",
        2,
        **(EXCEL | {"source": CSV_OF_XLSX}),
        log=XLSX,
    ),
    Case("a truncated workbook", ("as a workbook", "save it again"), 1, **EXCEL, log=XLSX[:900]),
    Case("text named as a workbook", "as a workbook", 1, **EXCEL, log=csv()),
    Case(
        "a stray cell in the last corner of a sheet",
        ("sheet 'April' of log.xlsx", "reaches to XFD1048576", "Delete what stands far"),
        1,
        **EXCEL,
        log=workbook({"XFD1048576": 1}, April=[HEADER.split(","), ("1", "2022-01-05", 1.0)]),
    ),
    Case(
        "a folder named after a column",
        ("holds the column customer", "the folder customer=evil", "hive_partitioning = false"),
        1,
        others={"customer=evil/log.parquet": parquet()},
        file="none",
        source='kind = "parquet"\npath = "*/*.parquet"\nhive_partitioning = true',
    ),
    Case(
        "a file for a table",
        ("no table or view named 'other.csv'", "tables there: log"),
        2,
        file="log.duckdb",
        log=duckdb_file(),
        others={"other.csv": csv()},
        source=DUCKDB["source"].replace('"log"', '"other.csv"'),
    ),
    Case(
        "a view of a DuckDB file that reads another file",
        ("log.duckdb, table seen is a view that reads more", "Make it a table"),
        2,
        file="log.duckdb",
        log=duckdb_file("CREATE VIEW seen AS SELECT content AS customer FROM read_text('*')"),
        source=DUCKDB["source"].replace('"log"', '"seen"'),
    ),
    Case(
        "a sheet that is not there",
        "no sheet 'May'; it has April",
        2,
        **(EXCEL | {"source": EXCEL["source"] + '\nsheets = ["May"]'}),
        log=XLSX,
    ),
]
