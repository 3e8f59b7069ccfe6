"""What the forecast is told beside the log: drivers by month, the mix of cohorts, and the plan.

``[covariates]`` names drivers of purchases by calendar month (marketing spend, a price index) and
dimensions whose mix may tell cohorts apart (channel, product category); ``[plan]`` names the new
customers that the business plans to win. All of it is small and holds no customer.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from ibis import _
from ibis.expr.types import Table

from clvmodels.cohorts.forecaster import CohortForecaster
from clvmodels.cohorts.model.effects import followed
from clvmodels.core.errors import ConfigError, DataError
from clvmodels.core.months import add_months
from clvmodels.core.schema import LEAST_CUSTOMERS
from pipelines.config.load import Covariates, Plan
from pipelines.data.features.snapshot import Snapshot
from pipelines.sources.month_files import read_months, require_months

TOP_VALUES = 3
"""Values of a dimension whose shares are used, if LEAST_CUSTOMERS have them; all others are the
reference."""


@dataclass(frozen=True)
class Drivers:
    """Tables by month and by cohort; None where the configuration names none.

    Attributes
    ----------
    period : DataFrame, optional
        period, then one column a driver, transformed (``log(marketing_spend)``). Months after an
        as-of date are plans: fits do not read them, forecasts do.
    cohort : DataFrame, optional
        cohort, then the share of its customers by value of a dimension (``channel = web``).
    plan : DataFrame, optional
        period, new_customers: those the business plans to win.
    shared : tuple of str
        Dimensions of ``[covariates] by_cohort`` where no table tells cohorts apart: all customers
        have one value, perhaps since those of others were erased.
    """

    period: pd.DataFrame | None = None
    cohort: pd.DataFrame | None = None
    plan: pd.DataFrame | None = None
    shared: tuple[str, ...] = ()


def logarithm(driver: str) -> str:
    """Name of a driver's logarithm, as a covariate."""
    return f"log({driver})"


def under_logarithm(covariate: str) -> str | None:
    """The driver whose logarithm a covariate is; None where it is none."""
    logged = re.fullmatch(r"log\((.+)\)", covariate)
    return logged[1] if logged else None


def share(dimension: str, value: str) -> str:
    """Name of the share of a cohort's customers with a value, as a covariate."""
    return f"{dimension} = {value}"


def in_share(covariate: str) -> tuple[str, str]:
    """The dimension and the value whose share a covariate is."""
    dimension, value = covariate.split(" = ", 1)
    return dimension, value


DriversAt = Callable[[Snapshot], Drivers]
"""What is told beside the log, as known at a day."""


def reader(covariates: Covariates, plan: Plan | None, horizon_months: int) -> DriversAt:
    """Return what reads the drivers that the sections name, at any day."""
    return partial(read, covariates=covariates, plan=plan, horizon_months=horizon_months)


def read(
    snapshot: Snapshot, *, covariates: Covariates, plan: Plan | None, horizon_months: int
) -> Drivers:
    """Read the drivers that the sections name.

    Parameters
    ----------
    snapshot : Snapshot
        The summary is only asked where ``[covariates] by_cohort`` is set. Drivers by month are
        needed from the first day of the log to the end of the horizon.
    covariates : Covariates
    plan : Plan, optional
    horizon_months : int
        How far forecasts reach after the as-of date.

    Raises
    ------
    ConfigError, DataError
        If a file is missing or does not hold what is needed.
    """
    by_cohort = _by_cohort(snapshot.summary, covariates.by_cohort)
    return Drivers(
        _by_month(covariates, snapshot, horizon_months),
        by_cohort,
        None if plan is None else _planned(plan),
        covariates.by_cohort if by_cohort is None else (),
    )


def _by_month(
    covariates: Covariates, snapshot: Snapshot, horizon_months: int
) -> pd.DataFrame | None:
    if covariates.path is None:
        return None
    table = read_months(covariates.path, covariates.period, covariates.columns, "covariates")
    where = f"{covariates.path}, named in [covariates],"
    until = add_months(snapshot.as_of, horizon_months)
    require_months(table, snapshot.first_date, snapshot.as_of, until, where)
    for name in covariates.log:
        low = table[name].to_numpy() <= 0
        if low.any():
            row = table.iloc[int(np.argmax(low))]
            raise DataError(
                f"{where} holds {row[name]:g} in '{name}' for {row['period']:%Y-%m}, which has no "
                "logarithm; expected numbers above 0. Take it out of [covariates] log, or give "
                "months without any a small floor."
            )
        table[name] = np.log(table[name])
    return table.rename(columns={name: logarithm(name) for name in covariates.log})


def _planned(plan: Plan) -> pd.DataFrame:
    column = plan.new_customers
    table = read_months(plan.path, plan.period, [column], "plan")
    low = table[column].to_numpy() < 0
    if low.any():
        row = table.iloc[int(np.argmax(low))]
        raise DataError(
            f"{plan.path}, named in [plan], plans {row[column]:g} new customers for "
            f"{row['period']:%Y-%m}; expected 0 or more. Correct the row."
        )
    return table.rename(columns={column: "new_customers"})


def _by_cohort(summary: Table, dimensions: tuple[str, ...]) -> pd.DataFrame | None:
    """Shares of each cohort's customers by the commonest values of each dimension."""
    if not dimensions:
        return None
    shares: dict[str, pd.Series] = {}
    total = _totals(summary)
    for name in dimensions:
        value = summary[name].cast("string")
        counted = summary.group_by(value=value).agg(customers=_.count())
        # The engine decides which values are common; there may be many.
        ranked = counted.order_by([counted.customers.desc(), counted.value]).limit(TOP_VALUES + 2)
        largest = ranked.execute().dropna(subset="value")
        common = list(largest["value"])
        shared = set(largest["value"][largest["customers"] >= LEAST_CUSTOMERS])
        if len(common) < 2:
            continue
        cells = summary.mutate(value=value).group_by("cohort", "value").agg(customers=_.count())
        table = cells.filter(cells.value.isin(common)).execute()
        for kept in common[: min(TOP_VALUES, len(common) - 1)]:
            if kept not in shared:  # its name would stand in model, card and report
                continue
            of_value = table[table["value"] == kept].set_index("cohort")["customers"]
            of_value.index = pd.to_datetime(of_value.index).astype("datetime64[s]")
            shares[share(name, kept)] = of_value.reindex(total.index).fillna(0.0) / total
    if not shares:
        return None
    return pd.DataFrame(shares).rename_axis("cohort").sort_index().reset_index()


def _totals(summary: Table) -> pd.Series:
    counts = summary.group_by("cohort").agg(customers=_.count()).execute()
    index = pd.DatetimeIndex(pd.to_datetime(counts["cohort"]).astype("datetime64[s]"))
    return pd.Series(counts["customers"].to_numpy(dtype=float), index=index).sort_index()


def notes(drivers: Drivers, as_of: dt.date) -> list[str]:
    """What whoever runs a forecast should know of its drivers, one line each."""
    shared = [
        f"note: all customers share one {name}, so nothing tells cohorts apart by it"
        for name in drivers.shared
    ]
    return [*shared, *far_plans(drivers, as_of)]


def far_plans(drivers: Drivers, as_of: dt.date) -> list[str]:
    """One line a driver whose plan lies further outside what was seen than a forecast follows.

    See :func:`clvmodels.cohorts.model.effects.followed`.
    """
    if drivers.period is None:
        return []
    table = drivers.period.set_index("period")
    past = table.index <= pd.Timestamp(as_of)
    lines = []
    for name in table:
        seen, planned = table[name][past], table[name][~past]
        least, most = followed(seen.to_numpy())
        far = planned[(planned > most) | (planned < least)]
        if len(far):
            edge = most if far.iloc[0] > most else least
            lines.append(
                f"note: {name} is planned at {far.iloc[0]:g} for {far.index[0]:%Y-%m}, and was "
                f"{seen.min():g} to {seen.max():g} so far: what it did there says little of so far "
                f"away. A forecast that uses it counts it as {edge:g}"
            )
    return lines


def described(drivers: Drivers) -> list[str]:
    """One line a table, for people."""
    lines = []
    for name, table in (("covariates by month", drivers.period), ("plan", drivers.plan)):
        if table is not None:
            first, last = table["period"].min(), table["period"].max()
            lines.append(
                f"{name}: {', '.join(map(str, table.columns[1:]))}, {first:%Y-%m} to {last:%Y-%m}"
            )
    if drivers.cohort is not None:
        lines.append(f"covariates by cohort: {', '.join(map(str, drivers.cohort.columns[1:]))}")
    return lines


def require_same(forecaster: CohortForecaster | None, drivers: Drivers) -> None:
    """Check that a saved model finds the covariates that it was fitted with.

    Raises
    ------
    ConfigError
        If the configuration no longer names one of them, or transforms it otherwise.
    """
    if forecaster is None:
        return
    rates = forecaster.model_.rates
    for kind, wanted, table in (
        ("by month", rates.period_covariates.names, drivers.period),
        ("by cohort", rates.cohort_covariates.names[:1], drivers.cohort),
    ):
        present = [] if table is None else [str(name) for name in table.columns[1:]]
        if kind == "by cohort" and drivers.shared:
            continue  # named as before; the log has nothing to tell by them any more
        lost = [name for name in wanted if name not in present] if kind == "by month" else []
        if lost or (wanted and not present):
            raise ConfigError(
                f"the model in use was fitted with the covariates {kind} "
                f"{', '.join(lost or wanted)}; [covariates] gives {', '.join(present) or 'none'}. "
                "Restore them, or train again."
            )
