"""Enrollments, wherever they lie → tallies to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from senderscore_nb.periods import Period
from senderscore_nb.policy import CountingRules
from senderscore_nb.store.covering import Updated, refuse_loss
from senderscore_nb.store.days import Days
from senderscore_nb.store.known import agree
from senderscore_nb.store.partitions import EMPTY
from senderscore_nb.store.tallied import Tallied, checked_tallies
from senderscore_nb.store.tally_store import TallyStore
from senderscore_nb.tally import during, newest_day, newest_names, tally

if TYPE_CHECKING:
    from senderscore_nb.tally import Enrollments

Say = Callable[[str], None]


def count(
    enrollments: Enrollments, *, rules: CountingRules | None = None, timezone: str = ""
) -> Tallied:
    """Tally enrollments, with what has to be known of the tallies.

    Args:
        enrollments: As for `tally`; they are counted where they are.
        rules: What counts.
        timezone: The account's time zone, in which the days were decided.

    Raises:
        ContractError: As for `tally`.

    >>> import datetime as dt
    >>> day = dt.date(2026, 3, 2)
    >>> rows = pl.DataFrame({"user_id": ["7"], "sequence_id": ["1"], "enrolled_on": [day],
    ...     "ended_on": [day], "replied": [True], "bounced": [False], "user_name": ["Ann"]})
    >>> count(rows).users.row(0)
    ('7', 'Ann')
    """
    rules = rules or CountingRules()
    return _known(enrollments, rules, timezone, tally(enrollments, rules=rules))


def count_into(
    store: TallyStore,
    enrollments: Enrollments,
    *,
    rules: CountingRules | None = None,
    timezone: str = "",
    days: Days | None = None,
    say: Say | None = None,
) -> Updated:
    """Bring a store up to date with enrollments, as `update` does, a month at a time.

    No more than a month's cells are held, and the store has one new state at the end or none.

    Args:
        store: The store.
        enrollments: As for `tally`. Where they lie by month, each month costs its own.
        rules: What counts.
        timezone: As for `count`.
        days: The days that the data holds whole; as for `update`.
        say: Called with a line about each month.

    Raises:
        ContractError: As for `tally`.
        StoreError: As for `update`.
    """
    rules = rules or CountingRules()
    if (state := store.state_or_none()) is not None:
        agree(state, rules, timezone, where=store.folder)
    daily = tally(enrollments, by=["day"], rules=rules)
    covered, lost = refuse_loss(store, daily, days)
    told = _known(enrollments, rules, timezone, EMPTY)
    cells = MonthlyCells(enrollments, rules, covered, daily["day"], say)
    return Updated(store.replace(told, days=covered, cells=cells), lost)


@dataclass(frozen=True)
class MonthlyCells:
    """Cells of enrollments, counted where those are when a month's are asked for.

    Attributes:
        enrollments: As for `tally`.
        rules: What counts.
        days: The days that count.
        known: Days that something ended on.
        say: Called with a line about each month.
    """

    enrollments: Enrollments
    rules: CountingRules
    days: Days
    known: pl.Series
    say: Say | None = None

    @cached_property
    def months(self) -> tuple[str, ...]:
        """The months that have cells, as `2026-03`."""
        there = self.known.to_frame("day").filter(self.days.has_day)["day"]
        return tuple(there.dt.strftime("%Y-%m").unique().sort())

    def of(self, month: str) -> pl.DataFrame:
        """The month's cells."""
        period = Period.parse(month)
        first, last = max(period.start, self.days.first), min(period.end, self.days.last)
        rows = during(self.enrollments, first, last, rules=self.rules)
        cells = checked_tallies(tally(rows, rules=self.rules))
        if self.say:
            self.say(f"{month}: {cells.height:,} cells.")
        return cells


def _known(
    enrollments: Enrollments, rules: CountingRules, timezone: str, tallies: pl.DataFrame
) -> Tallied:
    return Tallied(
        tallies=tallies,
        rules=rules,
        timezone=timezone,
        through=newest_day(enrollments),
        users=newest_names(enrollments, "user_id", "user_name"),
        sequences=newest_names(enrollments, "sequence_id", "sequence_name"),
    )
