"""A saved report is read whole, or refused with the key that is wrong."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_example import AS_OF, config, example_inputs

from clvmodels.core.errors import DataError
from pipelines import files
from pipelines.report import ReportInputs, summarize
from pipelines.report.figures import forecasts as figures
from pipelines.report.saved.charts import CHARTS
from pipelines.report.saved.report import read_report

NAME = "corner-shop"
METRIC = {
    "origin": "2023-12-31", "horizon_days": 365, "level": "total_month", "quantity": "revenue",
    "model": "clv", "metric": "wape", "value": None,
}  # fmt: skip


def content_of(inputs: ReportInputs) -> dict[str, Any]:
    report = summarize(inputs)
    for table in report["tables"].values():
        table["rows"] = table["rows"][:2]
    content = {
        "schema_version": 1, "name": NAME, "as_of": str(AS_OF), "metrics": [METRIC],
        "report": report,
    }  # fmt: skip
    return json.loads(files.to_json(content))


CONTENT = content_of(example_inputs())


def every_place(content: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON document, the first of a list for all of it."""
    parts = list(content.items()) if isinstance(content, dict) else []
    parts += list(enumerate(content))[:1] if isinstance(content, list) else []
    below = [place for key, part in parts for place in every_place(part, (*above, key))]
    return [*([above] if above else []), *below]


PLACES = every_place(CONTENT)


def write(folder: Path, content: Any) -> Path:
    path = folder / str(AS_OF) / "backtest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def without(place: tuple[Any, ...], *instead: Any) -> dict[str, Any]:
    """The document without a part of it, or with another thing in its place."""
    content = copy.deepcopy(CONTENT)
    part: Any = content
    for key in place[:-1]:
        part = part[key]
    if instead:
        part[place[-1]] = instead[0]
    else:
        del part[place[-1]]
    return content


@pytest.mark.parametrize("inputs", [example_inputs(), ReportInputs(config().terms, AS_OF)])
def test_what_was_summarised_is_read_as_it_is(tmp_path, inputs):
    content = content_of(inputs)
    assert read_report(write(tmp_path, content), NAME) == content["report"]


def test_every_chart_that_is_drawn_can_be_read():
    assert set(CHARTS) == set(figures.DRAW)


REQUIRED = [
    ("name",), ("as_of",), ("metrics",), ("metrics", 0, "value"), ("report", "meta"),
    ("report", "meta", "currency"), ("report", "headline", "forecast", "totals", 0, "text"),
    ("report", "sections"), ("report", "sections", 0, "text"), ("report", "tables"),
    ("report", "tables", "tiers", "rows"), ("report", "tables", "tiers", "columns", 0, "kind"),
    ("report", "charts"), ("report", "charts", "tiers", "alt"),
    ("report", "charts", "cumulative_ltv", "lines", 0, "age"),
]  # fmt: skip


@pytest.mark.parametrize("place", REQUIRED, ids=lambda place: ".".join(map(str, place)))
def test_a_missing_key_is_named_with_the_remedy(tmp_path, place):
    path = write(tmp_path, without(place))
    with pytest.raises(DataError) as refused:
        read_report(path, NAME)
    said = str(refused.value)
    assert said.startswith(f"{path} cannot be drawn: ")
    assert f"{'.'.join(map(str, place))} is missing" in said
    assert f"clv backtest --as-of {AS_OF}" in said


WRONG = [
    (("report",), None, "report.schema_version is None"),
    (("report", "tables", "tiers", "rows", 0), [1], "row 1 holds 1 of"),
    (("report", "tables", "tiers", "rows", 0, 1), "many", "row 1 holds 'many' in customers"),
    (("report", "sections", 0, "tables"), ["no_such"], "the table no_such, which it does not hold"),
    (("report", "headline", "charts"), ["no_such"], "the chart no_such, which it does not hold"),
    (("report", "charts", "tiers"), [], "report.charts.tiers: "),
    (("report", "charts", "pie"), {}, "report.charts.'pie' is no chart of this release"),
    (("report", "meta", "as_of"), "soon", "expected a date such as 2024-12-31, found 'soon'"),
    (("report", "tables", "tiers", "sheet"), "a/b", "report.tables.tiers.sheet: "),
    (("report", "schema_version"), 9, "report.schema_version is 9; this release of clv reads 1"),
    (("schema_version",), "1", "schema_version is '1'"),
    (("metrics",), {}, "metrics: Input should be a valid list"),
    (("name",), "other", "it is the report of 'other', expected that of 'corner-shop'"),
]


@pytest.mark.parametrize(("place", "value", "says"), WRONG, ids=lambda x: str(x)[:40])
def test_a_wrong_value_is_named(tmp_path, place, value, says):
    with pytest.raises(DataError, match=re.escape(says)):
        read_report(write(tmp_path, without(place, value)), NAME)


THINGS = st.sampled_from([None, {}, [], [[]], [None], "x", True, -1, 1e308, {"a": 1}])


@settings(max_examples=examples(300))
@given(st.sampled_from(PLACES), st.none() | st.tuples(THINGS))
def test_whatever_is_lost_or_swapped_is_read_or_refused(tmp_path_factory, place, instead):
    """No other error gets out, whatever was done to one place of the file."""
    changed = without(place, *(instead or ()))
    path = write(tmp_path_factory.getbasetemp(), changed)
    try:
        report = read_report(path, NAME)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert report == changed["report"]
