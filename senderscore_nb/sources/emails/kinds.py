"""What a mail is: sent, returned, a reply, a notice, or nothing that is looked at, and why."""

from __future__ import annotations

import re

import polars as pl

from senderscore_nb.sources.emails.addresses import is_daemon
from senderscore_nb.sources.emails.rules import EmailRules
from senderscore_nb.sources.endings import BLOCKED

SENT, BOUNCED, FAILED, REFUSED = 0, 1, 2, 3
"""What became of an outgoing mail. `REFUSED`: the address was refused before sending."""

REPLY, AUTOMATIC, NOTICE = 10, 11, 12
"""What an incoming mail is."""

IGNORED: dict[int, str] = {
    20: "outgoing, not of a sequence",
    21: "not sent yet",
    22: "forwarded",
    23: "draft",
    24: "an older copy of a mail",
    26: "notice of a delay, not of a bounce",
    25: "later than the instant that is asked for",
}
REJECTED_KINDS: dict[int, tuple[str, str]] = {
    30: ("mail_id", "an id"),
    31: ("at", "an instant such as 2026-03-02T09:15:00Z, or milliseconds"),
    32: ("direction", "one of EMAIL, INCOMING_EMAIL, FORWARDED_EMAIL"),
    33: ("status", "one of SENT, SENDING, SCHEDULED, BOUNCED, FAILED"),
    34: ("recipients", "an address other than the sender's"),
    35: ("sender", "an address, or an owner"),
}
"""Why a mail is rejected: its column, and what was expected there."""

OLDER, DELAY = 24, 26

HARD, SOFT, UNKNOWN = 1, 2, 3

_DIRECTIONS = ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL", "DRAFT_EMAIL")
_STATUSES = ("SENT", "SENDING", "SCHEDULED", "BOUNCED", "FAILED")
_TRUE = ("true", "1", "1.0", "yes", "t")
_FALSE = ("false", "0", "0.0", "no", "f")
_REFUSED_WORDS = (
    *("previously bounced", "opted out", "opted-out", "unsubscribed", "do not contact"),
    *("blocked recipient", "recipient blocked", "suppressed", "invalid email address"),
)
_DELAYED = r"(?i)\bdelay(ed)?\b|\bverzögert|\bfördröj|\bwarning: could not send"
_FAILED = r"(?i)undeliver|failure|failed|returned mail|rejected|non remis|unzustellbar|olevererbar"


def rejection() -> pl.Expr:
    """Why a mail is rejected, as the place of a reason; null where it is not."""
    direction, status = pl.col("direction"), pl.col("status")
    ours = (direction == "EMAIL") & pl.col("sequence_id").is_not_null()
    return (
        pl.when(pl.col("mail_id").is_null()).then(30)
        .when(pl.col("instant").is_null()).then(31)
        .when(~direction.is_in(_DIRECTIONS).fill_null(value=False)).then(32)
        .when(ours & ~status.is_in(_STATUSES).fill_null(value=True)).then(33)
        .when(ours & pl.col("to").is_null()).then(34)
        .when(ours & pl.col("from_").is_null() & pl.col("owner_id").is_null()).then(35)
    )  # fmt: skip


def kind(rules: EmailRules) -> pl.Expr:
    """What a mail is; null where it is incoming."""
    direction, status = pl.col("direction"), pl.col("status")
    message = pl.col("bounce_message")
    refused = message.str.contains_any(list(BLOCKED), ascii_case_insensitive=True)
    worded = message.str.contains_any(list(_REFUSED_WORDS), ascii_case_insensitive=True)
    failed = status == "FAILED"
    refused = (refused & (failed | (status == "BOUNCED"))) | (worded & failed)
    out = (
        pl.when(refused.fill_null(value=False)).then(REFUSED)
        .when(status == "BOUNCED").then(BOUNCED)
        .when(failed).then(FAILED)
        .when(status.is_in(["SCHEDULED", "SENDING"])).then(21)
        .otherwise(SENT)
    )  # fmt: skip
    return (
        pl.when(_too_late(rules)).then(25)
        .when(direction == "FORWARDED_EMAIL").then(22)
        .when(direction == "DRAFT_EMAIL").then(23)
        .when(direction == "INCOMING_EMAIL").then(None)
        .when(pl.col("sequence_id").is_null()).then(20)
        .otherwise(out)
    )  # fmt: skip


def incoming(rules: EmailRules) -> pl.Expr:
    """What an incoming mail is; looked at where a mail is one, for most are not."""
    starts = "|".join(re.escape(begin.lower()) for begin in rules.out_of_office_subjects)
    begins = f"^(?:{starts})" if starts else None
    about = pl.struct("direction", "from_", "subject", "out_of_office")
    return about.map_batches(
        lambda batch: _incoming_kinds(batch.struct.unnest(), begins),
        return_dtype=pl.UInt8(),
        is_elementwise=True,
    )


def _incoming_kinds(mails: pl.DataFrame, begins: str | None) -> pl.Series:
    places = (mails["direction"] == "INCOMING_EMAIL").fill_null(value=False).arg_true()
    found = pl.repeat(None, len(mails), dtype=pl.UInt8, eager=True)
    if not len(places):
        return found
    subject = pl.col("subject").str.to_lowercase().str.strip_chars_start()
    says = subject.str.contains(begins) if begins else pl.lit(value=False)
    flag, daemon = pl.col("out_of_office"), is_daemon(pl.col("from_"))
    automatic = (
        pl.when(flag.is_in(_TRUE)).then(pl.lit(value=True))
        .when(flag.is_in(_FALSE)).then(pl.lit(value=False))
        .otherwise(says.fill_null(value=False))
    )  # fmt: skip
    delayed = subject.str.contains(_DELAYED) & ~subject.str.contains(_FAILED)
    kinds = (
        pl.when(daemon & delayed.fill_null(value=False)).then(DELAY)
        .when(daemon).then(NOTICE)
        .when(automatic).then(AUTOMATIC)
        .otherwise(REPLY)
    ).cast(pl.UInt8)  # fmt: skip
    return found.scatter(places, mails[places].select(kinds).to_series())


def _too_late(rules: EmailRules) -> pl.Expr:
    if rules.as_of is None:
        return pl.lit(value=False)
    return pl.col("instant") > int(rules.as_of.timestamp() * 1_000_000)
