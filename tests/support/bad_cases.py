"""A broken input, and the parts that they are made of."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd
import xlsxwriter

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


def duckdb_file(*statements: str) -> bytes:
    """Return a DuckDB file with the good log as table log, and what the statements make."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.duckdb"
        with duckdb.connect(str(file)) as connection:
            connection.register("good", pd.read_csv(io.StringIO(GOOD), dtype={"customer": str}))
            connection.execute("CREATE TABLE log AS FROM good")
            for statement in statements:
                connection.execute(statement)
        return file.read_bytes()


def workbook(stray: dict[str, object] | None = None, **sheets: list[tuple]) -> bytes:
    """Return a workbook of sheets of rows, with stray cells in each."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            for place, value in (stray or {}).items():
                sheet.write(place, value)
    return buffer.getvalue()


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
