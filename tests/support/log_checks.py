"""Compare every table of the features with the oracle, on whatever engine it lives."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter

import log_oracle as oracle
import pandas as pd
import pytest

from pipelines.data import features
from pipelines.data.customer_days import Dataset

Days = dict[str, list[oracle.Day]]


def rows_of(frame: pd.DataFrame) -> list[tuple[str, dt.date, float]]:
    """Return (customer_id, date, amount) of the rows that have an id."""
    known = frame[frame["customer"].notna()]
    days = [pd.Timestamp(day).date() for day in known["day"]]
    return list(zip(known["customer"], days, known["value"], strict=True))


def check_all(data: Dataset, days: Days, origin: dt.date, until: dt.date) -> None:
    """Check everything that the models read, as of an origin and up to a later day."""
    for day in (origin, data.as_of):
        check_summary(data, days, day)
    check_histories(data, days, origin, until)
    check_customer_months(data, days, origin, until)
    check_cohort_months(data, days, origin)
    check_cohort_actuals(data, days, origin, until)
    check_churn(data, days, origin)


def check_summary(data: Dataset, days: Days, as_of: dt.date) -> None:
    expected = oracle.summary(days, as_of)
    query = features.summary(data.purchases, as_of)
    table = query.execute()
    assert sorted(table["customer_id"]) == sorted(expected)
    for row in table.to_dict("records"):
        wanted = expected[row["customer_id"]]
        for name in ("frequency", "recency", "T"):
            assert row[name] == wanted[name], (row, wanted)
        assert row["monetary_value"] == pytest.approx(wanted["monetary_value"], abs=1e-7)
        assert pd.Timestamp(row["first_purchase"]).date() == wanted["first_purchase"]
        cohort = oracle.first_of_month(wanted["first_purchase"])
        assert pd.Timestamp(row["cohort"]).date() == cohort
    compressed = features.compress(query)
    assert compressed["weight"].sum() == len(table)
    counts = table.groupby(["frequency", "recency", "T"]).size()
    found = compressed.set_index(["frequency", "recency", "T"])["weight"]
    assert found.to_dict() == counts.to_dict()
    spend = features.compress_spend(query)
    buyers = table.query("frequency > 0 and monetary_value > 0")
    assert spend["weight"].sum() == len(buyers)
    total = (spend["monetary_value"] * spend["weight"]).sum()
    assert total == pytest.approx(buyers["monetary_value"].sum())


def check_histories(data: Dataset, days: Days, origin: dt.date, until: dt.date) -> None:
    """Counted in one pass, the histories at both days are those of either's summary."""
    expected = {day: oracle.summary(days, day) for day in (origin, until)}
    counts = features.counts_at(data.purchases, (until, origin))
    for day, wanted in expected.items():
        table = features.history(counts, day).execute()
        assert sorted(table["customer_id"]) == sorted(wanted)
        for row in table.to_dict("records"):
            for name in ("frequency", "recency", "T"):
                assert row[name] == wanted[row["customer_id"]][name], row
    later = features.history(counts, origin, until).execute()
    for row in later.itertuples():
        assert row.purchases == expected[until][row.customer_id]["frequency"] - row.frequency


def check_customer_months(data: Dataset, days: Days, origin: dt.date, until: dt.date) -> None:
    expected = oracle.after(days, origin, until)
    months = features.customer_months(data.purchases, origin, until).execute()
    assert len(months) == len(expected)
    for row in months.itertuples():
        count, revenue = expected[row.customer_id, pd.Timestamp(row.period).date()]
        assert row.purchases == count
        assert row.revenue == pytest.approx(revenue, abs=1e-7)


def check_cohort_months(data: Dataset, days: Days, until: dt.date) -> None:
    for cohort, start in (("month", oracle.first_of_month), ("quarter", oracle.first_of_quarter)):
        cells = oracle.cohort_months(days, until, start)
        with data.snapshot.earlier(until) as then:
            found = features.cohort_months(then, cohort)
        assert len(found) == len(cells)
        for row in found.to_dict("records"):
            cell = cells[row.pop("cohort").date(), row.pop("period").date()]
            for name, value in row.items():
                assert value == pytest.approx(cell[name], abs=1e-6), (name, cell)
    with data.snapshot.earlier(until) as then:
        counted = features.cohort_buyers(then)
    buyers = {(r.cohort.date(), r.period.date()): r.buyers for r in counted.itertuples()}
    cells = oracle.cohort_months(days, until, oracle.first_of_month)
    assert buyers == {at: cell["buyers"] for at, cell in cells.items() if cell["buyers"]}


def check_cohort_actuals(data: Dataset, days: Days, origin: dt.date, until: dt.date) -> None:
    """The cells of cohorts are the sums of their customers', and none is missing."""
    first = {c: s["first_purchase"] for c, s in oracle.summary(days, origin).items()}
    sums: dict[tuple[dt.date, dt.date], list[float]] = {}
    for (customer, period), (count, revenue) in oracle.after(days, origin, until).items():
        cell = sums.setdefault((oracle.first_of_quarter(first[customer]), period), [0, 0.0])
        cell[0] += count
        cell[1] += revenue
    found = features.cohort_actuals(data.purchases, origin, until)
    cohorts = {oracle.first_of_quarter(day) for day in first.values()}
    months = pd.date_range((origin + dt.timedelta(days=1)).replace(day=1), until, freq="MS")
    assert len(found) == len(cohorts) * len(months)
    sizes = Counter(oracle.first_of_quarter(day) for day in first.values())
    for row in found.itertuples():
        assert row.customers == sizes[row.cohort.date()]
        count, revenue = sums.get((row.cohort.date(), row.period.date()), (0, 0.0))
        assert row.purchases == count
        assert row.revenue == pytest.approx(revenue, abs=1e-6)


def check_churn(data: Dataset, days: Days, origin: dt.date, horizon: int = 60) -> None:
    known = oracle.known_days(days, origin)
    table = features.churn_features(data.purchases, origin).execute()
    assert sorted(table["customer_id"]) == sorted(known)
    for row in table.to_dict("records"):
        for name, value in oracle.churn_row(known[row["customer_id"]], origin).items():
            if value is None:
                assert math.isnan(row[name]), (name, row)
            else:
                assert row[name] == pytest.approx(value, abs=1e-6), (name, row)
    until = origin + dt.timedelta(days=horizon)
    later = features.customer_outcomes(data.purchases, origin, until).execute()
    bought = later.set_index("customer_id")["purchases"]
    for name in known:
        expected = sum(d.purchase and origin < d.date <= until for d in days[name])
        assert bought.get(name, 0) == expected
