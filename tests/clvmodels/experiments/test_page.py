"""What docs/experiments.md shows, runs and gives its figures."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from trials import TWO, only

from clvmodels.experiments.power import customers_needed
from clvmodels.experiments.sample_ratio import sample_ratio_p_value

PAGE = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text(encoding="utf-8")


def test_the_code_runs(capsys):
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S)[1], {})
    estimate, error, freedom = map(float, capsys.readouterr().out.split())
    told = stats.ttest_ind([3, 3, 5, 6, 6, 7], [1, 2, 3, 4, 5, 6], equal_var=False)
    assert estimate == pytest.approx(1.5)
    assert error == pytest.approx(1.0247, abs=5e-5)
    assert freedom == pytest.approx(told.df)


def test_worked_figures():
    assert round(sample_ratio_p_value([520, 480], [1, 1]), 2) == 0.21
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert f"= {4 * z**2 * 16 / 0.25:,.0f}\ncustomers" in PAGE
    more = customers_needed(0.1, 1.0, only(TWO), [1, 1], 0.05 / 12, 0.8)
    once = customers_needed(0.1, 1.0, only(TWO), [1, 1], 0.05, 0.8)
    assert f"{more / once:.1f} times" in PAGE
    assert np.isfinite(more)
