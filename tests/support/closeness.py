"""Equality that no processor can break: what was computed is compared with a tolerance."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

TOLERANCE = 1e-9
"""Relative: the same computation on the same numbers differs by rounding alone."""


def assert_close(one: Any, other: Any, rtol: float = TOLERANCE) -> None:
    """Numbers within a relative tolerance, everything else equal, in whatever holds them."""
    if dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            assert_close(getattr(one, field.name), getattr(other, field.name), rtol)
    elif isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_dtype=False, rtol=rtol, atol=1e-12)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key, value in one.items():
            assert_close(value, other[key], rtol)
    elif isinstance(one, tuple | list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_close(a, b, rtol)
    elif isinstance(one, np.ndarray) and one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-12)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=rtol, abs=1e-12, nan_ok=True)
    else:
        assert one == other
