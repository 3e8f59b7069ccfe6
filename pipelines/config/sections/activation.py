"""What customers are grouped by, for those who talk to them: RFM scores and segments."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from clvmodels.activation import conditions, rfm_segments
from clvmodels.activation.rfm_segments import RfmSegments
from clvmodels.activation.scores import SCORES
from pipelines.config.sections.base import Section

Ends = tuple[int, int]
SegmentName = Annotated[str, Field(pattern=r"^[^\W_][\w .,'&-]{0,39}$")]
"""Begins with a letter or a digit: no spreadsheet takes it for a formula."""

Reason = Annotated[str, Field(pattern=r"^[^=+@\s\x00-\x1f-][^\x00-\x1f]*$")]
"""One line that no spreadsheet takes for a formula."""


class RfmBox(Section):
    """A part of an RFM segment: all scores between ends."""

    name: SegmentName
    r: Ends = rfm_segments.ANY
    f: Ends = rfm_segments.ANY
    m: Ends = rfm_segments.ANY


class Rfm(Section):
    """RFM scores from 1 to 5, and the segments that they make."""

    monetary: Literal["total", "mean"] = Field(
        "total", description="m scores the spend to date, or the mean value of a purchase"
    )
    recency_limits: tuple[float, ...] | None = Field(
        None,
        description="four rising numbers of days since the last purchase: r is 5 up to the first, "
        "1 beyond the last; None: fifths of the customers",
    )
    frequency_limits: tuple[float, ...] | None = Field(
        None,
        description="four rising numbers of repeat purchases: f is 1 up to the first, 5 beyond the "
        "last; None: fifths",
    )
    monetary_limits: tuple[float, ...] | None = Field(
        None, description="four rising amounts: m is 1 up to the first; None: fifths"
    )
    segments: tuple[RfmBox, ...] = Field(
        (),
        description="boxes of scores {name, r = [1, 5], f = [1, 5], m = [1, 5]}, best segment "
        "first, that hold every combination once; none: the table of docs/activation.md",
    )

    @field_validator("recency_limits", "frequency_limits", "monetary_limits")
    @classmethod
    def _rise(cls, limits: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if limits is None:
            return None
        rising = all(low < high for low, high in itertools.pairwise(limits))
        if len(limits) != SCORES - 1 or not rising:
            raise ValueError(
                f"expected {SCORES - 1} numbers, each greater than the one before: the limits "
                f"between {SCORES} scores"
            )
        return limits

    @model_validator(mode="after")
    def _holds_every_combination_once(self) -> Rfm:
        _ = self.table
        return self

    @property
    def table(self) -> RfmSegments:
        """The segments, checked."""
        boxes = [rfm_segments.RfmBox(box.name, box.r, box.f, box.m) for box in self.segments]
        return rfm_segments.rfm_segments(boxes)

    @property
    def monetary_column(self) -> str:
        """What m scores, as :func:`pipelines.data.features.churn.churn_features` calls it."""
        return {"total": "spend_total", "mean": "spend_mean"}[self.monetary]


class Condition(Section):
    """What a column of the customer forecast must hold."""

    column: str = Field(description="of customers.parquet, or made of it: docs/activation.md")
    at_least: float | None = None
    at_most: float | None = None
    one_of: tuple[str | float, ...] | None = Field(None, alias="in")
    top_share: float | None = Field(None, gt=0, le=1)
    missing: bool = False

    @model_validator(mode="after")
    def _asks_for_something(self) -> Condition:
        ends = (self.at_least, self.at_most)
        if all(one is None for one in (*ends, self.one_of, self.top_share)):
            raise ValueError("needs at_least, at_most, in or top_share")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(
                f"at_least ({self.at_least}) lies above at_most ({self.at_most}): nobody meets it"
            )
        return self

    @property
    def plain(self) -> conditions.Condition:
        """The same, as it is evaluated."""
        return conditions.Condition(**self.model_dump())


class Audience(Section):
    """Customers to talk to, for a reason."""

    reason: Reason = Field(description="why they are talked to, in one line; stands in every row")
    where: tuple[Condition, ...] = Field(
        min_length=1,
        description="conditions {column, at_least, at_most, in, top_share, missing}, all to be met",
    )


class Audiences(Section):
    """What `clv audiences` writes."""

    builtin: bool = Field(True, description="write the built-in audiences beside your own")
    columns: tuple[str, ...] = Field(
        ("tier", "rfm_segment", "clv", "expected_revenue", "probability_alive", "days_since_last"),
        description="of the customer forecast, after customer_id, audience, reason and change",
    )
