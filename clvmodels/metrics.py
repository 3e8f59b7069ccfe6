"""Scores by their public name; see :mod:`clvmodels.core.metrics`."""

from clvmodels.core.metrics import *  # noqa: F403
