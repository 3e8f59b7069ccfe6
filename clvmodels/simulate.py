"""Simulated customers by their public name; see :mod:`clvmodels.simulation`."""

from clvmodels.simulation.processes import *  # noqa: F403
from clvmodels.simulation.simulate import *  # noqa: F403
