"""Stretches of mail and what came back → enrollments of the contract."""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl

from senderscore_nb.contract import BOUNCE_TYPES, COLUMNS
from senderscore_nb.sources import endings
from senderscore_nb.sources.emails.kinds import (
    AUTOMATIC,
    BOUNCED,
    FAILED,
    HARD,
    NOTICE,
    REFUSED,
    REPLY,
    SOFT,
)
from senderscore_nb.sources.emails.people import People
from senderscore_nb.sources.emails.rules import EmailRules, microseconds
from senderscore_nb.sources.emails.segments import KEY

ENROLLMENT: tuple[str, ...] = (
    *("enrollment_id", "user_id", "sequence_id", "enrolled_on", "ended_on", "replied", "bounced"),
    *("user_name", "contact_id", "end_reason", "bounce_type", "opened", "clicked"),
    *("out_of_office", "inferred", "template_id", "recipient_domain", "mailbox_provider"),
    *("previously_bounced", "enrolled_hour", "enrolled_weekday"),
)
"""The columns of a reconstructed enrollment. `steps` is not among them: how many mails were seen is
an outcome."""

_ID_BYTES = 12
_BATCH = 100_000


def happened(matched: pl.DataFrame, incoming: pl.DataFrame) -> pl.DataFrame:
    """By `place`: the first reply, notice and automatic reply, and how they were found.

    Args:
        matched: As `replies.match` returns it.
        incoming: The columns of `store.INCOMING`.
    """
    events = matched.join(incoming.select("row", "at", "kind", "severity"), on="row")
    kind = pl.col("kind")
    ordered = events.sort("place", "at", pl.col("by_thread").not_(), "severity")
    groups = ordered.group_by("place", maintain_order=True)
    return groups.agg(
        pl.col("at").filter(kind == REPLY).first().alias("reply_at"),
        pl.col("by_thread").filter(kind == REPLY).first().alias("in_thread"),
        pl.col("at").filter(kind == NOTICE).first().alias("notice_at"),
        pl.col("severity").filter(kind == NOTICE).first().alias("notice_severity"),
        (kind == AUTOMATIC).any().alias("automatic"),
    )


def judged(
    segments: pl.DataFrame, events: pl.DataFrame, as_of: int, rules: EmailRules
) -> pl.DataFrame:
    """When and why each enrollment ended, and whether it was answered or returned.

    Args:
        segments: `Segments.frame`, with texts in place of numbers.
        events: As `happened` returns it.
        as_of: The last instant that is known of.
        rules: Gap and settling.

    Returns:
        The segments with `replied`, `bounced`, `out_of_office`, `bounce_type`, `ended_at`,
        `end_reason`.
    """
    rows = segments.join(events, on="place", how="left", maintain_order="left")
    last, kind = pl.col("last_at"), pl.col("last_kind")
    open_until = last + microseconds(rules.gap_days)
    returned = pl.when(kind == BOUNCED).then(last)
    rows = rows.with_columns(
        bounced_at=pl.min_horizontal(returned, "notice_at"),
        failed_at=pl.when(kind >= FAILED).then(last),
        settled_at=pl.when(open_until < as_of).then(last + microseconds(rules.settle_days)),
    ).with_columns(
        event_at=pl.min_horizontal("reply_at", "bounced_at", "failed_at"),
        hardness=pl.when(returned <= pl.col("notice_at").fill_null(returned))
        .then("severity")
        .otherwise("notice_severity"),
    )
    event = pl.when(pl.col("event_at") <= open_until).then("event_at")
    reason = (
        pl.when(event.is_null()).then(pl.when(pl.col("settled_at").is_not_null()).then(pl.lit("unknown")))
        .when(pl.col("bounced_at") == event).then(pl.lit("bounced"))
        .when(pl.col("failed_at") == event)
        .then(pl.when(kind == REFUSED).then(pl.lit("blocked")).otherwise(pl.lit("error")))
        .when(pl.col("in_thread")).then(pl.lit("thread_reply"))
        .otherwise(pl.lit("reply"))
    )  # fmt: skip
    automatic = pl.col("automatic").fill_null(value=False)
    replied = pl.col("reply_at").is_not_null()
    return rows.with_columns(
        replied=replied | automatic,
        bounced=pl.col("bounced_at").is_not_null(),
        out_of_office=pl.when(replied | automatic).then(~replied),
        bounce_type=pl.when(pl.col("bounced_at").is_not_null()).then(_severity("hardness")),
        ended_at=pl.coalesce(event, "settled_at"),
        end_reason=reason,
    )


def enrollments(
    rows: pl.DataFrame, zone: str, people: People, main_owner: pl.DataFrame
) -> pl.DataFrame:
    """Enrollments of the contract.

    Args:
        rows: As `judged` returns them; all those of a recipient.
        zone: The account's time zone: days and hours are there.
        people: Owners.
        main_owner: `sender`, `main_owner`: the owner that an address is most often seen with.
    """
    began, ended = _local("first_at", zone), _local("ended_at", zone)
    first_bounce = rows.group_by("recipient").agg(pl.col("bounced_at").min().alias("returned_at"))
    rows = rows.join(first_bounce, on="recipient", how="left", maintain_order="left")
    rows = _with_users(rows, people, main_owner).with_columns(
        enrollment_ids(rows),
        recipient_domain=pl.col("recipient").str.extract(r"@([^@]+)$"),
        enrolled_on=began.dt.date(),
        ended_on=ended.dt.date(),
        enrolled_hour=began.dt.hour(),
        enrolled_weekday=began.dt.weekday(),
        previously_bounced=(pl.col("returned_at") < pl.col("first_at")).fill_null(value=False),
        inferred=pl.lit(value=True),
    )
    rows = rows.with_columns(mailbox_provider=endings.mailbox_provider())
    return rows.select(pl.col(n).cast(COLUMNS[n]) for n in ENROLLMENT)


def _with_users(rows: pl.DataFrame, people: People, main_owner: pl.DataFrame) -> pl.DataFrame:
    """The sender of each: its owner's user, else the user of its address, else the address."""
    owners = people.owners
    by_owner = owners.drop_nulls("owner_id").select("owner_id", user="user_id", name="user_name")
    by_email = (
        owners.drop_nulls(["email", "user_id"])
        .sort("email", "user_id")
        .unique("email", keep="first", maintain_order=True)
        .select(sender="email", user_e="user_id", name_e="user_name")
    )
    main = main_owner.join(
        by_owner.rename({"owner_id": "main_owner", "user": "user_m", "name": "name_m"}),
        on="main_owner",
        how="left",
    )
    rows = (
        rows.join(by_owner, on="owner_id", how="left", maintain_order="left")
        .join(by_email, on="sender", how="left", maintain_order="left")
        .join(main, on="sender", how="left", maintain_order="left")
    )
    return rows.with_columns(
        user_id=pl.coalesce("user", "user_e", "user_m", "owner_id", "main_owner", "sender"),
        user_name=pl.when(pl.col("user").is_not_null())
        .then("name")
        .when(pl.col("user_e").is_not_null())
        .then("name_e")
        .when(pl.col("user_m").is_not_null())
        .then("name_m"),
    )


def enrollment_ids(rows: pl.DataFrame) -> pl.Series:
    """Ids that stay the same when more mail arrives later.

    Args:
        rows: `sequence_id`, `sender`, `recipient`, `first_id`: the key, and the first mail's id.
    """
    ids: list[str] = []
    for batch in rows.select(*KEY, "first_id").iter_slices(_BATCH):
        texts = batch.select(pl.concat_str(pl.all(), separator="\x1f")).to_series()
        ids += [_digest(text) for text in texts.to_list()]
    return pl.Series("enrollment_id", ids, dtype=pl.String)


def _digest(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=_ID_BYTES).hexdigest()


def _local(name: str, zone: str) -> pl.Expr:
    utc = pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return utc.dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _severity(name: str) -> pl.Expr:
    hard, soft, unknown = BOUNCE_TYPES
    return (
        pl.when(pl.col(name) == HARD).then(pl.lit(hard))
        .when(pl.col(name) == SOFT).then(pl.lit(soft))
        .otherwise(pl.lit(unknown))
    )  # fmt: skip


def instant_text(at: int | None) -> str:
    """An instant as words show it, in UTC."""
    if at is None:
        return "no mail"
    return dt.datetime.fromtimestamp(at / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
