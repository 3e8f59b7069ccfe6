"""What a delivered forecast is compared with, recomputed slowly from the raw log."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from shop import TRAINED_AS_OF, dataset_of

from clvmodels.core import months
from pipelines.forecasting import deliver
from pipelines.jobs import refresh


@pytest.fixture
def forecast_of(trained):
    path = trained.reports / str(TRAINED_AS_OF) / deliver.COHORTS
    return TRAINED_AS_OF, pd.read_parquet(path)


def happened(log: pd.DataFrame, origin: dt.date, until: dt.date) -> dict:
    """Purchases and revenue in (origin, until] of customers known at origin, day by day."""
    cells: dict[tuple[pd.Timestamp, pd.Timestamp], list[float]] = {}
    days = log.assign(day=pd.to_datetime(log["when"]).dt.normalize())
    for _, rows in days.groupby("who"):
        first = rows["day"].min()
        if first > pd.Timestamp(origin):
            continue
        for day, lines in rows.groupby("day"):
            if pd.Timestamp(origin) < day <= pd.Timestamp(until):
                cell = cells.setdefault((first.replace(day=1), day.replace(day=1)), [0, 0.0])
                cell[0] += 1
                cell[1] += lines["paid"].sum()
    return cells


@pytest.mark.parametrize("as_of", [dt.date(2022, 12, 31), dt.date(2022, 11, 29)])
def test_tracking_is_recomputed_from_the_raw_log(log, config, tmp_path, forecast_of, as_of):
    origin, made = forecast_of
    known = log[pd.to_datetime(log["when"]).dt.date <= as_of]
    settings = config
    with dataset_of(known, settings, tmp_path) as data:
        # the log may end before its as-of date: what is known is known up to as_of
        object.__setattr__(data, "as_of", as_of)
        found = refresh.track(data, origin, made)
    tracked = found.table
    assert found.notes == ()
    ended = sorted(
        {p for p in pd.to_datetime(made["period"]) if months.month_end(p.date()) <= as_of}
    )
    assert sorted(tracked["period"].unique()) == ended
    assert len(tracked) == len(ended) * made["cohort"].nunique()
    cells = happened(known, origin, months.month_end(ended[-1].date()))
    keyed = made.assign(
        cohort=pd.to_datetime(made["cohort"]), period=pd.to_datetime(made["period"])
    )
    keyed = keyed.set_index(["cohort", "period"])
    for row in tracked.itertuples():
        bought, paid = cells.get((row.cohort, row.period), (0, 0.0))
        assert row.actual_purchases == bought
        assert row.actual_revenue == pytest.approx(paid, abs=1e-6)
        assert row.purchases == keyed.loc[(row.cohort, row.period), "purchases"]
        assert row.revenue == keyed.loc[(row.cohort, row.period), "revenue"]
    assert sum(cell[0] for cell in cells.values()) == tracked["actual_purchases"].sum() > 0
    for quantity, scores in refresh._scores(tracked).items():
        actual, made_sum = tracked[f"actual_{quantity}"].sum(), tracked[quantity].sum()
        missed = sum(abs(tracked[quantity] - tracked[f"actual_{quantity}"]))
        assert scores["wape"] == pytest.approx(missed / actual)
        assert scores["bias"] == pytest.approx((made_sum - actual) / actual)
        held = [
            row[f"{quantity}_low"] <= row[f"actual_{quantity}"] <= row[f"{quantity}_high"]
            for row in tracked.to_dict("records")
        ]
        assert scores["coverage_90"] == pytest.approx(sum(held) / len(held))
    said = refresh.tracking_lines(refresh.Tracked(origin, tracked))
    assert all("inside the 90 % interval" in line for line in said)
    bare = tracked.drop(columns=[c for c in tracked if c.endswith(("_low", "_high"))])
    assert "interval" not in " ".join(refresh.tracking_lines(refresh.Tracked(origin, bare)))


@pytest.mark.parametrize("origin", [dt.date(2022, 4, 30), dt.date(2022, 4, 20)])
def test_the_last_day_of_a_forecast_is_read_from_its_months(origin):
    end = months.add_months(origin, 6)
    grid = months.month_grid(origin, end)
    assert refresh._last_day(origin, pd.Series([*grid.periods, *grid.periods])) == end


def test_before_a_month_has_ended_there_is_nothing_to_compare(log, config, tmp_path, forecast_of):
    origin, made = forecast_of
    known = log[pd.to_datetime(log["when"]).dt.date <= dt.date(2022, 9, 29)]
    with dataset_of(known, config, tmp_path) as data:
        tracked = refresh.track(data, origin, made)
    assert tracked.table.empty
    assert refresh._scores(tracked.table) == {}


def test_the_previous_forecast_is_the_latest_from_before(config, tmp_path):
    output = config.output.model_copy(update={"reports": str(tmp_path)})
    settings = config.model_copy(update={"output": output})
    day = dt.date(2022, 6, 30)
    assert refresh.previous_forecast(settings, day) is None
    for name in ("2022-03-31", "2022-05-31", "2022-06-30", "2022-07-31", ".2022-06-15-x", "old"):
        folder = tmp_path / "shop" / name
        folder.mkdir(parents=True)
        (folder / deliver.COHORTS).write_bytes(b"")
    (tmp_path / "shop" / "2022-06-01").mkdir()
    found, path = refresh.previous_forecast(settings, day)
    assert found == dt.date(2022, 5, 31)
    assert path == tmp_path / "shop" / "2022-05-31" / deliver.COHORTS
