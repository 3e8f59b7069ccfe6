"""What the report calls things: model labels, metric names, the glossary, numbers in words."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable

from clvmodels.core import months

MODELS: dict[str, tuple[str, str]] = {
    "clv": (
        "This forecast",
        "What this project would have forecast: the cohort forecast and each customer's purchase "
        "model, reconciled so that customers add up to cohorts. Where the months known then showed "
        "the customer models to be far closer, their purchases stand as they are.",
    ),
    "customers": (
        "Customer models alone",
        "The purchase and spend models that were chosen, summed over customers; no season.",
    ),
    "bgnbd": (
        "BG/NBD alone",
        "Each customer's buying and leaving (BG/NBD with Gamma-Gamma spend, this project's "
        "estimators, repeat purchases only), summed over customers; no season.",
    ),
    "mbgnbd": ("MBG/NBD alone", "As BG/NBD, and a customer may leave after the first purchase."),
    "pareto_nbd": ("Pareto/NBD alone", "As BG/NBD, but a customer may leave at any time."),
    "cohort": (
        "Cohort model alone",
        "Purchases per customer by age, calendar month and cohort; knows no single customer.",
    ),
    "lifetimes": (
        "lifetimes",
        "The BG/NBD and Gamma-Gamma of the open-source package lifetimes, the field's reference.",
    ),
    "last_months_average": (
        "Average of the last months",
        "Each cohort goes on as it did, on average, in its last months before the forecast.",
    ),
    "same_month_last_year": (
        "Same month last year",
        "Each cohort buys what it bought in the same month a year earlier.",
    ),
    "arpu_margin_churn": (
        "ARPU and churn",
        "Revenue per active customer, shrinking at the churn observed: the spreadsheet formula.",
    ),
    "chain_ladder": (
        "Chain ladder",
        "Each cohort's cumulative sales grow by the factors that older cohorts showed at that age.",
    ),
    "gradient_boosting": (
        "Gradient boosting",
        "Machine learning on each customer's history, without a model of buying and leaving.",
    ),
    "churn": ("Churn classifier", "Gradient boosting, calibrated, on each customer's history."),
}

BASELINES = {
    "lifetimes": "the lifetimes package",
    "last_months_average": "repeating the average of the last months",
}
"""Baselines of the first screen, as the end of a sentence."""

MODEL_NAMES = {
    "BGNBD": "BG/NBD",
    "MBGNBD": "MBG/NBD",
    "ParetoNBD": "Pareto/NBD",
    "BGCNBD": "BG/CNBD-k",
    "MBGCNBD": "MBG/CNBD-k",
    "NBD": "NBD",
    "GammaGamma": "Gamma-Gamma",
}
"""The literature's names of the model classes; an engine's prefix is kept."""

_CLASSES = re.compile(rf"\b(Lifetimes)?({'|'.join(MODEL_NAMES)})\b")

CHURN_METRICS = ("auc", "brier", "log_loss")

METRICS: dict[str, str] = {
    "wape": "Error (WAPE)",
    "bias": "Bias",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "gini": "Ranking (Gini)",
    "coverage_90": "Held by the 90 % interval",
    "auc": "AUC",
    "brier": "Brier score",
    "log_loss": "Log loss",
}

QUANTITY_LABELS = {
    "purchases": "Purchases",
    "revenue": "Revenue",
    "margin": "Gross margin",
    "clv": "CLV",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "90 % interval",
        "The range that should hold the actual nine times out of ten. How often it did is "
        "measured in the backtest.",
    ),
    ("ARPU", "Average revenue per user: repeat revenue per known customer and cycle."),
    (
        "AUC",
        "Chance that a customer who churned had been given a higher churn probability than one "
        "who stayed: 0.5 is a coin, 1 the perfect order.",
    ),
    ("Backtest", "A forecast made from old data only, compared with what then happened."),
    (
        "Bias",
        "(Sum of forecast - sum of actual) / sum of actual. Above zero: too high in total.",
    ),
    (
        "Brier score",
        "Mean squared distance between a probability and what happened (1 or 0): 0 is perfect, "
        "lower is better.",
    ),
    (
        "CAC",
        "Customer acquisition cost: what winning one customer costs, as configured or by the spend "
        "on record.",
    ),
    (
        "Churn, cohort's sense",
        "In unit economics: fall of purchases per customer from one cycle (month, quarter or year, "
        "as configured) to the next.",
    ),
    (
        "Churn, customer's sense",
        "In unit economics: share of a cycle's buyers who bought nothing in the next.",
    ),
    (
        "Churn probability",
        "Of one customer: chance of no purchase in the churn horizon, which is set in the "
        "configuration. Whoever buys seldom may be likely to skip it without having left.",
    ),
    (
        "Cohort",
        "Customers who first bought in the same month; here, the same quarter in backtests.",
    ),
    (
        "CLV",
        "Customer lifetime value: expected gross margin net of cost to serve over the forecast "
        "horizon, discounted to the as-of date.",
    ),
    (
        "Company revenue",
        "Revenue of known customers and of customers still to come; only the budget view holds it.",
    ),
    ("Cost to serve", "Cost of handling one purchase, set in the configuration."),
    ("Cohort-month", "One cohort in one calendar month: the cell in which errors are counted."),
    ("Frequency", "Repeat purchases: days with a purchase, the first one left out."),
    (
        "Customers still to come",
        "Those who first buy after the as-of date: as many as planned, or as the recent months "
        "suggest.",
    ),
    (
        "Gini",
        "How well the forecast ranks customers: 0 is chance, 1 the perfect order.",
    ),
    ("Horizon", "How far a forecast looks ahead."),
    (
        "LTV",
        "Lifetime value as revenue, or as gross margin, before the cost to serve and discounting.",
    ),
    ("Origin", "As-of date of a backtest: what came later was hidden from the models."),
    ("Probability alive", "Probability that a customer has not left for good."),
    ("Purchase", "All of one customer's transactions on one calendar day."),
    ("Recency", "Days from a customer's first purchase to the latest one."),
    (
        "RFM score",
        "1 to 5, 5 for the best, of one customer: how lately (R, days since the last purchase), "
        "how often (F, repeat purchases) and for how much (M) the customer bought. RFM segments "
        "are names for combinations of the three.",
    ),
    (
        "WAPE",
        "Sum of |forecast - actual| over the cells / sum of actual: the typical error of a cell, "
        "as a share of sales.",
    ),
)


BRIDGE = {
    "source": "sum of the source's amounts",
    "paid_back": "less: paid back, by a column of refunds",
    "rounding": "less: rounding of amounts finer than cents",
    "revenue": "revenue as reported",
}
"""Steps from the source's total to the revenue that are no reason to set a row aside."""


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop or a question mark."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def model_label(name: str) -> str:
    """Reader's name of a model; the name itself where it has none."""
    return MODELS.get(name, (name, ""))[0]


def model_name(kind: str) -> str:
    """Class name of a model as the literature writes it."""
    bare = kind.removeprefix("Lifetimes")
    name = MODEL_NAMES.get(bare, bare)
    return name if bare == kind else f"{name} (lifetimes)"


def with_model_names(sentence: str) -> str:
    """Name the models of a sentence as the tables beside it do: 'ParetoNBD' as 'Pareto/NBD'."""
    return _CLASSES.sub(lambda found: model_name(found.group()), sentence)


def percent(share: float | None, digits: int = 0) -> str:
    """0.093 as '9 %', with a no-break space; small shares keep a digit."""
    if share is None or not math.isfinite(share):
        return "not known"
    if digits == 0 and 0 < abs(share) < 0.0095:
        digits = 1
    text = f"{share * 100:,.{digits}f}"
    return f"{text if text.strip('-0.') else text.lstrip('-')}\N{NO-BREAK SPACE}%"


def amount(value: float | None, currency: str | None = None) -> str:
    """1234567.0 as 'USD 1.23 million'; without a currency, a count."""
    if value is None or not math.isfinite(value):
        return "not known"
    size = abs(value)
    if size >= 1e9:
        text = f"{value / 1e9:,.2f} billion"
    elif size >= 1e6:
        text = f"{value / 1e6:,.2f} million"
    elif size >= 100 or float(value).is_integer():
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.2f}"
    return f"{currency} {text}" if currency else text


def counted(number: float, noun: str) -> str:
    """1 and 'customer' as '1 customer', 1234 as '1,234 customers'."""
    text = amount(round(number) if math.isfinite(number) else number)
    return f"{text} {noun}{'' if text == '1' else 's'}"


def day(value: dt.date | str) -> str:
    """1998-06-30 as '30 June 1998', whatever the locale."""
    date = dt.date.fromisoformat(value) if isinstance(value, str) else value
    return f"{date.day} {months.MONTH_NAMES[date.month - 1]} {date.year}"


def month(value: dt.date | str) -> str:
    """1998-06-01 as 'Jun 1998'."""
    date = dt.date.fromisoformat(value) if isinstance(value, str) else value
    return f"{months.MONTH_NAMES[date.month - 1][:3]} {date.year}"


def ordinal(number: int) -> str:
    """21 as '21st'."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 < number % 100 < 14 else ending}"


def days_covered(period: dt.date, first: dt.date, last: dt.date) -> str:
    """Days of the month that lie in first to last: 'all', 'from the 21st' or 'to the 20th'."""
    start = f"from the {ordinal(first.day)}" if first > period.replace(day=1) else ""
    end = f"to the {ordinal(last.day)}" if last < months.month_end(period) else ""
    return " ".join(filter(None, (start, end))) or "all"


def cut(periods: Iterable[dt.date], first: dt.date, last: dt.date) -> list[bool]:
    """Which months lie only partly in first to last, so that their sums are no fall or rise."""
    return [days_covered(period, first, last) != "all" for period in periods]


def since(origin: dt.date, ended: int) -> str:
    """Say how far a forecast has come: '2 full months', or with the rest of the origin's month."""
    whole = ended
    if origin != months.month_end(origin):
        whole -= 1
    parts = [] if whole == ended else [f"the rest of {month(origin)}"]
    if whole:
        parts.append(f"{whole} full month{'s' if whole > 1 else ''}")
    return listed(parts)


def quarter(value: dt.date | str) -> str:
    """1997-04-01 as '1997 Q2'."""
    date = dt.date.fromisoformat(value) if isinstance(value, str) else value
    return f"{date.year} Q{(date.month - 1) // 3 + 1}"


def listed(items: list[str]) -> str:
    """['a', 'b', 'c'] as 'a, b and c'."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
