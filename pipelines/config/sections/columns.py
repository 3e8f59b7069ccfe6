"""`[columns]`: which of the source's columns means what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from clvmodels.core import schema
from pipelines.config.sections.base import Section

Part = Literal["tax", "shipping", "discount", "tip"]
PARTS: tuple[Part, ...] = ("tax", "shipping", "discount", "tip")
"""Parts of a price."""

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


_FEATURES = ("spend_", "gap_", "trend_", "purchases_", "bought_", "last_", "origin_", "clv_")
"""How columns begin that features of customers have."""


def is_taken(name: str) -> bool:
    """Whether columns of this package's own tables are called so."""
    tables = [table for table in vars(schema).values() if isinstance(table, schema.TableSchema)]
    own = {name for table in tables for name in table.names}
    lines = {"lines", "copies", "rows", "refunded", "reason", "sale", "mixed", "turned", "rate"}
    taken = (
        own
        | lines
        | set(Columns.model_fields)
        | {"bought", "gap", "age", "value", "dimension", "digest"}
    )
    return name in taken - set(USUAL_DIMENSIONS) or name.startswith(_FEATURES)
