"""Orders, statuses, refunds and currencies, read alike on every engine."""

from __future__ import annotations

import pytest
import sales_checks
import sales_log

from clvmodels.core.errors import DataError
from pipelines.data import customer_days as transactions

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.mark.parametrize("style", ["first", "every", "one"])
def test_an_export_counts_what_plain_python_counts(place, style):
    made = sales_log.orders(customers=25)
    config = place(sales_log.lines_of(made, style), **sales_checks.sections())
    sales_checks.check(config, made, style)


def test_what_cannot_be_summed_is_refused(place):
    sections = sales_checks.sections()
    del sections["currencies"]
    frame = sales_log.lines_of(sales_log.orders(customers=5), "one")
    config = place(frame, **sections)
    with pytest.raises(DataError, match="3 currencies"), transactions.load(config.log):
        pass
