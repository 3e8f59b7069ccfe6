"""One error tree. Each message says what was expected, what was found and what to do.

``ClvError`` is never raised itself; catching it catches everything this project raises on
purpose. The command line turns the three families into its exit codes.
"""

from __future__ import annotations

import sys
import warnings


class ClvError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 1


class DataError(ClvError):
    """The input data cannot be used: the file, column, rows and the remedy are in the message."""


class MissingColumnError(DataError):
    """A table lacks columns that a stage needs."""

    def __init__(
        self,
        table: str,
        missing: list[str],
        found: list[str],
        remedy: str = "Rename or add what is missing.",
    ) -> None:
        self.missing = missing
        super().__init__(
            f"{table} needs the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; "
            f"found: {', '.join(found) or 'no columns'}. {remedy}"
        )


class InvalidValueError(DataError, ValueError):
    """A value lies outside what the mathematics admits (also a ``ValueError``)."""


class CheckFailedError(ClvError):
    """The data or a forecast broke a limit that the configuration sets."""


class ConfigError(ClvError):
    """The configuration or the command line is wrong."""

    exit_code = 2


class NotFittedError(ClvError, AttributeError):
    """A learned attribute was asked of a model that has not been fitted."""


class ModelFileError(ClvError):
    """A saved model is missing, incomplete, altered, or of an unknown version."""


class ConvergenceWarning(UserWarning):
    """A fit ended on usable parameters that the data do not pin down.

    Attributes
    ----------
    finding : str
        The message without the advice to who wrote the code.
    """

    def __init__(self, finding: str, advice: str = "") -> None:
        super().__init__(f"{finding} {advice}".rstrip())
        self.finding = finding


class DataWarning(UserWarning):
    """A table can be read, and most likely does not hold what the names of its columns say."""


def warn_caller(warning: Warning) -> None:
    """Warn at the line that called into this package, however deep the call went."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("clvmodels"):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)
