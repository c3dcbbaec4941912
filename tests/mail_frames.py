"""Mails for tests: plain rows, and mail drawn by hypothesis."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
from hypothesis import strategies as st

from senderscore_nb.sources.emails import EmailRules, Rebuilt, reconstruct

START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
ZONE = "Europe/Berlin"
JO, BO = "jo@us.example", "bo@them.example"


def at(days: float = 0.0, hours: float = 0.0) -> str:
    """An instant as the API writes it, counted from a Monday at 8."""
    moment = START + dt.timedelta(days=days, hours=hours)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def out(mail_id: str, day: float, **more: Any) -> dict[str, Any]:
    """An outgoing mail of a sequence."""
    row = {
        "mail_id": mail_id, "at": at(day), "direction": "EMAIL", "status": "SENT",
        "sequence_id": "31", "sender": JO, "recipients": BO, "thread_id": "t1",
    }  # fmt: skip
    return {**row, **more}


def back(mail_id: str, day: float, **more: Any) -> dict[str, Any]:
    """An incoming mail."""
    row = {
        "mail_id": mail_id, "at": at(day), "direction": "INCOMING_EMAIL", "sender": BO,
        "recipients": JO, "thread_id": "t1",
    }  # fmt: skip
    return {**row, **more}


COLUMNS = (
    *("mail_id", "at", "direction", "status", "sequence_id", "template_id", "sender"),
    *("recipients", "thread_id", "owner_id", "contact_id", "bounce_code", "bounce_message"),
    *("out_of_office", "subject", "text", "modified", "opens", "clicks"),
)


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows as a frame of texts."""
    return pl.DataFrame(
        [{name: row.get(name) for name in COLUMNS} for row in rows],
        schema=dict.fromkeys(COLUMNS, pl.String),
    )


def built(*rows: dict[str, Any], **options: Any) -> Rebuilt:
    """What the reconstruction makes of rows, as of half a year later unless said."""
    rules = options.pop("rules", EmailRules(as_of=START + dt.timedelta(days=180)))
    return reconstruct(frame(*rows), timezone=ZONE, rules=rules, **options)


def found(*rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """The enrollments of rows as dicts, first begun first."""
    enrollments = built(*rows, **options).enrollments
    ordered = enrollments.sort("enrolled_on", "enrolled_hour", "sequence_id", "enrollment_id")
    return ordered.to_dicts()


_HALF_HOURS = st.builds(
    lambda day, half: day * 48 + half, st.integers(0, 70), st.sampled_from([0, 0, 1, 2, 3, 9])
)
_SENDERS = (JO, "al@us.example")
_CONTACTS = (BO, "cy@them.example", "di@other.example")
_THREADS = ("t1", "t2", "t3", None)


@st.composite
def drawn_mail(draw: st.DrawFn) -> dict[str, Any]:
    """A mail of a small account in which everything meets everything."""
    hour, thread = draw(_HALF_HOURS) / 2, draw(st.sampled_from(_THREADS))
    if draw(st.integers(0, 9)) < 6:
        recipients = draw(st.lists(st.sampled_from(_CONTACTS), min_size=1, max_size=2, unique=True))
        return out(
            "", 0, at=at(hours=hour), thread_id=thread,
            status=draw(st.sampled_from(["SENT"] * 6 + ["BOUNCED", "FAILED"])),
            sequence_id=draw(st.sampled_from(["31", "31", "32"])),
            sender=draw(st.sampled_from(_SENDERS)), recipients=";".join(recipients),
            template_id=draw(st.sampled_from([None, "p", "q", "r"])),
        )  # fmt: skip
    kind = draw(st.sampled_from(["reply", "reply", "automatic", "notice"]))
    who = draw(st.sampled_from([*_CONTACTS, "colleague@them.example", _SENDERS[1]]))
    named = draw(st.sampled_from([*_CONTACTS, "nobody"]))
    return back(
        "", 0, at=at(hours=hour), thread_id=thread,
        sender="mailer-daemon@gate.example" if kind == "notice" else who,
        recipients=draw(st.sampled_from([*_SENDERS, "other@us.example"])),
        out_of_office="true" if kind == "automatic" else None,
        text=f"returned: {named}" if kind == "notice" else None,
    )  # fmt: skip


def numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with ids, and after one mail of each sender, so that all senders are known."""
    first = [out("", 0, at=at(hours=-2000), sender=s, recipients="x@y.example") for s in _SENDERS]
    return [{**row, "mail_id": f"{i:03}"} for i, row in enumerate([*first, *rows])]


accounts = st.one_of(st.integers(0, 3), st.integers(20, 60)).flatmap(
    lambda n: st.lists(drawn_mail(), min_size=n, max_size=n).map(numbered)
)
