"""Ranges of days: which days of a store are replaced, and which it was ever told of."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import polars as pl

from senderscore_nb.errors import SelectionError
from senderscore_nb.periods import Period

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, order=True)
class Days:
    """Days from the first to the last, both included."""

    first: dt.date
    last: dt.date

    def __post_init__(self) -> None:
        """Refuses a range that ends before it begins.

        Raises:
            SelectionError: It does.
        """
        if self.last < self.first:
            raise SelectionError(f"The days {self} end before they begin.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Days by name: one period, or two with `..` between.

        Raises:
            SelectionError: Not such a name.

        >>> str(Days.parse("2026-11-02..2026-W46"))
        '2026-11-02..2026-11-15'
        """
        first, _, last = text.partition("..")
        return cls(Period.parse(first).start, Period.parse(last or first).end)

    @classmethod
    def of(cls, tallies: pl.DataFrame) -> Self | None:
        """From the first to the last day of tallies; None where there is none."""
        first, last = tallies.select(pl.col("day").min(), last=pl.col("day").max()).row(0)
        return None if first is None else cls(first, last)

    def __str__(self) -> str:
        """As it is parsed."""
        return f"{self.first}..{self.last}"

    @property
    def has_day(self) -> pl.Expr:
        """Whether the column `day` is one of them."""
        return pl.col("day").is_between(self.first, self.last)

    def touches(self, first: dt.date, last: dt.date) -> bool:
        """Whether it shares a day with another range."""
        return self.first <= last and first <= self.last

    def within(self, other: Days) -> bool:
        """Whether all of its days are another's."""
        return other.first <= self.first and self.last <= other.last


def joined(ranges: Iterable[Days]) -> tuple[Days, ...]:
    """The same days as few ranges, in order.

    >>> a, b, c = (dt.date(2026, 3, n) for n in (1, 2, 9))
    >>> [str(days) for days in joined([Days(b, c), Days(a, a)])]
    ['2026-03-01..2026-03-09']
    """
    found: list[Days] = []
    for days in sorted(ranges):
        if found and days.first <= found[-1].last + _DAY:
            found[-1] = Days(found[-1].first, max(found[-1].last, days.last))
        else:
            found.append(days)
    return tuple(found)


def gaps(ranges: Iterable[Days]) -> tuple[Days, ...]:
    """The days between the ranges."""
    whole = joined(ranges)
    return tuple(
        Days(one.last + _DAY, after.first - _DAY) for one, after in itertools.pairwise(whole)
    )
