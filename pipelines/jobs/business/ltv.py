"""`clv ltv`: what a customer is worth by the formulas of planners, of a log or of plain numbers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from clvmodels.core.errors import ConfigError
from clvmodels.finance.historical import Cycle, SteadyState
from pipelines.config.load import Config
from pipelines.console import Outcome, Progress
from pipelines.data.features import cohort_months
from pipelines.finance.by_hand import Given, option
from pipelines.jobs import messages, stages
from pipelines.report.gather import of_customers, with_buyers
from pipelines.report.inputs import ReportInputs
from pipelines.report.page import shown_rows
from pipelines.report.sections.acquisition import channels
from pipelines.report.sections.economics import unit_economics
from pipelines.report.tables import Table, records


def ltv_job(
    config: Config | None,
    as_of: dt.date | None,
    progress: Progress,
    given: Given,
    cycle: Cycle | None = None,
) -> Outcome:
    """Work the formulas on a log, or on plain numbers where there is no configuration."""
    if config is None:
        if as_of is not None:
            raise ConfigError("--as-of is a day of a log; name one with --config, or leave it out")
        return _by_hand(given.state(), given, cycle or "month")
    if given.names:
        others = ", ".join(map(option, given.names))
        raise ConfigError(
            f"--config takes all numbers from the log; leave it out, or leave out {others}"
        )
    with stages.dataset(config, as_of, progress) as data:
        margin = stages.margin_of(data, config)
        with progress.step("add up what customers brought"):
            history = cohort_months(data.snapshot)
            found = of_customers(data, history, config.terms, margin, cycle=cycle)
            inputs = ReportInputs(
                config.terms,
                data.as_of,
                cohort_months=with_buyers(history, data),
                margin=margin,
                acquired=stages.acquired(data, config, margin),
                unit_economics=found["unit_economics"],
                monitoring=found["monitoring"],
            )
    told = [unit_economics(inputs), *([channels(inputs)] if inputs.acquired else [])]
    tables = {name: content for part in told for name, content in part.tables.items()}
    hidden = [name for part in told for name in part.workbook_only]
    lines = [f"{config.name}, as of {data.as_of}, in {config.economics.currency}"]
    lines += messages.margin_line(margin)
    for name in tables:
        if name not in hidden:
            lines += ["", *_lines(tables[name])]
    notes = told[-1].text if inputs.acquired else []
    lines += ["", *notes] if notes else []
    return Outcome(
        lines,
        {
            "name": config.name,
            "as_of": data.as_of,
            "currency": config.economics.currency,
            "cycle": cycle or config.economics.cycle,
            "gross_margin": margin.described(),
            **{name: records(content) for name, content in tables.items()},
            "notes": notes,
        },
    )


def _lines(content: Table) -> Iterator[str]:
    """A table for a terminal; what a row means stands below it."""
    yield content["title"]
    columns = content["columns"]
    rows = [row.copy() for row in shown_rows(content)]
    meanings = [""] * len(rows)
    if columns[-1]["key"] == "meaning":
        meanings, columns = [row.pop() for row in rows], columns[:-1]
    labels = [column["label"] for column in columns]
    widths = [max(map(len, cells)) for cells in zip(labels, *rows, strict=True)]
    texts = [column["kind"] == "text" for column in columns]

    def line(cells: list[str]) -> str:
        placed = [
            cell.ljust(width) if text else cell.rjust(width)
            for cell, width, text in zip(cells, widths, texts, strict=True)
        ]
        return f"  {'  '.join(placed)}".rstrip()

    yield line(labels)
    for row, meaning in zip(rows, meanings, strict=True):
        yield line(row)
        if meaning:
            yield f"      {meaning}"
    if content["note"]:
        yield f"  {content['note']}"


def _by_hand(state: SteadyState, given: Given, cycle: Cycle) -> Outcome:
    """What plain numbers come to, each with its formula."""
    facts: dict[str, Any] = {
        "cycle": cycle,
        "lifespan": state.lifespan,
        "ltv": state.ltv,
    }
    if given.first_value is not None:
        facts["ltv_with_first_purchase"] = state.ltv_with_first
    if state.frequency is not None:
        facts |= {
            "purchases": state.purchases,
            "service_costs": state.service_costs,
            "clv": state.clv,
        }
        if given.first_value is not None:
            facts["clv_with_first_purchase"] = state.clv_with_first
    return Outcome([*_ltv_lines(state, given, cycle), *_clv_lines(state, given)], facts)


def _ltv_lines(state: SteadyState, given: Given, cycle: Cycle) -> Iterator[str]:
    """Lifespan and LTV."""
    life = _number(state.lifespan)
    said, over = "as given", f"x lifespan {life}"
    if given.churn is not None:
        said = f"LT = 1 / churn = 1 / {_number(given.churn)}"
        over = f"/ churn {_number(given.churn)}"
    elif given.lifespan is None:
        said = f"none given, so this is the value of one {cycle}"
    earned = f"ARPU {_number(state.arpu)}"
    if given.value is not None:
        earned = f"value {_number(given.value)}"
        over = f"x {_number(state.purchases)} purchases"
    yield f"lifespan: {life} {cycle}{'' if life == '1' else 's'} ({said})"
    yield (
        f"LTV (gross margin before the cost to serve): {_number(state.ltv)} = {earned} x margin "
        f"{_number(state.margin)} {over}"
    )
    if given.first_value is not None:
        yield (
            f"LTV with the first purchase: {_number(state.ltv_with_first)} = "
            f"{_number(state.ltv)} + {_number(state.first_margin)} of gross margin, once"
        )


def _clv_lines(state: SteadyState, given: Given) -> Iterator[str]:
    """CLV by hand, where it is told how often customers buy."""
    if state.frequency is None:
        return
    each = _number(state.arpu * state.margin / state.frequency) if state.frequency else "0"
    yield (
        f"CLV by hand (net of the cost to serve, not discounted): {_number(state.clv)} = margin "
        f"per purchase {each} x frequency {_number(state.frequency)} x lifespan "
        f"{_number(state.lifespan)} - service costs {_number(state.service_costs)}"
    )
    if given.first_value is not None:
        yield (
            f"CLV by hand with the first purchase: {_number(state.clv_with_first)} = "
            f"{_number(state.clv)} + {_number(state.first_margin)} - "
            f"{_number(state.cost_to_serve)} for serving it"
        )


def _number(value: float) -> str:
    """A number as one writes it: to the cent or six digits, whichever is shorter."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1000 else f"{value:.6g}"
