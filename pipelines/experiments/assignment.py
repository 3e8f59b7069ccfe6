"""Who was given what and when: the assignment table, every customer accounted for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
from ibis.expr.types import Column

from clvmodels.core.errors import ConfigError, DataError, MissingColumnError
from clvmodels.experiments import contrasts
from pipelines.config.experiment import Assignment, Factor
from pipelines.config.load import Log, Source
from pipelines.config.sections import nearest
from pipelines.data import lines
from pipelines.data.first_look import dates
from pipelines.sources.connect import connect
from pipelines.sources.paths import kind_of_file

SHOWN = 5
"""Rows or values that a message names."""


@dataclass(frozen=True)
class Assigned:
    """Customers to be read, and all others by the reason why not.

    Attributes
    ----------
    customers : DataFrame
        customer_id, day (of assignment), until (last day of the window), cell and, each by its
        :func:`outcome_column`, outcomes of the table; sorted, each customer once.
    factors : tuple of Factor
        With their levels, the control first.
    rows : int
        Of the table.
    repeated : int
        Rows that say again what an earlier one said; the first day counts.
    set_aside : dict of str to int
        Customers by reason: ``several_arms``, ``after_as_of``, ``window_open``.
    by_cell : ndarray of int
        Customers of one arm, whatever their window: as they were assigned.
    """

    customers: pd.DataFrame
    factors: tuple[contrasts.Factor, ...]
    rows: int
    repeated: int
    set_aside: dict[str, int]
    by_cell: np.ndarray

    @property
    def cells(self) -> list[tuple[str, ...]]:
        """Levels of every cell."""
        return contrasts.cells_of(self.factors)


def factor_column(name: str) -> str:
    """Name of a factor's column: a word more, so that it is none of those made here."""
    return f"factor {name}"


def outcome_column(name: str) -> str:
    """Name of an outcome's column, as of a factor's."""
    return f"outcome {name}"


def read(log: Log, table: Assignment, factors: Mapping[str, Factor]) -> pd.DataFrame:
    """Read the assignment table; ids, days and numbers as those of the log are read.

    Returns
    -------
    DataFrame
        customer_id, day, one column of text a factor and one of numbers an outcome (named as
        :func:`factor_column` and :func:`outcome_column` say), in the order of the file.

    Raises
    ------
    ConfigError, DataError, MissingColumnError
        If the file is missing or cannot be read, or a row lacks customer, day, arm or outcome.
    """
    if not Path(table.path).is_file():
        raise ConfigError(
            f"no file at {table.path}; set [assignment] path (relative paths start at the "
            "folder of the experiment's file)"
        )
    source = Source(kind=kind_of_file(table.path), path=table.path)
    columns = log.columns.model_copy(
        update={"customer_id": table.customer_id, "timestamp": table.time}
    )
    place = f"{table.path}, named in [assignment],"
    with connect(replace(log, source=source)) as engine:
        raw = engine.read(source, columns, "assignment")
        wanted = [table.customer_id, table.time, *factors, *table.outcomes]
        missing = [name for name in wanted if name not in raw.columns]
        if missing:
            raise MissingColumnError(place, missing, list(raw.columns))
        raw = engine.require_rows(source, raw, "assignment")
        time = raw[table.time]
        form = table.date_format or dates.form_of(time, log.calendar, table.path)
        frame = raw.select(
            customer_id=lines.customer_ids(raw[table.customer_id], log.columns.fold_ids),
            day=lines.local_dates(time, log.calendar, form, table.path),
            # as ids are, so that 1.0 of a column with gaps is the arm 1
            **{factor_column(name): lines.customer_ids(raw[name]) for name in factors},
            **{outcome_column(name): _finite(raw[name], table.path) for name in table.outcomes},
        ).execute()
    frame["day"] = pd.to_datetime(frame["day"]).astype("datetime64[s]")
    if frame.empty:
        raise DataError(f"{place} holds no row; expected one a customer.")
    for column, name in zip(frame.columns, wanted, strict=True):
        blank = np.flatnonzero(frame[column].isna())
        if blank.size:
            numbers = ", ".join(str(at + 1) for at in blank[:SHOWN])
            what = "day or time" if column == "day" else "value"
            raise DataError(
                f"{place} has no {what} that can be read in '{name}' in {blank.size} of "
                f"{len(frame)} rows (row {numbers}{', ...' if blank.size > SHOWN else ''}). "
                "Correct them: customers left out of one arm alone spoil the comparison."
            )
    return frame


def _finite(column: Column, place: str) -> Column:
    """Numbers, null where a text is none."""
    value = lines.number(column, ".", place)
    return ibis.ifelse(lines.finite(value), value, ibis.null("float64"))


def assigned(
    frame: pd.DataFrame, factors: Mapping[str, Factor], window_days: int, as_of: dt.date, place: str
) -> Assigned:
    """Say who can be read at a day.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`read`.
    factors : mapping of str to Factor
    window_days : int
        The day of assignment is the first.
    as_of : date
        Last day that is known.
    place : str
        Where the table is, for messages.

    Raises
    ------
    DataError
        If an arm is not one of those named, the control is missing, a customer's rows tell
        different outcomes, or no window is over.
    """
    known = tuple(
        contrasts.Factor(name, _levels(frame[factor_column(name)], name, factor, place))
        for name, factor in factors.items()
    )
    shape = tuple(len(factor.levels) for factor in known)
    arms = {one.name: frame[factor_column(one.name)] for one in known}
    codes = [pd.Categorical(arms[one.name], list(one.levels)).codes for one in known]
    table = frame.drop(columns=[factor_column(name) for name in factors])
    table["cell"] = np.ravel_multi_index(codes, shape)
    cells = table.groupby("customer_id")["cell"].nunique()
    several = table["customer_id"].isin(cells.index[cells > 1])
    _require_one_outcome(table[~several], place)
    once = table[~several].sort_values(["customer_id", "day"]).drop_duplicates("customer_id")
    by_cell = np.bincount(once["cell"], minlength=int(np.prod(shape)))
    until = once["day"] + pd.Timedelta(days=window_days - 1)
    later, is_over = once["day"] > pd.Timestamp(as_of), until <= pd.Timestamp(as_of)
    set_aside = {
        "several_arms": int((cells > 1).sum()),
        "after_as_of": int(later.sum()),
        "window_open": int((~later & ~is_over).sum()),
    }
    kept = once.assign(until=until)[is_over].reset_index(drop=True)
    if kept.empty:
        raise DataError(
            f"{place}: no window of {window_days} days is over by {as_of}, the last day known; "
            + (f"the first ends on {until.min():%Y-%m-%d}. Read it then." if len(once) else "")
            + ("" if len(once) else "every customer is in several arms. Give each one arm.")
        )
    repeated = int((~several).sum()) - len(once)
    return Assigned(kept, known, len(frame), repeated, set_aside, by_cell)


def _require_one_outcome(table: pd.DataFrame, place: str) -> None:
    """Refuse rows of a customer that tell different outcomes: which one counts, nobody said."""
    rows = table[table["customer_id"].duplicated(keep=False)]
    for name in table.columns.difference(["customer_id", "day", "cell"]):
        differ = rows.groupby("customer_id")[name].transform("nunique") > 1
        if differ.any():
            at = differ.index[differ]
            shown = ", ".join(str(row + 1) for row in at[:SHOWN])
            raise DataError(
                f"{place}: column '{name.removeprefix(outcome_column(''))}' tells different values "
                f"of one customer, in {len(at)} rows (row {shown}{', ...' * (len(at) > SHOWN)}). "
                "Give each customer one row, or the same value in all."
            )


def _levels(arms: pd.Series, name: str, factor: Factor, place: str) -> tuple[str, ...]:
    """Levels of a factor, the control first."""
    found = sorted(arms.unique())
    if factor.control not in found:
        raise DataError(
            f"{place}: column '{name}' holds no '{factor.control}', the control of [factors.{name}]"
            f"{nearest(factor.control, found)}"
        )
    if len(found) == 1:
        raise DataError(
            f"{place}: column '{name}' holds '{found[0]}' alone; nothing is compared with it"
        )
    strange = [arm for arm in found if factor.arms and arm not in factor.named]
    if strange:
        raise DataError(
            f"{place}: column '{name}' holds '{strange[0]}' in {int((arms == strange[0]).sum())} "
            f"rows, which [factors.{name}.arms] does not name{nearest(strange[0], factor.named)}"
        )
    absent = [arm for arm in factor.named if arm not in found]
    if absent:
        raise DataError(
            f"{place}: no customer of '{absent[0]}', which [factors.{name}.arms] names, is in "
            f"column '{name}'{nearest(absent[0], found)}"
        )
    return factor.named or (factor.control, *(arm for arm in found if arm != factor.control))
