"""A backtest.json read back: checked to the last key, so that it can be drawn again or refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, ValidationError, model_validator

from clvmodels.core.errors import DataError
from clvmodels.core.schema import SCHEMA_VERSION
from pipelines.nesting import read_json
from pipelines.report.saved.charts import CHARTS, Day, Part, is_day
from pipelines.report.summarize import SUMMARY_VERSION
from pipelines.report.tables import Kind

SHOWN = 3
"""Problems named of a damaged file."""

_DATES = ("date", "month", "quarter")


class _Meta(Part):
    name: str
    as_of: Day
    as_of_text: str
    currency: str


class _Card(Part):
    quantity: str
    label: str
    meaning: str
    text: str
    value: float | None
    interval_text: str | None
    interval_past: str | None = None


class _Forecast(Part):
    months: int
    customers: int | None
    start: Day
    end: Day
    totals: list[_Card]


class _Headline(Part):
    forecast: _Forecast
    company: str | None = None
    sentences: list[str]
    charts: list[str]


class _Section(Part):
    id: str
    title: str
    text: list[str]
    missing: str | None
    tables: list[str]
    workbook_only: list[str]
    charts: list[str]


class _Column(Part):
    key: str
    label: str
    kind: Kind


class _Table(Part):
    title: str
    note: str
    sheet: Annotated[str, Field(min_length=1, max_length=31, pattern=r"^[^\[\]:*?/\\']+$")]
    columns: Annotated[list[_Column], Field(min_length=1)]
    rows: list[list[bool | int | float | str | None]]

    @model_validator(mode="after")
    def _holds_what_its_columns_say(self) -> _Table:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} holds {len(row)} of {len(self.columns)} columns")
            for column, value in zip(self.columns, row, strict=True):
                if value is not None and not _fits(value, column.kind):
                    raise ValueError(f"row {number} holds {value!r} in {column.key}, {column.kind}")
        return self


def _fits(value: bool | float | str, kind: Kind) -> bool:
    if kind == "text":
        return True
    if kind in _DATES:
        return isinstance(value, str) and is_day(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Summary(Part):
    meta: _Meta
    headline: _Headline
    sections: list[_Section]
    tables: dict[str, _Table]
    charts: dict[str, dict[str, Any]]

    @model_validator(mode="after")
    def _names_what_it_holds(self) -> _Summary:
        shown = [
            (section.charts, section.tables, section.workbook_only) for section in self.sections
        ]
        charts = [*self.headline.charts, *(name for part in shown for name in part[0])]
        tables = [name for part in shown for name in (*part[1], *part[2])]
        lost = [f"chart {name}" for name in charts if name not in self.charts]
        lost += [f"table {name}" for name in tables if name not in self.tables]
        if lost:
            raise ValueError(f"its sections name the {', the '.join(lost)}, which it does not hold")
        return self


class _Metric(Part):
    origin: Day
    horizon_days: int
    level: str
    quantity: str
    model: str
    metric: str
    value: float | None


class _Saved(Part):
    name: str
    as_of: Day
    metrics: list[_Metric]
    report: _Summary


def read_report(path: Path, name: str) -> dict[str, Any]:
    """Read the summarised report of a backtest.json.

    Parameters
    ----------
    path : Path
    name : str
        Of the business whose report it must be.

    Returns
    -------
    dict
        As :func:`pipelines.report.summarize.summarize` made it.

    Raises
    ------
    DataError
        If it cannot be read, lacks a key, or is another business's; the message names file, key
        and remedy.
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        refuse_report(path, f"it cannot be read ({error})")
    if not isinstance(content, dict):
        refuse_report(path, "it holds no JSON object")
    for where, kept, wanted in (
        ("schema_version", content, SCHEMA_VERSION),
        ("report.schema_version", content.get("report"), SUMMARY_VERSION),
    ):
        found = kept.get("schema_version") if isinstance(kept, dict) else None
        if found != wanted:
            refuse_report(path, f"{where} is {_short(found)}; this release of clv reads {wanted}")
    _validate(path, _Saved, content, ())
    for chart, drawn in content["report"]["charts"].items():
        if chart not in CHARTS:
            refuse_report(path, f"report.charts.{_short(chart)} is no chart of this release of clv")
        _validate(path, CHARTS[chart], drawn, ("report", "charts", chart))
    if content["name"] != name:
        refuse_report(path, f"it is the report of '{content['name']}', expected that of '{name}'")
    report: dict[str, Any] = content["report"]
    return report


def refuse_report(path: Path, problem: str) -> NoReturn:
    """Say that a backtest.json cannot be used, why, and what to do."""
    raise DataError(
        f"{path} cannot be drawn: {problem}. Write it anew with `clv backtest --as-of "
        f"{path.parent.name}`."
    )


def _validate(path: Path, model: type[Part], content: Any, where: tuple[str, ...]) -> None:
    try:
        model.model_validate(content)
    except ValidationError as error:
        refuse_report(path, "; ".join(_told(error, where)))


def _told(error: ValidationError, where: tuple[str, ...]) -> Iterable[str]:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    for problem in problems[:SHOWN]:
        place = ".".join(str(part) for part in (*where, *problem["loc"]))
        if problem["type"] == "missing":
            yield f"{place} is missing"
        else:
            yield f"{place or 'the file'}: {problem['msg'].removeprefix('Value error, ')}"
    if len(problems) > SHOWN:
        yield f"and {len(problems) - SHOWN:,} more"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
