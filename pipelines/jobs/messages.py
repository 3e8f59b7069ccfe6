"""What the command line says of forecasts, in lines for people."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import asdict
from typing import Any

import pandas as pd

from clvmodels.core.schema import QUANTITIES
from pipelines.backtesting.candidates import FORECASTS, Compared
from pipelines.backtesting.run import BacktestResult
from pipelines.config import presets
from pipelines.config.load import Config
from pipelines.data.margins import Margin
from pipelines.data.quality import account as quality
from pipelines.data.quality.account import DataQualityAccount
from pipelines.data.quality.control import Controlled
from pipelines.data.quality.plausibility import Plausibility
from pipelines.data.quality.unread import Unread
from pipelines.forecasting.deliver import Delivered
from pipelines.forecasting.new_customers import Basis, NewCustomers
from pipelines.forecasting.rfm.found import RfmFound
from pipelines.report.sections.customers.rfm import folded
from pipelines.report.wording import carried
from pipelines.training.fit import Fitted

COMPARED = (Compared.CLV, Compared.LIFETIMES)
"""The product's forecast, and the one that it is held against."""


def account_lines(account: DataQualityAccount, config: Config) -> list[str]:
    """The data-quality account for people: rows and money by reason, and what remains."""
    currency = config.economics.currency
    rows = [("read", account.read, account.source), ("kept", account.kept, "")]
    rows += [(why, count, quality.MEANING[why]) for why, count in account.set_aside.items()]
    width = len(f"{account.read:,}")
    lines = [f"{count:>{width},}  {name:<24} {note}".rstrip() for name, count, note in rows]
    for reason, shown in account.examples.items():
        lines.append(f"{'':>{width}}  {reason}, for example: {', '.join(shown)}")
    if account.unread is not None:
        lines.append(f"{'':>{width}}  {unread_line(account.unread)}")
    lines += sales_lines(account, config)
    days = account.stale_days
    age = f", {days} day{'' if days == 1 else 's'} before the as-of date {account.as_of}"
    return [
        *lines,
        *bridge_lines(account, currency),
        f"{account.customers:,} customers, {account.purchases:,} purchases (customer-days), "
        f"{account.revenue:,.2f} {currency}, "
        f"{account.first_date} to {account.last_date}{age if days else ''}",
    ]


def unread_line(unread: Unread) -> str:
    """What the bad rows may hold, and have in common."""
    alike = "; ".join(f"{trait.rows} are {trait.name}" for trait in unread.traits)
    return (
        f"bad rows may hold {unread.money:,.2f}, {unread.share:.1%} of the money"
        f"{f' ({alike})' if alike else ''}"
    )


def bridge_lines(account: DataQualityAccount, currency: str) -> list[str]:
    """From the source's total to the revenue, to the cent; nothing where they are one."""
    if len(account.bridge) == 2:
        return []
    amounts = [
        "cannot be read" if step["amount"] is None else f"{step['amount']:,.2f}"
        for step in account.bridge
    ]
    width = max(map(len, amounts))
    names = {
        "source": f"{currency} in the source",
        "paid_back": "paid back (columns.refunded)",
        "revenue": "revenue",
    }
    signs = ["  ", *["- "] * (len(amounts) - 2), "= "]
    return [
        f"{sign}{amount:>{width}}  {names.get(step['step'], step['step'])}"
        for sign, amount, step in zip(signs, amounts, account.bridge, strict=True)
    ]


def plausibility_lines(plausible: Plausibility) -> list[str]:
    """What the largest hold, and what looks implausible."""
    largest = plausible.largest
    together = (
        f" (the largest ten: {largest.ten_revenue:.1%} and {largest.ten_rows:.1%})"
        if largest.ten_revenue is not None and largest.ten_rows is not None
        else ""
    )
    return [
        f"largest customer: {largest.revenue:.1%} of revenue, {largest.rows:.1%} of "
        f"rows{together}; largest customer-day: {largest.row:.1%} of revenue",
        *warnings_of(plausible),
    ]


def control_lines(controlled: Controlled | None) -> list[str]:
    """How far the log is from another system's totals; nothing where none are given."""
    if controlled is None:
        return []
    months = controlled.months
    left_out = controlled.left_out
    aside = f" ({left_out} of its months are not, or not whole, in the log)" if left_out else ""
    if months.empty:
        return [f"control: no month to compare{aside}"]
    return [
        f"control: {months['revenue'].sum():,.2f} in the log, "
        f"{months['control'].sum():,.2f} there, over {len(months)} months{aside}"
    ]


def warnings_of(plausible: Plausibility) -> list[str]:
    """What looks implausible, a line each."""
    return [f"warning: {sentence}" for sentence in plausible.warnings]


def headline(result: BacktestResult, config: Config) -> list[str]:
    """Error of the product's forecast and of lifetimes by cohort and month, as on the page."""
    if result.cells.empty:
        return ["no past forecast could be tested: the log is too short (see the report)"]
    lines = []
    for quantity in QUANTITIES:
        own, reference = (result.accuracy.pooled(m, quantity) for m in COMPARED)
        if not math.isfinite(own["wape"]):
            lines.append(f"{quantity}: the tested months held none, so no error can be given")
            continue
        count = own["origins"]
        together = f"all {count} past forecasts together" if count > 1 else "one past forecast"
        lines.append(
            f"{quantity}: off by {own['wape']:.1%} per cohort-month over {together}, "
            f"{own['bias']:+.1%} in total "
            f"(lifetimes: {reference['wape']:.1%} and {reference['bias']:+.1%})"
        )
        lines += [
            f"{quantity}: a simpler forecast was nearer, {name} "
            f"({score['wape_baseline']:.1%} against {score['wape']:.1%})"
            for name, score in result.accuracy.nearer(Compared.CLV, quantity).items()
        ]
    lines += _left_out(result.cells, config)
    part = result.samples[result.samples["sampled"] < result.samples["customers"]]
    totals_only = config.governance.totals_only_for_some
    lines += [
        f"customer-level figures of {row.origin:%Y-%m-%d}: on "
        f"{'' if totals_only else 'a sample of '}{row.sampled:,} of {row.customers:,} customers"
        f"{' (those who may be profiled, of many a sample)' if totals_only else ''}"
        for row in part.itertuples()
    ]
    return lines


def version_errors(errors: list[dict[str, Any]]) -> list[str]:
    """Pooled errors of a saved version's forecasts at its training, on one line."""
    said = [
        f"{row['quantity']} off by {row['wape']:.1%} per cohort-month, {row['bias']:+.1%} in total"
        for row in errors
        if row["model"] == Compared.CLV and row["wape"] is not None and row["bias"] is not None
    ]
    return [f"    past forecasts at its training: {'; '.join(said)}"] if said else []


def preset_line(config: Config) -> list[str]:
    """Which keys the preset of a known export set, and to what; no line where there is none."""
    if config.source.preset is None:
        return []
    preset = presets.preset(config.source.preset)
    told = []
    for key in config.from_preset:
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name)
        told.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return [
        f"preset {preset.name} ({preset.export}; as of {preset.checked}) set "
        f"{', '.join(told) or 'no key: all are in the file'}"
    ]


def sales_lines(account: DataQualityAccount, config: Config) -> list[str]:
    """How lines became sales: what was left out by value, orders, currencies, parts of prices."""
    sales, currency = account.sales, config.economics.currency
    lines = []
    for column, values in sales["left_out"].items():
        told = ", ".join(
            f"{value} {facts['rows']:,} rows of {facts['amount']:,.2f}"
            for value, facts in values.items()
        )
        lines.append(f"no sale, by {column}: {told}" if told else f"no sale, by {column}: none")
    if len(sales["currencies"]) > 1:
        told = ", ".join(
            f"{code or 'none named'} {facts['amount']:,.2f} ({facts['rows']:,} rows)"
            for code, facts in sales["currencies"].items()
        )
        lines.append(f"currencies in the source: {told}; told in {currency}")
    held = set(config.governance.amount_includes or ())
    wanted = config.governance.revenue_includes
    for part, total in sales["parts"].items():
        counted = part in (held if wanted is None else wanted)
        lines.append(
            f"{part}: {total:,.2f} {currency}, {'in' if part in held else 'not in'} the source's "
            f"amounts, {'counted as' if counted else 'not in'} revenue"
        )
    if account.orders is not None and account.purchases:
        lines.append(
            f"{account.orders:,} orders, {account.orders / account.purchases:.2f} a purchase"
        )
    lines += [f"note: {note}" for note in sales["notes"]]
    return lines + [f"question: {question}" for question in sales["questions"]]


def _left_out(cells: pd.DataFrame, config: Config) -> list[str]:
    """Origins asked for and not replayed, and models that some origins could not have."""
    by_model = cells.groupby("model")["origin"].nunique()
    late = [o for o in config.backtest.origins if pd.Timestamp(o) not in set(cells["origin"])]
    lines = []
    if late:
        lines.append(
            f"[backtest] origins left out, as nothing after them is known yet: "
            f"{', '.join(map(str, late))}"
        )
    for model in FORECASTS:
        missing = int(by_model.max()) - int(by_model.get(model, 0))
        if missing:
            lines.append(
                f"{model}: left out at {missing} of {by_model.max()} origins, which had no earlier "
                "one to learn from"
            )
    return lines


def hindsight(fitted: Fitted, as_of: dt.date) -> list[str]:
    """A warning where the model has seen days that the forecast is judged on."""
    if fitted.as_of <= as_of:
        return []
    return [
        f"warning: the model learned from data up to {fitted.as_of}, later than {as_of}: this is "
        "no fair test of it. For one, train with that --as-of date, or run `clv backtest`."
    ]


def margin_line(margin: Margin) -> list[str]:
    """What the gross margin is where the log, not the configuration, says so."""
    if not margin.is_observed:
        return []
    return [f"gross margin: {margin.rate:.1%} of revenue, {margin.said()}"]


def forecast_lines(forecast: Delivered, customers: int, config: Config) -> list[str]:
    """Totals over the horizon, of so many customers known, and what customers could not carry."""
    total = forecast.totals.set_index("quantity")["value"]
    money = config.economics.currency
    alone = (
        f" ({forecast.customers:,} of them scored alone)" if forecast.customers < customers else ""
    )
    span = f"{forecast.grid.as_of + dt.timedelta(days=1)} to {forecast.grid.until}"
    return [
        f"{customers:,} customers{alone}, {span}: {total['purchases']:,.0f} purchases, "
        f"revenue {total['revenue']:,.0f} {money}, CLV {total['clv']:,.0f} {money}",
        *(
            line.replace("\N{NO-BREAK SPACE}", " ")
            for line in carried.departures(forecast.corrections, forecast.totals, money)
        ),
    ]


def rfm_lines(found: RfmFound) -> list[str]:
    """How many customers each RFM segment holds, small ones put together, and how many moved."""
    sizes = folded(found.sizes)
    if sizes.empty:
        return []
    named = zip(sizes["rfm_segment"], sizes["customers"], strict=True)
    lines = [f"RFM segments: {', '.join(f'{name} {count:,}' for name, count in named)}"]
    if found.note is not None:
        lines.append(f"note: who moved since the forecast of {found.since}: {found.note}")
    elif found.since is not None:
        moved, known = found.moved
        lines.append(
            f"{moved:,} of {known:,} customers changed segment since the forecast of {found.since}"
        )
    return lines


def rfm_facts(found: RfmFound) -> dict[str, Any]:
    """The same for programs, and the limits that scores go by."""
    sizes = folded(found.sizes)
    moved, known = found.moved
    return {
        "segments": dict(zip(sizes["rfm_segment"], sizes["customers"].tolist(), strict=True)),
        "limits": None if found.limits is None else asdict(found.limits),
        "since": found.since,
        "moved": moved,
        "in_both": known,
        "note": found.note,
    }


def budget_line(coming: NewCustomers, config: Config) -> str:
    """What customers still to come add."""
    if coming.acquisitions.empty:
        return "customers still to come: not forecast ([train] cohort_level is off)"
    if coming.cohorts.empty:
        stopped = Basis.STOPPED in set(coming.acquisitions["basis"])
        return f"customers still to come: none{', acquisition has stopped' if stopped else ''}"
    months = coming.by_month()
    money = config.economics.currency
    return (
        f"customers still to come: {months['new_customers'].sum():,.0f} "
        f"({', '.join(sorted(set(months['basis'])))}), {months['new_purchases'].sum():,.0f} "
        f"purchases, revenue {months['new_revenue'].sum():,.0f} {money}"
    )
