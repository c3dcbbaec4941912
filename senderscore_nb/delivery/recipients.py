"""Who gets a page of a report, and why."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from senderscore_nb.delivery.addresses import clean_address
from senderscore_nb.delivery.settings import Audience
from senderscore_nb.errors import did_you_mean
from senderscore_nb.safe import shown


class Recipient(NamedTuple):
    """Who gets a message.

    Attributes:
        address: The mail address in ASCII.
        reason: Why, in words: `to`, `team North`, `the sender`.
    """

    address: str
    reason: str


class Told(NamedTuple):
    """Who gets a page, and who should but cannot.

    Attributes:
        recipients: Each address once.
        problems: Sentences.
    """

    recipients: tuple[Recipient, ...]
    problems: tuple[str, ...]


def recipients(
    audience: Audience,
    roster: pl.DataFrame | None,
    *,
    user: str | None = None,
    team: str | None = None,
) -> Told:
    """Who gets a page of a report.

    Args:
        audience: Whom the report is for.
        roster: `user_id`, `team` and `email`, as in `contract.Roster`, or None.
        user: The id of the sender that the page is about; None where it is about several.
        team: The team that the page is about; a sender's own team comes from the roster.

    Returns:
        Each address once, whatever its case, with every reason; and a sentence for each sender
        who has no address that mail can be sent to.
    """
    reasons: dict[str, tuple[str, list[str]]] = {}
    problems: list[str] = []
    row = _row(roster, user)

    def add(address: str, reason: str) -> None:
        _, known = reasons.setdefault(address.casefold(), (address, []))
        if reason not in known:
            known.append(reason)

    for address in audience.to:
        add(address, "to")
    teams = dict.fromkeys(name for name in (team, row.get("team")) if name)
    for name in teams:
        for address in audience.teams.get(name, ()):
            add(address, f"team {shown(name)}")
    if audience.senders and user is not None:
        try:
            add(_address(row, user), "the sender")
        except ValueError as error:
            problems.append(str(error))
    found = tuple(Recipient(address, ", ".join(why)) for address, why in reasons.values())
    return Told(found, tuple(problems))


def unknown_teams(audience: Audience, roster: pl.DataFrame | None) -> tuple[str, ...]:
    """A sentence for each team of an audience that nobody of the roster is in."""
    known = [] if roster is None else roster["team"].drop_nulls().unique().sort().to_list()
    return tuple(
        f"tell.teams: nobody of the roster is in the team {shown(name)!r}, so its addresses get "
        f"nothing. {did_you_mean(name, known)}"
        for name in audience.teams
        if name not in known
    )


def _row(roster: pl.DataFrame | None, user: str | None) -> dict[str, str | None]:
    if roster is None or user is None:
        return {}
    rows = roster.filter(pl.col("user_id") == user)
    return rows.row(0, named=True) if rows.height else {}


def _address(row: dict[str, str | None], user: str) -> str:
    who = shown(row.get("user_name") or user)
    if not row:
        raise ValueError(f"The sender {who!r} is not in the roster, so there is no address.")
    email = row.get("email")
    if not email:
        raise ValueError(f"The sender {who!r} has no address: the roster's column email is empty.")
    try:
        return clean_address(email)
    except ValueError as error:
        raise ValueError(f"The sender {who!r} has no usable address: {error}.") from None
