"""Conditions on columns of a table of customers: declared, checked, evaluated on arrays."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype, is_string_dtype

from clvmodels.core.arrays import Booleans
from clvmodels.core.errors import InvalidValueError


@dataclass(frozen=True)
class Condition:
    """What a column of a customer must hold; all that is given must be met.

    Attributes
    ----------
    column : str
    at_least, at_most : float, optional
        Of a number, both ends included.
    one_of : tuple, optional
        Values, of a text or a number.
    top_share : float, optional
        Among the largest values, of so large a share of all customers of the table; who ties with
        the last of them is in it too.
    missing : bool
        Whether a customer without a value meets it.
    """

    column: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str | float, ...] | None = None
    top_share: float | None = None
    missing: bool = False


def members(table: pd.DataFrame, conditions: Sequence[Condition]) -> Booleans:
    """Tell who meets every condition.

    Parameters
    ----------
    table : DataFrame
        One row a customer.
    conditions : sequence of Condition

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InvalidValueError
        If the table has no such column (the nearest is named), or it holds no numbers where these
        are asked for, or no texts.
    """
    found = np.ones(len(table), dtype=bool)
    for condition in conditions:
        found &= _meets(table, condition)
    return found


def _meets(table: pd.DataFrame, condition: Condition) -> Booleans:
    name = condition.column
    if name not in table:
        options = [str(column) for column in table.columns]
        close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
        hint = f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(options)}"
        raise InvalidValueError(f"customers have no column '{name}'; {hint}")
    values = table[name]
    missing = values.isna().to_numpy(bool)
    met = np.ones(len(values), dtype=bool)
    holds_numbers = is_numeric_dtype(values) and not is_bool_dtype(values)
    if condition.one_of is not None:
        _require_kind(name, condition.one_of, holds_numbers, is_string_dtype(values.dropna()))
        met &= values.isin(condition.one_of).to_numpy(bool)
    asked = (condition.at_least, condition.at_most, condition.top_share)
    if any(limit is not None for limit in asked):
        if not holds_numbers:
            raise InvalidValueError(
                f"column '{name}' holds no numbers, so at_least, at_most and top_share mean "
                "nothing of it; of a text use in"
            )
        numbers = values.to_numpy(float, na_value=np.nan)
        if condition.at_least is not None:
            met &= numbers >= condition.at_least
        if condition.at_most is not None:
            met &= numbers <= condition.at_most
        if condition.top_share is not None:
            met &= numbers >= _least_of_top(numbers, condition.top_share)
    return np.where(missing, condition.missing, met)


def _require_kind(
    name: str, wanted: Sequence[str | float], holds_numbers: bool, holds_texts: bool
) -> None:
    """Refuse values that no customer could have: they would be nobody, without a word."""
    kind = "numbers" if holds_numbers else "texts" if holds_texts else "neither texts nor numbers"
    other = [one for one in wanted if isinstance(one, str) == holds_numbers]
    if other or not (holds_numbers or holds_texts):
        value = (other or list(wanted))[0]
        raise InvalidValueError(
            f"column '{name}' holds {kind}, so nobody's can be {value!r}; name texts in quotes and "
            "numbers without"
        )


def _least_of_top(numbers: np.ndarray, share: float) -> float:
    """Return the value of the last of the top, infinite where nobody has one."""
    known = np.sort(numbers[~np.isnan(numbers)])[::-1]
    # Rounded: 0.07 * 100 is 7.000000000000001 in binary, and seven customers, not eight.
    count = min(int(np.ceil(round(share * len(numbers), 9))), len(known))
    return float(known[count - 1]) if count else np.inf
