"""What a person sees while a command runs: progress on stderr, results on stdout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from clvmodels.exceptions import ClvError

err = Console(stderr=True, highlight=False, soft_wrap=True)


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
        if self.quiet:
            yield lambda so_far: None
            return
        start = time.perf_counter()
        with err.status(title) as status:
            yield lambda so_far: status.update(f"{title}: {so_far}")
        err.print(f"[dim]{time.perf_counter() - start:6.1f} s[/dim]  {title}")
