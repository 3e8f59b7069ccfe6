"""The data-quality account: every row read is kept, or set aside for a reason that is named."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from clvmodels.core.errors import CheckFailedError, DataError
from pipelines.config.load import Governance
from pipelines.data.quality.unread import BAD, Unread
from pipelines.data.sales.found import Sales

BAD_ROWS = ("unreadable", *BAD)

MEANING = {
    "unreadable": "lines that are no row of the table (wrong number of fields, open quotes, bytes "
    "that are no text in source.encoding)",
    "not_kept": "no sale: a value that governance.keep does not list",
    "no_order": "no transaction id, where amounts are totals of orders",
    "mixed_order": "an order whose lines name several customers or several totals",
    "other_currency": "in another currency, where [currencies] only is set",
    "no_id": "no customer id",
    "bad_date": "a date that is missing, unreadable or outside the calendar",
    "bad_amount": "an amount that is missing, text or not finite",
    "bad_refund": "what was paid back, or the day of it, cannot be read",
    "no_rate": "a currency and month for which [currencies] has no rate",
    "after_as_of": "later than the as-of date",
    "past_retention": "older than the retention window",
    "non_product_code": "a code that is no product (postage, fees, samples)",
    "no_consent": "the customer did not consent",
    "refund": "negative amounts, where governance.refunds is not 'net'",
    "zero_value": "an amount of zero, where governance.zero_value is 'drop'",
    "duplicate": "equal to another row in every column",
    "refund_without_purchase": "refunds before the customer's first purchase in the log",
}
"""What each reason means, in the order in which reports list them."""


REMEDY = {
    "no_order": "Give every line its order, or name a column of values of lines columns.amount",
    "mixed_order": "Where amounts are values of lines, name the column columns.amount in place of "
    "columns.order_total; where numbers of orders repeat, name a column in which they do not",
    "bad_refund": "Check columns.refunded and refunded_at; a refund is a number, its day a date",
    "no_rate": "Add the months that are missing to the file at [currencies] path",
    "unreadable": "Check [source] delimiter and encoding",
    "bad_date": "For dates in another form set [columns] date_format, e.g. '%d/%m/%Y'",
    "bad_amount": "For amounts such as 1.234,50 set [source] decimal = ',', for 1234.50 '.'",
}
"""The key of the configuration that most often mends a reason."""


@dataclass(frozen=True)
class DataQualityAccount:
    """How many rows were read, kept and set aside, and what remains.

    ``read`` equals ``kept`` plus the sum of ``set_aside``, always, and ``source_total`` equals
    ``revenue`` plus the sum of ``money``, ``paid_back`` and ``rounding``, to the cent.

    Attributes
    ----------
    source_total : float
        Sum of every amount of the source that can be read, in currency; those in ``money`` that
        are None aside.
    paid_back : float
        Of the rows kept, by a column of refunds (``columns.refunded``).
    unread : Unread, optional
        What the rows that cannot be read may hold; None where all can.
    hints : dict of str to str
        By reason, what would read its rows, told by their values.
    money : dict of str to float or None
        By reason, the sum of the amounts set aside; None where no amount can be read, or one is
        not finite.
    """

    source: str
    read: int
    kept: int
    set_aside: dict[str, int]
    customers: int
    purchases: int
    refund_days: int
    revenue: float
    first_date: dt.date | None
    last_date: dt.date | None
    as_of: dt.date | None
    orders: int | None = None
    sales: dict[str, Any] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    source_total: float = 0.0
    money: dict[str, float | None] = field(default_factory=dict)
    paid_back: float = 0.0
    unread: Unread | None = None
    hints: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        total = self.kept + sum(self.set_aside.values())
        if total != self.read:
            raise DataError(
                f"the rows of {self.source} do not add up: {self.read} read, {total} accounted "
                "for. The source changed while it was read; run again."
            )

    @property
    def stale_days(self) -> int | None:
        """Days from the last transaction to the as-of date."""
        if self.as_of is None or self.last_date is None:
            return None
        return (self.as_of - self.last_date).days

    @property
    def rounding(self) -> float:
        """What the cents of the bridge's parts leave of its total: 0 where amounts are cents."""
        parts = [amount for amount in self.money.values() if amount is not None]
        parts += [self.revenue, self.paid_back]
        return round(math.fsum([self.source_total, *(-part for part in parts)]), 2)

    @property
    def bridge(self) -> list[dict[str, Any]]:
        """From the source's total to the revenue that is reported: step, rows and amount.

        The first step less those after it is the last, to the cent; an amount that is None cannot
        be read.
        """
        steps = [{"step": "source", "rows": self.read, "amount": self.source_total}]
        steps += [
            {"step": reason, "rows": rows, "amount": self.money.get(reason)}
            for reason, rows in self.set_aside.items()
        ]
        if self.paid_back:
            steps.append({"step": "paid_back", "rows": 0, "amount": self.paid_back})
        if self.rounding:
            steps.append({"step": "rounding", "rows": 0, "amount": self.rounding})
        return [*steps, {"step": "revenue", "rows": self.kept, "amount": self.revenue}]

    def to_dict(self) -> dict[str, Any]:
        """Return the account as JSON-safe values."""
        out = asdict(self)
        for key in ("first_date", "last_date", "as_of"):
            out[key] = out[key].isoformat() if out[key] is not None else None
        out["stale_days"] = self.stale_days
        out["bridge"] = self.bridge
        return out

    def without_rows(self) -> dict[str, Any]:
        """Return the account without the examples, which quote single rows: for saved files."""
        return replace(self, examples={}, hints={}).to_dict()

    def broken_limits(self, governance: Governance) -> list[str]:
        """Return one sentence for every limit of the configuration that the data break."""
        broken = []
        for label, reasons, key in (
            ("without a customer id", ("no_id",), "max_missing_id_share"),
            ("that cannot be read", BAD_ROWS, "max_bad_row_share"),
        ):
            count = sum(self.set_aside.get(reason, 0) for reason in reasons)
            limit = getattr(governance, key)
            if count > limit * self.read:
                shown = "; ".join(
                    f"{MEANING[reason]}: {', '.join(self.examples[reason])}"
                    for reason in reasons
                    if reason in self.examples
                )
                broken.append(
                    f"{count} of {self.read} rows {label} ({count / self.read:.1%}), limit "
                    f"{limit:.1%} (governance.{key}){f'; {shown}' if shown else ''}"
                    f"{self._remedy(reasons)}"
                )
        broken += [] if self.unread is None else _of_money(self.unread, governance)
        if self.purchases and not self.revenue and not self.source_total:
            broken.append(
                "no amount is above zero, so nothing tells what a purchase is worth: name another "
                "column in columns.amount. Where only purchases are to be forecast, give every row "
                "an amount of 1"
            )
        refunds = self.set_aside.get("refund", 0)
        if governance.refunds == "reject" and refunds:
            broken.append(
                f"{refunds} rows with a negative amount, and governance.refunds is 'reject'"
            )
        stale = self.stale_days
        if governance.max_stale_days is not None and (stale or 0) > governance.max_stale_days:
            broken.append(
                f"the last transaction is {stale} days before the as-of date, limit "
                f"{governance.max_stale_days} (governance.max_stale_days)"
            )
        return broken

    def _remedy(self, reasons: tuple[str, ...]) -> str:
        """Name the key that most often mends the commonest of some reasons."""
        worst = max(reasons, key=lambda reason: self.set_aside.get(reason, 0))
        remedy = self.hints.get(worst) or REMEDY.get(worst)
        return f". {remedy}" if remedy else ""

    def enforce(self, governance: Governance, sales: Sales) -> None:
        """Raise CheckFailedError if the data break a limit, or must not be summed as they are."""
        broken = [*sales.broken_limits(governance), *self.broken_limits(governance)]
        if broken:
            raise CheckFailedError(f"{self.source}: " + ". ".join(broken) + ".")


def _of_money(unread: Unread, governance: Governance) -> list[str]:
    """What the bad rows may hold, of everything and of what most of them have in common."""
    limit = governance.unread_money_limit
    alike = [trait for trait in unread.traits if trait.lost > limit]
    if unread.share <= (limit / 10 if alike else limit):
        return []
    said = "; ".join(
        f"{trait.rows} are {trait.name} ({trait.lost:.0%} of the money of all such rows)"
        for trait in alike
    )
    return [
        f"{unread.rows} rows that cannot be read may hold {unread.money:,.2f}, {unread.share:.1%} "
        f"of the money{f', and are not lost at random: {said}' if said else ''}; limit {limit:.1%}"
        f"{', of what they share and a tenth of it of all,' if said else ''} "
        "(governance.max_unread_money_share)"
    ]


_CHECK = " Check [columns], [calendar] and [governance] against the file."


def _sentences(hints: dict[str, str]) -> str:
    return " ".join(f"{hint[0].upper()}{hint[1:]}." for hint in hints.values())


def nothing_left(account: DataQualityAccount) -> str:
    """Say why no purchase is left of a source."""
    if account.read == 0:
        return f"{account.source} holds no rows; expected one row a transaction"
    reasons = "; ".join(
        f"{count} x {MEANING[reason]}" for reason, count in account.set_aside.items()
    )
    shown = "; ".join(example for some in account.examples.values() for example in some)
    return (
        f"no purchase is left of the {account.read} rows of {account.source}: {reasons}."
        + (f" First of them: {shown}." if shown else "")
        + (f" {_sentences(account.hints)}" if account.hints else _CHECK)
    )
