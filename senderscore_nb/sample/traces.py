"""Incoming mail of simulated enrollments, and mail as objects of the CRM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from senderscore_nb.sample.frame import Flags
from senderscore_nb.sample.rates import Floats

DAY_US = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Draw:
    """Uniform numbers alone, so that a seed gives the same mail whatever numpy's distributions."""

    generator: np.random.Generator

    def uniform(self, n: int) -> Floats:
        """From 0 to 1."""
        return np.asarray(self.generator.random(n), dtype=np.float64)

    def below(self, n: int, share: float) -> Flags:
        """True for about that share."""
        return np.asarray(self.generator.random(n) < share, dtype=np.bool_)


def incoming_letters(runs: pl.DataFrame) -> pl.DataFrame:
    """Replies, automatic replies, colleagues' mail and notices, one row each."""
    thread = pl.format("t{}", "run")
    sender = (
        pl.when("sent_by_alias")
        .then(pl.format("user-{}@mail.example.com", "user_id"))
        .otherwise("sender")
    )
    base = runs.with_columns(direction=pl.lit("INCOMING_EMAIL"), to=sender, thread=thread)
    replied = base.filter(pl.col("replies") > 0).with_columns(
        at="reply_at",
        source=pl.when("by_alias").then(pl.format("alias.{}", "recipient")).otherwise("recipient"),
        thread=pl.when("is_lost").then(pl.format("x{}", "run")).otherwise("thread"),
        subject=pl.lit("Re: hello"),
        automatic_flag=pl.lit("false"),
    )
    second = replied.filter(pl.col("replies") > 1).with_columns(pl.col("at") + 2 * DAY_US)
    machine = base.filter("automatic").with_columns(
        at=pl.col("first_at") + 120_000_000,
        source=pl.format('"Out Of" <{}>', pl.col("recipient").str.to_uppercase()),
        subject=pl.when("is_unmarked")
        .then(pl.lit("Re: hello"))
        .otherwise(pl.lit("Automatic reply: hello")),
        # The field is true, or was never filled; then the subject tells, or nothing does.
        automatic_flag=pl.when(~pl.col("is_unmarked") & (pl.col("luck") < 0.8)).then(
            pl.lit("true")
        ),
    )
    colleague = base.filter("colleague").with_columns(
        at=pl.col("first_at") + DAY_US // 2,
        source=pl.format("other.{}", "recipient"),
        thread=pl.format("c{}", "run"),
        subject=pl.lit("Something else"),
    )
    letters = pl.concat([replied, second, machine, colleague], how="diagonal")
    return pl.concat([letters, _notices(base)], how="diagonal").select(
        "direction", "at", "source", "to", "thread", "subject", "automatic_flag", "text"
    )


def _notices(base: pl.DataFrame) -> pl.DataFrame:
    """A gateway's notices: half in the thread, half naming the address, some saying nothing."""
    luck = pl.col("luck")
    digits = (
        pl.when(luck < 0.5).then(pl.lit("550 5.1.1"))
        .when(luck < 0.7).then(pl.lit("452 4.2.2"))
        .otherwise(pl.lit("for a reason that is not known"))
    )  # fmt: skip
    in_thread = (luck * 100).cast(pl.Int64) % 2 == 0
    return base.filter("by_notice").with_columns(
        at=pl.col("last_at") + 600_000_000,
        source=pl.lit("Mail Delivery <MAILER-DAEMON@gateway.example>"),
        thread=pl.when(in_thread & ~pl.col("mute")).then("thread"),
        subject=pl.lit("Undeliverable: hello"),
        text=pl.when("mute").then(pl.lit("A message could not be delivered."))
        .otherwise(pl.format("Your mail to <{}> was returned: {}.", "recipient", digits)),
    )  # fmt: skip


def mail_columns(mails: pl.DataFrame, draw: Draw, duplicates: float) -> pl.DataFrame:
    """Mail as the API has it, all text; some with an older copy beside."""
    ms = pl.col("at") // 1000
    iso = pl.col("at").cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    objects = mails.select(
        hs_object_id=pl.col("id").cast(pl.String),
        hs_lastmodifieddate=(ms + 5_000).cast(pl.String),
        hs_timestamp=iso,
        hs_email_direction="direction",
        hs_email_status="status",
        hs_sequence_id=pl.when(pl.col("step_number").is_not_null()).then("sequence_id"),
        hs_template_id="template",
        hs_email_from_email="source",
        hs_email_to_email="to",
        hs_email_thread_id="thread",
        hubspot_owner_id="owner",
        hs_email_associated_contact_id="contact_id",
        hs_email_bounce_error_detail_status_code="code",
        hs_email_bounce_error_detail_message="message",
        hs_incoming_email_is_out_of_office="automatic_flag",
        hs_email_subject="subject",
        hs_email_text="text",
    )
    twice = objects.filter(pl.Series(draw.below(objects.height, duplicates))).with_columns(
        hs_lastmodifieddate=(pl.col("hs_lastmodifieddate").cast(pl.Int64) - 4_000).cast(pl.String),
        hs_email_status=pl.when(pl.col("hs_email_status").is_not_null()).then(pl.lit("SENDING")),
    )
    return pl.concat([objects, twice])
