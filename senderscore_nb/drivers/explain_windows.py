"""Which two windows a change is between, by name."""

from __future__ import annotations

import datetime as dt

import polars as pl

from senderscore_nb.change import Window
from senderscore_nb.errors import SelectionError
from senderscore_nb.periods import Period, last_whole_week

WEEKS = 12
"""Weeks that each side covers unless periods are named; the reports' scores cover as many."""


def windows(
    tallies: pl.DataFrame, *, before: str = "", after: str = "", weeks: int = WEEKS
) -> tuple[Window, Window]:
    """The windows before and after.

    Args:
        tallies: With `day`; their last complete week is where the default ends.
        before: A period such as 2026-W34, 2026-08 or 2026-08-15, or two of them with `..` between;
            as long as `after` and next to it if empty. A month before a month is the calendar's.
        after: The same; so many weeks up to the last complete one if empty.
        weeks: How many that is.

    Raises:
        SelectionError: Not a period, or one that ends before it begins; there are no days.
    """
    if after:
        later = _window(after)
    else:
        days = tallies["day"].drop_nulls().sort()
        if days.is_empty():
            raise SelectionError("No enrollment has ended, so nothing has changed.")
        end = last_whole_week(days[0], days[-1]).end
        later = Window(end - dt.timedelta(weeks=weeks) + dt.timedelta(days=1), end)
    if before:
        return _window(before), later
    if after and ".." not in after:
        earlier = Period.parse(after).later(-1)
        return Window(earlier.start, earlier.end), later
    return later.back(later.days), later


def _window(name: str) -> Window:
    """A period, or from one to another.

    >>> _window("2026-08..2026-W40")
    Window(start=datetime.date(2026, 8, 1), end=datetime.date(2026, 10, 4))
    """
    first, _, last = name.partition("..")
    window = Window(Period.parse(first).start, Period.parse(last or first).end)
    if window.days < 1:
        raise SelectionError(f"The period {name!r} ends before it begins.")
    return window
