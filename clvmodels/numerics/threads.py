"""One thread for small work: faster, and the same digits however many cores a machine has.

How a library shares a sum among threads decides its last digits, and matrices and trees of this
size cost more to share than to work through. Origins are estimated in parallel processes instead.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from typing import ParamSpec, Self, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
R = TypeVar("R")

_LOADED_BY = {"blas": "scipy.linalg", "openmp": "sklearn.ensemble"}
"""The import after which all libraries of a kind are in the process (NumPy's BLAS is before)."""


class OneThread:
    """Hold a kind of library at one thread, as a context or a decorator.

    The limit is the whole process's, so entries are counted: the first one sets it, and the last
    to leave restores what was there, whichever threads they come from.

    Parameters
    ----------
    kind : {'blas', 'openmp'}
        Linear algebra, or scikit-learn's trees.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries = 0
        self._lock = threading.Lock()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function; here, since warnings name the first caller outside the package."""

        @functools.wraps(function)
        def limited(*args: P.args, **kwargs: P.kwargs) -> R:
            with self:
                return function(*args, **kwargs)

        return limited

    def __enter__(self) -> Self:
        """Set the limit, unless it is set."""
        with self._lock:
            if self._entries == 0:
                self._limit = _libraries(self.kind).limit(limits=1)
            self._entries += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Restore what was there before the first entry."""
        with self._lock:
            self._entries -= 1
            if self._entries == 0:
                _take_over(self.kind)
                self._limit.restore_original_limits()
                _take_over(self.kind)


@functools.cache
def _libraries(kind: str) -> ThreadpoolController:
    """Look for the libraries once: it takes milliseconds."""
    importlib.import_module(_LOADED_BY[kind])
    return ThreadpoolController().select(user_api=kind)


def _take_over(kind: str) -> None:
    """Let another thread than the first one set limits: threadpoolctl heeds only one at a time."""
    for library in _libraries(kind).lib_controllers:
        release = getattr(library, "clear_controlling_thread", None)
        if release is not None:
            release(force=True)


one_blas_thread = OneThread("blas")
one_openmp_thread = OneThread("openmp")
