"""Who moved from which RFM segment to which since an earlier delivered forecast: counts only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from ibis import _
from ibis.expr.types import Table

from clvmodels.core.schema import RFM_MOVES
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.failures import first_line

NOT_YET = "(not yet a customer)"
GONE = "(no longer in the log)"
"""Where customers come from, and go to, who are in one of the two forecasts only."""

KEY, SEGMENT = "customer_id", "rfm_segment"


@dataclass(frozen=True)
class Earlier:
    """A delivered forecast from before.

    Attributes
    ----------
    as_of : date
    customers : Path
        Its customers.parquet: a file, or Spark's folder of files.
    note : str, optional
        Why it cannot be compared with; a sentence.
    """

    as_of: dt.date
    customers: Path
    note: str | None = None


def moves(ranked: Table, earlier: Earlier) -> tuple[pd.DataFrame, str | None]:
    """Count customers by the segment they were in and the one they are in.

    Parameters
    ----------
    ranked : ibis Table
        customer_id and rfm_segment of scored customers.
    earlier : Earlier

    Returns
    -------
    moves : DataFrame
        schema.RFM_MOVES, who stayed included; empty where nothing can be compared.
    note : str or None
        Why not: a sentence.
    """
    note = earlier.note or _unreadable(earlier.customers)
    if note is not None:
        return RFM_MOVES.empty(), note
    with engine_of(ranked).opened(earlier.customers) as before:
        rows = before.agg(
            rows=_.count(), customers=_[KEY].nunique(), named=_[SEGMENT].count()
        ).execute()
        found = rows.iloc[0]
        if not found["rows"] == found["customers"] == found["named"]:
            return RFM_MOVES.empty(), (
                f"its rows ({found['rows']:,}) are not one a customer ({found['customers']:,}), "
                f"each with a segment ({found['named']:,})."
            )
        counted = _counted(ranked, before)
    if (
        len(counted)
        and not ((counted["from_segment"] != NOT_YET) & (counted["to_segment"] != GONE)).any()
    ):
        return RFM_MOVES.empty(), (
            "it has no customer in common with this one. Has governance.pseudonym_key_env another "
            "key since?"
        )
    return counted, None


def _counted(ranked: Table, before: Table) -> pd.DataFrame:
    now = ranked.select(KEY, to_segment=ranked[SEGMENT])
    then = before.select(was_id=before[KEY], from_segment=before[SEGMENT])
    both = now.outer_join(then, now[KEY] == then.was_id)
    named = both.select(
        from_segment=both.from_segment.fill_null(NOT_YET),
        to_segment=both.to_segment.fill_null(GONE),
    )
    keys = ["from_segment", "to_segment"]
    table: pd.DataFrame = named.group_by(keys).agg(customers=_.count()).execute()
    return table.sort_values(keys, ignore_index=True)


def _unreadable(path: Path) -> str | None:
    """Say why a file holds no segments, as a sentence; None where it does."""
    try:
        columns = ds.dataset(path, format="parquet").schema
    except (OSError, ValueError, pa.ArrowException) as error:
        return f"its customers cannot be read ({first_line(error)})."
    missing = [name for name in (KEY, SEGMENT) if name not in columns.names]
    if missing:
        return f"its customers lack {' and '.join(missing)}: an earlier release wrote them."
    odd = [name for name in (KEY, SEGMENT) if not _is_text(columns.field(name).type)]
    return f"its {' and '.join(odd)} hold no text." if odd else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
