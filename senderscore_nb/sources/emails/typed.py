"""Mail as it was read → mail with types, and what becomes of each: used, ignored or rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from senderscore_nb.safe import shown_series
from senderscore_nb.sources.emails.addresses import (
    address_lists,
    addresses,
    named_in,
    others,
)
from senderscore_nb.sources.emails.batches import ROW
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.emails.instants import instants
from senderscore_nb.sources.emails.kinds import (
    BOUNCED,
    HARD,
    NOTICE,
    REJECTED_KINDS,
    SOFT,
    UNKNOWN,
    incoming,
    rejection,
)
from senderscore_nb.sources.emails.kinds import kind as kind_of
from senderscore_nb.sources.emails.rules import EmailRules
from senderscore_nb.sources.emails.words import once_each
from senderscore_nb.sources.parse import clean

_CODE = r"\b([45])\.\d{1,3}\.\d{1,3}\b"


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
        kind=pl.coalesce(rejection(), kind_of(how.rules), incoming(how.rules)).cast(pl.UInt8)
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


def _severity() -> pl.Expr:
    digit = pl.coalesce("code", pl.col("about").str.extract(_CODE))
    return (pl.when(digit == "5").then(HARD).when(digit == "4").then(SOFT).otherwise(UNKNOWN)).cast(
        pl.UInt8
    )
