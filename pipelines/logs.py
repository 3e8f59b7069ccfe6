"""Records of what a command does, for whoever runs it: to a file, to stderr, or to nobody.

Every package has a logger of the standard library under its own name, and nothing is recorded
until somebody listens. Records hold no customer ids, no values of single rows and no secrets: of an
error they hold its kind and where it was raised; its message is the console's.
"""

from __future__ import annotations

import importlib.metadata
import logging
import platform
import sys
import traceback
from pathlib import Path

from clvmodels.core.errors import ConfigError
from pipelines.redaction import redacted

ROOTS = ("pipelines", "clvmodels", "py.warnings")
VERSIONS = ("clvmodels", "numpy", "scipy", "pandas", "scikit-learn", "duckdb", "ibis-framework")
TOLD_OPTIONS = ("--config", "-c", "--as-of", "--version", "--show", "--log-file")
"""Options whose values are recorded; of others, such as whom to erase, only the name."""

logger = logging.getLogger(__package__)


class _Formatter(logging.Formatter):
    """One line a record, secrets hidden; of an exception its kind and the lines it came by."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record)).replace("\r", "\\r")

    def formatException(self, ei: object) -> str:  # noqa: N802
        kind, _, place = ei if isinstance(ei, tuple) else (None, None, None)
        frames = "".join(traceback.format_tb(place)).rstrip()
        return f"{getattr(kind, '__name__', kind)}, raised by\n{frames}"


_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_listening: list[logging.Handler] = []


def is_kept() -> bool:
    """Whether anybody listens."""
    return bool(_listening)


def to_stderr(level: int) -> None:
    """Show records on stderr: INFO and above, or everything."""
    _listen(logging.StreamHandler(sys.stderr), level)


def to_file(path: Path) -> None:
    """Append every record to a file.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            f"--log-file {path} cannot be written: {error.strerror}. Name a file in a folder that "
            "exists and may be written to"
        ) from None
    _listen(handler, logging.DEBUG)


def _listen(handler: logging.Handler, level: int) -> None:
    first = not _listening
    handler.setLevel(level)
    handler.setFormatter(_Formatter(_LINE))
    _listening.append(handler)
    for name in ROOTS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)
    if first:
        logging.captureWarnings(True)
        words = ascii(" ".join(told(sys.argv[1:])))[1:-1]
        logger.info("clv %s", words)
        versions = (f"{name} {importlib.metadata.version(name)}" for name in VERSIONS)
        logger.debug("Python %s, %s", platform.python_version(), ", ".join(versions))


def told(arguments: list[str]) -> list[str]:
    """A command's words as they are recorded: names of options, and values that tell nobody."""
    words, hidden = [], False
    for word in arguments:
        name, mark, _ = word.partition("=")
        if hidden:
            words.append("...")
            hidden = False
        elif word.startswith("-") and name not in TOLD_OPTIONS and mark:
            words.append(f"{name}=...")
        else:
            words.append(word)
            hidden = word == "--customer"
    return words


def stop() -> None:
    """Listen no more."""
    for handler in _listening:
        for name in ROOTS:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
    if _listening:
        logging.captureWarnings(False)
    _listening.clear()
