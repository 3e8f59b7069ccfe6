"""Names of columns: none is missing, none stands twice."""

from __future__ import annotations

from collections.abc import Sequence

from clvmodels.core.errors import DataError


def distinct_names(names: Sequence[str], place: str) -> list[str]:
    """Return the names of columns, blank ones by their place.

    Raises
    ------
    DataError
        If two are the same.
    """
    names = [name if name.strip() else f"unnamed {n}" for n, name in enumerate(names, 1)]
    repeated = repeated_names(names)
    if repeated:
        raise DataError(
            f"{place} names the column {', '.join(repeated)} twice; rename one of them "
            "(by more than upper and lower case)"
        )
    return names


def repeated_names(names: list[str]) -> list[str]:
    """Return the names that stand more than once for an engine, whose names know no case."""
    lowered = [name.lower() for name in names]
    return sorted({name for name in names if lowered.count(name.lower()) > 1})
