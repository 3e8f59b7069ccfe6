"""How many examples a slow property draws: a third on every change, all of them at night."""

from __future__ import annotations

import os


def examples(most: int) -> int:
    """So many where HYPOTHESIS_PROFILE=explore looks for new ones, else a third, five at least."""
    return most if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else max(most // 3, 5)
