"""The columns of a mail, and the headers that they are found under."""

from __future__ import annotations

import re
from collections.abc import Sequence

from senderscore_nb.errors import MappingError, ReadError, did_you_mean
from senderscore_nb.safe import shown
from senderscore_nb.sources.forms import fold
from senderscore_nb.sources.mapping import Mapping

MAIL: dict[str, tuple[str, ...]] = {
    "mail_id": ("hs_object_id", "id", "engagement_id", "Record ID"),
    "at": ("hs_timestamp", "Activity date"),
    "direction": ("hs_email_direction", "Email direction"),
    "modified": ("hs_lastmodifieddate", "updatedAt", "updated_at", "lastmodifieddate"),
    "status": ("hs_email_status", "Email send status"),
    "sequence_id": ("hs_sequence_id",),
    "template_id": ("hs_template_id",),
    "sender": ("hs_email_from_email", "Email from address"),
    "recipients": ("hs_email_to_email", "Email to address"),
    "thread_id": ("hs_email_thread_id",),
    "owner_id": ("hubspot_owner_id",),
    "contact_id": ("hs_email_associated_contact_id",),
    "bounce_code": ("hs_email_bounce_error_detail_status_code",),
    "bounce_message": ("hs_email_bounce_error_detail_message",),
    "out_of_office": ("hs_incoming_email_is_out_of_office",),
    "opens": ("hs_email_open_count",),
    "clicks": ("hs_email_click_count",),
    "subject": ("hs_email_subject", "Email subject"),
    "text": ("hs_email_text", "Email body"),
}
"""Column → headers: the API's internal names, and labels. `property_hs_…` of one warehouse copy and
`properties_hs_…` of another are the same names."""

NEEDED: tuple[str, ...] = ("mail_id", "at", "direction", "sequence_id", "sender", "recipients")

_PREFIX = re.compile(r"^propert(y|ies)[_.]", re.IGNORECASE)
_HEADERS = Mapping(name="e-mails", columns=dict(MAIL))


def unprefixed(header: str) -> str:
    """A header without what warehouse copies put before properties.

    >>> unprefixed("properties_hs_timestamp")
    'hs_timestamp'
    """
    return _PREFIX.sub("", header.strip())


def find_columns(headers: Sequence[str], *, where: str) -> dict[str, int]:
    """The place of each mail column's header.

    Where a file has an id of its own beside `hs_object_id`, the latter is taken.

    Raises:
        MappingError: A needed column has no header, or two headers mean one column.
    """
    plain = [unprefixed(header) for header in headers]
    folded = [fold(header) for header in plain]
    for column in ("mail_id", "modified"):
        for better in MAIL[column]:
            if fold(better) in folded:
                others = {fold(label) for label in MAIL[column]} - {fold(better)}
                plain = ["" if f in others else p for f, p in zip(folded, plain, strict=True)]
                break
    try:
        places = _HEADERS.find(plain)
    except MappingError as error:
        raise MappingError(error.found, where=where, hint="Leave one of them out.") from None
    missing = [column for column in NEEDED if column not in places]
    if missing:
        wanted = [MAIL[column][0] for column in missing]
        raise MappingError(
            f"No header was found for {', '.join(wanted)}; e-mail objects are expected, with the "
            "API's internal names as headers.",
            where=where,
            hint=did_you_mean(wanted[0], [shown(header) for header in headers]),
        )
    return places


def require_columns(columns: Sequence[str]) -> None:
    """A frame of mails has the columns that are needed, under their own names.

    Raises:
        ReadError: One is missing.
    """
    for column in NEEDED:
        if column not in columns:
            raise ReadError(
                f"The mails have no column {column!r}.", hint=f"Needed: {', '.join(NEEDED)}."
            )
