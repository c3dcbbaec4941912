"""Days, ISO weeks and months: what a report is about, by name.

A period is a range of calendar days and nothing else, so that it is the same whatever the clocks
did in it.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Literal, Self

from senderscore_nb.errors import SelectionError

Kind = Literal["day", "week", "month"]

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A day, an ISO week or a month.

    Attributes:
        kind: Which of them.
        start: First day.
    """

    kind: Kind
    start: dt.date

    @classmethod
    def parse(cls, name: str) -> Self:
        """A period by its name.

        Raises:
            SelectionError: Not a name such as 2026-W46, 2026-11 or 2026-11-15.

        >>> Period.parse("2026-W01").start
        datetime.date(2025, 12, 29)
        """
        try:
            if match := re.fullmatch(r"(\d{4})-W(\d{2})", name):
                return cls("week", dt.date.fromisocalendar(int(match[1]), int(match[2]), 1))
            if match := re.fullmatch(r"(\d{4})-(\d{2})", name):
                return cls("month", dt.date(int(match[1]), int(match[2]), 1))
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name):
                return cls("day", dt.date.fromisoformat(name))
        except ValueError:
            pass
        raise SelectionError(
            f"{name!r} is not a period.",
            hint="Write an ISO week as 2026-W07, a month as 2026-02, a day as 2026-02-15.",
        )

    @classmethod
    def of(cls, kind: Kind, day: dt.date) -> Self:
        """The period of that kind which a day lies in.

        >>> Period.of("week", dt.date(2027, 1, 3)).name
        '2026-W53'
        """
        if kind == "week":
            return cls(kind, day - dt.timedelta(days=day.weekday()))
        return cls(kind, day.replace(day=1) if kind == "month" else day)

    @property
    def end(self) -> dt.date:
        """Last day, included."""
        return self.later(1).start - _DAY

    @property
    def name(self) -> str:
        """2026-W46, 2026-11 or 2026-11-15; reads back equal."""
        if self.kind == "week":
            year, week, _ = self.start.isocalendar()
            return f"{year}-W{week:02d}"
        return self.start.isoformat()[: 7 if self.kind == "month" else 10]

    def later(self, steps: int) -> Self:
        """The period that many steps later, or earlier where steps are negative.

        >>> Period.parse("2026-12").later(1).name
        '2027-01'
        """
        if self.kind == "month":
            months = self.start.year * 12 + self.start.month - 1 + steps
            return type(self)(self.kind, dt.date(months // 12, months % 12 + 1, 1))
        days = 7 if self.kind == "week" else 1
        return type(self)(self.kind, self.start + dt.timedelta(days=days * steps))


def last_whole_week(oldest: dt.date, newest: dt.date) -> Period:
    """The last ISO week that days cover: its Sunday is not after the newest of them.

    The only week there is is taken also where it is not over.

    >>> last_whole_week(dt.date(2026, 1, 1), dt.date(2026, 11, 17)).name
    '2026-W46'
    """
    week = Period.of("week", newest)
    return week.later(-1) if week.end > newest and oldest < week.start else week
