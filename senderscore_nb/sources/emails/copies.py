"""Mail objects that are there more than once: the newest copy counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from senderscore_nb.sources.emails.batches import ROW
from senderscore_nb.sources.emails.sieve import Sieve, hashes
from senderscore_nb.sources.emails.typed import Typing
from senderscore_nb.sources.parse import clean

_FINAL = ("SCHEDULED", "SENDING", "SENT", "FAILED", "BOUNCED")
"""Statuses from the first that a mail has to the last."""

_ROOM = 64
"""Of the ids that one mail has, one in so many is taken for one of several."""


def copied(mails: pl.LazyFrame) -> tuple[Sieve | None, int]:
    """The ids that more than one mail has, None where there are none; and how many mails have one.

    Only the ids are held, as numbers: 8 bytes a mail.
    """
    code = pl.col("mail_id").map_batches(clean, return_dtype=pl.String(), is_elementwise=True)
    codes = mails.select(code.hash()).collect(engine="streaming").to_series().to_numpy()
    codes = np.sort(codes)
    twice = codes[1:][codes[1:] == codes[:-1]]
    return (Sieve.of([twice], room=_ROOM) if len(twice) else None), 2 * len(twice)


def newest(mails: pl.DataFrame, how: Typing) -> pl.DataFrame:
    """Those of some mails that are no older copies of others of them.

    The copy that was modified last counts; of several modified at once, or where nothing says
    when, the one with the later status; of those equal in that too, the one whose text is last in
    order, so that the order of the rows decides nothing.
    """
    order = ("code", "modified", "rank")
    known = _standing(mails, how)
    ordered = known.drop_nulls("id").sort(*order)
    if (_before("id", ordered) != _before("code", ordered)).any():
        # Two ids have one hash.
        ordered = ordered.with_columns(code=pl.col("id").rank("dense").cast(pl.UInt64)).sort(*order)
    last = ~_before("code", ordered).shift(-1, fill_value=False)
    equal = last & pl.Series(np.logical_and.reduce([_before(n, ordered) for n in order]))
    rows = ordered.filter(last & ~equal)[ROW]
    if equal.any():
        unsure = ordered.join(ordered.filter(equal).select("code"), on="code", how="semi")
        told = mails.filter(pl.col(ROW).is_in(unsure[ROW].implode())).select(ROW, text=_text(mails))
        unsure = unsure.join(told, on=ROW).sort(*order, "text", ROW)
        rows = rows.append(unsure.unique("code", keep="last", maintain_order=True)[ROW])
    nameless = known.filter(pl.col("id").is_null())[ROW]
    return mails.filter(pl.col(ROW).is_in(pl.concat([rows, nameless]).implode()))


def _before(name: str, frame: pl.DataFrame) -> pl.Series:
    """Where a row has the value of the row before."""
    values = frame[name]
    return values.eq_missing(values.shift(1)) & (pl.int_range(len(values), eager=True) > 0)


def _standing(mails: pl.DataFrame, how: Typing) -> pl.DataFrame:
    """`row`, `id` and a number for it, and what decides which copy counts."""
    status = pl.col("status") if "status" in mails.columns else pl.lit(None)
    word = status.cast(pl.String).str.strip_chars().str.to_uppercase()
    places = {word: place for place, word in enumerate(_FINAL)}
    rank = word.replace_strict(places, default=-1, return_dtype=pl.Int8)
    has_time = "modified" in mails.columns
    ids = clean(mails["mail_id"])
    return mails.select(
        ROW,
        ids.alias("id"),
        pl.Series("code", hashes(ids)),
        (how.instant("modified") if has_time else pl.lit(None, pl.Int64)).alias("modified"),
        rank.fill_null(-1).alias("rank"),
    )


def _text(mails: pl.DataFrame) -> pl.Expr:
    texts = [pl.col(name).cast(pl.String) for name in mails.columns if name != ROW]
    return pl.concat_str(texts, separator="\x1f", ignore_nulls=True)
