"""Workbooks (Excel, OpenDocument) as one table of text columns, sheet after sheet.

Cells keep what they hold, not how they look: a number, a date or text becomes the text that a CSV
would hold, so that :mod:`pipelines.data.lines` reads both by the same rules. They are read by a
process of its own (:mod:`pipelines.sources.files.workbooks.reader`) in bounded memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from ibis import BaseBackend
from ibis.expr.types import Table

from clvmodels.core.errors import ConfigError, DataError
from pipelines.config.load import Columns, Source
from pipelines.sources.files.workbooks.reader import MEMORY, SUFFIXES, Job
from pipelines.sources.files.workbooks.sizes import too_large

__all__ = ["SUFFIXES", "read_excel", "read_first_sheet"]

SMALL = 1 << 30
"""Bytes that reading a workbook may take which holds no log."""

_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from pipelines.sources.files.workbooks.reader import main; sys.exit(main())"
)
_NO_MEMORY = ("capacity overflow", "PyObject pointer is null")
"""What the reader's libraries say of memory that they did not get, where they do not just end."""
_UNITS = {"bytes": 1, "B": 1}
_UNITS |= {f"{unit}iB": 1 << 10 * power for power, unit in enumerate("KMGT", 1)}
_ERRORS = {kind.__name__: kind for kind in (ConfigError, DataError)}


def read_excel(
    connection: BaseBackend, source: Source, files: Sequence[Path], columns: Columns
) -> Table:
    """Return the rows of workbooks as text columns, named by the first row of each sheet.

    Read are the sheets that ``source.sheets`` names, otherwise all that are visible and not
    empty. They need the same columns in the same order; blank rows are left out. Reading takes no
    more memory than the engine may use.

    Raises
    ------
    ConfigError
        If a workbook has no such sheet.
    DataError
        If a file is no workbook, asks for a password, holds no row, names a column twice, takes
        too much memory, or its sheets differ.
    """
    folder = tempfile.mkdtemp(dir=connection.settings["temp_directory"])
    job = Job(
        path=str(source.path),
        files=[str(file) for file in files],
        copy=str(Path(folder) / "rows.parquet"),
        memory=_bytes(connection.settings["memory_limit"]),
        sheets=source.sheets,
        nothing=source.null_values,
        decimal=source.decimal,
        customer_id=columns.customer_id,
        timestamp=columns.timestamp,
        date_format=columns.date_format,
    )
    _run(job)
    return connection.read_parquet(job.copy)


def read_first_sheet(file: Path) -> pd.DataFrame:
    """Return the first visible sheet with rows of a small workbook, as text.

    Raises
    ------
    DataError
        As :func:`read_excel` does.
    """
    with tempfile.TemporaryDirectory(prefix="clv-") as folder:
        copy = str(Path(folder) / "rows.parquet")
        _run(Job(path=str(file), files=[str(file)], copy=copy, memory=SMALL, first_only=True))
        return pd.read_parquet(copy)


def _run(job: Job) -> None:
    """Let a process of its own do a job, and raise what it says."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _START, str(Path(__file__).parents[3])],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=os.environ
        | {"ARROW_DEFAULT_MEMORY_POOL": "system"},  # others reserve what they may use
    )
    place = job.path
    for line in done.stdout.splitlines():
        told = json.loads(line)
        if "error" in told:
            raise _ERRORS.get(told["kind"], DataError)(told["error"])
        if "done" in told:
            return
        place = told["at"]
    last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    if done.returncode < 0 or done.returncode == MEMORY or any(sign in last for sign in _NO_MEMORY):
        raise too_large(place, None, job.memory)
    raise DataError(
        f"cannot read {place}: {last.rstrip('. ')}. Open the workbook, and save it again as .xlsx "
        "or as CSV"
    )


def _bytes(limit: str) -> int:
    """Return a setting such as 1.5 GiB, as DuckDB writes it, in bytes."""
    number, unit = limit.split()
    return int(float(number) * _UNITS[unit])
