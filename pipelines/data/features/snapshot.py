"""What is known at a day: the customer-days up to it, and the summary of every customer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import ibis
from ibis.expr.types import Table

from pipelines.data.features.rfm import summary
from pipelines.sources.dialect import held


@dataclass(frozen=True)
class Snapshot:
    """What is known at a day, in the engine; it holds nothing that came later.

    Attributes
    ----------
    purchases : ibis Table
        Customer-days (``schema.PURCHASES``) up to ``as_of``.
    first_date : date
        First day of the log.
    as_of : date
        Last day that is known, inclusive.
    summary : ibis Table
        Of everybody at ``as_of`` (:func:`pipelines.data.features.rfm.summary`), evaluated once.
    """

    purchases: Table
    first_date: dt.date
    as_of: dt.date
    summary: Table

    @classmethod
    @contextmanager
    def at(cls, purchases: Table, first_date: dt.date, as_of: dt.date) -> Iterator[Self]:
        """Look at a log as it was on a day; the engine holds the summary in the ``with`` block.

        Parameters
        ----------
        purchases : ibis Table
            ``schema.PURCHASES``; what they hold of later days is left out.
        first_date : date
            First day of the log.
        as_of : date
        """
        known = purchases.filter(purchases.date <= ibis.literal(as_of))
        with held(summary(known, as_of, people="all")) as evaluated:
            yield cls(known, first_date, as_of, evaluated)

    @contextmanager
    def earlier(self, as_of: dt.date) -> Iterator[Self]:
        """Look at the same log as it was on an earlier day."""
        with type(self).at(self.purchases, self.first_date, as_of) as then:
            yield then
