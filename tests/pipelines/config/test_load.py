"""The configuration: what it accepts, what it refuses, and that the docs list every key."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from clvmodels.core.errors import ConfigError
from pipelines.config import load as config
from pipelines.config.load import Audience, Config, load, parse

ROOT = Path(__file__).parents[3]
CDNOW = {"name": "x", "source": {"kind": "lifetimes", "dataset": "CDNOW_sample"}}


def sections() -> dict[str, type[BaseModel]]:
    """Return the sections of the configuration by name."""
    found = {}
    for name, field in Config.model_fields.items():
        if typing.get_origin(field.annotation) is dict:  # sections that the business names
            continue
        for kind in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found[name] = kind
    return found


def documented() -> str:
    """Render the list of keys as docs/data.md holds it."""
    parts = []
    for name, section in {**sections(), "audience.<name>": Audience}.items():
        rows = ["| key | default | meaning |", "|---|---|---|"]
        for key, field in section.model_fields.items():
            default = "" if field.is_required() or field.default is None else f"{field.default}"
            if isinstance(field.default, tuple):
                default = ", ".join(repr(value) for value in field.default)
            shown = f"`{default}`" if default and default != "{}" else ""
            rows.append(f"| `{key}` | {shown} | {field.description or ''} |")
        parts.append(f"### [{name}]\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def test_the_docs_list_every_key_with_its_default():
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    behind = (
        "docs/data.md is behind pipelines/config/load.py; after '## All keys' it should say:\n\n"
    )
    assert text.split("## All keys\n\n")[1] == documented(), behind + documented()


@pytest.mark.parametrize("name", ["cdnow", "online_retail"])
def test_the_configurations_that_come_along_are_valid(name):
    settings = load(ROOT / "configs" / f"{name}.toml")
    assert settings.name == name


def test_it_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        parse(CDNOW).name = "y"


def test_relative_paths_start_at_the_file(tmp_path):
    folder = tmp_path / "business"
    folder.mkdir()
    (folder / "a.toml").write_text(
        'name = "a"\n[source]\nkind = "csv"\npath = "../log.csv"\ntemp_directory = "spill"\n'
        '[columns]\namount = "value"\n[consent]\npath = "/absolute/consent.csv"\n'
        '[governance]\nconsent = "exclude"\n'
    )
    settings = load(folder / "a.toml")
    assert Path(str(settings.source.path)).resolve() == tmp_path / "log.csv"
    assert settings.source.temp_directory == str(folder / "spill")
    assert settings.consent.path == "/absolute/consent.csv"


@pytest.mark.parametrize("section", sorted(sections()))
@given(key=st.from_regex(r"[a-z_]{1,20}", fullmatch=True))
def test_no_unknown_key_passes(section, key):
    if key in sections()[section].model_fields:
        return
    raw = CDNOW | {section: CDNOW.get(section, {}) | {key: 1}}
    with pytest.raises(ConfigError, match=rf"unknown key '{key}' in \[{section}\]"):
        parse(raw)


@pytest.mark.parametrize("section", sorted(sections()))
def test_a_misspelt_key_names_the_right_one(section):
    for key in sections()[section].model_fields:
        raw = CDNOW | {section: CDNOW.get(section, {}) | {key + "x": 1}}
        with pytest.raises(ConfigError, match=f"did you mean '{key}'"):
            parse(raw)


def test_every_problem_is_told_at_once():
    raw = CDNOW | {"economics": {"margin": 2, "horizon_months": 0}, "governance": {"refund": "net"}}
    with pytest.raises(ConfigError) as caught:
        parse(raw)
    for part in ("economics.margin", "economics.horizon_months", "unknown key 'refund'"):
        assert part in str(caught.value)


def test_the_zone_of_the_source_defaults_to_the_business():
    assert config.Calendar(time_zone="Asia/Tokyo").local_zone_of_source == "Asia/Tokyo"
    both = config.Calendar(time_zone="Asia/Tokyo", source_time_zone="UTC")
    assert both.local_zone_of_source == "UTC"


SOURCES = {
    "lifetimes": {"dataset": "CDNOW_sample"},
    "csv": {"path": "log.csv"},
    "excel": {"path": "log.xlsx"},
    "json": {"path": "log.jsonl"},
    "parquet": {"path": "log.parquet"},
    "duckdb": {"path": "log.duckdb", "table": "log"},
    "postgres": {"uri_env": "URI", "table": "log"},
    "uri": {"uri_env": "URI", "table": "log"},
    "spark": {"path": "log.csv", "format": "csv"},
}
READ_BY = {
    "preset": ("stripe", "csv json excel parquet duckdb postgres uri spark"),
    "dataset": ("CDNOW_master", "lifetimes"),
    "path": ("other", "csv json excel parquet duckdb spark"),
    "table": ("log", "duckdb postgres uri spark"),
    "uri_env": ("URI", "postgres uri"),
    "delimiter": (";", "csv spark"),
    "encoding": ("cp1252", "csv spark"),
    "null_values": (["-"], "csv json excel spark"),
    "sheets": (["a"], "excel"),
    "hive_partitioning": (True, "csv parquet"),
    "memory_limit": ("1GB", "lifetimes csv json excel parquet duckdb postgres uri"),
    "threads": (2, "lifetimes csv json excel parquet duckdb postgres uri"),
    "temp_directory": ("spill", "lifetimes csv json excel parquet duckdb postgres uri"),
    "format": ("orc", "spark"),
    "spark_options": ({"a": "b"}, "spark"),
}


def parsed(source: dict[str, object], **sections: dict[str, object]) -> Config:
    return parse({"name": "x", "source": source, "columns": {"amount": "value"}, **sections})


@pytest.mark.parametrize("kind", sorted(SOURCES))
@pytest.mark.parametrize(
    "key", sorted(set(config.Source.model_fields) - {"kind", "decimal", "minor_units"})
)
def test_a_key_of_the_source_has_an_effect_or_is_refused(key, kind):
    value, readers = READ_BY[key]
    needed = {"kind": kind, **SOURCES[kind]}
    if (kind, key) == ("spark", "table"):  # in place of a path
        assert parsed({"kind": kind, key: value})
    elif kind in readers.split():
        assert parsed(needed | {key: value})
    else:
        with pytest.raises(ConfigError, match=rf"source\.{key} has no effect on kind = '{kind}'"):
            parsed(needed | {key: value})


def test_what_reads_a_consent_file_has_an_effect_on_every_kind_that_reads_one():
    source = {"kind": "parquet", "path": "log.parquet", "delimiter": ";", "encoding": "cp1252"}
    consent = {"path": "consent.csv"}
    assert parsed(source, consent=consent, governance={"consent": "exclude"})
    assert parsed(source, consent=consent, governance={"consent": "ignore"})


def test_a_price_that_is_named_amount_is_told():
    columns = {"quantity": "Quantity", "price": "Price"}
    assert parse(CDNOW | {"columns": columns}).columns.amount is None
    with pytest.raises(ConfigError, match=r"'Price' is the price of one piece, name it price"):
        parse(CDNOW | {"columns": {"quantity": "Quantity", "amount": "Price"}})
