"""Typed mail, kept in memory or, where there is much of it, in parts on the disk.

All mail to one recipient is in one part, so parts are worked on one after the other, and memory
grows with the enrollments and with the incoming mail, not with all mail.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from senderscore_nb.errors import ReadError
from senderscore_nb.sources.emails.addresses import SEPARATOR
from senderscore_nb.sources.emails.files import ROW
from senderscore_nb.sources.emails.typed import BOUNCED, REFUSED, REPLY, SENT

PART = 1_500_000
"""Mails a part, about: 300 MB while it is worked on."""

OUTGOING = (
    *(ROW, "mail_id", "at", "sequence_id", "template_id", "sender", "recipient", "thread_id"),
    *("owner_id", "contact_id", "kind", "severity", "opens", "clicks"),
)
INCOMING = (
    *(ROW, "mail_id", "at", "sender", "recipients", "thread_id", "kind", "severity", "named"),
)
_LAST_OUTGOING, _LAST_INCOMING = REFUSED, 19


@dataclass(frozen=True)
class Store:
    """Mail by what it is for.

    Attributes:
        parts: Outgoing mail of sequences, one row a recipient (`OUTGOING`), lazily.
        incoming: Incoming mail (`INCOMING`).
        kinds: `kind`, how many `mails` are of it, and the `newest` of them.
        rejected: `row` and `kind` of rejected mail.
    """

    parts: tuple[pl.LazyFrame, ...]
    incoming: pl.DataFrame
    kinds: pl.DataFrame
    rejected: pl.DataFrame


@contextmanager
def stored(mails: pl.LazyFrame, count: int, owners: pl.DataFrame) -> Iterator[Store]:
    """Typed mail by what it is for; what is on the disk goes when the block ends.

    Args:
        mails: As `typed` makes them.
        count: How many there are, about.
        owners: `owner_id` and `email`, for mail whose sender is an owner alone.
    """
    flat = _flat(mails, owners)
    number = -(-count // PART) if count else 1
    if number == 1:
        yield _held(flat.collect(engine="streaming"))
        return
    folder = Path(tempfile.mkdtemp(prefix="senderscore-mail-"))
    try:
        yield _spilled(flat, number, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _flat(mails: pl.LazyFrame, owners: pl.DataFrame) -> pl.LazyFrame:
    """One row a recipient of outgoing mail; `lead` is the first row of a mail."""
    known = owners.drop_nulls(["owner_id", "email"])
    by_owner = dict(zip(known["owner_id"], known["email"], strict=True))
    outgoing = pl.col("kind") <= _LAST_OUTGOING
    owner = pl.when(outgoing & pl.col("sender").is_null()).then("owner_id")
    email = owner.replace_strict(by_owner, default=None, return_dtype=pl.String)
    several = outgoing & pl.col("recipients").str.contains(SEPARATOR, literal=True)
    named = pl.when(several & (pl.col("kind") == BOUNCED)).then("named").str.split(SEPARATOR)
    to = pl.when(outgoing).then("recipients").str.split(SEPARATOR)
    flat = mails.with_columns(
        sender=pl.coalesce("sender", email, "owner " + owner),
        recipient=to,
        blamed=named.list.set_intersection(to),
        first=pl.when(several).then(pl.col("recipients").str.extract(r"^([^;]*)")),
        recipients=pl.when(outgoing).then(None).otherwise(pl.col("recipients")),
    ).explode("recipient", empty_as_null=True, keep_nulls=True)
    # A bounce of a mail to several that names some of them is not a bounce of the others.
    blamed = (pl.col("blamed").list.len() > 0) & ~pl.col("blamed").list.contains(
        pl.col("recipient")
    )
    return flat.with_columns(
        lead=pl.col("first").is_null() | (pl.col("first") == pl.col("recipient")),
        kind=pl.when(blamed.fill_null(value=False)).then(pl.lit(SENT, pl.UInt8)).otherwise("kind"),
    ).drop("blamed", "first")


def _held(flat: pl.DataFrame) -> Store:
    outgoing = flat.filter(pl.col("kind") <= _LAST_OUTGOING).select(OUTGOING)
    incoming = flat.filter(pl.col("kind").is_between(REPLY, _LAST_INCOMING)).select(INCOMING)
    return Store((outgoing.lazy(),), incoming, _counted(flat.lazy()), _rejected(flat.lazy()))


def _spilled(flat: pl.LazyFrame, number: int, folder: Path) -> Store:
    kind = pl.col("kind")
    part = (
        pl.when(kind <= _LAST_OUTGOING)
        .then(pl.col("recipient").hash(seed=7) % number)
        .when(kind.is_between(REPLY, _LAST_INCOMING))
        .then(number)
        .otherwise(number + 1)
    )
    target = pl.PartitionBy(folder, key={"part": part.cast(pl.Int64)}, include_key=False)
    try:
        flat.sink_parquet(
            target, compression="lz4", statistics=False, maintain_order=False, mkdir=True,
            engine="streaming",
        )  # fmt: skip
    except OSError as error:
        raise ReadError(
            f"The mails cannot be kept while they are worked on ({error.strerror}).",
            where=str(folder),
            hint="Set TMPDIR to a folder with room for about as much as the mails take.",
        ) from None
    everything = pl.scan_parquet(folder / "**" / "*.parquet", hive_partitioning=False)

    def scan(place: int) -> pl.LazyFrame | None:
        files = sorted((folder / f"part={place}").glob("*.parquet"))
        return pl.scan_parquet(files, hive_partitioning=False) if files else None

    parts = tuple(p.select(OUTGOING) for i in range(number) if (p := scan(i)) is not None)
    nothing = everything.clear()
    incoming, others = (scan(number + i) for i in (0, 1))
    return Store(
        parts,
        (nothing if incoming is None else incoming).select(INCOMING).collect(engine="streaming"),
        _counted(everything),
        _rejected(nothing if others is None else others),
    )


def _counted(flat: pl.LazyFrame) -> pl.DataFrame:
    leads = flat.filter(pl.col("lead"))
    counts = leads.group_by("kind").agg(
        pl.len().cast(pl.Int64).alias("mails"), pl.col("at").max().alias("newest")
    )
    return counts.collect(engine="streaming")


def _rejected(flat: pl.LazyFrame) -> pl.DataFrame:
    return (
        flat.filter(pl.col("kind").is_between(30, 39))
        .select(ROW, "kind")
        .sort(ROW)
        .collect(engine="streaming")
    )
