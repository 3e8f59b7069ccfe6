"""Orders, statuses, refunds, currencies and parts of prices together, against plain Python."""

from __future__ import annotations

import example_logs as logs
import pytest
import sales_checks
import sales_log


@pytest.mark.parametrize("style", ["first", "every", "one"])
def test_an_export_counts_what_plain_python_counts(tmp_path, style):
    made = sales_log.orders()
    file = tmp_path / "export.parquet"
    sales_log.lines_of(made, style).to_parquet(file)
    config = logs.config({"kind": "parquet", "path": str(file)}, **sales_checks.sections())
    sales_checks.check(config, made, style)


@pytest.mark.parametrize("style", ["first", "every"])
def test_text_is_read_as_numbers_are(tmp_path, style):
    made = sales_log.orders(customers=20)
    file = tmp_path / "export.csv"
    sales_log.lines_of(made, style).to_csv(file, index=False)
    config = logs.config({"kind": "csv", "path": str(file)}, **sales_checks.sections())
    sales_checks.check(config, made, style)
