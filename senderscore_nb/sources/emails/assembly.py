"""Enrollments of one part after the other → all of them in order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from senderscore_nb.contract import COLUMNS
from senderscore_nb.sources.emails.outcomes import ENROLLMENT
from senderscore_nb.sources.emails.spool import Spool
from senderscore_nb.sources.emails.store import Store

STRETCH = 500_000
"""Enrollments that are put in order at a time, about."""

SCHEMA = pl.Schema({name: COLUMNS[name] for name in ENROLLMENT})
_ORDER = ("enrolled_on", "enrollment_id")


@dataclass
class Assembly:
    """Enrollments that are kept aside part by part, and brought together by day.

    So only one copy of them is in memory in the end, and a stretch of days.
    """

    spool: Spool
    days: list[pl.DataFrame] = field(default_factory=list)

    @classmethod
    def within(cls, store: Store) -> Assembly:
        """Kept where the mail is."""
        return cls(store.spool("enrollments", SCHEMA, bounds=True))

    def add(self, found: pl.DataFrame) -> None:
        """Keep the enrollments of a part."""
        self.spool.add(found.sort("enrolled_on"))
        self.days.append(found.group_by("enrolled_on").len("n"))

    def whole(self) -> pl.DataFrame:
        """All enrollments, sorted by day and id."""
        if self.spool.folder is None:
            return self.spool.read().sort(_ORDER)
        frames = []
        for first, last in self._stretches():
            some = self.spool.scan().filter(pl.col("enrolled_on").is_between(first, last))
            frames.append(some.collect(engine="streaming").sort(_ORDER))
        return pl.concat([pl.DataFrame(schema=SCHEMA), *frames], rechunk=False)

    def _stretches(self) -> Iterator[tuple[dt.date, dt.date]]:
        """First and last days with about so many enrollments between them."""
        days = pl.concat(self.days).group_by("enrolled_on").agg(pl.col("n").sum())
        days = days.sort("enrolled_on").with_columns(
            stretch=(pl.col("n").cast(pl.Int64).cum_sum() - 1) // STRETCH
        )
        bounds = days.group_by("stretch", maintain_order=True).agg(
            pl.col("enrolled_on").first().alias("first"), pl.col("enrolled_on").last().alias("last")
        )
        yield from bounds.select("first", "last").iter_rows()
