"""Builders for tally stores."""

from __future__ import annotations

import datetime as dt

import polars as pl

from senderscore_nb.contract import KEYS, MEASURES
from senderscore_nb.policy import CountingRules
from senderscore_nb.store import Days, Tallied, named
from senderscore_nb.store.tallied import SEQUENCES

RULES = CountingRules()
ZONE = "Europe/Stockholm"


def cells(days: Days, *, users: int = 1, replied: int = 1) -> pl.DataFrame:
    """A cell for each user, day and one sequence, in the order of their keys."""
    frame = pl.select(day=pl.date_range(days.first, days.last)).join(
        pl.DataFrame({"user_id": [str(7 + n) for n in range(users)]}), how="cross"
    )
    counts = {"ended": 9, "replied": replied, "bounced": 1}
    return frame.select(
        "user_id",
        pl.lit("1").alias("sequence_id"),
        "day",
        *(pl.lit(counts.get(name), pl.Int64).alias(name) for name in MEASURES),
    ).sort(KEYS)


def tallied(tallies: pl.DataFrame, **values: object) -> Tallied:
    """Tallies under the usual rules, through their newest day."""
    newest: dt.date | None = tallies["day"].max()
    given = {
        "tallies": tallies,
        "rules": RULES,
        "timezone": ZONE,
        "through": newest,
        "users": named(tallies["user_id"]),
        "sequences": named(tallies["sequence_id"], schema=SEQUENCES),
        **values,
    }
    return Tallied(**given)
