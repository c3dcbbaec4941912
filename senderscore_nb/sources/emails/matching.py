"""Which of the enrollments that were open an incoming mail belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

NEVER = np.iinfo(np.int64).max
"""The end of a window without an end."""

TIES = ("first_at", "first_id", "recipient")
"""What decides which of two enrollments is the later one."""


def latest_open(
    incoming: pl.DataFrame, candidates: pl.DataFrame, keys: Sequence[str]
) -> pl.DataFrame:
    """The candidate of the same key that began last of those open at a mail's instant.

    Args:
        incoming: `row`, `at` and the keys; a row may be there for several keys.
        candidates: `place`, `opens_at`, `closes_at`, `first_at`, `first_id`, `recipient` and the
            keys; open from the one to the other, both included.
        keys: Names of the key columns; a null is equal to nothing.

    Returns:
        `row`, `place`: at most one a row, those without a candidate left out.
    """
    keys = list(keys)
    wanted = incoming.drop_nulls(keys).select("row", "at", *keys)
    known = candidates.clear()
    if wanted.height and candidates.height:
        known = candidates.join(wanted, on=keys, how="semi")
    if known.is_empty():
        return pl.DataFrame(schema={"row": pl.Int64, "place": pl.Int64})
    ties = [name for name in TIES if name not in keys]
    known = (
        known.sort(*keys, "opens_at", *ties)
        .with_columns(latest=pl.col("closes_at").cum_max().over(keys))
        .with_row_index("number")
        .with_columns(pl.col("number").cast(pl.Int64))
    )
    pairs = wanted.sort("at").join_asof(
        known.select("number", "opens_at", *keys).sort("opens_at", maintain_order=True),
        left_on="at",
        right_on="opens_at",
        by=keys,
        strategy="backward",
        check_sortedness=False,
    )
    pairs = pairs.drop_nulls("number")
    number = _open_one(
        pairs["number"].to_numpy().copy(),
        pairs["at"].to_numpy(),
        known["closes_at"].to_numpy(),
        known["latest"].to_numpy(),
    )
    found = pairs.select("row", pl.Series("number", number)).filter(pl.col("number") >= 0)
    best = found.join(known.select("number", "place", *TIES), on="number")
    return (
        best.sort("row", *TIES, "place")
        .unique("row", keep="last", maintain_order=True)
        .select("row", "place")
    )


def _open_one(
    number: np.ndarray, at: np.ndarray, closes: np.ndarray, latest: np.ndarray
) -> np.ndarray:
    """Back from the last that began to the last that is open; -1 where none is.

    `latest` is the latest end of all up to a candidate, so nobody is gone back for in vain.
    """
    number[latest[number] < at] = -1
    pending = np.flatnonzero((number >= 0) & (closes[number] < at))
    while len(pending):
        number[pending] -= 1
        pending = pending[closes[number[pending]] < at[pending]]
    return number
