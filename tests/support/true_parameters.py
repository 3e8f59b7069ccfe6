"""Known parameters that the tests of the transaction models draw from and recover."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clvmodels import BGCNBD, BGNBD, MBGCNBD, MBGNBD, NBD, ParetoNBD

TRUE_PARAMETERS = {
    BGNBD: {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 2.5},
    MBGNBD: {"r": 0.8, "alpha": 7.0, "a": 0.7, "b": 2.8},
    ParetoNBD: {"r": 0.6, "alpha": 8.0, "s": 0.7, "beta": 12.0},
    NBD: {"r": 0.6, "alpha": 8.0},
    BGCNBD: {"r": 1.2, "alpha": 3.0, "a": 0.8, "b": 2.5, "k": 2},
    MBGCNBD: {"r": 1.2, "alpha": 3.0, "a": 0.7, "b": 2.8, "k": 3},
}


def given(model: type) -> dict[str, Any]:
    """What is given to a model beside its parameters."""
    parameters = TRUE_PARAMETERS[model]
    return {name: value for name, value in parameters.items() if name not in model.parameter_names}


HISTORIES = pd.DataFrame(
    [
        (0, 0.0, 12.0),
        (1, 0.5, 30.0),
        (2, 20.0, 20.0),
        (7, 15.0, 39.0),
        (26, 30.9, 31.0),
        (40, 3.0, 50.0),
    ],
    columns=["frequency", "recency", "T"],
)
"""From nobody who came back to a customer of every week; her last purchase long ago or just now."""
