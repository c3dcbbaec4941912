"""Typed mail by what it is for, in memory or, where there is much of it, in parts on the disk.

All mail to one recipient is in one part, so parts are worked on one after the other, and memory
grows with the size of a part, not with all mail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from senderscore_nb.sources.emails.addresses import SEPARATOR
from senderscore_nb.sources.emails.batches import ROW, Batches
from senderscore_nb.sources.emails.copies import copied, newest
from senderscore_nb.sources.emails.kinds import BOUNCED, REFUSED, SENT
from senderscore_nb.sources.emails.sieve import Sieve
from senderscore_nb.sources.emails.spool import Spool, workspace
from senderscore_nb.sources.emails.typed import Typing, typed
from senderscore_nb.sources.emails.watch import Watch
from senderscore_nb.sources.emails.words import CODE, Words, once_each
from senderscore_nb.sources.parse import clean

PART = 1_000_000
"""Mails a part, about: 400 MB while it is worked on."""

COPIES = 300_000
"""Mails a part of those of which there may be another copy, about."""

_MOST_PARTS = 256

OUTGOING = pl.Schema(
    {
        "mail_id": pl.String(), "at": pl.Int64(), "sequence_id": CODE, "template_id": CODE,
        "sender": CODE, "recipient": pl.String(), "thread_id": pl.String(), "owner_id": CODE,
        "contact_id": pl.String(), "kind": pl.UInt8(), "severity": pl.UInt8(),
        "opens": pl.Boolean(), "clicks": pl.Boolean(),
    }
)  # fmt: skip
"""Outgoing mail of sequences, one row a recipient; ids that come again and again as `words`."""

INCOMING = pl.Schema(
    {
        ROW: pl.Int64(), "at": pl.Int64(), "sender": pl.String(), "recipients": pl.String(),
        "thread_id": pl.String(), "kind": pl.UInt8(), "severity": pl.UInt8(), "named": pl.String(),
    }
)  # fmt: skip

_CODED = tuple(name for name, dtype in OUTGOING.items() if dtype == CODE)
_SENT = tuple("recipients" if name == "recipient" else name for name in OUTGOING)
_LAST_OUTGOING, _LAST_INCOMING = REFUSED, 19
_KINDS = pl.Schema({"kind": pl.UInt8(), "mails": pl.Int64(), "newest": pl.Int64()})
_REJECTED = pl.Schema({ROW: pl.Int64(), "kind": pl.UInt8()})


@dataclass(frozen=True)
class Store:
    """Mail by what it is for.

    Attributes:
        number: Of parts.
        outgoing: Outgoing mail of sequences (`OUTGOING`), by part.
        incoming: Incoming mail (`INCOMING`), in one part.
        kinds: `kind`, how many `mails` are of it, and the `newest` of them.
        rejected: `row` and `kind` of rejected mail.
        older: How many mails were older copies.
        has_status: Any mail has a status.
        words: The texts of numbers in `outgoing`.
        folder: Where there is room for more; None where everything is held.
    """

    number: int
    outgoing: Spool
    incoming: Spool
    kinds: pl.DataFrame
    rejected: pl.DataFrame
    older: int
    has_status: bool
    words: Words
    folder: Path | None

    def spool(self, name: str, schema: pl.Schema, *, bounds: bool = False) -> Spool:
        """Room for more frames, as this has its own."""
        return _spool(self.folder, name, schema, bounds=bounds)


@contextmanager
def stored(mails: Batches, how: Typing, owners: pl.DataFrame, watch: Watch) -> Iterator[Store]:
    """Typed mail by what it is for; what is on the disk goes when the block ends.

    Args:
        mails: Some or all columns of `columns.MAIL`, and `row`.
        how: Rules, zone and aliases.
        owners: `owner_id` and `email`, for mail whose sender is an owner alone.
        watch: Where it is said how far this is.
    """
    number = parts_for(mails.rows)
    if number == 1:
        yield _sorted(mails, how, owners, None, 1, watch)
        return
    with workspace() as folder:
        yield _sorted(mails, how, owners, folder, number, watch)


def parts_for(mails: int) -> int:
    """In how many parts so many mails are worked on: one where they are few."""
    return min(_MOST_PARTS, max(1, -(-mails // PART)))


def _sorted(
    mails: Batches,
    how: Typing,
    owners: pl.DataFrame,
    folder: Path | None,
    number: int,
    watch: Watch,
) -> Store:
    watch.line(f"Looking for copies among {mails.rows:,} mails")
    twice, copies = copied(mails.frame)
    known = owners.drop_nulls(["owner_id", "email"])
    by_owner = dict(zip(known["owner_id"], known["email"], strict=True))
    raw = mails.frame.collect_schema()
    sorting = _Sorting(
        how, by_owner, twice, number, max(1, min(number, -(-copies // COPIES))),
        outgoing=_spool(folder, "outgoing", OUTGOING),
        incoming=_spool(folder, "incoming", INCOMING),
        copies=_spool(folder, "copies", raw),
    )  # fmt: skip
    done = 0

    def take(batch: pl.DataFrame) -> None:
        nonlocal done
        sorting.take(batch)
        done += batch.height
        watch.at("Reading the mails", done, mails.rows, batch.height)

    watch.line("Reading the mails")
    mails.feed(take)
    sorting.take_copies()
    return sorting.store(folder)


@dataclass
class _Sorting:
    """The sorting of mail, batch by batch."""

    how: Typing
    by_owner: dict[str, str]
    twice: Sieve | None
    number: int
    copy_parts: int
    outgoing: Spool
    incoming: Spool
    copies: Spool
    words: Words = field(default_factory=Words)
    kinds: list[pl.DataFrame] = field(default_factory=list)
    rejected: list[pl.DataFrame] = field(default_factory=list)
    older: int = 0
    has_status: bool = False

    def take(self, batch: pl.DataFrame) -> None:
        """Mail as it was read; what has the id of another is put aside."""
        if "status" in batch.columns and not self.has_status:
            self.has_status = bool(once_each(batch["status"], _is_said).any())
        if self.twice is not None:
            aside = self.twice.passes(clean_id(batch))
            if aside.any():
                self._put_aside(batch.filter(aside))
                batch = batch.filter(~aside)
        self._sort(batch)

    def take_copies(self) -> None:
        """What was put aside, without older copies."""
        for part in range(self.copy_parts):
            mails = self.copies.read(part)
            if mails.is_empty():
                continue
            kept = newest(mails, self.how)
            self.copies.forget(part)
            self.older += mails.height - kept.height
            self._sort(kept)

    def store(self, folder: Path | None) -> Store:
        """What has come of it."""
        kinds = pl.concat([pl.DataFrame(schema=_KINDS), *self.kinds])
        kinds = kinds.group_by("kind").agg(pl.col("mails").sum(), pl.col("newest").max())
        rejected = pl.concat([pl.DataFrame(schema=_REJECTED), *self.rejected]).sort(ROW)
        return Store(self.number, self.outgoing, self.incoming, kinds, rejected, self.older,
                     self.has_status, self.words, folder)  # fmt: skip

    def _put_aside(self, mails: pl.DataFrame) -> None:
        missing = {n: t for n, t in self.copies.schema.items() if n not in mails.columns}
        mails = mails.with_columns(pl.lit(None, t).alias(n) for n, t in missing.items())
        self.copies.spread(mails, clean_id(mails).hash(seed=7) % self.copy_parts)

    def _sort(self, mails: pl.DataFrame) -> None:
        if mails.is_empty():
            return
        kind = pl.col("kind")
        read = typed(mails.lazy(), self.how).collect()
        sent = _one_a_recipient(read, self.by_owner)
        rest = read.filter(kind > _LAST_OUTGOING)
        self.kinds += [_counted(sent.filter("lead")), _counted(rest)]
        self.rejected.append(rest.filter(kind >= 30).select(_REJECTED.names()))
        coded = sent.with_columns(self.words.codes(sent[name]).alias(name) for name in _CODED)
        if coded.height:
            self.outgoing.spread(coded, coded["recipient"].hash(seed=7) % self.number)
        back = rest.filter(kind <= _LAST_INCOMING)
        if back.height:
            self.incoming.add(back)


def clean_id(mails: pl.DataFrame) -> pl.Series:
    """The ids of mails."""
    return clean(mails["mail_id"])


def _is_said(values: pl.Series) -> pl.Series:
    return values.cast(pl.String).str.strip_chars() != ""


def _spool(folder: Path | None, name: str, schema: pl.Schema, *, bounds: bool = False) -> Spool:
    return Spool(None if folder is None else folder / name, schema, bounds)


def _one_a_recipient(mails: pl.DataFrame, by_owner: dict[str, str]) -> pl.DataFrame:
    """One row a recipient of the outgoing among some mails; `lead` is the first row of a mail."""
    owner = pl.when(pl.col("sender").is_null()).then("owner_id")
    email = pl.lit(None, pl.String)
    if by_owner:
        email = owner.replace_strict(by_owner, default=None, return_dtype=pl.String)
    outgoing = mails["kind"] <= _LAST_OUTGOING
    several = outgoing & mails["recipients"].str.contains(SEPARATOR, literal=True)
    several = several.fill_null(value=False)
    alone = mails.select(_SENT).filter(outgoing & ~several)
    alone = alone.with_columns(
        sender=pl.coalesce("sender", email, "owner " + owner), lead=pl.lit(value=True)
    ).rename({"recipients": "recipient"})
    if not several.any():
        return alone
    to = pl.col("recipients").str.split(SEPARATOR)
    named = pl.when(pl.col("kind") == BOUNCED).then("named").str.split(SEPARATOR)
    flat = (
        mails.filter(several)
        .with_columns(recipient=to, first=to.list.first(), blamed=named.list.set_intersection(to))
        .explode("recipient")
    )
    # A bounce of a mail to several that names some of them is not a bounce of the others.
    blamed = (pl.col("blamed").list.len() > 0) & ~pl.col("blamed").list.contains(
        pl.col("recipient")
    )
    flat = flat.with_columns(
        sender=pl.coalesce("sender", email, "owner " + owner),
        lead=pl.col("first") == pl.col("recipient"),
        kind=pl.when(blamed.fill_null(value=False)).then(pl.lit(SENT, pl.UInt8)).otherwise("kind"),
    ).select(alone.columns)
    return pl.concat([alone, flat])


def _counted(mails: pl.DataFrame) -> pl.DataFrame:
    return mails.group_by("kind").agg(
        pl.len().cast(pl.Int64).alias("mails"), pl.col("at").max().alias("newest")
    )
