"""What a run does: what is fitted, how the past is replayed, where results go."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field, model_validator

from pipelines.config.sections.base import Section, Variable


class Train(Section):
    """What is fitted."""

    engine: Literal["own", "lifetimes"] = "own"
    transaction_model: Literal["auto", "bgnbd", "mbgnbd", "pareto_nbd", "bgcnbd", "mbgcnbd"] = (
        Field("auto", description="auto: the one that tells customers apart best on an earlier day")
    )
    spend_from: Literal["all", "repeat"] = Field(
        "all", description="whether the first purchase says something about the value of later ones"
    )
    by_segment: bool = Field(
        True,
        description="let the customers' channel, category and other dimensions act in the customer "
        "models where an earlier day of the log shows that they tell customers apart",
    )
    cohort_level: bool = Field(
        True, description="level and season from the cohort forecast; false: customer models alone"
    )
    churn_horizon_days: int = Field(90, ge=7, le=730)
    churn_from: Literal["best", "classifier", "purchase_model"] = Field(
        "best",
        description="whose churn probability is delivered; best: the classifier's where past "
        "origins show it closer than the purchase model's",
    )
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


class Ledger(Section):
    """Where every forecast that is delivered is recorded, and what came true."""

    uri_env: Variable | None = Field(
        None,
        description="environment variable with the URI of a database for it; by default it is "
        "ledger.duckdb beside the reports",
    )


class Monitoring(Section):
    """How delivered forecasts are judged once their months have ended."""

    months: int = Field(
        6, ge=2, le=36, description="ended months, the latest ones, by which a bias is found"
    )
    fail_on: tuple[Literal["bias", "outside"], ...] = Field(
        (),
        description="what ends clv refresh with exit code 1: errors of one side month after month; "
        "two months in a row outside the 90 % interval, or one far outside",
    )


class Output(Section):
    """Where results go."""

    models: str = Field("models", description="folder, relative to where clv runs")
    reports: str = Field("reports", description="folder, relative to where clv runs")
