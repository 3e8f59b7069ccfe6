"""Moves between groups of customers, of which none tells on a few, nor what is left of the others.

How many customers a group held before, and holds now, is known from tables of the groups: a move of
few customers that is left out would follow from the others of its row or column. Groups of few are
put together first, as those tables put them: two ways of putting them together would give each
other's few away. Then moves of few are left out, and as many others as it takes to leave each of
them open. What is left out is a part of a circle then: one customer more here, one less there, and
every sum is what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from clvmodels.core.arrays import Array, Booleans
from pipelines.forecasting.rfm.moves import GONE, NOT_YET
from pipelines.report.groups.small import LEAST_CUSTOMERS, spans, together

OTHERS = "(others)"
ENDS = ["from_segment", "to_segment"]

_ROUNDING = 1e-9
_LEFT_OUT = 1e-6
"""Price of a move that is left out anyway; of another it is its number of customers."""


def told_moves(moves: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Leave out moves of too few customers, and those that would give them away.

    Parameters
    ----------
    moves : DataFrame
        schema.RFM_MOVES, of customers who stayed too.
    order : sequence of str
        Segments as tables show them.

    Returns
    -------
    DataFrame
        The rows that may be told, segments of few put together with their neighbours, and who is
        in one forecast only with others where they are few; none where some of the few cannot be
        hidden.
    """
    table = moves
    for end in ENDS:
        named = _as_shown(table, end, order)
        if named is None:
            return moves.iloc[:0]
        table = _with_others(named, end)
    wide = table.pivot_table(
        index=ENDS[0], columns=ENDS[1], values="customers", aggfunc="sum", fill_value=0
    )
    customers = wide.to_numpy(float)
    hidden = _hidden(customers)
    if hidden is None:
        return table.iloc[:0]
    at = (
        wide.index.get_indexer(pd.Index(table[ENDS[0]])),
        wide.columns.get_indexer(pd.Index(table[ENDS[1]])),
    )
    return table[~hidden[at]].reset_index(drop=True)


def _as_shown(table: pd.DataFrame, end: str, order: Sequence[str]) -> pd.DataFrame | None:
    """Put segments of few together with their neighbours; None where all of them are few."""
    sizes = table.groupby(end)["customers"].sum().drop([NOT_YET, GONE], errors="ignore")
    known = [name for name in order if name in sizes.index]
    sizes = sizes.loc[[*known, *sizes.index.difference(known)]]  # a table of before may have others
    code = together(sizes.to_numpy(float))
    if code is None:
        return None
    names = dict(
        zip(sizes.index, spans(sizes.index.to_series(), code).to_numpy()[code], strict=True)
    )
    named = table[end].replace(names)
    return table.assign(**{end: named}).groupby(ENDS)["customers"].sum().reset_index()


def _with_others(table: pd.DataFrame, end: str) -> pd.DataFrame:
    """Put who is in one forecast only with the next larger group, where they are few."""
    sizes = table.groupby(end)["customers"].sum().sort_values(kind="stable")
    count = sizes.to_numpy(float)
    few = count < LEAST_CUSTOMERS
    if few.any():
        few |= np.cumsum(count) - count < LEAST_CUSTOMERS
    named = table[end].where(~table[end].isin(sizes.index[few]), OTHERS)
    return table.assign(**{end: named}).groupby(ENDS)["customers"].sum().reset_index()


def _hidden(customers: Array) -> Booleans | None:
    """Which moves are left out, shape (before, now); None where that does not hide the few."""
    hidden = (customers > 0) & (customers < LEAST_CUSTOMERS)
    while hidden.any():
        bare = np.argwhere(_follows(hidden))
        if len(bare):
            circle = _cheapest_circle(customers, hidden, *bare[0])
            if circle is None:
                return None
            for row, column in circle:
                hidden[row, column] = True
        elif (more := _beside_a_small_rest(customers, hidden)) is not None:
            hidden[more] = True
        else:
            break
    return hidden


def _follows(hidden: Booleans) -> Booleans:
    """Which of the hidden moves follow from the sums of rows and columns and from the others."""
    rows, columns = np.nonzero(hidden)
    cells = np.arange(len(rows))
    sums = np.zeros((sum(hidden.shape), len(rows)))
    sums[rows, cells] = sums[hidden.shape[0] + columns, cells] = 1.0
    _, size, right = np.linalg.svd(sums)
    free = right[int((size > _ROUNDING).sum()) :]
    follows = np.zeros(hidden.shape, dtype=bool)
    follows[rows, columns] = np.abs(free).max(axis=0, initial=0.0) < _ROUNDING
    return follows


def _cheapest_circle(
    customers: Array, hidden: Booleans, row: int, column: int
) -> list[tuple[int, int]] | None:
    """Moves that close a circle with one, of the fewest customers that would be told; or None."""
    price = np.where(hidden, _LEFT_OUT, customers)
    price[row, column] = 0.0  # no way of its own
    count = len(customers)
    ways = np.zeros((sum(customers.shape),) * 2)
    ways[:count, count:] = price
    distance, before = dijkstra(
        csr_array(ways), directed=False, indices=row, return_predecessors=True
    )
    at = count + column
    if not np.isfinite(distance[at]):
        return None
    path = [at]
    while path[-1] != row:
        path.append(int(before[path[-1]]))
    return [(min(ends), max(ends) - count) for ends in pairwise(path)]


def _beside_a_small_rest(customers: Array, hidden: Booleans) -> tuple[int, int] | None:
    """The smallest told move of a row or column whose hidden ones are few together."""
    for axis in (1, 0):
        rest = (customers * hidden).sum(axis=axis, keepdims=True)
        small = (rest > 0) & (rest < LEAST_CUSTOMERS)
        candidates = np.where(small & ~hidden & (customers > 0), customers, np.inf)
        if np.isfinite(candidates).any():
            row, column = np.unravel_index(int(candidates.argmin()), customers.shape)
            return int(row), int(column)
    return None
