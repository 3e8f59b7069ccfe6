"""The log that every engine reads: simulated, seeded, written as one Parquet file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clvmodels.simulation.simulate import BGNBDProcess, GammaGammaSpend, simulate_log

START = dt.date(2023, 1, 1)
DAYS = 730
AS_OF = START + dt.timedelta(days=DAYS - 1)
PROCESS = BGNBDProcess(r=0.6, alpha=33.0, a=0.8, b=3.2)
SPEND = GammaGammaSpend(p=6.25, q=3.74, v=15.44)

PART = 1_000_000
"""Customers simulated at a time, so that memory does not grow with the log."""


def write_log(path: Path, customers: int, seed: int) -> int:
    """Write the transactions of so many customers; return how many there are."""
    parts = range(0, customers, PART)
    seeds = np.random.SeedSequence(seed).spawn(len(parts))
    rows = 0
    writer = None
    for first, part_seed in zip(parts, seeds, strict=True):
        size = min(PART, customers - first)
        log = simulate_log(
            PROCESS,
            size,
            spend=SPEND,
            start=START,
            days=DAYS,
            random_state=part_seed,
            first_number=first,
        )
        table = log.to_arrow().select(["customer_id", "timestamp", "amount"])
        cents = pc.max_element_wise(pc.round(table["amount"], 2), 0.01)
        table = table.set_column(2, "amount", cents)
        # A real log is in order of time, not of customers.
        table = table.take(pa.array(np.argsort(log.day, kind="stable")))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
        rows += table.num_rows
    if writer is not None:
        writer.close()
    return rows
