"""The stretches of all parts of the mail: cut, those that may be answered, and cut again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from senderscore_nb.sources.emails.kinds import NOTICE, REPLY
from senderscore_nb.sources.emails.rules import MINUTE, EmailRules
from senderscore_nb.sources.emails.segments import EVENT, FRAME, KEY, THREADS, Segments, cut
from senderscore_nb.sources.emails.sieve import Hashes, Sieve, hashes
from senderscore_nb.sources.emails.spool import Spool
from senderscore_nb.sources.emails.store import Store
from senderscore_nb.sources.emails.watch import Watch

_CANDIDATE = (*KEY, "place", "first_id", "first_at", "last_at")
_OWNERS = pl.Schema({"sender": FRAME["sender"], "owner_id": FRAME["owner_id"], "n": pl.Int64()})


@dataclass(frozen=True)
class Redone:
    """What was cut once more in one part.

    Attributes:
        gone: Places that are not valid any more.
        segments: What has come instead.
        owners: By how much `owners` of all stretches changed.
    """

    gone: pl.Series
    segments: Segments
    owners: pl.DataFrame


@dataclass(frozen=True)
class Cuts:
    """Stretches of mail by part.

    Attributes:
        store: The mail.
        frames: `Segments.frame`, by part.
        threads: `Segments.threads`, by part.
        firsts: The place of each part's first stretch, and how many stretches there are.
        keys: How many keys there are.
        owners: `sender`, `owner_id`, and how many (`n`) stretches are theirs.
        recipients: Who got mail.
        in_threads: In which threads there is mail.
        redone: What was cut again, by part.
    """

    store: Store
    frames: Spool
    threads: Spool
    firsts: tuple[int, ...]
    keys: int
    owners: pl.DataFrame
    recipients: Sieve
    in_threads: Sieve
    redone: Mapping[int, Redone] = field(default_factory=dict)

    @property
    def senders(self) -> pl.Series:
        """The addresses that mail of sequences is sent from."""
        return self.store.words.texts(self.owners["sender"].unique())

    def final(self) -> Iterator[pl.DataFrame]:
        """The stretches of each part, those that were cut again in place of those before."""
        for part in range(self.store.number):
            frame, redone = self.frames.read(part), self.redone.get(part)
            if redone is not None:
                kept = frame.filter(~_places(frame, redone.gone))
                frame = pl.concat([kept, redone.segments.frame])
            yield frame

    def candidates(self, addresses: Sieve, threads: Sieve) -> Segments:
        """The stretches that incoming mail may belong to.

        Args:
            addresses: Who writes, or is named by a notice.
            threads: The threads that there is incoming mail in.
        """
        found = []
        for part in range(self.store.number):
            frame, own = self.frames.read(part), self.threads.read(part)
            redone = self.redone.get(part)
            if redone is not None:
                valid = ~_places(frame, redone.gone)
                own = own.filter(~own["place"].is_in(redone.gone.implode()))
                found.append(_near(frame.filter(valid), own, addresses, threads))
                again = redone.segments
                found.append(_near(again.frame, again.threads, addresses, threads))
            else:
                found.append(_near(frame, own, addresses, threads))
        return Segments(
            pl.concat([one.frame for one in found]), pl.concat([one.threads for one in found]), 0
        )

    def cut_again(
        self, candidates: pl.DataFrame, matched: pl.DataFrame, incoming: pl.DataFrame,
        rules: EmailRules,
    ) -> Mapping[int, Redone]:  # fmt: skip
        """What goes on after a reply or a notice, cut there.

        Args:
            candidates: `Segments.frame` of what incoming mail was matched with.
            matched: As `replies.match` returns it.
            incoming: The columns of `store.INCOMING`.
            rules: Gap and race.
        """
        race = round(rules.race_minutes * MINUTE)
        ends = incoming.filter(pl.col("kind").is_in([REPLY, NOTICE])).select("row", "at")
        events = matched.join(ends, on="row").select("place", "at")
        keyed = events.join(candidates.select(*KEY, "place", "last_at"), on="place")
        # What comes back of an enrollment ends that one, and not a later one of the same key.
        inside = keyed.filter(pl.col("last_at") > pl.col("at") + race)
        parts = np.searchsorted(self.firsts, inside["place"].to_numpy(), side="right") - 1
        inside = inside.select(*KEY, pl.col("at").alias(EVENT), part=pl.Series(parts))
        redone: dict[int, Redone] = {}
        first = self.firsts[-1]
        for part in inside["part"].unique().sort():
            own = inside.filter(pl.col("part") == part).drop("part")
            redone[part] = self._redo(part, own, race, rules, first)
            first += redone[part].segments.frame.height
        return redone

    def _redo(
        self, part: int, events: pl.DataFrame, race: int, rules: EmailRules, first: int
    ) -> Redone:
        torn = events.select(KEY).unique()
        # A file skips what has another recipient before it reads the rest of the row.
        theirs = pl.col("recipient").is_in(torn["recipient"].unique().implode())
        mails = self.store.outgoing.scan(part).filter(theirs).collect()
        mails = mails.join(torn, on=KEY, how="semi")
        segments = cut(_with_events(mails, events, race), self.store.words, rules, first)
        before = self.frames.read(part).join(torn, on=KEY, how="semi")
        less = _owners(before).with_columns(-pl.col("n"))
        change = pl.concat([less, _owners(segments.frame)])
        return Redone(before["place"], segments, change)


def cut_parts(store: Store, rules: EmailRules, watch: Watch) -> Cuts:
    """Cut the outgoing mail of all parts."""
    frames, threads = store.spool("segments", FRAME), store.spool("threads", THREADS)
    firsts, keys = [0], 0
    owners = [pl.DataFrame(schema=_OWNERS)]
    recipients: list[Hashes] = []
    in_threads: list[Hashes] = []
    watch.line("Grouping outgoing mail")
    for part in range(store.number):
        made = cut(store.outgoing.read(part), store.words, rules, firsts[-1])
        frames.add(made.frame, part)
        threads.add(made.threads, part)
        firsts.append(firsts[-1] + made.frame.height)
        keys += made.keys
        owners.append(_owners(made.frame))
        recipients.append(np.unique(hashes(made.frame["recipient"])))
        watch.at("Grouping outgoing mail", part + 1, store.number)
        in_threads.append(np.unique(hashes(made.threads["thread_id"])))
    return Cuts(
        store, frames, threads, tuple(firsts), keys, _added(owners), Sieve.of(recipients),
        Sieve.of(in_threads),
    )  # fmt: skip


def main_owners(cuts: Cuts) -> pl.DataFrame:
    """The owner that each sender's mail mostly has: `sender`, `main_owner`."""
    counts = _added([cuts.owners, *(one.owners for one in cuts.redone.values())])
    counts = counts.filter(pl.col("owner_id").is_not_null(), pl.col("n") > 0)
    words = cuts.store.words
    return (
        counts.select(words.texts(counts["sender"]), words.texts(counts["owner_id"]), "n")
        .sort("sender", "n", "owner_id", descending=[False, True, False])
        .unique("sender", keep="first", maintain_order=True)
        .select("sender", pl.col("owner_id").alias("main_owner"))
    )


def _near(frame: pl.DataFrame, own: pl.DataFrame, addresses: Sieve, threads: Sieve) -> Segments:
    """Those whose recipient writes, or in whose thread somebody does."""
    own = own.filter(threads.passes(own["thread_id"]))
    near = addresses.passes(frame["recipient"]) | _places(frame, own["place"])
    return Segments(frame.filter(near).select(_CANDIDATE), own, 0)


def _places(frame: pl.DataFrame, places: pl.Series) -> pl.Series:
    """Which rows have one of some places. Those of a frame rise."""
    own = frame["place"].to_numpy()
    found = np.zeros(len(own), np.bool_)
    found[np.searchsorted(own, places.to_numpy())] = True
    return pl.Series(found, dtype=pl.Boolean)


def _owners(frame: pl.DataFrame) -> pl.DataFrame:
    counts = frame.group_by("sender", "owner_id").agg(pl.len().cast(pl.Int64).alias("n"))
    return counts.select(_OWNERS.names())


def _added(owners: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(owners).group_by("sender", "owner_id").agg(pl.col("n").sum())


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
