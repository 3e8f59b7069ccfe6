"""What was spent on customers, by month and channel: read, checked, and held against the log."""

from __future__ import annotations

import difflib

import pandas as pd

from clvmodels.core.errors import DataError, MissingColumnError
from pipelines.config.sections import Acquisition
from pipelines.sources.month_files import months_in, numbers_in, read_rows

PURPOSES = ("acquisition", "engagement", "retention", "brand")
"""What money is spent for; only the first is part of CAC."""

ALIKE = 0.9
"""Share of letters in common beyond which a name is taken for a slip of another."""

SHOWN = 5
"""Rows named in a message."""


def read(settings: Acquisition, currency: str) -> pd.DataFrame:
    """Read the spend, every row checked.

    Parameters
    ----------
    settings : Acquisition
    currency : str
        That all money is told in.

    Returns
    -------
    DataFrame
        period (first day of the month), channel, purpose, amount, and customers where the file
        counts them; sorted.

    Raises
    ------
    ConfigError
        If there is no such file.
    DataError, MissingColumnError
        If it cannot be read or holds no row, a column is missing, or rows hold no month, no
        number, a negative one, no channel, no purpose of :data:`PURPOSES`, another currency, or a
        month, channel and purpose twice. The message names file, column, rows, values and remedy.
    """
    where = f"{settings.path}, named in [acquisition],"
    raw = read_rows(settings.path, "acquisition")
    wanted = [settings.period, settings.channel, settings.amount, settings.purpose]
    counted = [] if settings.customers is None else [settings.customers]
    missing = [name for name in (*wanted, *counted) if name not in raw.columns]
    if missing:
        raise MissingColumnError(where, missing, [str(name) for name in raw.columns])
    if raw.empty:
        raise DataError(f"{where} holds no row; expected one a month and channel. Add them.")
    months = months_in(raw[settings.period], where)
    table = pd.DataFrame({"period": months})
    table["channel"] = _texts(raw[settings.channel], where)
    table["purpose"] = _purposes(raw[settings.purpose], where)
    table["amount"] = _amounts(raw[settings.amount], months, where)
    if settings.customers is not None:
        table["customers"] = _amounts(raw[settings.customers], months, where)
    _one_currency(raw, settings, currency, where)
    keys = ["period", "channel", "purpose"]
    twice = table.duplicated(keys, keep=False)
    if twice.any():
        named = table[keys].astype(str).agg(" ".join, axis=1)
        raise DataError(
            f"{where} holds a month, channel and purpose twice: {_rows(named, twice)}. Add the "
            "rows up, or take one out."
        )
    return table.sort_values(keys, ignore_index=True)


def require_known(spend: pd.DataFrame, known: list[str], dimension: str, where: str) -> None:
    """Refuse names that are nearly those of the log; others may be channels that won nobody.

    Raises
    ------
    DataError
        If a channel is not in the log, and looks like one that is.
    """
    folded = {name.casefold(): name for name in known}
    for name in sorted(set(spend["channel"]) - set(known)):
        close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=ALIKE)
        if close and _digits(name) == _digits(close[0]):
            rows = int((spend["channel"] == name).sum())
            raise DataError(
                f"{where} knows the channel '{name}' ({rows} rows), and no customer's {dimension} "
                f"in the log is called that; did you mean '{folded[close[0]]}'? Call it by one "
                "name in both."
            )


def _digits(name: str) -> str:
    """What numbered names, such as those of campaigns, differ by on purpose."""
    return "".join(letter for letter in name if letter.isdigit())


def _texts(values: pd.Series, where: str) -> pd.Series:
    texts = values.astype("string").str.strip()
    odd = texts.isna() | (texts == "")
    if odd.any():
        raise DataError(
            f"{where} needs a channel in '{values.name}'; found nothing in {_rows(None, odd)}. "
            "Fill it in, or take the rows out."
        )
    return texts.astype(object)


def _purposes(values: pd.Series, where: str) -> pd.Series:
    texts = values.astype("string").str.strip().str.casefold()
    odd = ~texts.isin(PURPOSES).fillna(False).astype(bool)
    if odd.any():
        raise DataError(
            f"{where} needs a purpose in '{values.name}': {', '.join(PURPOSES)}; found "
            f"{_rows(values, odd)}. Only acquisition is part of CAC."
        )
    return texts.astype(object)


def _amounts(values: pd.Series, months: pd.Series, where: str) -> pd.Series:
    amounts = numbers_in(values, months, where)
    odd = amounts < 0
    if odd.any():
        raise DataError(
            f"{where} needs numbers of 0 or more in '{values.name}'; found {_rows(values, odd)}. "
            "Enter money that came back in the month it was spent in."
        )
    return amounts


def _one_currency(raw: pd.DataFrame, settings: Acquisition, currency: str, where: str) -> None:
    if settings.currency not in raw.columns:
        if "currency" in settings.model_fields_set:
            raise MissingColumnError(
                where, [settings.currency], [str(name) for name in raw.columns]
            )
        return
    codes = raw[settings.currency].astype("string").str.strip().str.upper().fillna("")
    odd = (codes != currency).astype(bool)
    if odd.any():
        raise DataError(
            f"{where} holds amounts that are not in {currency} (economics.currency): "
            f"'{settings.currency}' is {_rows(raw[settings.currency], odd)}. Convert them, and "
            f"write {currency}."
        )


def _rows(values: pd.Series | None, odd: pd.Series) -> str:
    """The first offending values and their rows, counted from 1 below the header."""
    places = [int(k) + 1 for k, bad in enumerate(odd) if bad]
    shown = [
        f"row {k}" if values is None else f"{_plain(values.iloc[k - 1])} (row {k})"
        for k in places[:SHOWN]
    ]
    more = len(places) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _plain(value: object) -> str:
    return "nothing" if value is None or value != value or value is pd.NA else repr(value)
