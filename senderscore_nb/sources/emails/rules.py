"""How enrollments are told from mail: gaps, windows, what counts as automatic."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, fields
from typing import Literal

from senderscore_nb.errors import ReadError

OUT_OF_OFFICE_SUBJECTS: tuple[str, ...] = (
    *("automatic reply", "auto-reply", "autoreply", "auto reply", "auto:", "out of office"),
    *("out-of-office", "automatische antwort", "abwesenheit", "autosvar", "automatiskt svar"),
    *("frånvaro", "réponse automatique", "absence du bureau", "respuesta automática"),
    *("risposta automatica", "automatisch antwoord", "resposta automática"),
)
"""How subjects of automatic replies begin, in lower case; looked at only where the mail does not
say itself whether it is one."""


@dataclass(frozen=True)
class EmailRules:
    """The rules of the reconstruction.

    Attributes:
        gap_days: A longer gap between two mails of one sequence, sender and recipient begins a new
            enrollment. Delays between two mails of a sequence are days, with a task between them
            and a holiday perhaps two weeks; an enrollment that is repeated sooner than three weeks
            is mostly told by its first template or by the reply or bounce before it.
        settle_days: An enrollment that nothing else ends is taken to end so long after its last
            mail, once `gap_days` have passed without another.
        reply_days: So long after the last mail an incoming mail of another thread still counts as
            a reply. One in a thread of the enrollment counts whenever it comes.
        notice_days: So long after the last mail a bounce notice that names the address counts;
            servers give up within five days (RFC 5321, 4.5.4.1).
        race_minutes: A mail that leaves so soon after a reply or a bounce notice was on its way
            already; a later one of the same sequence belongs to a new enrollment.
        plus_addressing: `name+tag@` and `name@` are one address.
        recipients: A mail to several recipients belongs to an enrollment of each, or of the first.
        naive_timestamps: What a time without an offset is: UTC, as the API and copies in a
            warehouse have it, or wall clock of the account's time zone.
        out_of_office_subjects: Beginnings of subjects of automatic replies.
        as_of: Nothing is known of what comes after this instant (with its offset); the newest
            mail's unless given.

    Raises:
        ReadError: A number is negative or not finite, or `settle_days` is above `gap_days`.
    """

    gap_days: float = 21.0
    settle_days: float = 3.0
    reply_days: float = 30.0
    notice_days: float = 6.0
    race_minutes: float = 60.0
    plus_addressing: bool = True
    recipients: Literal["each", "first"] = "each"
    naive_timestamps: Literal["UTC", "account"] = "UTC"
    out_of_office_subjects: tuple[str, ...] = OUT_OF_OFFICE_SUBJECTS
    as_of: dt.datetime | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith(("_days", "_minutes")) and not (
                math.isfinite(value) and 0 <= value <= 3660
            ):
                raise ReadError(
                    f"{field.name} is {value}; expected a number from 0 to 3660.",
                    where="rules of the reconstruction",
                )
        if self.gap_days == 0:
            raise ReadError("gap_days is 0: every mail would be an enrollment of its own.")
        if self.settle_days > self.gap_days:
            raise ReadError(
                f"settle_days ({self.settle_days}) is above gap_days ({self.gap_days}).",
                hint="An enrollment cannot be open after it has ended.",
            )
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise ReadError("as_of has no offset.", hint="Give datetime(…, tzinfo=UTC).")


DAY = 86_400_000_000
"""Microseconds."""

MINUTE = 60_000_000


def microseconds(days: float) -> int:
    """Days as whole microseconds."""
    return round(days * DAY)
