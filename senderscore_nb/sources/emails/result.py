"""What the reconstruction gives, and how it is put into words."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from senderscore_nb.sources.emails.fates import FATES
from senderscore_nb.sources.emails.outcomes import instant_text
from senderscore_nb.sources.reading import Reading

FAULTS = (
    "Known faults of such data: bounces that a gateway mails its notice of are missed where no "
    "thread or address leads back; hard and soft are told by the 5xx or 4xx code alone; an "
    "automatic reply that is not marked counts as a reply; manual endings and booked meetings "
    "cannot be seen."
)


@dataclass(frozen=True)
class EmailReading(Reading):
    """Enrollments from mail, and what became of every mail.

    Attributes:
        fates: `fate` (used, ignored, rejected), `what`, `mails`; together all that was read.
        as_of: The last instant that is known of, microseconds since 1970, UTC.
        incoming_known: There was incoming mail; without, `replied` is null.
        bounces_known: Mail had statuses; without, `bounced` is null where no notice came.
        again: Enrollments of a sequence, sender and recipient that had one before.
        with_owners: A file of owners said which user an owner is.
    """

    fates: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FATES))
    as_of: int | None = None
    incoming_known: bool = True
    bounces_known: bool = True
    again: int = 0
    with_owners: bool = False


def describe_emails(reading: EmailReading) -> str:
    """What was read, found, ignored and rejected, as lines of text."""
    found = reading.accepted
    by = {fate: int(reading.fates.filter(fate=fate)["mails"].sum()) for fate in _ORDER}
    lines = [
        f"{reading.read:,} mails read = "
        + " + ".join(f"{by[fate]:,} {fate}" for fate in _ORDER)
        + f"; the newest is of {instant_text(reading.as_of)}."
    ]
    for fate in _ORDER:
        mine = reading.fates.filter(fate=fate).sort("mails", "what", descending=[True, False])
        lines += [f"  {fate}: {n:,} {what}" for what, n in mine.select("what", "mails").iter_rows()]
    lines.append(
        f"{found.height:,} enrollments of {found['user_id'].n_unique():,} senders in "
        f"{found['sequence_id'].n_unique():,} sequences, all inferred."
    )
    lines += [f"  {count:,} {words}" for words, count in cases(reading) if count]
    if not reading.incoming_known:
        lines.append("There is no incoming mail, so replies are unknown and no score can be made.")
    if not reading.bounces_known:
        lines.append("No mail has a status, so bounces are unknown and no score can be made.")
    if not reading.with_owners:
        lines.append("Without --owners, users are known by owner id, or by address.")
    lines.append(FAULTS)
    return "\n".join(lines)


def cases(reading: EmailReading) -> list[tuple[str, int]]:
    """How many enrollments there are of each case; a case in words, and its count."""
    found = reading.accepted
    reason = found["end_reason"].cast(pl.String)
    bounced = found.filter(pl.col("bounced").fill_null(value=False))["bounce_type"]
    kinds = dict(bounced.cast(pl.String).value_counts().iter_rows())
    parts = ", ".join(f"{kinds[k]:,} {k}" for k in ("hard", "soft", "unknown") if k in kinds)
    automatic = found["out_of_office"].fill_null(value=False)
    late = found.filter(
        pl.col("replied").fill_null(value=False),
        ~pl.col("out_of_office").fill_null(value=False),
        ~pl.col("end_reason")
        .cast(pl.String)
        .is_in(["reply", "thread_reply"])
        .fill_null(value=False),
    )
    return [
        ("ended by a reply in the thread", int((reason == "thread_reply").sum())),
        ("ended by a reply found by address", int((reason == "reply").sum())),
        (f"ended by a bounce ({parts})", int((reason == "bounced").sum())),
        ("refused before sending", int((reason == "blocked").sum())),
        ("ended by an error of sending", int((reason == "error").sum())),
        ("ended without a reply or bounce", int((reason == "unknown").sum())),
        ("still active", int(found["ended_on"].null_count())),
        ("replied to after the end", late.height),
        ("answered by a machine alone", int(automatic.sum())),
        ("repeated: there was one before", reading.again),
    ]


_ORDER = ("used", "ignored", "rejected")
