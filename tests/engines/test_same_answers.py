"""Every summary, feature, actual and refund case, equal to the oracle on every engine."""

from __future__ import annotations

import datetime as dt
import math

import example_logs as logs
import log_oracle as oracle
import pandas as pd
import pytest

from pipelines import features, transactions

pytestmark = [
    pytest.mark.engines,
    # py4j leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ORIGIN = dt.date(2022, 10, 15)
UNTIL = dt.date(2023, 1, 20)


def rows_of(frame: pd.DataFrame) -> list[tuple[str, dt.date, float]]:
    known = frame[frame["customer"].notna()]
    return [
        (c, d.date(), v) for c, d, v in zip(known.customer, known.day, known.value, strict=True)
    ]


def check_summary(table: pd.DataFrame, expected: dict[str, dict[str, object]]) -> None:
    assert sorted(table["customer_id"]) == sorted(expected)
    for row in table.to_dict("records"):
        wanted = expected[row["customer_id"]]
        for name in ("frequency", "recency", "T"):
            assert row[name] == wanted[name], (row, wanted)
        assert row["monetary_value"] == pytest.approx(wanted["monetary_value"], abs=1e-7)
        assert pd.Timestamp(row["first_purchase"]).date() == wanted["first_purchase"]
        cohort = oracle.first_of_month(wanted["first_purchase"])
        assert pd.Timestamp(row["cohort"]).date() == cohort


@pytest.mark.parametrize("refunds", ["net", "drop"])
def test_everything_matches_the_oracle(place, refunds):
    frame = logs.messy_log()
    config = place(frame, governance={"refunds": refunds}, columns={"country": "country"})
    days = oracle.customer_days(rows_of(frame), refunds)
    with transactions.load(config) as data:
        account = data.account
        assert account.read == len(frame)
        assert account.set_aside["no_id"] == frame["customer"].isna().sum()
        assert account.customers == len(days)
        assert account.purchases == sum(day.purchase for some in days.values() for day in some)
        for origin in (ORIGIN, data.as_of):
            table = features.summary(data.purchases, origin)
            frame_summary = table.execute()
            check_summary(frame_summary, oracle.summary(days, origin))
            compressed = features.compress(table)
            assert compressed["weight"].sum() == len(frame_summary)
            spend = features.compress_spend(table)
            known = frame_summary.query("frequency > 0 and monetary_value > 0")
            assert spend["weight"].sum() == len(known)
            value = (spend["monetary_value"] * spend["weight"]).sum()
            assert value == pytest.approx(known["monetary_value"].sum())

        months = features.customer_months(data.purchases, ORIGIN, UNTIL).execute()
        expected = oracle.after(days, ORIGIN, UNTIL)
        assert len(months) == len(expected)
        for row in months.itertuples():
            count, revenue = expected[row.customer_id, pd.Timestamp(row.period).date()]
            assert row.purchases == count
            assert row.revenue == pytest.approx(revenue, abs=1e-7)

        for cohort, start in (
            ("month", oracle.first_of_month),
            ("quarter", oracle.first_of_quarter),
        ):
            cells = oracle.cohort_months(days, ORIGIN, start)
            found = features.cohort_months(data.purchases, ORIGIN, cohort)
            assert len(found) == len(cells)
            for row in found.to_dict("records"):
                cell = cells[row.pop("cohort").date(), row.pop("period").date()]
                for name, value in row.items():
                    assert value == pytest.approx(cell[name], abs=1e-6), (name, cell)

        churn = features.churn_features(data.purchases, ORIGIN).execute()
        known = oracle.known_days(days, ORIGIN)
        assert sorted(churn["customer_id"]) == sorted(known)
        for row in churn.to_dict("records"):
            for name, value in oracle.churn_row(known[row["customer_id"]], ORIGIN).items():
                if value is None:
                    assert math.isnan(row[name]), (name, row)
                else:
                    assert row[name] == pytest.approx(value, abs=1e-6), (name, row)
        labels = features.churn_labels(data.purchases, ORIGIN, 60).execute()
        for row in labels.itertuples():
            until = ORIGIN + dt.timedelta(days=60)
            later = [d for d in days[row.customer_id] if ORIGIN < d.date <= until and d.purchase]
            assert row.churned == (not later)
        assert sorted(labels["customer_id"]) == sorted(known)
