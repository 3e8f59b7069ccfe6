"""The example report that the tests of its parts share."""

from __future__ import annotations

from typing import Any

import pytest
from report_example import example_inputs

from pipelines.report import ReportInputs, summarize


@pytest.fixture(scope="session")
def inputs() -> ReportInputs:
    """All that a report can be given; nobody writes into it."""
    return example_inputs()


@pytest.fixture(scope="session")
def summary(inputs: ReportInputs) -> dict[str, Any]:
    """The dictionary made of it; nobody writes into it."""
    return summarize(inputs)
