"""The customer forecast read back, with what only the forecast before can tell."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from clvmodels.core.errors import DataError, MissingColumnError
from clvmodels.core.schema import CUSTOMER_FORECAST


def read(path: Path, before: Path | None = None) -> pd.DataFrame:
    """Read a customers.parquet.

    Parameters
    ----------
    path : Path
        A file, or Spark's folder of files.
    before : Path, optional
        That of an earlier forecast.

    Returns
    -------
    DataFrame
        Its columns; gap_ratio (days since the last purchase over the customer's usual gap),
        clv_if_alive (CLV over the probability alive: what is at stake, in currency) and
        probability_alive_change (since the forecast before), each missing where not defined.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or holds a customer twice.
    """
    table = _columns(path, CUSTOMER_FORECAST.names)
    table["gap_ratio"] = table["days_since_last"] / table["usual_gap"]
    alive = table["probability_alive"]
    table["clv_if_alive"] = (table["clv"] / alive).where(alive > 0)
    table["probability_alive_change"] = float("nan")
    if before is not None:
        then = _columns(before, ["customer_id", "probability_alive"]).set_index("customer_id")
        known = table["customer_id"].map(then["probability_alive"])
        table["probability_alive_change"] = alive - known
    return table


def _columns(path: Path, names: list[str]) -> pd.DataFrame:
    try:
        content = ds.dataset(path, format="parquet")
        missing = [name for name in names if name not in content.schema.names]
        if missing:
            raise MissingColumnError(
                str(path), missing, content.schema.names, "Write it anew with `clv forecast`."
            )
        table: pd.DataFrame = content.to_table(columns=names).to_pandas()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read ({error}); run `clv forecast` again") from None
    twice = table["customer_id"][table["customer_id"].duplicated()]
    if len(twice):
        raise DataError(
            f"{path} holds {twice.nunique():,} customers more than once; run `clv forecast` again"
        )
    return table.sort_values("customer_id", ignore_index=True)
