"""Senders that tell an enrollment's end by one status, and columns that a mapping supplies."""

from __future__ import annotations

import polars as pl

from senderscore_nb.sources.mapping import TOLD, Mapping
from senderscore_nb.sources.settling import REASON

_OPEN = ("active", "never_began")


def supply(rows: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Rows with the columns that the file has no header for and that the mapping answers for.

    A measure that nothing tells is null; one that the status tells is no until the status says
    yes.
    """
    given: dict[str, pl.Expr] = {name: pl.lit(value) for name, value in mapping.fixed.items()}
    given |= {name: pl.lit(None, pl.Boolean) for name in mapping.unknown}
    given |= {name: pl.lit(value=False) for name in mapping.by_status}
    if mapping.one_day:
        given["enrolled_on"] = pl.col("ended_on")
    return rows.with_columns(e.alias(n) for n, e in given.items() if n not in rows.columns)


def told_by_status(rows: pl.DataFrame) -> pl.DataFrame:
    """What `run_status` and `emails_sent` tell of the end; rows without both stay as they are.

    A status that has not ended, and a run in which no e-mail was sent, have no end, whatever day
    stands in `ended_on` (senders write the last change there). A reply or a bounce shows that an
    e-mail was sent. An ended status without a day is a reason to reject the row.
    """
    if not {"run_status", "emails_sent"} & set(rows.columns):
        return rows
    absent = {"run_status": pl.String(), "emails_sent": pl.Boolean(), "end_reason": pl.String()}
    rows = rows.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in absent.items()
        if name not in rows.columns
    )
    status, ended_on = pl.col("run_status"), pl.col("ended_on")
    rows = rows.with_columns(
        (pl.col(name) | (status == meaning).fill_null(value=False)).alias(name)
        for name, meaning in TOLD.items()
        if name in rows.columns
    )
    answered = (pl.col("replied") | pl.col("bounced")).fill_null(value=False)
    unsent = ~pl.col("emails_sent") & ~answered
    is_open = (status.is_in(_OPEN) | unsent).fill_null(value=False)
    undated = pl.when(~is_open & ended_on.is_null()).then(
        pl.format("run_status is {} but there is no end", status)
    )
    return rows.with_columns(
        pl.when(~is_open).then(ended_on).alias("ended_on"),
        pl.when(~is_open).then(pl.coalesce("end_reason", status)).alias("end_reason"),
        pl.coalesce(REASON, undated).alias(REASON),
    )
