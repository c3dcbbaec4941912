"""The two tables: enrollments (one row per enrollment) and tallies (additive counts).

`Enrollment` and `Tally` are dataframely schemas: columns, types and rules in one place. The reader
(`senderscore_nb.sources`) brings the outside world to the first; `senderscore_nb.tally` reduces the
first to the second; nothing else needs the rows.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

END_REASONS: tuple[str, ...] = (
    "finished",
    "reply",
    "thread_reply",
    "account_reply",
    "meeting",
    "account_meeting",
    "manual",
    "workflow",
    "sequence_deleted",
    "unsubscribed",
    "bounced",
    "blocked",
    "error",
    "unknown",
)
"""Why an enrollment ended. `blocked`: the address was refused before sending (it had bounced
earlier, had opted out, or was blocked), so no e-mail left and none was returned."""

BOUNCE_TYPES: tuple[str, ...] = ("hard", "soft", "unknown")

KEYS: tuple[str, ...] = ("user_id", "sequence_id", "day")
"""The key of a tally unless other columns are asked for."""

MEASURES: tuple[str, ...] = (
    "ended",
    "replied",
    "bounced",
    "opened",
    "clicked",
    "meetings",
    "unsubscribed",
)
"""The counts of a tally, Int64. `replied` never counts an enrollment that bounced."""


TALLY_KEY = "senderscore-tallies"
"""The key of a Parquet file's metadata under which a tally file tells what it was made under."""

STORE_PREFIX = "tally-store."
"""How the names of a tally store's manifests begin."""


class Enrollment(dy.Schema):
    """One row per enrollment of a contact in a sequence.

    Days are calendar days in the account's own time zone, decided when a file is read. A column
    that is not named here is a factor of the user's own and is kept as it is.
    """

    enrollment_id = dy.String(primary_key=True, description="identifier of the enrollment")
    user_id = dy.String(nullable=False, description="the sender: who enrolled the contact")
    sequence_id = dy.String(nullable=False, description="the sequence")
    enrolled_on = dy.Date(nullable=False, description="day of enrollment")
    ended_on = dy.Date(nullable=True, description="day it ended; null while active")
    replied = dy.Bool(nullable=True, description="the contact replied at least once")
    bounced = dy.Bool(nullable=True, description="a server returned an e-mail")

    @dy.rule()
    def ended_before_it_began(cls) -> pl.Expr:  # noqa: N805
        """A run cannot end before the day it began."""
        return (pl.col("ended_on") >= pl.col("enrolled_on")).fill_null(value=True)


OPTIONAL: dict[str, pl.DataType] = {
    "user_name": pl.String(),
    "sequence_name": pl.String(),
    "contact_id": pl.String(),
    "end_reason": pl.Enum(END_REASONS),
    "bounce_type": pl.Enum(BOUNCE_TYPES),
    "opened": pl.Boolean(),
    "clicked": pl.Boolean(),
    "meeting_booked": pl.Boolean(),
    "unsubscribed": pl.Boolean(),
    "out_of_office": pl.Boolean(),
    "inferred": pl.Boolean(),
}
"""Optional columns of an enrollment, null where unknown. `out_of_office`: every reply was an
automatic one."""

FACTORS: dict[str, pl.DataType] = {
    "steps": pl.Int64(),
    "template_id": pl.String(),
    "personalization_tokens": pl.Int64(),
    "segment": pl.String(),
    "contact_source": pl.String(),
    "lifecycle_stage": pl.String(),
    "recipient_domain": pl.String(),
    "mailbox_provider": pl.String(),
    "previously_bounced": pl.Boolean(),
    "opted_out": pl.Boolean(),
    "sends_since_engagement": pl.Int64(),
    "enrolled_hour": pl.Int64(),
    "enrolled_weekday": pl.Int64(),
}
"""Factors as of enrollment. `enrolled_weekday` is ISO: Monday 1 to Sunday 7; `enrolled_hour` is
0–23 in the account's time zone."""

REQUIRED: dict[str, pl.DataType] = {
    name: column.dtype for name, column in Enrollment.columns().items()
}
"""The required columns of an enrollment with their types."""

COLUMNS: dict[str, pl.DataType] = {**REQUIRED, **OPTIONAL, **FACTORS}
"""Every canonical column of an enrollment with its type."""


class Tally(dy.Schema):
    """Additive counts by sender, sequence and day. Never a rate.

    A measure that a source cannot know is null, and null stays null through every sum.
    """

    user_id = dy.String(primary_key=True)
    sequence_id = dy.String(primary_key=True)
    day = dy.Date(primary_key=True)
    ended = dy.Int64(nullable=False, min=0)
    replied = dy.Int64(nullable=True, min=0)
    bounced = dy.Int64(nullable=True, min=0)
    opened = dy.Int64(nullable=True, min=0)
    clicked = dy.Int64(nullable=True, min=0)
    meetings = dy.Int64(nullable=True, min=0)
    unsubscribed = dy.Int64(nullable=True, min=0)


class Roster(dy.Schema):
    """Who sends: one row a user. Only users with a paid seat have a score."""

    user_id = dy.String(primary_key=True)
    user_name = dy.String(nullable=True)
    team = dy.String(nullable=True)
    paid_seat = dy.Bool(nullable=True)
    active = dy.Bool(nullable=True)
    email = dy.String(nullable=True)
