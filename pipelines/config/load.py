"""Configuration: one TOML file a business, read by pydantic and frozen.

Unknown keys are errors that name the nearest valid key; relative paths are taken from the
folder of the file that names them.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationError, computed_field, model_validator

from clvmodels.core.errors import ConfigError
from pipelines.config import presets
from pipelines.config.conflicts import conflicts, of_control
from pipelines.config.explain import NAMES_OF_SECRETS, explain
from pipelines.config.sections import (
    EARLIEST,
    LATEST,
    USUAL_DIMENSIONS,
    Acquisition,
    Attribution,
    Audience,
    Audiences,
    Backtest,
    Calendar,
    Columns,
    Consent,
    Control,
    Covariates,
    Currencies,
    Economics,
    Governance,
    Ledger,
    Monitoring,
    Name,
    Output,
    Plan,
    Rfm,
    Section,
    Source,
    Train,
    is_taken,
    nearest,
)
from pipelines.nesting import from_toml
from pipelines.redaction import holds_secret

__all__ = [
    "EARLIEST",
    "LATEST",
    "Acquisition",
    "Attribution",
    "Audience",
    "Backtest",
    "Calendar",
    "Columns",
    "Config",
    "Consent",
    "Control",
    "Covariates",
    "Currencies",
    "Economics",
    "Governance",
    "Ledger",
    "Log",
    "Monitoring",
    "Output",
    "Plan",
    "Rfm",
    "Source",
    "Terms",
    "Train",
    "load",
    "parse",
]


logger = logging.getLogger(__package__)

BESIDE = ("consent", "currencies", "attribution", "covariates", "plan", "control", "acquisition")
"""Sections that name a file of their own."""


@dataclass(frozen=True)
class Log:
    """How the log is read, and who may be in it: what the data plane is told of a business.

    Attributes
    ----------
    name : str
        Of the business.
    source : Source
    columns : Columns
    calendar : Calendar
    governance : Governance
    consent : Consent, optional
    currency : str
        That all amounts are told in.
    currencies : Currencies, optional
    attribution : Attribution, optional
    reports : Path
        Where the business's own reports are; an engine that is confined may write there.
    preset_keys : tuple of str
        Keys that the source's preset set.
    preset_notes : tuple of str
        What of the preset's columns the export calls otherwise, or lacks.
    """

    name: str
    source: Source
    columns: Columns
    calendar: Calendar
    governance: Governance
    consent: Consent | None
    currency: str
    currencies: Currencies | None
    attribution: Attribution | None
    reports: Path
    preset_keys: tuple[str, ...] = ()
    preset_notes: tuple[str, ...] = ()

    def of_header(self, names: Iterable[str]) -> Log:
        """Return the log with the preset's columns under the names that the source has for them."""
        found = presets.in_export(
            self.source, self.columns, self.governance, self.preset_keys, names
        )
        return replace(
            self,
            columns=found.columns,
            governance=found.governance,
            preset_notes=found.notes,
        )

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of all dimensions: of the log's columns, and the one that another table knows."""
        other = () if self.attribution is None else (self.attribution.dimension,)
        return (*self.columns.named_dimensions, *other)

    @property
    def beside(self) -> tuple[str, ...]:
        """Files that are read beside the log."""
        sections = (self.consent, self.attribution)
        return tuple(one.path for one in sections if one is not None and one.path is not None)


@dataclass(frozen=True)
class Terms:
    """What a report repeats of the configuration, as assumptions and in its words.

    Attributes
    ----------
    name : str
        Of the business.
    economics : Economics
    governance : Governance
    time_zone : str
        Decides which day a purchase is on.
    churn_horizon_days : int
        Churn is no purchase within so many days.
    covariates : tuple of str
        By month, that the business names.
    """

    name: str
    economics: Economics
    governance: Governance
    time_zone: str
    churn_horizon_days: int
    covariates: tuple[str, ...]


class Config(Section):
    """One business."""

    name: Name
    source: Source
    columns: Columns = Columns(amount="amount")
    consent: Consent | None = None
    currencies: Currencies | None = None
    attribution: Attribution | None = None
    covariates: Covariates = Covariates()
    plan: Plan | None = None
    control: Control | None = None
    acquisition: Acquisition | None = None
    calendar: Calendar = Calendar()
    economics: Economics = Economics()
    governance: Governance = Governance()
    train: Train = Train()
    backtest: Backtest = Backtest()
    ledger: Ledger = Ledger()
    monitoring: Monitoring = Monitoring()
    rfm: Rfm = Rfm()
    audiences: Audiences = Audiences()
    audience: dict[Name, Audience] = Field(default_factory=dict)
    output: Output = Output()
    _from_preset: tuple[str, ...] = PrivateAttr(())

    @computed_field  # type: ignore[prop-decorator]
    @property
    def from_preset(self) -> tuple[str, ...]:
        """Keys that the source's preset set; saved with the others."""
        return self._from_preset

    @property
    def log(self) -> Log:
        """What the data plane is told."""
        return Log(
            self.name,
            self.source,
            self.columns,
            self.calendar,
            self.governance,
            self.consent,
            self.economics.currency,
            self.currencies,
            self.attribution,
            Path(self.output.reports) / self.name,
            self.from_preset,
        )

    @property
    def terms(self) -> Terms:
        """What a report repeats."""
        return Terms(
            self.name,
            self.economics,
            self.governance,
            self.calendar.time_zone,
            self.train.churn_horizon_days,
            self.covariates.columns,
        )

    @model_validator(mode="after")
    def _covariates_have_a_use(self) -> Config:
        for name in self.covariates.by_cohort:
            if name not in self.log.dimensions:
                usual = name in USUAL_DIMENSIONS
                raise ValueError(
                    f"covariates.by_cohort names {name}, which [columns] does not map; add "
                    f'{name} = "..." {"there" if usual else "to [columns.dimensions]"}'
                )
        asked = self.covariates.columns or self.covariates.by_cohort or self.plan
        if asked and not self.train.cohort_level:
            raise ValueError("[covariates] and [plan] need [train] cohort_level = true")
        return self

    @model_validator(mode="after")
    def _attributes_once(self) -> Config:
        one = self.attribution
        if one is None:
            return self
        if one.dimension in self.columns.named_dimensions:
            raise ValueError(
                f"attribution.dimension: [columns] maps {one.dimension} too; take one of them out"
            )
        if one.dimension not in USUAL_DIMENSIONS and is_taken(one.dimension):
            raise ValueError(f"attribution.dimension: '{one.dimension}' is taken; choose another")
        if one.transaction_id is not None and self.columns.transaction_id is None:
            raise ValueError("attribution.transaction_id needs columns.transaction_id")
        return self

    @model_validator(mode="after")
    def _acquires_by_a_dimension(self) -> Config:
        if self.acquisition is None:
            return self
        name = self.acquisition.dimension
        if name not in self.log.dimensions:
            raise ValueError(
                f"acquisition.dimension is {name}, which neither [columns] nor [attribution] maps"
                f"{nearest(name, self.log.dimensions) if self.log.dimensions else ''}"
            )
        if self.economics.acquisition_cost is not None:
            raise ValueError(
                "economics.acquisition_cost is one CAC for everybody, and [acquisition] tells what "
                "each channel cost; take one of them out"
            )
        return self

    @model_validator(mode="after")
    def _says_nothing_in_vain(self) -> Config:
        found = [
            *conflicts(self.source, self.columns, self.consent, self.governance, self.currencies),
            *of_control(self.source, self.control),
        ]
        if found:
            raise ValueError("; ".join(found))
        return self


def load(path: str | Path) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    path : str or Path
        A TOML file.

    Raises
    ------
    ConfigError
        If the file is missing, is not TOML, or a key or value is not valid; the message names
        every offending key, and the nearest valid one where a key is unknown.
    """
    file = Path(path)
    raw = read_toml(file, "configuration file", "name one with --config")
    return parse(raw, where=str(file), base=file.parent)


def read_toml(file: Path, what: str, remedy: str) -> dict[str, Any]:
    """Read a TOML file that a person wrote.

    Raises
    ------
    ConfigError
        If it is missing (``what`` it is and the ``remedy`` are said), unreadable or no TOML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no {what} {file}; {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the {what} {file}: {error}") from None
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    logger.info("%s %a, sha256 %s...", what.removesuffix(" file"), str(file), digest)
    try:
        return from_toml(text)
    except ValueError as error:  # tomllib's own are ValueErrors, and it lets others through
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def parse(raw: dict[str, Any], where: str = "configuration", base: Path | None = None) -> Config:
    """Check a configuration given as nested dictionaries (see :func:`load`)."""
    told = [key for key, text in _texts(raw) if key not in NAMES_OF_SECRETS and holds_secret(text)]
    if told:
        raise ConfigError(
            f"{where}: {', '.join(told)} holds a password, token or key, which belongs in the "
            "environment and never in this file (it is not shown). Connections to databases go by "
            "source.uri_env, the name of a variable; those of Spark by its spark-defaults.conf"
        )
    merged, keys = presets.with_preset(raw)
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        of_columns = any(problem["loc"][:1] == ("columns",) for problem in error.errors())
        hint = presets.contradicted(merged, keys) if of_columns else []
        raise ConfigError(f"{where}: " + "; ".join([*explain(error, Config), *hint])) from None
    config._from_preset = keys
    return _with_absolute_source(config, base)


def _texts(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Return every text of nested dictionaries and lists, by the key that it stands under."""
    if isinstance(part, str):
        yield place, part
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _texts(value, f"{place}.{key}" if place else str(key))
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _texts(value, place)


def _with_absolute_source(config: Config, base: Path | None) -> Config:
    """Take relative paths from the folder of the configuration file."""
    if base is None:
        return config
    changed: dict[str, Any] = {}
    holding: dict[str, tuple[str, ...]] = {"source": ("path", "temp_directory")}
    holding |= dict.fromkeys(BESIDE, ("path",))
    for name, keys in holding.items():
        section = getattr(config, name)
        values = {key: getattr(section, key, None) for key in keys}
        paths = {
            key: str(base / value)
            for key, value in values.items()
            if value and "://" not in value and not Path(value).is_absolute()
        }
        if paths:
            changed[name] = section.model_copy(update=paths)
    return config.model_copy(update=changed)
