"""Known parameters that the tests of the transaction models draw from and recover."""

from __future__ import annotations

from clvmodels import BGNBD, MBGNBD, NBD, ParetoNBD

TRUE_PARAMETERS = {
    BGNBD: {"r": 0.6, "alpha": 8.0, "a": 0.8, "b": 2.5},
    MBGNBD: {"r": 0.8, "alpha": 7.0, "a": 0.7, "b": 2.8},
    ParetoNBD: {"r": 0.6, "alpha": 8.0, "s": 0.7, "beta": 12.0},
    NBD: {"r": 0.6, "alpha": 8.0},
}
