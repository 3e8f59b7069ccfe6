"""Unit economics worked by hand on a small cohort table."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from clvmodels.core.errors import DataError
from clvmodels.finance.historical import cohort_churn, followed, in_cycles
from pipelines.config import load as configuration
from pipelines.config.load import Config
from pipelines.data import customer_days as transactions
from pipelines.data import margins
from pipelines.finance.economics import complete_months, ltv_by_age, unit_economics

BASE = {"name": "shop", "source": {"kind": "lifetimes", "dataset": "CDNOW_sample"}}


AS_OF = dt.date(2023, 4, 30)
HISTORICAL = "Historical LTV, gross margin, cohort's sense"


def table() -> pd.DataFrame:
    """Two cohorts of 10 customers; purchases per customer-day halve each month."""
    rows = []
    for cohort, lives in (("2023-01-01", 4), ("2023-02-01", 3)):
        for age in range(lives):
            period = pd.Timestamp(cohort) + pd.DateOffset(months=age)
            days = period.days_in_month
            rows.append(
                {
                    "cohort": pd.Timestamp(cohort),
                    "period": period,
                    "customers": 10,
                    "customer_days": 10 * days if age else 5 * days,
                    "purchases": days * 8 / 2**age if age else 3,
                    "revenue": days * 80 / 2**age if age else 30.0,
                    "first_purchases": 0 if age else 10,
                    "first_revenue": 0.0 if age else 200.0,
                }
            )
    return pd.DataFrame(rows)


def buyers() -> pd.DataFrame:
    """Twenty bought in January; of every month's buyers half came back in the next."""
    months = pd.date_range("2023-01-01", "2023-04-01", freq="MS")
    return pd.DataFrame({"period": months, "buyers": [20, 40, 20, 10], "kept": [10, 20, 10, 0]})


def test_churn_is_the_fall_from_month_to_month_whatever_the_months_lengths() -> None:
    assert cohort_churn(followed(in_cycles(table(), "month", AS_OF))) == pytest.approx(0.5)
    growing = table()
    growing["purchases"] = range(1, len(growing) + 1)
    assert value_of(growing, "Churn, cohort's sense") == pytest.approx(0.0)


def test_ltv_by_age_counts_only_the_cohorts_that_have_come_so_far() -> None:
    ltv = ltv_by_age(table())
    assert ltv[0] == pytest.approx((2 * 230) / 20)
    assert ltv[1] == pytest.approx(ltv[0] + (28 * 40 + 31 * 40) / 20)
    assert ltv[3] == pytest.approx(ltv[2] + 30 * 10 / 10)  # the older cohort alone


def facts_of(cohort_months: pd.DataFrame, as_of: dt.date, config: Config) -> pd.DataFrame:
    economics = config.economics
    margin = margins.Margin(economics.margin)
    return unit_economics(
        cohort_months, as_of, 5.0, economics=economics, margin=margin, buyers=buyers()
    )


def value_of(cohort_months: pd.DataFrame, measure: str) -> float:
    facts = facts_of(cohort_months, AS_OF, configuration.parse(BASE)).set_index("measure")
    return float(facts["value"][measure])


def test_a_month_under_way_is_no_whole_month() -> None:
    """Four days of May are neither a fall of purchases nor a month of revenue."""
    costly = configuration.parse(BASE | {"economics": {"margin": 0.5, "acquisition_cost": 12.0}})
    april = table()
    begun = april[april["period"] == "2023-04-01"].assign(period=pd.Timestamp("2023-05-01"))
    begun[["customer_days", "purchases", "revenue"]] *= 4 / 30
    may = pd.concat([april, begun])
    kept = [
        "Churn, cohort's sense",
        "Churn, customer's sense",
        "LTV to date, gross margin",
        "LTV / CAC",
        "Payback",
    ]
    before, after = (
        facts_of(known, as_of, costly).set_index("measure").loc[kept]
        for known, as_of in ((april, AS_OF), (may, dt.date(2023, 5, 4)))
    )
    pd.testing.assert_frame_equal(before, after)
    alone = table().query("period == '2023-01-01'")
    assert complete_months(alone, dt.date(2023, 1, 20)) is alone


def test_ltv_against_cac_needs_a_cac() -> None:
    plain = configuration.parse(BASE)
    assert "CAC" not in set(facts_of(table(), AS_OF, plain)["measure"])
    costly = configuration.parse(BASE | {"economics": {"margin": 0.5, "acquisition_cost": 12.0}})
    facts = facts_of(table(), AS_OF, costly).set_index("measure")["value"]
    arpu = table()["revenue"].sum() / (table()["customer_days"].sum() / (365.25 / 12))
    assert facts["ARPU"] == pytest.approx(arpu)
    without = facts[f"{HISTORICAL}, without the first purchase"]
    assert without == pytest.approx(arpu * 0.5 / 0.5)
    assert facts["First purchase, gross margin"] == pytest.approx(0.5 * 200 / 10)
    with_first = facts[f"{HISTORICAL}, with the first purchase"]
    assert with_first == pytest.approx(without + 0.5 * 200 / 10)
    assert facts["Churn, customer's sense"] == pytest.approx(50.0)
    revenue = table()["revenue"].sum() / 90
    assert facts["ARPU of buyers"] == pytest.approx(revenue)
    own = HISTORICAL.replace("cohort's", "customer's")
    assert facts[f"{own}, without the first purchase"] == pytest.approx(revenue * 0.5 / 0.5)
    assert facts["LTV / CAC"] == pytest.approx(ltv_by_age(table())[3] * 0.5 / 12.0)
    # 11.5 of gross margin in the month of acquisition, 59 in the next
    assert facts["Payback"] == pytest.approx(1.0)


def test_an_order_that_repays_what_winning_the_customer_cost_is_said_to() -> None:
    cheap = configuration.parse(BASE | {"economics": {"margin": 0.5, "acquisition_cost": 9.5}})
    facts = facts_of(table(), AS_OF, cheap).set_index("measure").loc["Payback"]
    assert facts["value"] == pytest.approx(0.0)
    assert facts["meaning"] == "the first order repays CAC: 10 of gross margin"


def test_formulas_tell_the_numbers_that_they_are_worked_with() -> None:
    costly = configuration.parse(BASE | {"economics": {"margin": 0.5, "cost_to_serve": 0.25}})
    facts = facts_of(table(), AS_OF, costly).set_index("measure")
    sums = table().sum(numeric_only=True)
    months = sums["customer_days"] / (365.25 / 12)
    arpu, often = sums["revenue"] / months, sums["purchases"] / months
    row = facts.loc[f"{HISTORICAL}, without the first purchase"]
    earning = f"ARPU {arpu:.6g} x margin 50 %"
    assert row["meaning"].startswith(f"{earning} / churn 50 % = {earning} x lifespan 2:")
    hand = "CLV by hand, not discounted, cohort's sense"
    without = facts.loc[f"{hand}, without the first purchase"]
    assert without["value"] == pytest.approx(arpu * 0.5 * 2 - 0.25 * often * 2)
    each = f"margin per purchase {arpu * 0.5 / often:.6g}"
    assert without["meaning"].startswith(f"{each} x frequency {often:.6g} x lifespan 2 - service")
    with_first = facts.loc[f"{hand}, with the first purchase", "value"]
    assert with_first == pytest.approx(without["value"] + 10.0 - 0.25)


def test_cycles_are_other_units_of_the_same_history() -> None:
    """ARPU of a quarter is three times that of a month; the log has no two whole quarters."""
    economics = configuration.parse(BASE).economics
    facts = {
        cycle: unit_economics(
            table(),
            AS_OF,
            None,
            economics=economics,
            margin=margins.Margin(0.5),
            buyers=buyers(),
            cycle=cycle,  # type: ignore[arg-type]
        ).set_index("measure")
        for cycle in ("month", "quarter", "year")
    }
    arpu = {cycle: found.loc["ARPU", "value"] for cycle, found in facts.items()}
    assert arpu["quarter"] == pytest.approx(3 * arpu["month"])
    assert arpu["year"] == pytest.approx(12 * arpu["month"])
    assert "CLV" not in facts["month"].index
    assert facts["quarter"].loc["ARPU", "unit"] == "USD a quarter"
    life = facts["quarter"].loc["Lifespan, cohort's sense"]
    assert pd.isna(life["value"])
    assert life["meaning"].startswith("empty: no cohort could be followed from one whole quarter")


def test_what_has_no_value_is_empty() -> None:
    never = configuration.parse(BASE | {"economics": {"margin": 0.5, "acquisition_cost": 1e9}})
    growing = table()
    growing["purchases"] = range(1, len(growing) + 1)
    facts = facts_of(growing, AS_OF, never).set_index("measure")["value"]
    assert pd.isna(facts["Payback"])
    assert pd.isna(facts[f"{HISTORICAL}, without the first purchase"])
    assert pd.isna(facts[f"{HISTORICAL}, with the first purchase"])


def meaning_of_ltv(cohort_months: pd.DataFrame) -> str:
    facts = facts_of(cohort_months, AS_OF, configuration.parse(BASE)).set_index("measure")
    return str(facts["meaning"][f"{HISTORICAL}, without the first purchase"])


def test_an_empty_ltv_says_why_and_one_with_a_value_does_not() -> None:
    assert "empty" not in meaning_of_ltv(table())
    growing = table()
    growing["purchases"] = range(1, len(growing) + 1)
    assert meaning_of_ltv(growing).endswith("empty: purchases did not fall, so it has no end")
    short = table().query("period == cohort")
    assert meaning_of_ltv(short).endswith(
        "empty: no cohort could be followed from one whole month to the next"
    )
    silent = table().assign(purchases=0, revenue=0.0)
    assert meaning_of_ltv(silent).endswith(
        "empty: nobody bought in the cycles that could be followed"
    )


def shop_with_margin(tmp_path: Path, share: float) -> Config:
    lines = ["who,when,paid,earned"]
    lines += [f"c{i % 7},2023-01-{1 + i % 28:02d},{10 + i},{(10 + i) * share}" for i in range(40)]
    (tmp_path / "log.csv").write_text("\n".join(lines))
    columns = {"customer_id": "who", "timestamp": "when", "amount": "paid", "margin": "earned"}
    source = {"kind": "csv", "path": "log.csv"}
    return configuration.parse(
        {"name": "shop", "source": source, "columns": columns}, base=tmp_path
    )


def test_a_margin_in_the_log_overrules_the_assumed_one(tmp_path: Path) -> None:
    config = shop_with_margin(tmp_path, 0.6)
    with transactions.load(config.log) as data:
        found = margins.margin(data.purchases, config.economics.margin, config.columns.margin)
        assert found.rate == pytest.approx(0.6)
        assert found.is_observed
    assert config.economics.margin == 0.3


def test_a_margin_above_the_revenue_is_refused(tmp_path: Path) -> None:
    config = shop_with_margin(tmp_path, 1.4)
    with (
        transactions.load(config.log) as data,
        pytest.raises(DataError, match="the column 'earned' sums to"),
    ):
        margins.margin(data.purchases, config.economics.margin, config.columns.margin)
