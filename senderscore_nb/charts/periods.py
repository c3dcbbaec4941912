"""Days, weeks and months along an axis, without gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from senderscore_nb.charts import words

_MOST_FILLED = 400


def following(day: dt.date, unit: str) -> dt.date:
    """The first day of the next period.

    >>> following(dt.date(2026, 12, 1), "month")
    datetime.date(2027, 1, 1)
    """
    if unit == "month":
        return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    return day + dt.timedelta(days=7 if unit == "week" else 1)


def complete(days: Iterable[dt.date], unit: str) -> list[dt.date]:
    """Every period from the first to the last, those without data included.

    Spans of more than 400 periods keep only the periods that are there.
    """
    known = sorted(set(days))
    filled = known[:1]
    while filled and filled[-1] < known[-1]:
        filled.append(following(filled[-1], unit))
        if len(filled) > _MOST_FILLED:
            return known
    return sorted({*filled, *known})


def labels(days: list[dt.date], unit: str) -> dict[dt.date, str]:
    """A short label for each period; the year is in it where there are several."""
    years = len({day.year for day in days}) > 1
    if unit == "month":
        return {d: words.day(d).split(" ", 1)[1] for d in days}
    return {d: words.day(d, year=False) + (f" ’{d:%y}" if years else "") for d in days}
