"""`[source]`: where the transactions are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.sections.base import Section, Variable
from pipelines.redaction import SECRET_NAME, assigns_secret, holds_secret

PresetName = Literal["shopify", "woocommerce", "stripe", "square", "magento"]
"""Exports whose columns are known."""


class Source(Section):
    """Where the transactions are."""

    kind: Literal[
        "lifetimes", "csv", "json", "excel", "parquet", "duckdb", "postgres", "spark", "uri"
    ]
    preset: PresetName | None = Field(
        None, description="a known shop's export: keys that are not set are of it"
    )
    dataset: Literal["CDNOW_master", "CDNOW_sample"] | None = Field(
        None, description="of the lifetimes package"
    )
    path: str | None = Field(None, description="file, folder or pattern")
    table: str | None = Field(None, description="table or view; schema.table outside the default")
    uri_env: Variable | None = Field(
        None, description="name of the environment variable that holds the connection URI"
    )
    delimiter: str | None = Field(None, min_length=1, description="of CSV; None: from the header")
    encoding: str = Field("utf-8", description="of CSV; any name that Python knows")
    decimal: Literal[".", ","] = Field(".", description="decimal mark of amounts kept as text")
    minor_units: bool = Field(
        False, description="all money is in hundredths, such as cents kept as whole numbers"
    )
    null_values: tuple[str, ...] = Field(
        ("", "NULL", "null", "NaN", "nan", "None"),
        description="texts of CSV and workbooks that mean no value",
    )
    sheets: tuple[str, ...] = Field(
        (), description="of workbooks; by default those that are visible"
    )
    hive_partitioning: bool = Field(
        False, description="of CSV and Parquet: folders named key=value are columns"
    )
    memory_limit: str | None = Field(
        None, pattern=r"(?i)^\d+(\.\d+)? ?[KMGT]i?B$", description="DuckDB's, e.g. '4GB'"
    )
    threads: int | None = Field(None, ge=1, description="DuckDB's")
    format: str = Field("parquet", description="of the files that Spark reads at path")
    spark_options: dict[str, str] = Field({}, description="for a Spark session that clv starts")
    temp_directory: str | None = Field(None, description="where DuckDB spills what memory lacks")

    @model_validator(mode="after")
    def _names_what_its_kind_needs(self) -> Source:
        needs = {
            "lifetimes": ("dataset",),
            "csv": ("path",),
            "json": ("path",),
            "excel": ("path",),
            "parquet": ("path",),
            "duckdb": ("path", "table"),
            "postgres": ("uri_env", "table"),
            "spark": (),
            "uri": ("uri_env", "table"),
        }[self.kind]
        missing = [key for key in needs if getattr(self, key) is None]
        if missing:
            raise ValueError(f"kind = '{self.kind}' also needs {' and '.join(missing)}")
        if self.kind == "spark" and (self.path is None) == (self.table is None):
            raise ValueError("kind = 'spark' needs either path or table")
        secret = [
            key
            for key, value in self.spark_options.items()
            if SECRET_NAME.search(key) or holds_secret(value) or assigns_secret(value)
        ]
        if secret:
            raise ValueError(
                f"spark_options names {', '.join(secret)}; secrets belong in the environment or in "
                "Spark's own spark-defaults.conf, never in this file"
            )
        return self
