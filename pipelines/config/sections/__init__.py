"""The sections of a configuration: their keys, defaults and what must hold between them."""

from pipelines.config.sections.activation import Audience, Audiences, Rfm, RfmBox
from pipelines.config.sections.base import EARLIEST, LATEST, Name, Section, Variable, nearest
from pipelines.config.sections.beside import (
    Acquisition,
    Attribution,
    Consent,
    Control,
    Covariates,
    Plan,
)
from pipelines.config.sections.business import Calendar, Currencies, Economics, Governance
from pipelines.config.sections.columns import (
    DATE_FORMS,
    PARTS,
    USUAL_DIMENSIONS,
    Columns,
    DimensionName,
    Part,
    is_taken,
)
from pipelines.config.sections.run import Backtest, Ledger, Monitoring, Output, Train
from pipelines.config.sections.source import PresetName, Source

__all__ = [
    "DATE_FORMS",
    "EARLIEST",
    "LATEST",
    "PARTS",
    "USUAL_DIMENSIONS",
    "Acquisition",
    "Attribution",
    "Audience",
    "Audiences",
    "Backtest",
    "Calendar",
    "Columns",
    "Consent",
    "Control",
    "Covariates",
    "Currencies",
    "DimensionName",
    "Economics",
    "Governance",
    "Ledger",
    "Monitoring",
    "Name",
    "Output",
    "Part",
    "Plan",
    "PresetName",
    "Rfm",
    "RfmBox",
    "Section",
    "Source",
    "Train",
    "Variable",
    "is_taken",
    "nearest",
]
