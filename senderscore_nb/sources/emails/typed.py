"""Mail as it was read → mail with types, and what becomes of each: used, ignored or rejected."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from senderscore_nb.safe import shown_series
from senderscore_nb.sources.emails.addresses import (
    address_lists,
    addresses,
    is_daemon,
    named_in,
    others,
)
from senderscore_nb.sources.emails.batches import ROW
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.emails.instants import instants
from senderscore_nb.sources.emails.rules import EmailRules
from senderscore_nb.sources.emails.words import once_each
from senderscore_nb.sources.endings import BLOCKED
from senderscore_nb.sources.parse import clean

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
_CODE = r"\b([45])\.\d{1,3}\.\d{1,3}\b"
_DELAYED = r"(?i)\bdelay(ed)?\b|\bverzögert|\bfördröj|\bwarning: could not send"
_FAILED = r"(?i)undeliver|failure|failed|returned mail|rejected|non remis|unzustellbar|olevererbar"


@dataclass(frozen=True)
class Typing:
    """How mail is read.

    Attributes:
        rules: The rules.
        zone: The account's time zone.
        aliases: Address → the address that it stands for.
    """

    rules: EmailRules
    zone: str
    aliases: dict[str, str] = field(default_factory=dict)

    def one(self, name: str) -> pl.Expr:
        """The address in a column."""
        plus, aliases = self.rules.plus_addressing, self.aliases
        return _few(name, lambda s: addresses(s, plus=plus, aliases=aliases))

    def many(self, name: str) -> pl.Expr:
        """The addresses in a column, joined."""
        plus, aliases = self.rules.plus_addressing, self.aliases
        return _by_series(name, lambda s: address_lists(s, plus=plus, aliases=aliases), pl.String())

    def named(self, name: str) -> pl.Expr:
        """The addresses that a text names, joined."""
        plus, aliases = self.rules.plus_addressing, self.aliases
        return _by_series(name, lambda s: named_in(s, plus=plus, aliases=aliases), pl.String())

    def instant(self, name: str) -> pl.Expr:
        """Microseconds since 1970, UTC."""
        zone, naive = self.zone, self.rules.naive_timestamps
        return _by_series(name, lambda s: instants(s, zone, naive), pl.Int64())


def typed(mails: pl.LazyFrame, how: Typing) -> pl.LazyFrame:
    """Mail with types.

    Args:
        mails: Some or all columns of `columns.MAIL`, and `row`.
        how: Rules, zone and aliases.

    Returns:
        `row`, `mail_id`, `at` (Int64, microseconds), `sequence_id`, `template_id`, `sender`,
        `recipients`, `thread_id`, `owner_id`, `contact_id`, `kind` (UInt8), `severity` (UInt8),
        `named` (addresses that a notice or a bounce names), `opens`, `clicks`.
    """
    have = mails.collect_schema().names()
    mails = mails.with_columns(pl.lit(None, pl.String).alias(n) for n in MAIL if n not in have)
    texts, few = ("mail_id", "thread_id", "contact_id"), ("sequence_id", "template_id", "owner_id")
    folds = {"direction": _upper, "status": _upper, "out_of_office": _lower}
    plain = mails.with_columns(
        *(_by_series(name, clean, pl.String()) for name in texts),
        *(_few(name, clean) for name in few),
        *(_few(name, fold) for name, fold in folds.items()),
        *(_count(name) for name in ("opens", "clicks")),
        *(pl.col(name).cast(pl.String) for name in ("bounce_message", "subject", "text")),
        instant=how.instant("at"),
        from_=how.one("sender"),
        to=how.many("recipients"),
        code=pl.col("bounce_code").cast(pl.String).str.extract(r"^\s*([45])[.\d]"),
    )
    plain = plain.with_columns(to=_without_sender(how.rules)).with_columns(
        kind=pl.coalesce(_rejection(), _kind(how.rules), _incoming(how.rules)).cast(pl.UInt8)
    )
    notice, bounced = pl.col("kind") == NOTICE, pl.col("kind") == BOUNCED
    about = pl.struct("kind", "subject", "text", "bounce_message").map_batches(
        _about, return_dtype=pl.String(), is_elementwise=True
    )
    marked = plain.with_columns(about=about).with_columns(
        severity=pl.when(bounced | notice).then(_severity()), named=how.named("about")
    )
    return marked.select(
        ROW, "mail_id", pl.col("instant").alias("at"), "sequence_id", "template_id",
        pl.col("from_").alias("sender"), pl.col("to").alias("recipients"), "thread_id", "owner_id",
        "contact_id", "kind", "severity", "named", "opens", "clicks",
    )  # fmt: skip


def _by_series(
    name: str, function: Callable[[pl.Series], pl.Series], dtype: pl.DataType
) -> pl.Expr:
    return pl.col(name).map_batches(function, return_dtype=dtype, is_elementwise=True)


def _few(name: str, function: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """A function of a column in which few texts differ."""
    return _by_series(name, lambda values: once_each(values, function), pl.String())


def _upper(values: pl.Series) -> pl.Series:
    text = values.cast(pl.String).str.strip_chars().str.to_uppercase()
    return text.set(text == "", None)


def _lower(values: pl.Series) -> pl.Series:
    text = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    return text.set(text == "", None)


def _count(name: str) -> pl.Expr:
    number = pl.col(name).cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(number >= 0).then(number > 0).alias(name)


_LONGEST = 20_000


def _without_sender(rules: EmailRules) -> pl.Expr:
    """Recipients but the sender itself; only the first where the rules say so."""
    mine = pl.when(pl.col("direction") == "EMAIL").then("from_").alias("from_")
    kept = pl.struct("to", mine).map_batches(
        lambda s: others(s.struct.field("to"), s.struct.field("from_")),
        return_dtype=pl.String(),
        is_elementwise=True,
    )
    if rules.recipients == "first":
        first = kept.str.extract(r"^([^;]*)")
        kept = pl.when(pl.col("direction") == "EMAIL").then(first).otherwise(kept)
    return kept


def _rejection() -> pl.Expr:
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


def reasons(mails: pl.LazyFrame, rejected: pl.DataFrame) -> pl.DataFrame:
    """Why mails are rejected, in words.

    Args:
        mails: As `typed` takes them.
        rejected: `row`, and `kind` from 30 on.

    Returns:
        `row`, `reason`.
    """
    if rejected.is_empty():
        return pl.DataFrame(schema={ROW: pl.Int64, "reason": pl.String})
    have = mails.collect_schema().names()
    columns = [c for c, _ in REJECTED_KINDS.values()]
    found = (
        mails.select(ROW, *(pl.col(c).cast(pl.String) for c in columns if c in have))
        .join(rejected.lazy().select(ROW, "kind"), on=ROW)
        .sort(ROW)
        .collect(engine="streaming")
    )
    parts = []
    for kind, (column, expected) in REJECTED_KINDS.items():
        mine = found.filter(pl.col("kind") == kind)
        if mine.is_empty():
            continue
        value = clean(mine[column]) if column in mine.columns else pl.Series([None] * len(mine))
        said = f"{column}: expected {expected}, found '" + shown_series(value) + "'"
        blank = pl.repeat(f"{column}: is blank", len(mine), eager=True)
        parts.append(mine.select(ROW).with_columns(said.fill_null(blank).alias("reason")))
    return pl.concat(parts).sort(ROW)


def _about(batch: pl.Series) -> pl.Series:
    """What a bounce or a notice says, cut; null for all other mail."""
    frame = batch.struct.unnest().with_row_index("place")
    told = frame.filter(pl.col("kind").is_in([NOTICE, BOUNCED])).select(
        "place",
        pl.when(pl.col("kind") == BOUNCED)
        .then(pl.col("bounce_message"))
        .otherwise(
            pl.concat_str(
                "subject", pl.col("text").str.slice(0, _LONGEST), separator="\n", ignore_nulls=True
            )
        )
        .alias("text"),
    )
    nothing = pl.repeat(None, len(frame), dtype=pl.String, eager=True)
    return nothing.scatter(told["place"], told["text"]) if len(told) else nothing


def _kind(rules: EmailRules) -> pl.Expr:
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


def _incoming(rules: EmailRules) -> pl.Expr:
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


def _severity() -> pl.Expr:
    digit = pl.coalesce("code", pl.col("about").str.extract(_CODE))
    return (pl.when(digit == "5").then(HARD).when(digit == "4").then(SOFT).otherwise(UNKNOWN)).cast(
        pl.UInt8
    )
