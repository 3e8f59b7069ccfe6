"""An audience made: its members as files, its size and value, and who entered, stayed and left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from clvmodels.activation.conditions import members
from clvmodels.core.errors import ConfigError, DataError, InvalidValueError
from pipelines.config.sections import Audience

FOLDER = "audiences"

FORMULA = ("=", "+", "-", "@")
"""What a text begins with that spreadsheets take for a formula."""


@dataclass(frozen=True)
class Made:
    """An audience, without its customers.

    Attributes
    ----------
    name, reason : str
    customers : int
    expected_revenue, clv : float
        Of all of them over the horizon, in currency.
    entered, stayed, left : int or None
        Since the audience of the same name was last written; None where it never was.
    formulas : int
        Customers whose id a spreadsheet takes for a formula.
    """

    name: str
    reason: str
    customers: int
    expected_revenue: float
    clv: float
    entered: int | None
    stayed: int | None
    left: int | None
    formulas: int


def make(
    table: pd.DataFrame,
    name: str,
    audience: Audience,
    folder: Path,
    *,
    columns: Sequence[str],
    before: Path | None,
) -> Made:
    """Write who is in an audience as Parquet and CSV, in the order of customer_id.

    Parameters
    ----------
    table : DataFrame
        Of :func:`pipelines.activation.customers.read`, without who may not be talked to.
    name : str
    audience : Audience
    folder : Path
        An existing one.
    columns : sequence of str
        Of the table, after customer_id, audience, reason and change (enter or stay).
    before : Path, optional
        Folder in which audiences were last written.

    Raises
    ------
    ConfigError
        If a condition asks for a column that is not there, or for numbers where there are none.
    """
    try:
        chosen = members(table, [condition.plain for condition in audience.where])
    except InvalidValueError as error:
        raise ConfigError(f"audience.{name}: {error}") from None
    some = table[chosen]
    ids = some["customer_id"]
    known = _members_of(before / f"{name}.parquet") if before is not None else None
    there = ids.isin(known if known is not None else [])
    shown = pd.DataFrame({"customer_id": ids, "audience": name, "reason": audience.reason})
    shown["change"] = np.where(there, "stay", "enter")
    more = [column for column in dict.fromkeys(columns) if column not in shown]
    content = pa.Table.from_pandas(shown.join(some[more]), preserve_index=False)
    pq.write_table(content, folder / f"{name}.parquet")
    pa_csv.write_csv(content, folder / f"{name}.csv")
    stayed = int(there.sum())
    changes: tuple[int | None, int | None, int | None] = (None, None, None)
    if known is not None:
        changes = (len(some) - stayed, stayed, len(known) - stayed)
    return Made(
        name,
        audience.reason,
        len(some),
        float(some["expected_revenue"].sum()),
        float(some["clv"].sum()),
        *changes,
        int(ids.str.startswith(FORMULA).sum()),
    )


def _members_of(path: Path) -> set[str] | None:
    """Customers of an audience that was written before; None where it was not."""
    if not path.is_file():
        return None
    try:
        return set(pq.read_table(path, columns=["customer_id"])["customer_id"].to_pylist())
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{path} cannot be read ({error}), so nobody knows who entered; delete it or mend it"
        ) from None
