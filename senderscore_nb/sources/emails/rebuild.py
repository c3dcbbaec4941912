"""The steps of the reconstruction: read, cut, match, cut again where an end was found, judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from senderscore_nb.sources.emails.copies import older_copies
from senderscore_nb.sources.emails.fates import fates_of
from senderscore_nb.sources.emails.files import ROW
from senderscore_nb.sources.emails.outcomes import enrollments, happened, judged
from senderscore_nb.sources.emails.people import People
from senderscore_nb.sources.emails.replies import Mailbox, match
from senderscore_nb.sources.emails.rules import MINUTE, EmailRules
from senderscore_nb.sources.emails.segments import EVENT, KEY, Segments, cut
from senderscore_nb.sources.emails.store import Store, stored
from senderscore_nb.sources.emails.typed import (
    NOTICE,
    REPLY,
    Typing,
    reasons,
    typed,
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rebuilt:
    """What mail tells.

    Attributes:
        enrollments: Of the contract, all `inferred`.
        fates: `fate` (used, ignored, rejected), `what`, `mails`: what became of every mail.
        rejected: `row`, `reason` of rejected mail.
        as_of: The last instant that is known of, microseconds since 1970; None without any mail.
        incoming_known: There is incoming mail; without, replies are unknown.
        bounces_known: Mail has statuses; without, bounces are unknown.
        again: How many enrollments are of a sequence, sender and recipient that had one before.
    """

    enrollments: pl.DataFrame
    fates: pl.DataFrame
    rejected: pl.DataFrame
    as_of: int | None
    incoming_known: bool
    bounces_known: bool
    again: int


def rebuild(
    mails: pl.LazyFrame, count: int, how: Typing, people: People, say: Say | None = None
) -> Rebuilt:
    """Enrollments from mail.

    Args:
        mails: Some or all columns of `columns.MAIL`, and `row`.
        count: How many there are.
        how: Rules, zone and aliases.
        people: Owners.
        say: Called with a line about each step.
    """
    tell = say or (lambda _: None)
    tell(f"Looking for copies among {count:,} mails …")
    older = older_copies(mails, how)
    kept = mails.join(older.lazy(), on=ROW, how="anti") if older.height else mails
    tell("Reading the mails …")
    with stored(typed(kept, how), count - older.height, people.owners) as store:
        tell("Grouping outgoing mail …")
        segments = _together(
            cut(part.collect(engine="streaming"), how.rules) for part in store.parts
        )
        senders = segments.frame["sender"].unique()
        tell("Matching incoming mail …")
        box = Mailbox.of(store.incoming)
        matched = match(box, segments, senders, how.rules)
        again = _cut_again(store, segments, matched, how.rules)
        if again is not None:
            segments = again
            matched = match(box, segments, senders, how.rules)
        known = _Known.of(mails, store, how.rules)
        rows = judged(
            segments.frame, happened(matched, store.incoming), known.as_of or 0, how.rules
        )
        tell("Writing enrollments …")
        found = enrollments(rows, how.zone, people, _main_owner(segments.frame))
        return Rebuilt(
            enrollments=known.told(found),
            fates=fates_of(store, matched, senders, older.height),
            rejected=reasons(mails, store.rejected),
            as_of=known.as_of,
            incoming_known=known.incoming,
            bounces_known=known.bounces,
            again=found.height - segments.frame.select(KEY).n_unique() if found.height else 0,
        )


def _together(parts: Iterable[Segments]) -> Segments:
    frames, threads, places = [], [], 0
    for part in parts:
        frames.append(part.frame)
        threads.append(part.threads.with_columns(pl.col("place") + places))
        places += part.frame.height
    return Segments(pl.concat(frames), pl.concat(threads))


def _cut_again(
    store: Store, segments: Segments, matched: pl.DataFrame, rules: EmailRules
) -> Segments | None:
    """The stretches with those cut that go on after a reply or a notice; None where none does."""
    race = round(rules.race_minutes * MINUTE)
    ends = store.incoming.filter(pl.col("kind").is_in([REPLY, NOTICE])).select("row", "at")
    events = matched.join(ends, on="row").select("place", "at")
    numbered = segments.frame.select(*KEY, "last_at").with_row_index("place")
    numbered = numbered.with_columns(pl.col("place").cast(pl.Int64))
    keyed = events.join(numbered, on="place")
    # What comes back of an enrollment ends that one, and not a later one of the same key.
    inside = keyed.filter(pl.col("last_at") > pl.col("at") + race)
    if inside.is_empty():
        return None
    torn, own = inside.select(KEY).unique(), inside.select(*KEY, pl.col("at").alias(EVENT))
    redone = [
        cut(_with_events(mails, own, race), rules)
        for part in store.parts
        if (mails := _of(part, torn)).height
    ]
    whole = numbered.join(torn, on=KEY, how="anti").sort("place")["place"]
    new = pl.DataFrame({"old": whole}).with_row_index("place")
    threads = segments.threads.rename({"place": "old"}).join(new, on="old")
    threads = threads.select(pl.col("place").cast(pl.Int64), "thread_id", "thread_at")
    return _together([Segments(segments.frame[whole], threads), *redone])


def _of(part: pl.LazyFrame, keys: pl.DataFrame) -> pl.DataFrame:
    return part.join(keys.lazy(), on=KEY, how="semi").collect(engine="streaming")


def _with_events(mails: pl.DataFrame, events: pl.DataFrame, race: int) -> pl.DataFrame:
    """Mails with the last event that came early enough before each."""
    late = events.with_columns(__at=pl.col(EVENT) + race).sort("__at")
    return (
        mails.sort("at")
        .join_asof(
            late, left_on="at", right_on="__at", by=list(KEY), strategy="backward",
            allow_exact_matches=False, check_sortedness=False,
        )
        .drop("__at", strict=False)
    )  # fmt: skip


def _main_owner(frame: pl.DataFrame) -> pl.DataFrame:
    """The owner that each sender's mail mostly has."""
    return (
        frame.drop_nulls("owner_id")
        .group_by("sender", "owner_id")
        .agg(pl.len().alias("n"))
        .sort("sender", "n", "owner_id", descending=[False, True, False])
        .unique("sender", keep="first", maintain_order=True)
        .select("sender", pl.col("owner_id").alias("main_owner"))
    )


@dataclass(frozen=True)
class _Known:
    """What the mails can tell at all."""

    as_of: int | None
    incoming: bool
    bounces: bool

    @classmethod
    def of(cls, mails: pl.LazyFrame, store: Store, rules: EmailRules) -> _Known:
        kinds = store.kinds
        mute = pl.col("kind").is_in([21, 23, 25]) | pl.col("kind").is_between(30, 39)
        telling = kinds.filter(~mute)
        newest = telling["newest"].max()
        as_of = newest if isinstance(newest, int) else None
        if rules.as_of is not None:
            as_of = int(rules.as_of.timestamp() * 1_000_000)
        incoming = kinds.filter(pl.col("kind").is_between(REPLY, 19) | (pl.col("kind") == 26))
        status = False
        if "status" in mails.collect_schema().names():
            text = pl.col("status").cast(pl.String).str.strip_chars()
            status = bool(mails.select((text != "").any()).collect(engine="streaming").item())
        return cls(as_of, bool(incoming["mails"].sum()), status)

    def told(self, found: pl.DataFrame) -> pl.DataFrame:
        """Enrollments with what the mails cannot tell as null."""
        if not self.incoming:
            found = found.with_columns(pl.lit(None, pl.Boolean).alias("replied"))
        if not self.bounces:
            unsure = [
                pl.when(pl.col(name)).then(pl.col(name)).alias(name)
                for name in ("bounced", "previously_bounced")
            ]
            found = found.with_columns(unsure)
        return found
