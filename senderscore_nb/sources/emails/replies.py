"""Incoming mail → replies, automatic replies and bounce notices of enrollments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from senderscore_nb.sources.emails.addresses import SEPARATOR
from senderscore_nb.sources.emails.kinds import NOTICE
from senderscore_nb.sources.emails.matching import NEVER, latest_open
from senderscore_nb.sources.emails.rules import EmailRules, microseconds
from senderscore_nb.sources.emails.segments import Segments
from senderscore_nb.sources.emails.sieve import Sieve, hashes
from senderscore_nb.sources.emails.spool import Spool

MATCHED = pl.Schema({"row": pl.Int64(), "place": pl.Int64(), "by_thread": pl.Boolean()})


UNANSWERED = pl.Schema({"kind": pl.UInt8(), "own": pl.Boolean(), "mails": pl.Int64()})


@dataclass(frozen=True)
class Mailbox:
    """Incoming mail, made ready once.

    Attributes:
        letters: `row`, `at`, `sender`, `thread_id`: what people and their machines wrote.
        notices: The same of mail servers.
        to: `row`, `to`: the addresses that each was sent to, one a row.
        named: `row`, `named`: the addresses that notices name, one a row.
    """

    letters: pl.DataFrame
    notices: pl.DataFrame
    to: pl.DataFrame
    named: pl.DataFrame

    @property
    def addresses(self) -> Sieve:
        """Whose enrollment a mail may belong to by its address."""
        return Sieve.of([hashes(self.letters["sender"]), hashes(self.named["named"])])

    @property
    def threads(self) -> Sieve:
        """The threads that there is incoming mail in."""
        return Sieve.of([hashes(m["thread_id"].drop_nulls()) for m in (self.letters, self.notices)])

    @classmethod
    def of(cls, incoming: pl.DataFrame) -> Mailbox:
        """From the columns of `store.INCOMING`."""
        is_notice = pl.col("kind") == NOTICE
        columns = ("row", "at", "sender", "thread_id")
        notices = incoming.filter(is_notice)
        return cls(
            incoming.filter(~is_notice).select(columns),
            notices.select(columns),
            _one_a_row(incoming, "recipients", "to"),
            _one_a_row(notices, "named", "named"),
        )


def match(box: Mailbox, segments: Segments, senders: pl.Series, rules: EmailRules) -> pl.DataFrame:
    """Each incoming mail's enrollment.

    A letter belongs to the enrollment of its thread that has its sender as the recipient; else to
    the latest of its thread, whoever of the other side writes; else, by its address, to the latest
    that was open of those senders that it was sent to, or of any where it was sent to none of
    them. A notice belongs to the enrollment of its thread whose address it names; else to the
    latest of its thread; else to that of an address that it names. Mail of a sender of the account
    is a reply only as the recipient's in the thread.

    Args:
        box: Incoming mail.
        segments: What it may belong to, with senders as texts.
        senders: The addresses that mail of sequences is sent from.
        rules: The windows.

    Returns:
        `row`, `place` in the segments, `by_thread`.
    """
    frame = segments.frame.select(
        "place", "sender", "recipient", "first_at", "first_id", "last_at",
        pl.col("first_at").alias("opens_at"),
    )  # fmt: skip
    threads = segments.threads.join(
        frame.select("place", "recipient", "first_at", "first_id"), on="place"
    ).with_columns(pl.col("thread_at").alias("opens_at"), closes_at=pl.lit(NEVER, pl.Int64))
    parts = [pl.DataFrame(schema=MATCHED)]
    parts += _letters(box, frame, threads, senders, rules)
    parts += _notices(box, frame, threads, senders, rules)
    return pl.concat(parts)


def answering(
    incoming: Spool, recipients: Sieve, threads: Sieve, senders: pl.Series
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Incoming mail that may belong to an enrollment, and how much there is of the rest.

    Args:
        incoming: The columns of `store.INCOMING`.
        recipients: Who got mail.
        threads: In which threads there is mail.
        senders: The addresses that mail of sequences is sent from.

    Returns:
        Its rows; and of the rest, which is not held, `kind`, whether the sender is one of the
        account's (`own`), and `mails`.
    """
    kept = [pl.DataFrame(schema=incoming.schema)]
    rest = [pl.DataFrame(schema=UNANSWERED)]
    for mails in incoming.frames():
        near = threads.passes(mails["thread_id"]) | recipients.passes(mails["sender"])
        near |= mails["kind"] == NOTICE
        kept.append(mails.filter(near))
        rest.append(by_kind(mails.filter(~near), senders))
    return pl.concat(kept), pl.concat(rest)


def by_kind(incoming: pl.DataFrame, senders: pl.Series) -> pl.DataFrame:
    """`kind`, `own`, and how many `mails`."""
    own = pl.col("sender").is_in(senders.implode()).fill_null(value=False)
    counts = incoming.group_by("kind", own.alias("own")).agg(pl.len().alias("mails"))
    return counts.select(pl.col(n).cast(t) for n, t in UNANSWERED.items())


def _letters(
    box: Mailbox, frame: pl.DataFrame, threads: pl.DataFrame, senders: pl.Series, rules: EmailRules
) -> Iterator[pl.DataFrame]:
    letters = box.letters.with_columns(pl.col("sender").alias("recipient")).drop("sender")
    own = latest_open(letters, threads, ["thread_id", "recipient"])
    yield _marked(own, by_thread=True)
    rest = letters.join(own, on="row", how="anti").filter(
        ~pl.col("recipient").is_in(senders.implode()).fill_null(value=False)
    )
    others = latest_open(rest, threads, ["thread_id"])
    yield _marked(others, by_thread=True)
    rest = rest.join(others, on="row", how="anti")
    yield _by_address(rest, box, _windowed(frame, rules.reply_days), senders)


def _notices(
    box: Mailbox, frame: pl.DataFrame, threads: pl.DataFrame, senders: pl.Series, rules: EmailRules
) -> Iterator[pl.DataFrame]:
    notices = box.notices.drop("sender")
    about = notices.join(box.named.rename({"named": "recipient"}), on="row")
    exact = latest_open(about, threads, ["thread_id", "recipient"])
    yield _marked(exact, by_thread=True)
    rest = notices.join(exact, on="row", how="anti")
    thread = latest_open(rest, threads, ["thread_id"])
    yield _marked(thread, by_thread=True)
    left = about.join(pl.concat([exact, thread]), on="row", how="anti")
    yield _by_address(left, box, _windowed(frame, rules.notice_days), senders)


def _by_address(
    mails: pl.DataFrame, box: Mailbox, candidates: pl.DataFrame, senders: pl.Series
) -> pl.DataFrame:
    """By recipient, among the senders that a mail was sent to; among all if to none of them."""
    to = box.to.filter(pl.col("to").is_in(senders.implode())).rename({"to": "sender"})
    ours = mails.join(to, on="row")
    strays = mails.join(to, on="row", how="anti")
    found = latest_open(ours, candidates, ["recipient", "sender"])
    lost = latest_open(strays, candidates, ["recipient"])
    return _marked(pl.concat([found, lost]), by_thread=False)


def _windowed(frame: pl.DataFrame, days: float) -> pl.DataFrame:
    return frame.with_columns(closes_at=pl.col("last_at") + microseconds(days))


def _marked(found: pl.DataFrame, *, by_thread: bool) -> pl.DataFrame:
    return found.select("row", "place", pl.lit(by_thread).alias("by_thread"))


def _one_a_row(mails: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    return (
        mails.select("row", pl.col(column).str.split(SEPARATOR).alias(name))
        .explode(name, empty_as_null=True, keep_nulls=True)
        .drop_nulls(name)
    )
