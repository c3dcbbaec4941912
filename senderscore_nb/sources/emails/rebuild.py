"""The steps of the reconstruction: read, cut, match, cut again where an end was found, judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from senderscore_nb.sources.emails.assembly import Assembly
from senderscore_nb.sources.emails.batches import Batches
from senderscore_nb.sources.emails.cuts import Cuts, cut_parts, main_owners
from senderscore_nb.sources.emails.fates import fates_of
from senderscore_nb.sources.emails.kinds import REPLY
from senderscore_nb.sources.emails.outcomes import enrollments, happened, judged
from senderscore_nb.sources.emails.people import People
from senderscore_nb.sources.emails.replies import Mailbox, answering, match
from senderscore_nb.sources.emails.rules import EmailRules
from senderscore_nb.sources.emails.segments import FRAME
from senderscore_nb.sources.emails.store import Store, stored
from senderscore_nb.sources.emails.typed import Typing, reasons
from senderscore_nb.sources.emails.watch import Watch
from senderscore_nb.sources.emails.words import CODE

_SILENT = Watch()


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


def rebuild(mails: Batches, how: Typing, people: People, watch: Watch = _SILENT) -> Rebuilt:
    """Enrollments from mail.

    Args:
        mails: Some or all columns of `columns.MAIL`, and `row`.
        how: Rules, zone and aliases.
        people: Owners.
        watch: Where it is said how far this is.
    """
    with stored(mails, how, people.owners, watch) as store:
        cuts = cut_parts(store, how.rules, watch)
        watch.line("Matching incoming mail")
        senders = cuts.senders
        incoming, rest = answering(store.incoming, cuts.recipients, cuts.in_threads, senders)
        cuts, matched = _matched(cuts, incoming, senders, how.rules)
        known = _Known.of(store, how.rules)
        events = happened(matched, incoming)
        watch.line("Writing enrollments")
        assembly, main_owner = Assembly.within(store), main_owners(cuts)
        for part, segments in enumerate(cuts.final()):
            rows = judged(_spelled(segments, store), events, known.as_of or 0, how.rules)
            assembly.add(enrollments(rows, how.zone, people, main_owner))
            watch.at("Writing enrollments", part + 1, store.number)
        found = assembly.whole()
        return Rebuilt(
            enrollments=known.told(found),
            fates=fates_of(store, incoming, rest, matched, senders),
            rejected=reasons(mails.frame, store.rejected),
            as_of=known.as_of,
            incoming_known=known.incoming,
            bounces_known=known.bounces,
            again=found.height - cuts.keys,
        )


def _matched(
    cuts: Cuts, incoming: pl.DataFrame, senders: pl.Series, rules: EmailRules
) -> tuple[Cuts, pl.DataFrame]:
    """The stretches with those cut that go on after a reply or a notice, and whose each mail is."""
    box = Mailbox.of(incoming)
    addresses, threads = box.addresses, box.threads
    matched = pl.DataFrame()
    for turn in range(2):
        near = cuts.candidates(addresses, threads)
        sender = cuts.store.words.texts(near.frame["sender"])
        matched = match(box, replace(near, frame=near.frame.with_columns(sender)), senders, rules)
        if turn == 0:
            redone = cuts.cut_again(near.frame, matched, incoming, rules)
            if not redone:
                break
            cuts = replace(cuts, redone=redone)
    return cuts, matched


def _spelled(segments: pl.DataFrame, store: Store) -> pl.DataFrame:
    """Stretches with texts in place of numbers."""
    coded = [name for name, dtype in FRAME.items() if dtype == CODE]
    return segments.with_columns(store.words.texts(segments[name]) for name in coded)


@dataclass(frozen=True)
class _Known:
    """What the mails can tell at all."""

    as_of: int | None
    incoming: bool
    bounces: bool

    @classmethod
    def of(cls, store: Store, rules: EmailRules) -> _Known:
        kinds = store.kinds
        mute = pl.col("kind").is_in([21, 23, 25]) | pl.col("kind").is_between(30, 39)
        telling = kinds.filter(~mute)
        newest = telling["newest"].max()
        as_of = newest if isinstance(newest, int) else None
        if rules.as_of is not None:
            as_of = int(rules.as_of.timestamp() * 1_000_000)
        incoming = kinds.filter(pl.col("kind").is_between(REPLY, 19) | (pl.col("kind") == 26))
        return cls(as_of, bool(incoming["mails"].sum()), store.has_status)

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
