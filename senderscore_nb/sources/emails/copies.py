"""Mail objects that are there more than once: the newest copy counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from senderscore_nb.sources.emails.files import ROW
from senderscore_nb.sources.emails.typed import Typing
from senderscore_nb.sources.parse import clean

_FINAL = ("SCHEDULED", "SENDING", "SENT", "FAILED", "BOUNCED")
"""Statuses from the first that a mail has to the last."""


def older_copies(mails: pl.LazyFrame, how: Typing) -> pl.DataFrame:
    """The `row` of every mail that a newer copy with the same id stands for.

    The copy that was modified last counts; of several modified at once, or where nothing says
    when, the one with the later status; of those equal in that too, the one whose text is last in
    order, so that the order of the rows decides nothing.

    Only the ids are held, as numbers: 8 bytes a mail.
    """
    code = _id().hash()
    codes = mails.select(code.alias("code")).collect(engine="streaming")["code"].to_numpy()
    codes = np.sort(codes)
    twice = np.unique(codes[1:][codes[1:] == codes[:-1]])
    if not len(twice):
        return pl.DataFrame(schema={ROW: pl.Int64})
    rows = (
        mails.select(ROW, _id(), code.alias("code"))
        .join(pl.DataFrame({"code": twice}).lazy(), on="code", how="semi")
        .filter(pl.col("mail_id").is_not_null())
        .select(ROW, pl.col("mail_id").alias("__id"))
        .collect(engine="streaming")
    )
    copies = (
        _standing(mails.join(rows.lazy(), on=ROW), how)
        .sort("id", "modified", "rank", "text", ROW, nulls_last=False)
        .collect(engine="streaming")
    )
    older = (copies["id"] == copies["id"].shift(-1)).fill_null(value=False)
    return copies.filter(older).select(ROW)


def _standing(mails: pl.LazyFrame, how: Typing) -> pl.LazyFrame:
    """`id`, and what decides which copy counts: `modified`, `rank` of the status, all `text`."""
    have = mails.collect_schema().names()
    text = [pl.col(name).cast(pl.String) for name in have if name not in (ROW, "__id")]
    status = pl.col("status") if "status" in have else pl.lit(None)
    word = status.cast(pl.String).str.strip_chars().str.to_uppercase()
    places = {word: place for place, word in enumerate(_FINAL)}
    rank = word.replace_strict(places, default=-1, return_dtype=pl.Int8)
    return mails.select(
        ROW,
        pl.col("__id").alias("id"),
        (how.instant("modified") if "modified" in have else pl.lit(None, pl.Int64)).alias(
            "modified"
        ),
        rank.fill_null(-1).alias("rank"),
        pl.concat_str(text, separator="\x1f", ignore_nulls=True).alias("text"),
    )


def _id() -> pl.Expr:
    return pl.col("mail_id").map_batches(clean, return_dtype=pl.String(), is_elementwise=True)
