"""What a table is: columns with name, kind, unit and limits, and the types that follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clvmodels.core.errors import MissingColumnError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["string", "integer", "number", "date", "timestamp", "boolean"]

PANDAS: dict[Kind, str] = {
    "string": "str",
    "integer": "int64",
    "number": "float64",
    "date": "datetime64[s]",
    "timestamp": "datetime64[us]",
    "boolean": "bool",
}


@dataclass(frozen=True)
class ColumnSchema:
    """One column.

    Attributes
    ----------
    name : str
    kind : {'string', 'integer', 'number', 'date', 'timestamp', 'boolean'}
    meaning : str
    unit : str
        Of a number; the currency is the configuration's.
    required : bool
        Whether the table may not do without it. Values of an optional one may be missing.
    key : bool
        One of the columns that tell rows apart: together they never repeat, and none is missing.
    least, most : float, optional
        Ends of the values, both allowed.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    required: bool = True
    key: bool = False
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class TableSchema:
    """One table: its name and columns, in the order in which files hold them."""

    name: str
    columns: tuple[ColumnSchema, ...]

    @property
    def required(self) -> list[str]:
        """Names of the columns that must be there."""
        return [column.name for column in self.columns if column.required]

    @property
    def names(self) -> list[str]:
        """Names of all columns, optional ones included."""
        return [column.name for column in self.columns]

    @property
    def key(self) -> list[str]:
        """Names of the columns that together tell rows apart."""
        return [column.name for column in self.columns if column.key]

    def require(self, found: Iterable[str]) -> None:
        """Raise MissingColumnError unless every required column is among ``found``."""
        present = list(found)
        missing = [name for name in self.required if name not in present]
        if missing:
            raise MissingColumnError(f"the {self.name} table", missing, present)

    def empty(self) -> pd.DataFrame:
        """No rows, the required columns with their types."""
        import pandas as pd  # models are imported without it

        return pd.DataFrame(
            {
                column.name: pd.Series(dtype=PANDAS[column.kind])
                for column in self.columns
                if column.required
            }
        )

    def arrow(self) -> pa.Schema:
        """Required columns as Arrow's types, as Parquet files hold them; keys are never missing."""
        import pyarrow as pa  # only those who write files should wait for it

        kinds: dict[Kind, pa.DataType] = {
            "string": pa.string(),
            "integer": pa.int64(),
            "number": pa.float64(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us"),
            "boolean": pa.bool_(),
        }
        return pa.schema(
            pa.field(column.name, kinds[column.kind], nullable=not column.key)
            for column in self.columns
            if column.required
        )


def with_ends(
    quantities: Iterable[tuple[str, str]], meaning: str = "forecast", *, required: bool = True
) -> tuple[ColumnSchema, ...]:
    """Columns of (quantity, unit), each followed by the ends of its 90 % interval."""
    return tuple(
        ColumnSchema(f"{name}{end}", "number", f"{name} {label}", unit, required=required)
        for name, unit in quantities
        for end, label in (
            ("", meaning),
            ("_low", "lower end of the 90 % interval"),
            ("_high", "upper end of the 90 % interval"),
        )
    )


def actuals(quantities: Iterable[tuple[str, str]], *, required: bool) -> tuple[ColumnSchema, ...]:
    """Columns of what happened, by (quantity, unit)."""
    return tuple(
        ColumnSchema(f"actual_{name}", "number", f"{name} that happened", unit, required=required)
        for name, unit in quantities
    )
