"""The ledger's tables: a DuckDB file beside the reports, or a database that several programs share.

Rows are only ever added. A run's rows count once its own row is there, which is written last: a run
that dies on the way leaves nothing that is read.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
from ibis.expr.types import Table

from clvmodels.core.errors import DataError
from pipelines import files
from pipelines.ledger import entries
from pipelines.sources.engines import uri
from pipelines.sources.failures import first_line

FILE = "ledger.duckdb"

RUNS, FORECASTS, ACTUALS = "clv_ledger_runs", "clv_ledger_forecasts", "clv_ledger_actuals"

TABLES = {
    RUNS: ibis.schema(
        {
            "business": "string",
            "run": "string",
            "made_at": "string",  # ISO 8601, UTC
            "as_of": "date",
            "kind": "string",
            "version": "string",
            "currency": "string",
        }
    ),
    FORECASTS: ibis.schema(
        {
            "run": "string",
            "level": "string",
            "cohort": "date",
            "period": "date",
            "quantity": "string",
            **dict.fromkeys(entries.AMOUNTS, "float64"),
        }
    ),
    ACTUALS: ibis.schema(
        {
            "run": "string",
            "cohort": "date",
            "period": "date",
            **dict.fromkeys(entries.HAPPENED, "float64"),
        }
    ),
}


@dataclass(frozen=True)
class Ledger:
    """Where one business's ledger is.

    Attributes
    ----------
    business : str
    currency : str
    folder : Path
        Of the business's reports; the file lies there unless a database is named.
    uri_env : str, optional
        Environment variable with the URI of a database, which may hold a password.
    """

    business: str
    currency: str
    folder: Path
    uri_env: str | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        return f"${self.uri_env}" if self.uri_env else str(self.folder / FILE)

    def forecasts(self) -> pd.DataFrame:
        """Every forecast recorded in the ledger's currency, the latest run of each as-of date.

        Returns
        -------
        DataFrame
            origin, made_at, version, level, cohort, period, quantity, value, low, high.
        """
        table = self._joined(FORECASTS, "forecast")
        latest = table.groupby("as_of")["made_at"].transform("max")
        table = table[table["made_at"] == latest].rename(columns={"as_of": "origin"})
        return table[["origin", "made_at", "version", *entries.KEYS, *entries.AMOUNTS]]

    def actuals(self) -> pd.DataFrame:
        """What is known to have happened: the latest entry of every cohort and month."""
        table = self._joined(ACTUALS, "actuals").sort_values("made_at", kind="stable")
        table = table.drop_duplicates([*entries.CELL], keep="last")
        return table[[*entries.CELL, *entries.HAPPENED]].reset_index(drop=True)

    def runs(self) -> pd.DataFrame:
        """Every run that has written here: made_at, as_of, kind, version, currency."""
        with self._opened(writing=False) as connection:
            if connection is None or RUNS not in connection.list_tables():
                return _nothing(RUNS).drop(columns="business")
            found: pd.DataFrame = self._own_runs(connection).drop("business").to_pandas()
            return found

    def in_other_currencies(self) -> int:
        """As-of dates of forecasts in another currency, which are not read."""
        runs = self.runs()
        other = (runs["kind"] == "forecast") & (runs["currency"] != self.currency)
        return int(runs.loc[other, "as_of"].nunique())

    def add_forecast(self, as_of: dt.date, version: str, rows: pd.DataFrame) -> bool:
        """Record a delivered forecast; say whether it was new.

        The same forecast of the same day and version is not recorded twice.
        """
        known = self.forecasts()
        known = known[(known["origin"] == pd.Timestamp(as_of)) & (known["version"] == version)]
        if len(known) == len(rows):
            same = entries.changed(rows, known, [*entries.KEYS], [*entries.AMOUNTS])
            if same.rows.empty:
                return False
        self._add(as_of, "forecast", version, FORECASTS, rows)
        return True

    def add_actuals(self, as_of: dt.date, rows: pd.DataFrame) -> entries.Changes:
        """Record the months that have happened, as far as they are new or have changed since."""
        found = entries.changes(rows, self.actuals())
        if len(found.rows):
            self._add(as_of, "actuals", "", ACTUALS, found.rows)
        return found

    def _joined(self, name: str, kind: str) -> pd.DataFrame:
        """Rows of a table with the runs that wrote them, joined where they are."""
        with self._opened(writing=False) as connection:
            if connection is None or not {name, RUNS} <= set(connection.list_tables()):
                table = _nothing(name).merge(_nothing(RUNS), on="run")
            else:
                runs = self._own_runs(connection)
                runs = runs.filter(runs.kind == kind, runs.currency == self.currency)
                table = connection.table(name).join(runs, "run").to_pandas()
        for column in ("as_of", "cohort", "period"):
            table[column] = pd.to_datetime(table[column]).astype("datetime64[s]")
        amounts = [name for name in (*entries.AMOUNTS, *entries.HAPPENED) if name in table]
        return table.astype(dict.fromkeys(amounts, float))

    def _own_runs(self, connection: Any) -> Table:
        runs = connection.table(RUNS)
        return runs.filter(runs.business == self.business)

    def _add(self, as_of: dt.date, kind: str, version: str, name: str, rows: pd.DataFrame) -> None:
        run = uuid.uuid4().hex
        made_at = dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
        row = {
            "business": self.business, "run": run, "made_at": made_at, "as_of": as_of,
            "kind": kind, "version": version, "currency": self.currency,
        }  # fmt: skip
        with self._opened(writing=True) as connection:
            for table, content in ((name, rows.assign(run=run)), (RUNS, pd.DataFrame([row]))):
                if table not in connection.list_tables():
                    connection.create_table(table, schema=TABLES[table])
                connection.insert(table, _typed(content, TABLES[table]))

    @contextmanager
    def _opened(self, writing: bool) -> Iterator[Any]:
        """Open the database; None where there is no file yet and nothing is to be written."""
        if self.uri_env is not None:
            at = uri.address(self.uri_env, "ledger.uri_env")
            with uri.opened(at, self.uri_env, "ledger") as connection:
                yield connection
            return
        path = self.folder / FILE
        if not writing and not path.is_file():
            yield None
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        # one process at a time may have the file open
        with files.locked(self.folder):
            try:
                connection = ibis.duckdb.connect(path, read_only=not writing)
            except Exception as error:
                reason = first_line(error)
                if "lock" in reason.casefold():
                    raise DataError(
                        f"{path} is open in another program ({reason}). Close it there, or wait "
                        "until it has ended, and run this again."
                    ) from None
                raise DataError(
                    f"{path} is no ledger that can be opened ({reason}). Move it elsewhere to "
                    "begin a new one, or put back a copy of it."
                ) from None
            try:
                yield connection
            finally:
                connection.disconnect()


def _nothing(name: str) -> pd.DataFrame:
    """A table without a row."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in TABLES[name]})


def _typed(rows: pd.DataFrame, schema: ibis.Schema) -> Any:
    """Rows with the columns of a table, in its order and types."""
    table = rows[list(schema)].copy()
    for name, kind in schema.items():
        if kind.is_date():
            table[name] = pd.to_datetime(table[name]).dt.date
    return ibis.memtable(table, schema=schema)
