"""Outgoing mail of sequences → stretches of mail that belong to one enrollment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from senderscore_nb.sources.emails.rules import MINUTE, EmailRules, microseconds
from senderscore_nb.sources.emails.typed import BOUNCED

KEY = ("sequence_id", "sender", "recipient")
"""Whose mail belongs together."""

EVENT = "event"
"""Column with the last reply or bounce notice that could have ended an enrollment before a mail."""

_LOOKED_AT = ("at", "kind", "thread_id", "template_id", "contact_id", "owner_id", "opens", "clicks")

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Segments:
    """Stretches of mail, each one enrollment as far as the mail tells.

    Attributes:
        frame: One row a stretch: `KEY`, `first_id`, `first_at`, `last_at`, `last_kind`,
            `severity` of the last mail, `template_id` of the first, `contact_id`, `owner_id`
            (the most frequent), `opened`, `clicked`, `mails`.
        threads: `place` in the frame, `thread_id`, `thread_at`: its first mail in the thread.
    """

    frame: pl.DataFrame
    threads: pl.DataFrame


def cut(mails: pl.DataFrame, rules: EmailRules) -> Segments:
    """Cut outgoing mail into stretches.

    A new one begins after a gap, after a bounce, with a mail that has the first template of the
    stretch once more, and with a mail that leaves after the event that ended the one before.

    Args:
        mails: The columns of `store.OUTGOING`, and perhaps `event`.
        rules: Gap and race.
    """
    order, same = _order(mails)
    light = mails.select(name for name in (*_LOOKED_AT, EVENT) if name in mails.columns)[order]
    starts = np.flatnonzero(_beginnings(light, same, rules))
    return Segments(_summed(mails, light, order, starts), _threads(light, starts))


def _order(mails: pl.DataFrame) -> tuple[Ints, Flags]:
    """Places of the mails by key and time, and where a mail has the key of the one before.

    Which of two keys comes first is all the same, so the key is one number; which of two mails of
    one instant comes first is decided by their ids.
    """
    keys = mails.select("at", "mail_id", key=_key(mails)).with_row_index("place")
    keys = keys[keys.select(pl.arg_sort_by("key", "at")).to_series()]
    place, key = keys["place"].cast(pl.Int64), keys["key"].to_numpy()
    twin = pl.all_horizontal(pl.col(n) == pl.col(n).shift(1) for n in ("key", "at"))
    twins = keys.select((twin | twin.shift(-1)).fill_null(value=False)).to_series()
    if twins.any():
        apart = keys.filter(twins).sort("key", "at", "mail_id")["place"]
        place = place.scatter(twins.arg_true(), apart.cast(pl.Int64))
    same = np.concatenate([np.zeros(len(key[:1]), np.bool_), key[1:] == key[:-1]])
    return place.to_numpy(), same


def _key(mails: pl.DataFrame) -> pl.Series:
    """The key of each mail as one number."""
    kind = pl.Categorical(pl.Categories.random())
    codes = mails.select(pl.col(n).cast(kind).to_physical().cast(pl.UInt64) for n in KEY)
    number = pl.Series([0], dtype=pl.UInt64).new_from_index(0, mails.height)
    room = 1
    for code in codes.iter_columns():
        values = int(code.max() or 0) + 1  # type: ignore[arg-type]
        if room * values >= 2**63:
            number = number.rank("dense").cast(pl.UInt64)
            room = int(number.max() or 0) + 1  # type: ignore[arg-type]
        number = number * values + code
        room *= values
    return number


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


def _summed(mails: pl.DataFrame, light: pl.DataFrame, order: Ints, starts: Ints) -> pl.DataFrame:
    ends = np.append(starts[1:], len(order)) - 1 if len(starts) else starts
    first, last = mails[order[starts]], light[ends]
    return first.select(
        *KEY,
        pl.col("mail_id").alias("first_id"),
        pl.col("at").alias("first_at"),
        last["at"].alias("last_at"),
        last["kind"].alias("last_kind"),
        mails["severity"].gather(order[ends]).alias("severity"),
        "template_id",
        _first_known(light["contact_id"], starts, ends).alias("contact_id"),
        _most_frequent(light["owner_id"], starts).alias("owner_id"),
        _any(light["opens"], starts).alias("opened"),
        _any(light["clicks"], starts).alias("clicked"),
        pl.Series("mails", ends - starts + 1, dtype=pl.Int64),
    )


def _first_known(values: pl.Series, starts: Ints, ends: Ints) -> pl.Series:
    if not len(starts):
        return values.clear()
    known = values.is_not_null().to_numpy()
    place = np.where(known, np.arange(len(values)), _NEVER)
    found = np.minimum.reduceat(place, starts)
    # Where none is known the first is as good as any: it is null.
    return values.gather(np.where(found <= ends, found, starts))


def _most_frequent(values: pl.Series, starts: Ints) -> pl.Series:
    """The most frequent value of each stretch; of equally frequent ones the first in order."""
    if not len(starts):
        return values.clear()
    codes = values.rank("dense").cast(pl.Int64).fill_null(0).to_numpy()
    words = values.unique().sort(nulls_last=False)
    has_null = bool(values.null_count())
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
    # Without a null the words begin at code 1, with one they begin with the null at code 0.
    places = pl.Series(top if has_null else np.where(top > 0, top - 1, 0))
    return words.gather(places)


def _any(values: pl.Series, starts: Ints) -> pl.Series:
    """True where one is, False where all are known not to be, else null."""
    if not len(starts):
        return pl.Series([], dtype=pl.Boolean)
    level = values.cast(pl.Int8).fill_null(-1).to_numpy().astype(np.int64)
    high, low = np.maximum.reduceat(level, starts), np.minimum.reduceat(level, starts)
    result = pl.Series(high == 1)
    return result.set(pl.Series((high < 1) & (low < 0)), None)


def _threads(mails: pl.DataFrame, starts: Ints) -> pl.DataFrame:
    begins = np.zeros(mails.height, dtype=np.bool_)
    begins[starts] = True
    place = np.cumsum(begins) - 1
    thread = mails["thread_id"]
    other = (thread != thread.shift(1)).fill_null(value=True).to_numpy()
    kept = pl.Series(begins | other, dtype=pl.Boolean) & thread.is_not_null()
    return pl.DataFrame(
        {"place": pl.Series(place, dtype=pl.Int64), "thread_id": thread, "thread_at": mails["at"]}
    ).filter(kept)
