"""E-mail objects of the CRM → enrollments, each marked as inferred.

No public endpoint says how an enrollment ended, so it is told from outgoing and incoming mail:
`read_emails` reads files, `reconstruct` takes a lazy frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from senderscore_nb.sources.days import known_zone
from senderscore_nb.sources.emails.batches import ROW, Batches, Piece
from senderscore_nb.sources.emails.columns import require_columns
from senderscore_nb.sources.emails.files import open_mails, unreadable
from senderscore_nb.sources.emails.people import read_people
from senderscore_nb.sources.emails.rebuild import Rebuilt, rebuild
from senderscore_nb.sources.emails.result import EmailReading, describe_emails
from senderscore_nb.sources.emails.rules import EmailRules
from senderscore_nb.sources.emails.sequences import read_sequences, with_names
from senderscore_nb.sources.emails.typed import Typing
from senderscore_nb.sources.emails.watch import Watch

__all__ = [
    "EmailReading",
    "EmailRules",
    "Rebuilt",
    "describe_emails",
    "read_emails",
    "reconstruct",
]

_DEFAULT = EmailRules()


def read_emails(
    paths: str | Path | Sequence[str | Path],
    *,
    timezone: str,
    owners: str | Path | pl.DataFrame | None = None,
    aliases: str | Path | dict[str, str] | None = None,
    sequences: str | Path | pl.DataFrame | None = None,
    rules: EmailRules = _DEFAULT,
    progress: Callable[[str], None] | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> EmailReading:
    """Read e-mail objects and reconstruct the enrollments that they belong to.

    Every mail is used, ignored with a reason, or rejected with a reason; the counts add up.

    Args:
        paths: A file, a folder (without its subfolders), a glob, or a list of them: CSV, TSV,
            XLSX, Parquet, and gzip of the text formats, with the API's internal names as headers,
            also after `property_` or `properties_`.
        timezone: The account's time zone (IANA): days and hours are there.
        owners: `owner_id`, `user_id`, `email`, and names; a file or a frame.
        aliases: `alias`, `address`: mail of the one counts as mail of the other.
        sequences: `sequence_id`, `sequence_name`: names, which mails do not have.
        rules: Gaps and windows.
        progress: Called with a line about each step, and each tenth of a long one.
        advance: Called with how much of the work is done, and of how much, for a bar; what there
            is of it in lines is left out then.

    Returns:
        An `EmailReading`; `accepted` has the columns of `outcomes.ENROLLMENT`.

    Raises:
        ReadError: Nothing is found, a file is not readable, the time zone is unknown.
        MappingError: A file has no header for a needed column.
    """
    known_zone(timezone)
    people, names = read_people(owners, aliases), read_sequences(sequences)
    mails = open_mails(paths, progress)
    how = Typing(rules, timezone, people.aliases)
    try:
        built = rebuild(mails.mails, how, people, Watch(progress, advance))
    except pl.exceptions.ComputeError as error:
        # A file is read while it is worked on, so what is wrong in its midst is found here.
        raise unreadable(", ".join(file.name for file in mails.files), error) from None
    fates = built.fates
    if mails.broken.height:
        broken = [("rejected", "not a row of the file", mails.broken.height)]
        fates = pl.concat([fates, pl.DataFrame(broken, schema=fates.schema, orient="row")])
    return EmailReading(
        accepted=with_names(built.enrollments, names),
        rejected=mails.as_read(built.rejected),
        files=mails.files,
        fates=fates,
        as_of=built.as_of,
        incoming_known=built.incoming_known,
        bounces_known=built.bounces_known,
        again=built.again,
        with_owners=owners is not None,
    )


def reconstruct(
    mails: pl.LazyFrame | pl.DataFrame,
    *,
    timezone: str,
    owners: str | Path | pl.DataFrame | None = None,
    aliases: str | Path | dict[str, str] | None = None,
    rules: EmailRules = _DEFAULT,
) -> Rebuilt:
    """Reconstruct enrollments from a frame of mails.

    Args:
        mails: Columns under the names of `columns.MAIL`; needed are `mail_id`, `at`, `direction`,
            `sequence_id`, `sender` and `recipients`. Everything may be text. A lazy frame is
            streamed, twice.
        timezone: As for `read_emails`.
        owners: As for `read_emails`.
        aliases: As for `read_emails`.
        rules: As for `read_emails`.

    Raises:
        ReadError: A needed column is missing, or the time zone is unknown.

    >>> one = {"mail_id": "1", "at": "2026-03-02T08:00:00Z", "direction": "EMAIL",
    ...        "sequence_id": "31", "sender": "jo@us.example", "recipients": "bo@them.example"}
    >>> built = reconstruct(pl.DataFrame([one]), timezone="Europe/Berlin")
    >>> built.enrollments.select("user_id", "enrolled_hour", "ended_on").row(0)
    ('jo@us.example', 9, None)
    """
    known_zone(timezone)
    people = read_people(owners, aliases)
    frame = mails.lazy()
    require_columns(frame.collect_schema().names())
    frame = frame.drop(ROW, strict=False)
    count = int(frame.select(pl.len()).collect(engine="streaming").item())
    piece = Piece(frame, count, sliced=isinstance(mails, pl.DataFrame))
    return rebuild(Batches((piece,)), Typing(rules, timezone, people.aliases), people)
