"""What every section is made of: frozen, and closed to keys that it does not know."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value):
        raise ValueError(
            "takes the name of an environment variable (such as CLV_DATABASE), not the secret "
            "itself; what was found may be one and is not shown. Put it into that variable, and "
            "change it if others may have read this file"
        )
    return value


Variable = Annotated[str, AfterValidator(_variable)]
"""Name of an environment variable that holds a secret."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]

EARLIEST = dt.date(1700, 1, 1)
LATEST = dt.date(2200, 12, 31)
"""Days that a configuration or a command may name; arithmetic a century around them is safe."""


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def nearest(given: str, valid: Iterable[str]) -> str:
    """Return the end of a message about a name that is not valid: the nearest that is, or all."""
    options = list(valid)
    close = difflib.get_close_matches(given, options, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid: {', '.join(options)}" if len(options) <= 20 else ""
