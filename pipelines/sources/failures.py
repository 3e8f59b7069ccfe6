"""What an engine says of data that it cannot read, as one message that names the source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from clvmodels.core.errors import ClvError, DataError
from pipelines.config.load import Source
from pipelines.sources import catalogue

_JAVA = r"(?m)^(?:Caused by)?: [\w.$]+: (.+)"
_NO_CAUSE = ("Job aborted", "Exception thrown in awaitResult", "[FAILED_READ_FILE")


def describe(source: Source) -> str:
    """Say in a few words where the data are, for messages and reports (never a secret)."""
    if source.kind == "lifetimes":
        return f"{source.dataset} of the lifetimes package"
    place = source.path or ("Spark" if source.kind == "spark" else f"${source.uri_env}")
    return f"{place}, table {source.table}" if source.table else place


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Turn what an engine says of unreadable data into one message that names the source.

    Raises
    ------
    DataError
        In place of the engine's own exceptions; this project's own pass through.
    """
    try:
        yield
    except (ClvError, KeyboardInterrupt):
        raise
    except Exception as error:
        if lacks_memory(error):
            raise too_large(source, error) from error
        if catalogue.is_forbidden(error):
            raise catalogue.forbidden(describe(source), error) from None
        raise DataError(
            f"cannot read {describe(source)}: {first_line(error)}. Check that the file is complete "
            "and of the kind, delimiter and encoding that [source] says."
        ) from error


def lacks_memory(error: Exception) -> bool:
    """Whether an engine ran out of the memory that it may use."""
    return "OutOfMemory" in type(error).__name__


def too_large(source: Source, error: Exception) -> DataError:
    """The error of an engine that ran out of memory."""
    return DataError(
        f"too little memory for {describe(source)}: {first_line(error)}. Raise "
        "source.memory_limit, or give source.temp_directory more disk."
    )


def first_line(error: Exception) -> str:
    """Return the first line of an exception's text, without a full stop; of Java's, its cause."""
    text = str(error).strip()
    causes = [cause for cause in re.findall(_JAVA, text) if not cause.startswith(_NO_CAUSE)]
    lines = causes or text.splitlines() or [type(error).__name__]
    return lines[0].rstrip(". ")
