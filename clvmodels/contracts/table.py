"""Survivors of a cohort as a table of contracts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clvmodels.core.arguments import numbers
from clvmodels.core.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas as pd


def renewals_table(survivors: npt.ArrayLike) -> pd.DataFrame:
    """Turn the customers who are left of one cohort into a table to fit.

    Parameters
    ----------
    survivors : array_like, shape (k,)
        Customers at the start, after the first renewal, the second, …; never more than before.
        Percentages give the same estimates, with standard errors of a cohort of a hundred.

    Returns
    -------
    pandas.DataFrame
        renewals, churned, weight: who left at each renewal, and in the last row who is left.
    """
    import pandas as pd

    left = np.atleast_1d(numbers(survivors, "survivors"))
    falling = left.ndim == 1 and bool(np.all(np.isfinite(left)) and np.all(np.diff(left) <= 0))
    if not falling or left.size < 2 or left[-1] < 0 or left[0] <= 0:
        raise InvalidValueError(
            "survivors must be two numbers or more, 0 or above, that never rise; "
            f"found {np.array2string(left, threshold=8)}"
        )
    last = left.size - 1
    return pd.DataFrame(
        {
            "renewals": np.append(np.arange(last), last),
            "churned": np.append(np.ones(last, dtype=np.int64), 0),
            "weight": np.append(-np.diff(left), left[-1]),
        }
    )
