"""Outgoing mail of sequences → stretches of mail that belong to one enrollment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.sources.emails.kinds import BOUNCED
from senderscore_nb.sources.emails.rules import MINUTE, EmailRules, microseconds
from senderscore_nb.sources.emails.words import CODE, Words

KEY = ("sequence_id", "sender", "recipient")
"""Whose mail belongs together."""

EVENT = "event"
"""Column with the last reply or bounce notice that could have ended an enrollment before a mail."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_NEVER = np.iinfo(np.int64).max


FRAME = pl.Schema(
    {
        "sequence_id": CODE, "sender": CODE, "recipient": pl.String(), "first_id": pl.String(),
        "first_at": pl.Int64(), "last_at": pl.Int64(), "last_kind": pl.UInt8(),
        "severity": pl.UInt8(), "template_id": CODE, "contact_id": pl.String(), "owner_id": CODE,
        "opened": pl.Boolean(), "clicked": pl.Boolean(), "place": pl.Int64(),
    }
)  # fmt: skip
THREADS = pl.Schema({"place": pl.Int64(), "thread_id": pl.String(), "thread_at": pl.Int64()})


@dataclass(frozen=True)
class Segments:
    """Stretches of mail, each one enrollment as far as the mail tells.

    Attributes:
        frame: One row a stretch (`FRAME`): `KEY`, its first and last mail, `severity` of the last
            mail, `template_id` of the first, `contact_id`, `owner_id` (the most frequent),
            `opened`, `clicked`, and its `place` among all stretches.
        threads: `place`, `thread_id`, `thread_at`: its first mail in the thread.
        keys: How many keys there are.
    """

    frame: pl.DataFrame
    threads: pl.DataFrame
    keys: int


def cut(mails: pl.DataFrame, words: Words, rules: EmailRules, first: int = 0) -> Segments:
    """Cut outgoing mail into stretches.

    A new one begins after a gap, after a bounce, with a mail that has the first template of the
    stretch once more, and with a mail that leaves after the event that ended the one before.

    Args:
        mails: The columns of `store.OUTGOING`, and perhaps `event`.
        words: The texts of its numbers.
        rules: Gap and race.
        first: The place of the first stretch.
    """
    mails, same = _ordered(mails)
    starts = np.flatnonzero(_beginnings(mails, same, rules))
    frame = _summed(mails, starts, words)
    place = pl.int_range(first, first + frame.height, dtype=pl.Int64, eager=True)
    frame = frame.with_columns(place.alias("place")).select(FRAME.names())
    return Segments(frame, _threads(mails, starts, first), int(np.count_nonzero(~same)))


def _ordered(mails: pl.DataFrame) -> tuple[pl.DataFrame, Flags]:
    """Mails by key and time, and where a mail has the key of the one before.

    Which of two keys comes first is all the same, so they are ordered by a hash of the key; which
    of two mails of one instant comes first is decided by their ids.
    """
    order, same_hash = _order(mails, _hashed(mails))
    ordered = mails[order]
    same = _unchanged(ordered)
    if (same != same_hash).any():
        # Two keys have one hash.
        number = mails.select(pl.struct(KEY).rank("dense").cast(pl.UInt64)).to_series()
        order, same = _order(mails, number)
        ordered = mails[order]
    return ordered, same


def _hashed(mails: pl.DataFrame) -> pl.Series:
    return mails.select(KEY).hash_rows()


def _order(mails: pl.DataFrame, number: pl.Series) -> tuple[Ints, Flags]:
    """Places of mails by a number and time, and where one has the number of the one before."""
    keys = mails.select("at", number=number)
    order = keys.select(pl.arg_sort_by("number", "at")).to_series().cast(pl.Int64).to_numpy().copy()
    numbers, at = (keys[name].to_numpy()[order] for name in ("number", "at"))
    same = np.concatenate([np.zeros(len(order[:1]), np.bool_), numbers[1:] == numbers[:-1]])
    twin = same & np.concatenate([same[:1], at[1:] == at[:-1]])
    if twin.any():
        twins = np.flatnonzero(twin | np.append(twin[1:], np.False_))
        apart = pl.DataFrame(
            {"number": numbers[twins], "at": at[twins], "place": order[twins]}
        ).with_columns(mails["mail_id"].gather(order[twins]))
        order[twins] = apart.sort("number", "at", "mail_id")["place"].to_numpy()
    return order, same


def _unchanged(mails: pl.DataFrame) -> Flags:
    """Where a mail has the key of the one before."""
    same = np.arange(mails.height) > 0
    for name in KEY:
        same &= mails[name].eq_missing(mails[name].shift(1)).to_numpy()
    return same


def _beginnings(mails: pl.DataFrame, same: Flags, rules: EmailRules) -> Flags:
    at, kind = mails["at"].to_numpy(), mails["kind"].to_numpy()
    before = np.concatenate([at[:1], at[:-1]])
    race = round(rules.race_minutes * MINUTE)
    block = ~same | (at - before > microseconds(rules.gap_days))
    returned = np.concatenate([np.zeros(len(kind[:1]), np.bool_), kind[:-1] == BOUNCED])
    begins = block | returned | _again(mails, block, at - before > race)
    if EVENT in mails.columns:
        event = mails[EVENT].fill_null(np.iinfo(np.int64).min).to_numpy()
        begins |= event >= before - race
    return np.asarray(begins, dtype=np.bool_)


def _again(mails: pl.DataFrame, block: Flags, later: Flags) -> Flags:
    """Where the first template of a block comes once more, not as a race of the same mail."""
    first = mails["template_id"].gather(np.flatnonzero(block)).gather(np.cumsum(block) - 1)
    same = (mails["template_id"] == first).fill_null(value=False).to_numpy()
    return np.asarray(same & ~block & later, dtype=np.bool_)


def _summed(mails: pl.DataFrame, starts: Ints, words: Words) -> pl.DataFrame:
    ends = np.append(starts[1:], mails.height) - 1 if len(starts) else starts
    first = mails.select(*KEY, "mail_id", "at", "template_id")[starts]
    last = mails.select("at", "kind", "severity")[ends]
    return first.select(
        *KEY,
        pl.col("mail_id").alias("first_id"),
        pl.col("at").alias("first_at"),
        last["at"].alias("last_at"),
        last["kind"].alias("last_kind"),
        last["severity"],
        "template_id",
        _first_known(mails["contact_id"], starts, ends).alias("contact_id"),
        _most_frequent(mails["owner_id"], starts, words).alias("owner_id"),
        _any(mails["opens"], starts).alias("opened"),
        _any(mails["clicks"], starts).alias("clicked"),
    )


def _first_known(values: pl.Series, starts: Ints, ends: Ints) -> pl.Series:
    if not len(starts):
        return values.clear()
    known = values.is_not_null().to_numpy()
    place = np.where(known, np.arange(len(values)), _NEVER)
    found = np.minimum.reduceat(place, starts)
    # Where none is known the first is as good as any: it is null.
    return values.gather(np.where(found <= ends, found, starts))


def _most_frequent(values: pl.Series, starts: Ints, words: Words) -> pl.Series:
    """The most frequent value of each stretch; of equally frequent ones the first in order."""
    if not len(starts):
        return values.clear()
    ranks, known = words.ranks(values)
    codes = (ranks.cast(pl.Int64) + 1).fill_null(0).to_numpy()
    top = np.maximum.reduceat(codes, starts)
    low = np.minimum.reduceat(np.where(codes > 0, codes, _NEVER), starts)
    torn = np.flatnonzero((low < top) & (top > 0))
    if len(torn):
        number = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
        mask = np.isin(number, torn) & (codes > 0)
        counts = (
            pl.DataFrame({"n": number[mask], "c": codes[mask]})
            .group_by("n", "c")
            .len()
            .sort("n", "len", "c", descending=[False, True, False])
            .unique("n", keep="first", maintain_order=True)
        )
        top[counts["n"].to_numpy()] = counts["c"].to_numpy()
    return known.gather(pl.Series(top - 1).set(pl.Series(top == 0), None))


def _any(values: pl.Series, starts: Ints) -> pl.Series:
    """True where one is, False where all are known not to be, else null."""
    if not len(starts):
        return pl.Series([], dtype=pl.Boolean)
    level = values.cast(pl.Int8).fill_null(-1).to_numpy().astype(np.int64)
    high, low = np.maximum.reduceat(level, starts), np.minimum.reduceat(level, starts)
    result = pl.Series(high == 1)
    return result.set(pl.Series((high < 1) & (low < 0)), None)


def _threads(mails: pl.DataFrame, starts: Ints, first: int) -> pl.DataFrame:
    begins = np.zeros(mails.height, dtype=np.bool_)
    begins[starts] = True
    place = np.cumsum(begins) - 1 + first
    thread = mails["thread_id"]
    other = (thread != thread.shift(1)).fill_null(value=True).to_numpy()
    kept = pl.Series(begins | other, dtype=pl.Boolean) & thread.is_not_null()
    rows = {"place": place, "thread_id": thread, "thread_at": mails["at"]}
    return pl.DataFrame(rows, schema=THREADS).filter(kept)
