"""Tables beside the log: consent, attribution, covariates, plan, another system's totals."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipelines.config.sections.base import Section, nearest
from pipelines.config.sections.columns import DimensionName


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


class Acquisition(Section):
    """What was spent on customers, by month and channel: CAC, LTV against it, and the payback."""

    path: str = Field(description="CSV, workbook or Parquet, one row a month, channel and purpose")
    period: str = Field("period", description="column of the month, as 2021-03 or 2021-03-01")
    channel: str = Field("channel", description="column of the dimension's values")
    amount: str = Field("amount", description="column of the money spent, in economics.currency")
    purpose: str = Field(
        "purpose", description="column: acquisition (CAC), engagement, retention or brand"
    )
    customers: str | None = Field(
        None, description="column of customers won, as another system counts them"
    )
    currency: str = Field("currency", description="column of the currency, where there is one")
    dimension: DimensionName = Field(
        "channel", description="dimension of first purchases that the spend is by"
    )
    ltv_months: int = Field(12, ge=0, le=120, description="age at which LTV is set against CAC")
    wished_ratio: float = Field(3.0, gt=0, description="LTV : CAC; the highest CAC for it is told")
    wished_payback: int = Field(
        12, ge=0, le=120, description="age in months by which CAC shall be repaid; likewise"
    )


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
