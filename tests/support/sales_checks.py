"""Compare what is read of a made-up export with its oracle, on whatever engine it lives."""

from __future__ import annotations

from typing import Any

import log_checks
import log_oracle
import pandas as pd
import pytest
import sales_log

from pipelines.config.load import Config
from pipelines.data import customer_days as transactions


def sections() -> dict[str, Any]:
    """Return the sections of a configuration that reads :func:`sales_log.lines_of`."""
    return {
        "columns": sales_log.MAPPED | {"amount": None, "order_total": "total"},
        "governance": sales_log.GOVERNANCE,
        "currencies": {"rates": sales_log.RATES},
    }


def check(config: Config, made: list[dict[str, Any]], style: str) -> None:
    """Check account, orders, values and margins of an export of that style."""
    wanted = sales_log.expected(made)
    lines = {order["order"]: 1 if style == "one" else len(order["lines"]) for order in made}
    days = log_oracle.customer_days(wanted["rows"])
    with transactions.load(config.log) as data:
        account = data.account
        assert account.read == sum(lines.values())
        assert account.orders == sum(
            wanted["orders"][customer, day.date]
            for customer, some in days.items()
            for day in some
            if day.purchase
        )
        left = account.sales["left_out"]["status"]
        assert {name: facts["rows"] for name, facts in left.items()} == {
            name: sum(
                lines[order["order"]]
                for order in made
                if (order["status"].strip().lower() or "(empty)") == name
            )
            for name in wanted["left_out"]
        }
        assert account.set_aside["not_kept"] == sum(facts["rows"] for facts in left.values())
        for name, (_, amount) in wanted["left_out"].items():
            assert left[name]["amount"] == pytest.approx(amount, abs=0.01)
        log_checks.check_summary(data, days, data.as_of)
        frame = data.purchases.execute()
    frame["date"] = pd.to_datetime(frame["date"]).dt.date
    margins = frame.set_index(["customer_id", "date"])["margin"]
    for where, margin in margins.items():
        assert margin == pytest.approx(wanted["margin"][where], abs=1e-6)
