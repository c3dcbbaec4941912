"""Which days data covers, so that a store is brought up to date without losing any.

By default that is every day from the first to the last one in the data. It is wrong for data that
holds only a part of some days, such as an export of what was *enrolled* since a day: the first
weeks of it lack the enrollments that began before. Such data counts fewer than the store knows; a
few fewer are enrollments that were deleted since, many are days that would be lost.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import polars as pl

from senderscore_nb.errors import StoreError
from senderscore_nb.store.days import Days
from senderscore_nb.store.known import agree
from senderscore_nb.store.tallied import Tallied
from senderscore_nb.store.tally_store import TallyStore
from senderscore_nb.store.writing import Change

MOST_LOST = 0.1
"""The share of a week's ended enrollments that may be gone without anybody having said so."""

_NO_DAYS = pl.DataFrame(schema={"day": pl.Date, "ended": pl.Int64})

FEW = 5
"""So many of a week may be gone in any case."""


@dataclass(frozen=True)
class Updated:
    """What an update did.

    Attributes:
        change: What was written.
        fewer: Days of which the data counts fewer than the store knew: see `fewer`.
    """

    change: Change
    fewer: pl.DataFrame


def update(store: TallyStore, tallied: Tallied, *, days: Days | None = None) -> Updated:
    """Replace the days that data covers.

    Args:
        store: The store.
        tallied: The data; its cells of other days are left out where days are given.
        days: The days that the data holds whole, which are replaced whatever the store knows of
            them; from the first to the last one in the data unless given.

    Raises:
        StoreError: Nothing has ended and no days are given; or the data holds much less of some
            week than the store, so that it seems to cover less than its days; or as `replace`.
    """
    if (state := store.state_or_none()) is not None:
        agree(state, tallied.rules, tallied.timezone, where=store.folder)
    covered, lost = refuse_loss(store, tallied.tallies, days)
    mine = tallied.tallies.filter(covered.has_day)
    return Updated(store.replace(replace(tallied, tallies=mine), days=covered), lost)


def refuse_loss(
    store: TallyStore, tallies: pl.DataFrame, days: Days | None
) -> tuple[Days, pl.DataFrame]:
    """The days that data covers, and those of which it counts fewer than the store knows.

    Args:
        store: The store.
        tallies: The data's `day` and `ended`, by whatever keys.
        days: As for `update`.

    Raises:
        StoreError: As for `update`.
    """
    covered = days or Days.of(tallies)
    if covered is None:
        raise StoreError(
            "No enrollment in the data has ended, so it covers no day.",
            hint="Say which days it covers: --days 2026-11-02..2026-11-08.",
        )
    known = _NO_DAYS
    if store.state_or_none() is not None:
        known = _known(store, covered, strict=days is None)
    lost = fewer(known, tallies.filter(covered.has_day))
    if days is None:
        _refuse_loss(known, lost, covered, where=str(store.folder))
    return covered, lost


def fewer(known: pl.DataFrame, tallies: pl.DataFrame) -> pl.DataFrame:
    """Days of which data counts fewer ended enrollments than are known.

    Args:
        known: Tallies.
        tallies: Tallies of the data.

    Returns:
        `day`, `known` and `found`: ended enrollments, the earliest day first.
    """
    known, tallies = (
        frame.group_by("day").agg(pl.col("ended").sum().alias(name))
        for frame, name in ((known, "known"), (tallies, "found"))
    )
    both = known.join(tallies, on="day", how="left").with_columns(pl.col("found").fill_null(0))
    return both.filter(pl.col("found") < pl.col("known")).sort("day")


def _known(store: TallyStore, days: Days, *, strict: bool) -> pl.DataFrame:
    """Ended enrollments by day; where days are stated, also if the store is broken just there."""
    months = store.months().filter(pl.col("first") <= days.last, pl.col("last") >= days.first)
    try:
        parts = [
            store.read(max(first, days.first), min(last, days.last))
            .group_by("day")
            .agg(pl.col("ended").sum())
            for first, last in months.select("first", "last").iter_rows()
        ]
    except StoreError:
        if strict:
            raise
        return _NO_DAYS
    return pl.concat([_NO_DAYS, *parts])


def _refuse_loss(known: pl.DataFrame, lost: pl.DataFrame, covered: Days, *, where: str) -> None:
    weekly = (
        known.group_by(week=pl.col("day").dt.truncate("1w"))
        .agg(held=pl.col("ended").sum())
        .join(
            lost.group_by(week=pl.col("day").dt.truncate("1w")).agg(
                lost=(pl.col("known") - pl.col("found")).sum()
            ),
            on="week",
        )
        .filter(pl.col("lost") > FEW, pl.col("lost") > MOST_LOST * pl.col("held"))
        .sort("week")
    )
    if weekly.is_empty():
        return
    week, held, gone = weekly.row(0)
    last: dt.date = lost["day"][-1]
    whole = f"--days {covered}"
    if last < covered.last:
        whole = f"--days {Days(last + dt.timedelta(days=1), covered.last)}, say, or {whole}"
    raise StoreError(
        f"The data covers {covered} at most, and of the week from {week} it holds {gone} ended "
        f"enrollments fewer than the {held} that the store knows ({weekly.height} such weeks). "
        "Data of only a part of what ended then would do that. Nothing was changed.",
        where=where,
        hint=f"Say which days the data holds whole: {whole} if those were deleted.",
    )
