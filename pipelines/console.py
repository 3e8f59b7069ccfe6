"""What a person sees while a command runs: progress on stderr, results on stdout.

Texts may hold what users and files name: ids, paths, values. They are shown as they are, never as
markup, emoji or commands to the terminal.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from clvmodels.core.errors import ClvError
from pipelines.redaction import redacted

logger = logging.getLogger(__package__)

err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # commands to the terminal, but for tab and line end
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # ends of lines, and turns of direction
    "\ud800-\udfff]"  # bytes of a file's name that are no text
)


def visible(text: str) -> str:
    r"""Return a text with the characters that steer a terminal written out, as ``\x1b``."""
    return _UNSEEN.sub(lambda found: ascii(found[0])[1:-1], text)


def say(text: str) -> None:
    """Print a result: lines for people."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = visible(text).encode(encoding, "backslashreplace").decode(encoding)
    sys.stdout.write(f"{shown}\n")


def complain(message: str) -> None:
    """Print the one message that a failed command leaves, on one line and without secrets."""
    shown = visible(redacted(message)).replace("\n", "\\n")
    err.print(Text.assemble(("error", "bold red"), f": {shown}"))


@dataclass(frozen=True)
class Outcome:
    """What a job leaves behind, for people (``lines``) and for programs (``facts``).

    ``error`` is what ended the job after it had something to show; the command line raises it.
    """

    lines: list[str]
    facts: dict[str, Any]
    error: ClvError | None = None


class Progress:
    """One line a step on stderr, with the seconds it took; silent where nobody watches."""

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Say that a step began, and how long it took once it is done.

        What is yielded says how far it has come, beside the title.
        """
        start, shown = time.perf_counter(), visible(title)
        logger.debug("begins: %s", shown)
        if self.quiet:
            yield lambda so_far: None
            logger.info("%s: %.1f s", shown, time.perf_counter() - start)
            return
        with err.status(Text(shown)) as status:
            yield lambda so_far: status.update(Text(f"{shown}: {visible(so_far)}"))
        seconds = f"{time.perf_counter() - start:6.1f} s"
        logger.info("%s: %s", shown, seconds.strip())
        err.print(Text.assemble((seconds, "dim"), f"  {shown}"))
