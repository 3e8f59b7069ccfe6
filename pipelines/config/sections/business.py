"""What the business says of itself: its calendar, its money, and what may be used."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from pipelines.config.sections.base import EARLIEST, LATEST, Section, Variable, nearest
from pipelines.config.sections.columns import Part


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
    cycle: Literal["month", "quarter", "year"] = Field(
        "month", description="of ARPU, churn and lifespan"
    )


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
