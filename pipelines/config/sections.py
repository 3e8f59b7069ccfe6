"""The sections of a configuration: their keys, defaults and what must hold between them."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from clvmodels.core import schema
from pipelines.redaction import SECRET_NAME, assigns_secret, holds_secret


def _variable(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value):
        raise ValueError(
            "takes the name of an environment variable (such as CLV_DATABASE), not the secret "
            "itself; what was found may be one and is not shown. Put it into that variable, and "
            "change it if others may have read this file"
        )
    return value


Variable = Annotated[str, AfterValidator(_variable)]
"""Name of an environment variable that holds a secret."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]

Part = Literal["tax", "shipping", "discount", "tip"]
PARTS: tuple[Part, ...] = ("tax", "shipping", "discount", "tip")
"""Parts of a price."""

PresetName = Literal["shopify", "woocommerce", "stripe", "square", "magento"]
"""Exports whose columns are known."""

DATE_FORMS = (
    "ymd",
    "dmy",
    "mdy",
    "day_name",
    "name_day",
    "yyyymmdd",
    "year_month",
    "month_year",
    "iso_week",
    "excel",
    "epoch",
    "epoch_ms",
)
"""Forms of days that a configuration may name."""

USUAL_DIMENSIONS = ("channel", "product_category", "country")
"""Dimensions that have keys of their own."""

DimensionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

EARLIEST = dt.date(1700, 1, 1)
LATEST = dt.date(2200, 12, 31)
"""Days that a configuration or a command may name; arithmetic a century around them is safe."""


class Section(BaseModel):
    """A part of the configuration: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(Section):
    """Where the transactions are."""

    kind: Literal["lifetimes", "csv", "excel", "parquet", "duckdb", "postgres", "spark", "uri"]
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


class Columns(Section):
    """Which of the source's columns means what."""

    customer_id: str = "customer_id"
    fold_ids: bool = Field(
        False, description="ids that differ only in case or white space are one customer"
    )
    timestamp: str = "timestamp"
    amount: str | None = Field(None, description="value of the whole line")
    order_total: str | None = Field(
        None, description="in place of amount: value of the whole order, on one or on all its lines"
    )
    quantity: str | None = Field(None, description="of pieces; goes with price, never with amount")
    price: str | None = Field(None, description="of one piece: amount = quantity x price")
    date_format: str | None = Field(
        None,
        description="of dates kept as text or numbers: a strptime format, or one of the forms of "
        "docs/data.md (dmy, mdy, excel, epoch, iso_week, ...); by default told by the whole column",
    )
    transaction_id: str | None = Field(None, description="order or invoice that a line is of")
    product_code: str | None = Field(None, description="what governance.non_product_codes match")
    currency: str | None = Field(None, description="of the line's amounts; see [currencies]")
    refunded: str | None = Field(None, description="what was paid back of the line or order")
    refunded_at: str | None = Field(
        None, description="when it was paid back; by default on the day of the order"
    )
    tax: str | None = Field(None, description="part of a price; see governance.amount_includes")
    shipping: str | None = Field(None, description="part of a price, as tax")
    discount: str | None = Field(None, description="part of a price, as tax; its sign is ignored")
    tip: str | None = Field(None, description="part of a price, as tax")
    margin: str | None = Field(None, description="gross margin of the line, in currency")
    cost: str | None = Field(
        None, description="in place of margin: cost of the goods of the line, in currency"
    )
    channel: str | None = Field(None, description="a dimension: of sales or of acquisition")
    product_category: str | None = Field(None, description="a dimension: what was bought")
    country: str | None = Field(None, description="a dimension: where to")
    dimensions: dict[DimensionName, str] = Field(
        {}, description="further dimensions, name = column: class, platform, company size, ..."
    )
    consent: str | None = None

    @property
    def named_dimensions(self) -> dict[str, str]:
        """Every dimension and its column: channel, category and country first."""
        usual = {name: getattr(self, name) for name in USUAL_DIMENSIONS}
        return {name: column for name, column in usual.items() if column} | self.dimensions

    @property
    def parts(self) -> dict[str, str]:
        """Parts of a price that have a column of their own."""
        return {part: name for part in PARTS if (name := getattr(self, part)) is not None}

    @field_validator("date_format")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and "%" not in value and value not in DATE_FORMS:
            raise ValueError(
                f"expected a strptime format such as '%d/%m/%Y', or one of {', '.join(DATE_FORMS)}"
            )
        return value

    @model_validator(mode="after")
    def _has_an_amount(self) -> Columns:
        product = self.quantity is not None and self.price is not None
        whole = [key for key in ("amount", "order_total") if getattr(self, key) is not None]
        if not whole and not product:
            raise ValueError("name either amount, or both quantity and price, or order_total")
        if len(whole) > 1:
            raise ValueError(
                "name either amount, the value of a line, or order_total, that of a whole order"
            )
        for key in whole:
            if self.price is not None:
                raise ValueError(f"name either {key} or price, not both")
            if self.quantity is not None:
                raise ValueError(
                    f"{key} and quantity are both named, and {'an amount' * (key == 'amount')}"
                    f"{'a total' * (key != 'amount')} is the value of a whole "
                    f"{'line' if key == 'amount' else 'order'}, whatever its quantity. Where "
                    f"'{getattr(self, key)}' is the price of one piece, name it price in place of "
                    f"{key}; otherwise take quantity out"
                )
        return self

    @model_validator(mode="after")
    def _has_what_others_need(self) -> Columns:
        for key, needed in (("order_total", "transaction_id"), ("refunded_at", "refunded")):
            if getattr(self, key) is not None and getattr(self, needed) is None:
                raise ValueError(f"{key} needs {needed}; name that column too")
        if self.margin is not None and self.cost is not None:
            raise ValueError("name either margin or cost; one follows from the other")
        for name in self.dimensions:
            if name in USUAL_DIMENSIONS:
                raise ValueError(
                    f"dimensions names {name}, which is a key of its own: write {name} = "
                    f"'{self.dimensions[name]}' in [columns]"
                )
            if is_taken(name):
                raise ValueError(
                    f"dimensions names '{name}', which tables of clv call something else; choose "
                    "another name for it"
                )
        return self


class Currencies(Section):
    """What becomes of amounts in several currencies; the report's is economics.currency."""

    rates: dict[str, Annotated[float, Field(gt=0, lt=1e12)]] = Field(
        {}, description="value of one unit of each other currency, for all of the time"
    )
    path: str | None = Field(
        None, description="CSV, workbook or Parquet with a rate for each month and currency"
    )
    period: str = Field("period", description="its column of the month, as 2021-03 or 2021-03-01")
    only: bool = Field(
        False, description="lines in other currencies are set aside, counted by currency"
    )
    converted: bool = Field(
        False, description="amounts are in economics.currency already, whatever the column says"
    )

    @model_validator(mode="after")
    def _goes_one_way(self) -> Currencies:
        ways = {
            "rates": bool(self.rates),
            "path": self.path is not None,
            "only": self.only,
            "converted": self.converted,
        }
        named = [key for key, given in ways.items() if given]
        if len(named) != 1:
            found = " and ".join(named) or "none"
            raise ValueError(f"needs exactly one of {', '.join(ways)}; {found} of them is set")
        if self.path is None and self.period != Currencies.model_fields["period"].default:
            raise ValueError("period is a column of the file at path; set path too")
        return self


_FEATURES = ("spend_", "gap_", "trend_", "purchases_", "bought_", "last_", "origin_", "clv_")
"""How columns begin that features of customers have."""


def is_taken(name: str) -> bool:
    """Whether columns of this package's own tables are called so."""
    tables = [table for table in vars(schema).values() if isinstance(table, schema.TableSchema)]
    own = {name for table in tables for name in table.names}
    lines = {"lines", "copies", "rows", "refunded", "reason", "sale", "mixed", "turned", "rate"}
    taken = own | lines | set(Columns.model_fields) | {"bought", "gap", "age", "value", "dimension"}
    return name in taken - set(USUAL_DIMENSIONS) or name.startswith(_FEATURES)


class Consent(Section):
    """A log of grants and withdrawals, where consent is not a column of the transactions."""

    path: str | None = Field(
        None, description="CSV, workbook or Parquet, for sources that are files"
    )
    table: str | None = Field(None, description="for sources that are databases")
    customer_id: str = "customer_id"
    timestamp: str = "timestamp"
    granted: str = "granted"

    @model_validator(mode="after")
    def _is_somewhere(self) -> Consent:
        if (self.path is None) == (self.table is None):
            raise ValueError("needs either path or table")
        return self


class Attribution(Section):
    """A dimension that another table knows: the channel of a customer or of an order."""

    path: str | None = Field(
        None, description="CSV, workbook or Parquet, for sources that are files"
    )
    table: str | None = Field(None, description="for sources that are databases")
    customer_id: str | None = Field(None, description="its column of customers, or ...")
    transaction_id: str | None = Field(None, description="... its column of orders")
    value: str = Field("channel", description="its column of what is known of them")
    dimension: DimensionName = Field("channel", description="name of the dimension")

    @model_validator(mode="after")
    def _is_somewhere(self) -> Attribution:
        if (self.path is None) == (self.table is None):
            raise ValueError("needs either path or table")
        if (self.customer_id is None) == (self.transaction_id is None):
            raise ValueError("needs either customer_id or transaction_id, a column of its table")
        return self


class Covariates(Section):
    """Drivers of purchases that the log does not hold, and dimensions that tell cohorts apart."""

    path: str | None = Field(
        None,
        description="CSV, workbook or Parquet, one row a month, planned ones too",
    )
    period: str = Field("period", description="column of the month, as 2021-03 or 2021-03-01")
    columns: tuple[str, ...] = Field((), description="columns of numbers: the drivers by month")
    log: tuple[str, ...] = Field(
        (), description="of these, those whose logarithm counts (spend, price): elasticities"
    )
    by_cohort: tuple[str, ...] = Field(
        (), description="dimensions whose mix at first purchase may tell cohorts apart"
    )

    @model_validator(mode="after")
    def _is_complete(self) -> Covariates:
        if (self.path is None) != (not self.columns):
            raise ValueError("path and columns go together; set both or neither")
        if self.path is None and self.period != Covariates.model_fields["period"].default:
            raise ValueError("period is a column of the file at path; set path and columns too")
        for name in self.log:
            if name not in self.columns:
                raise ValueError(f"log names '{name}'{nearest(name, self.columns)}")
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated or self.period in self.columns:
            raise ValueError(f"columns names '{(repeated or [self.period])[0]}' twice")
        return self


class Plan(Section):
    """New customers that the business plans to win, for the budget view."""

    path: str = Field(description="CSV, workbook or Parquet, one row a month")
    period: str = Field("period", description="column of the month, as 2021-03 or 2021-03-01")
    new_customers: str = Field("new_customers", description="column of their number")


class Control(Section):
    """Monthly totals of another system (CRM, billing, the books) that the log is held against."""

    path: str | None = Field(None, description="CSV, workbook or Parquet, one row a month")
    table: str | None = Field(None, description="beside the log's, for sources that are databases")
    period: str = Field("period", description="column of the month, as 2021-03 or 2021-03-01")
    amount: str = Field("amount", description="column of the month's revenue, net of refunds")
    max_difference_share: float = Field(
        0.01, ge=0, description="of a month's amount, by which the log may differ"
    )

    @model_validator(mode="after")
    def _is_somewhere(self) -> Control:
        if (self.path is None) == (self.table is None):
            raise ValueError("needs either path or table")
        return self


class Calendar(Section):
    """What a day is."""

    time_zone: str = Field("UTC", description="the business's; a day begins at its midnight")
    source_time_zone: str | None = Field(
        None, description="of timestamps without a zone; None: they are local already"
    )
    earliest: dt.date = Field(
        dt.date(1970, 1, 1), ge=EARLIEST, description="a date before it is a bad date"
    )
    latest: dt.date | None = Field(
        None, le=LATEST, description="a date after it is bad; None: tomorrow"
    )

    @model_validator(mode="after")
    def _has_days(self) -> Calendar:
        if self.latest is not None and self.latest < self.earliest:
            raise ValueError(
                f"latest ({self.latest}) lies before earliest ({self.earliest}); every day would "
                "be a bad date"
            )
        return self

    @property
    def local_zone_of_source(self) -> str:
        """The zone of timestamps that carry none."""
        return self.source_time_zone or self.time_zone

    @field_validator("time_zone", "source_time_zone")
    @classmethod
    def _exists(cls, value: str | None) -> str | None:
        if value is not None and value not in zoneinfo.available_timezones():
            raise ValueError(
                f"unknown time zone '{value}'{nearest(value, zoneinfo.available_timezones())}"
            )
        return value


class Economics(Section):
    """The assumptions that turn purchases into money; every one is printed in the report."""

    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="three letters (ISO 4217)")
    margin: float = Field(
        0.3,
        ge=0,
        le=1,
        description="gross margin as a share of revenue, unless [columns] margin records it",
    )
    cost_to_serve: float = Field(0.0, ge=0, description="cost of serving one purchase, in currency")
    annual_discount_rate: float = Field(0.1, ge=0, lt=10, description="of future margins")
    horizon_months: int = Field(12, ge=1, le=120, description="how far forecasts reach")
    acquisition_cost: float | None = Field(None, ge=0, description="CAC, in currency a customer")


class Governance(Section):
    """What may be used."""

    refunds: Literal["net", "drop", "reject"] = Field("net", description="negative amounts")
    zero_value: Literal["keep", "drop"] = Field("keep", description="lines with an amount of 0")
    duplicates: Literal["keep", "drop"] = Field("keep", description="lines equal in every column")
    non_product_codes: tuple[str, ...] = Field(
        (), description="product codes that are no purchase (postage, fees), case ignored"
    )
    keep: dict[str, tuple[str, ...]] = Field(
        {}, description="column = values: lines of any other value are no sale (statuses, tests)"
    )
    refund_rows: dict[str, tuple[str, ...]] = Field(
        {}, description="column = values: lines of such a value are refunds, whatever their sign"
    )
    amount_includes: tuple[Part, ...] | None = Field(
        None, description="parts of a price that the amounts of the source hold"
    )
    revenue_includes: tuple[Part, ...] | None = Field(
        None, description="parts that shall count as revenue; by default as in the source"
    )
    max_equal_line_share: float = Field(
        0.9,
        ge=0,
        le=1,
        description="of orders of several lines, those whose lines all carry one amount",
    )
    consent: Literal["ignore", "exclude", "aggregate_only"] = Field(
        "ignore", description="what becomes of customers who did not consent"
    )
    retention_days: int | None = Field(None, ge=1, le=36525, description="older rows are not used")
    pseudonym_key_env: Variable | None = Field(
        None, description="environment variable with the key of pseudonyms for ids in outputs"
    )
    max_missing_id_share: float = Field(0.3, ge=0, le=1, description="of rows without an id")
    max_bad_row_share: float = Field(0.05, ge=0, le=1, description="of rows that cannot be read")
    max_unread_money_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="of money that unread rows may hold; None: max_bad_row_share",
    )
    max_stale_days: int | None = Field(None, ge=0, description="days from last purchase to as-of")
    max_shrink_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="of the rows and customers of the model in use, that may be gone",
    )

    @property
    def unread_money_limit(self) -> float:
        """Share of the money that rows which cannot be read may hold."""
        if self.max_unread_money_share is None:
            return self.max_bad_row_share
        return self.max_unread_money_share

    @property
    def totals_only_for_some(self) -> bool:
        """Whether customers without consent count in totals and are never scored alone."""
        return self.consent == "aggregate_only"


class Train(Section):
    """What is fitted."""

    engine: Literal["own", "lifetimes"] = "own"
    transaction_model: Literal["auto", "bgnbd", "mbgnbd", "pareto_nbd", "bgcnbd", "mbgcnbd"] = (
        Field("auto", description="auto: the one that tells customers apart best on an earlier day")
    )
    spend_from: Literal["all", "repeat"] = Field(
        "all", description="whether the first purchase says something about the value of later ones"
    )
    cohort_level: bool = Field(
        True, description="level and season from the cohort forecast; false: customer models alone"
    )
    churn_horizon_days: int = Field(90, ge=7, le=730)
    seed: int = Field(20260101, ge=0)

    @model_validator(mode="after")
    def _of_what_the_engine_has(self) -> Train:
        if self.engine == "lifetimes" and self.transaction_model in ("bgcnbd", "mbgcnbd"):
            raise ValueError(
                f"the lifetimes package has no {self.transaction_model}; leave engine out, or name "
                "another transaction_model"
            )
        return self


class Backtest(Section):
    """How the past is replayed."""

    origins: tuple[dt.date, ...] = Field((), description="as-of dates; empty: chosen from the log")
    max_origins: int = Field(6, ge=1, le=60)
    jobs: int = Field(-1, description="processes; -1 for all cores")


class Output(Section):
    """Where results go."""

    models: str = Field("models", description="folder, relative to where clv runs")
    reports: str = Field("reports", description="folder, relative to where clv runs")


def nearest(given: str, valid: Iterable[str]) -> str:
    """Return the end of a message about a name that is not valid: the nearest that is, or all."""
    options = list(valid)
    close = difflib.get_close_matches(given, options, n=1, cutoff=0.5)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; valid: {', '.join(options)}" if len(options) <= 20 else ""
