"""Sales by month and segment are told where they tell on nobody, and add up."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.features.sales_months import EVERYTHING
from pipelines.report.groups.small import LEAST_CUSTOMERS, fold_months

MONTHS = pd.date_range("2023-01-01", periods=4, freq="MS")


@st.composite
def sales(draw) -> pd.DataFrame:
    """Cells of up to six values in four months, and their sums."""
    values = draw(st.integers(1, 6))
    counts = draw(
        st.lists(st.integers(0, 40), min_size=4 * values, max_size=4 * values).map(np.array)
    ).reshape(values, 4)
    cells = [
        ("channel", f"v{v}", month, counts[v, m], float(counts[v, m] * (v + 1)))
        for v in range(values)
        for m, month in enumerate(MONTHS)
        if counts[v, m]
    ]
    frame = pd.DataFrame(cells, columns=["dimension", "value", "period", "customers", "revenue"])
    whole = frame.groupby("period", as_index=False)[["customers", "revenue"]].sum()
    whole = whole.assign(dimension=EVERYTHING, value=EVERYTHING)
    new = draw(st.lists(st.integers(0, 15), min_size=len(whole), max_size=len(whole)))
    whole["new_customers"] = np.minimum(new, whole["customers"]) if len(whole) else []
    return pd.concat([whole, frame.assign(new_customers=0)], ignore_index=True)


@given(frame=sales())
def test_every_cell_stands_on_enough_customers(frame):
    shown = fold_months(frame, EVERYTHING)
    whole = frame[frame["dimension"] == EVERYTHING].set_index("period")
    told = shown[shown["dimension"] == EVERYTHING].set_index("period")
    for period in told.index:
        new = whole.loc[period, "new_customers"]
        assert whole.loc[period, "customers"] >= LEAST_CUSTOMERS
        assert new == 0 or new >= LEAST_CUSTOMERS
    hidden = whole.loc[~whole.index.isin(told.index)]
    held = hidden["customers"].where(hidden["new_customers"] == 0, hidden["new_customers"])
    assert len(hidden) == 0 or held.sum() >= LEAST_CUSTOMERS or told.empty
    parts = shown[shown["dimension"] == "channel"]
    original = frame[frame["dimension"] == "channel"].set_index(["value", "period"])["customers"]
    for period, cells in parts.groupby("period"):
        assert cells["revenue"].sum() == pytest.approx(told.loc[period, "revenue"], rel=1e-12)
        own = [value for value in cells["value"] if not value.startswith("other")]
        assert all(original[value, period] >= LEAST_CUSTOMERS for value in own)
        rest = whole.loc[period, "customers"] - sum(original[value, period] for value in own)
        assert rest == 0 or rest >= LEAST_CUSTOMERS
