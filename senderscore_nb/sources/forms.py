"""How headers, words and dates are written: the small rules that mapping and reading share."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from typing import Literal

import polars as pl

from senderscore_nb.contract import BOUNCE_TYPES, END_REASONS
from senderscore_nb.sources.endings import ERRORS, RUN_STATUSES, SOURCES, STATES

KNOWN_WORDS: dict[str, tuple[str, ...]] = {
    "run_status": RUN_STATUSES,
    "state": STATES,
    "unenrolled_by": SOURCES,
    "error_type": ERRORS,
    "end_reason": END_REASONS,
    "bounce_type": BOUNCE_TYPES,
}
"""What the words of a column can mean."""

CODE = r"^(-?[0-9]+)(?:\.0+)?$"
"""A status that is a number."""

DAY = r"^\d{4}-\d{2}-\d{2}$"
OFFSET = r" ?(?:Z|UTC|[+-](?:0\d|1[0-4]):?[0-5]\d)$"
EPOCH = r"^\d{11,14}(?:\.0+)?$"
"""How a day, an offset from UTC, and milliseconds since 1970 are written."""


def naive_form(clock: str) -> str:
    """How a wall clock with its day is written, given how times of day are."""
    return DAY.removesuffix("$") + rf"[ T]{clock}$"


_NOON = dt.datetime(2026, 11, 23, 14, 30, tzinfo=dt.UTC)


def fold(header: str) -> str:
    """A header without case, surrounding and repeated space.

    >>> fold("  Enrolled   AT ")
    'enrolled at'
    """
    plain = unicodedata.normalize("NFKC", header.replace("\ufeff", ""))
    return re.sub(r"\s+", " ", plain).strip().casefold()


def word(text: str) -> str:
    """A word of a fixed list without regard to case, space, `_` and `-`; a code keeps its sign.

    >>> word("Thread reply")
    'THREAD_REPLY'
    >>> word("-1.0")
    '-1'
    """
    if code := re.fullmatch(CODE, text.strip()):
        return code[1]
    plain = unicodedata.normalize("NFC", text).upper()
    return "_".join(re.sub(r"[\s_\-]+", " ", plain).split())


def format_kind(form: str) -> Literal["day", "naive", "instant"]:
    """Whether a date format is a day, a time on the wall, or an instant with its offset."""
    if re.search(r"%[:#]*z|%\+|%Z", form):
        return "instant"
    return "naive" if re.search(r"%-?[HIkTRrXcl]", form) else "day"


def checked_format(form: str) -> str:
    """The format, if it reads back what it writes.

    Raises:
        ValueError: It does not.
    """
    kind = format_kind(form)
    try:
        text = pl.Series([_NOON]).dt.strftime(form)
        back = (
            text.str.to_date(form)
            if kind == "day"
            else text.str.to_datetime(form, time_zone="UTC" if kind == "instant" else None)
        )
        if back.cast(pl.Date)[0] == _NOON.date():
            return form
    except (pl.exceptions.PolarsError, OverflowError):
        pass
    raise ValueError(f"{form!r} is not a date format (write 31.12.2026 as '%d.%m.%Y')")
