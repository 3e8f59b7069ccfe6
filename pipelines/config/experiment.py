"""One experiment: a TOML file of its own beside the business's, read alike."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from clvmodels.core.errors import ConfigError
from pipelines.config.explain import explain
from pipelines.config.load import read_toml
from pipelines.config.sections import Name, Section, nearest

Metric = Literal["margin", "revenue", "orders", "purchases", "retention", "repeat", "clv"]


class Assignment(Section):
    """Who was given which arm, and when: one row a customer."""

    path: str = Field(description="CSV, workbook or Parquet, relative to the experiment's file")
    customer_id: str = Field("customer_id", description="its column of customers, as in the log")
    time: str = Field("time", description="its column of days or times; a time is of its day")
    date_format: str | None = Field(None, description="as columns.date_format")
    outcomes: tuple[str, ...] = Field(
        (),
        description="its columns of numbers that are judged too: visits, opens",
    )


class Arm(Section):
    """One arm, or level of a factor."""

    share: float = Field(1.0, gt=0, le=1e6, description="of the customers, beside the other arms")
    cost_per_customer: float = Field(0.0, ge=0, description="of campaign, in currency")
    fixed_cost: float = Field(0.0, ge=0, description="of campaign, spread over the arm's customers")


class Factor(Section):
    """What is varied: a column of the assignment table."""

    control: str = Field(description="the arm that others are compared with")
    arms: dict[str, Arm] = Field({}, description="all arms; by default those of the table")

    def arm(self, name: str) -> Arm:
        """Return what is said of an arm; the defaults of one that is not named."""
        return self.arms.get(name, Arm())

    @property
    def named(self) -> tuple[str, ...]:
        """Arms that the file names, the control first; none where it names none."""
        if not self.arms:
            return ()
        return (self.control, *(name for name in self.arms if name != self.control))


class Ahead(Section):
    """What an experiment shall be able to find, before it starts."""

    effect: float | None = Field(None, description="on the core metric per customer, in its unit")
    lift: float | None = Field(None, description="in place of effect: share of the metric's mean")
    power: float = Field(0.8, gt=0.5, lt=1, description="probability that it is found")
    enrol: Literal["known", "new"] = Field(
        "known", description="customers known already, all at once, or new ones as they come"
    )

    @model_validator(mode="after")
    def _wishes_one_thing(self) -> Ahead:
        if (self.effect is None) == (self.lift is None):
            raise ValueError("needs either effect or lift")
        if not (self.effect or self.lift):
            raise ValueError("an effect of 0 needs no experiment; name the least that matters")
        return self


class Experiment(Section):
    """What is tried, on whom, and what it is judged by."""

    name: Name
    question: str = Field("", description="what it is to find out")
    learned: str = Field("", description="what was learned, once it is")
    window_days: int = Field(14, ge=1, le=730, description="days, that of assignment the first")
    metrics: tuple[Metric, ...] = Field(
        ("margin", "revenue", "purchases", "retention", "clv"), min_length=1
    )
    core_metric: str = Field("margin", description="the one that decides")
    alpha: float = Field(0.05, ge=0.0001, le=0.3, description="false alarms in all comparisons")
    seed: int = Field(20260101, ge=0, description="of the bootstrap")
    assignment: Assignment | None = None
    factors: dict[str, Factor] = Field(description="one or two columns of the assignment table")
    plan: Ahead | None = None

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> Experiment:
        if len(self.factors) not in (1, 2):
            raise ValueError(f"one factor or two can be read; found {len(self.factors)}")
        told = (*self.metrics, *self.outcomes)
        if self.core_metric not in told:
            close = nearest(self.core_metric, told)
            raise ValueError(f"core_metric '{self.core_metric}' is none of the metrics{close}")
        table = self.assignment
        taken = () if table is None else (table.customer_id, table.time, *self.factors)
        names = [*self.outcomes, *typing.get_args(Metric), *taken]
        twice = [name for name in self.outcomes if names.count(name) > 1]
        if twice or len(set(self.metrics)) < len(self.metrics):
            one = twice[0] if twice else max(self.metrics, key=self.metrics.count)
            raise ValueError(f"metrics and assignment.outcomes: '{one}' is named twice")
        return self

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Columns of the assignment table that are judged too."""
        return () if self.assignment is None else self.assignment.outcomes


def load_experiment(path: str | Path) -> Experiment:
    """Read and check the file of one experiment.

    Raises
    ------
    ConfigError
        If it is missing, is not TOML, or a key or value is not valid; the message names every
        offending key, and the nearest valid one where a key is unknown.
    """
    file = Path(path)
    raw = read_toml(file, "experiment file", "name the TOML file that describes the experiment")
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(f"{file}: " + "; ".join(explain(error, Experiment))) from None
    table = experiment.assignment
    if table is None or Path(table.path).is_absolute():
        return experiment
    moved = table.model_copy(update={"path": str(file.parent / table.path)})
    return experiment.model_copy(update={"assignment": moved})
