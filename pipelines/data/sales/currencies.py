"""Amounts in several currencies: refused, converted, or parted; never summed."""

from __future__ import annotations

from dataclasses import dataclass, field

import ibis
import pandas as pd
from ibis import _
from ibis.expr.types import BooleanValue, Column, NumericValue, Table

from clvmodels.core.errors import DataError
from pipelines.config.load import Currencies
from pipelines.sources.dialect import double, month_start
from pipelines.sources.engines.lookup import engine_of
from pipelines.sources.month_files import read_months


@dataclass(frozen=True)
class Rates:
    """What an amount is multiplied by.

    Attributes
    ----------
    currency : str
        That of the report.
    constant : dict of str to float
    monthly : DataFrame, optional
        ``period`` and a column for each currency.
    only : bool
        Lines of other currencies are set aside.
    """

    currency: str
    constant: dict[str, float] = field(default_factory=dict)
    monthly: pd.DataFrame | None = None
    only: bool = False

    def factor(self, lines: Table) -> NumericValue:
        """Return the rate of each line; null where there is none."""
        branches = [(is_of(lines.currency, self.currency), double(1.0))]
        branches += [(lines.currency == code, double(rate)) for code, rate in self.constant.items()]
        if self.monthly is not None:
            month = month_start(lines.date)
            first = pd.DatetimeIndex(self.monthly["period"]).date
            branches += [
                ((lines.currency == code) & (month == day), double(rate))
                for code in self.monthly.columns.drop("period")
                for day, rate in zip(first, self.monthly[code], strict=True)
                if rate > 0
            ]
        return ibis.cases(*branches, else_=ibis.null("float64"))


def is_of(currency: Column, code: str) -> BooleanValue:
    """Return whether a line is in a currency; one that names none is in the report's."""
    return (currency.fill_null("") == "") | (currency == code)


def codes(column: Column) -> Column:
    """Return the currency of a line as a code in capitals; empty where it names none."""
    return engine_of(column).stripped(column.cast("string")).upper().fill_null("")


def sums(lines: Table) -> dict[str, dict[str, float]]:
    """Count lines and money by currency, the largest number of lines first."""
    table = lines.group_by("currency").agg(
        rows=_.count(), amount=_.amount.sum().fill_null(0.0).round(2)
    )
    frame = table.execute().sort_values(["rows", "currency"], ascending=[False, True])
    return {
        str(row.currency): {"rows": int(row.rows), "amount": float(row.amount)}
        for row in frame.itertuples()
    }


def rates(
    found: dict[str, dict[str, float]],
    wanted: Currencies | None,
    currency: str,
    column: str,
    place: str,
) -> Rates | None:
    """Decide what becomes of the currencies of a log; None where all of it is in the report's.

    Raises
    ------
    DataError
        If there are several, or another than the report's, and nothing says what to do.
    """
    others = [code for code in found if code not in ("", currency)]
    if not others or (wanted is not None and wanted.converted):
        return None
    if wanted is None:
        raise DataError(several(found, currency, column, place))
    if wanted.only:
        if not {"", currency} & set(found):
            raise DataError(
                f"{place}: no line is in {currency} (economics.currency); column '{column}' holds "
                f"{told(found)}. Set economics.currency to one of them."
            )
        return Rates(currency, only=True)
    if wanted.path is not None:
        monthly = read_months(wanted.path, wanted.period, others, "currencies")
        return Rates(currency, monthly=monthly)
    given = {code.upper(): rate for code, rate in wanted.rates.items()}
    missing = [code for code in others if code not in given]
    if missing:
        raise DataError(
            f"{place}: column '{column}' holds {told({code: found[code] for code in missing})}, "
            f"and [currencies] rates has no rate for {', '.join(missing)}. Add what one unit is "
            f"worth in {currency}."
        )
    return Rates(currency, constant={code: given[code] for code in others})


def told(found: dict[str, dict[str, float]]) -> str:
    """Name currencies with their sums."""
    return ", ".join(
        f"{code or 'none named'} {facts['amount']:,.2f} ({facts['rows']:,} rows)"
        for code, facts in found.items()
    )


def several(found: dict[str, dict[str, float]], currency: str, column: str, place: str) -> str:
    """Say that a log holds several currencies, or another than the report's, and the remedy."""
    named = [code for code in found if code]
    if len(named) == 1:
        (code,) = named
        return (
            f"{place}: column '{column}' says {code}, and economics.currency {currency}. Set "
            f"economics.currency = '{code}', or give [currencies] rates."
        )
    example = next(code for code in found if code not in ("", currency))
    return (
        f"{place}: column '{column}' holds {len(named)} currencies, which cannot be summed: "
        f"{told(found)}. Give rates to {currency} ([currencies.rates] {example} = ..., or "
        "[currencies] path, by month), or choose one: economics.currency and [currencies] only = "
        "true. Where the amounts are in one currency already, set [currencies] converted = true."
    )
