"""Enrollments, wherever they lie → tallies to keep."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from senderscore_nb.policy import CountingRules
from senderscore_nb.store.tallied import Tallied
from senderscore_nb.tally import Extent, during, extent, newest_names, tally

if TYPE_CHECKING:
    from senderscore_nb.tally import Enrollments


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

    >>> import polars as pl
    >>> day = dt.date(2026, 3, 2)
    >>> rows = pl.DataFrame({"user_id": ["7"], "sequence_id": ["1"], "enrolled_on": [day],
    ...     "ended_on": [day], "replied": [True], "bounced": [False], "user_name": ["Ann"]})
    >>> count(rows).users.row(0)
    ('7', 'Ann')
    """
    rules = rules or CountingRules()
    return _tallied(enrollments, rules, timezone, extent(enrollments, rules=rules))


def count_by_month(
    enrollments: Enrollments, *, rules: CountingRules | None = None, timezone: str = ""
) -> Iterator[tuple[dt.date, dt.date, Tallied]]:
    """Tally a month at a time, so that no more than a month's cells are held.

    Args:
        enrollments: As for `tally`. Partitioned by month where they lie, each month costs its own.
        rules: What counts.
        timezone: As for `count`.

    Yields:
        The first and the last day that were counted, and their tallies; months from the first to
        the last day that something ended on, those without anything as well.

    Raises:
        ContractError: As for `tally`.
    """
    rules = rules or CountingRules()
    whole = extent(enrollments, rules=rules)
    if whole.first is None or whole.last is None:
        return
    first = whole.first
    while first <= whole.last:
        following = (first.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        last = min(following - dt.timedelta(days=1), whole.last)
        part = during(enrollments, first, last, rules=rules)
        yield first, last, _tallied(part, rules, timezone, whole)
        first = following


def _tallied(
    enrollments: Enrollments, rules: CountingRules, timezone: str, whole: Extent
) -> Tallied:
    return Tallied(
        tallies=tally(enrollments, rules=rules),
        rules=rules,
        timezone=timezone,
        through=whole.through,
        users=newest_names(enrollments, "user_id", "user_name"),
        sequences=newest_names(enrollments, "sequence_id", "sequence_name"),
    )
