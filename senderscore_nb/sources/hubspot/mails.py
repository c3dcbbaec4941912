"""E-mail objects by the search, a window of time after the other.

Within a window mails come by id, each page being the first of those above the last id. HubSpot's
own `after` is a place among the results: a mail that is modified while one pages leaves the window,
and every mail behind it moves up one place, one of them unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import polars as pl

from senderscore_nb.errors import PullError
from senderscore_nb.sources.emails.addresses import addresses, is_daemon
from senderscore_nb.sources.emails.columns import MAIL
from senderscore_nb.sources.hubspot.answers import ScopeError
from senderscore_nb.sources.hubspot.connection import Api, Request
from senderscore_nb.sources.hubspot.shapes import (
    AssociationBatch,
    MailBatch,
    MailObject,
    MailPage,
)

ID, MODIFIED = MAIL["mail_id"][0], MAIL["modified"][0]
SUBJECT, TEXT = MAIL["subject"][0], MAIL["text"][0]
DIRECTION, SEQUENCE, SENDER = MAIL["direction"][0], MAIL["sequence_id"][0], MAIL["sender"][0]
RECIPIENTS, CONTACT = MAIL["recipients"][0], MAIL["contact_id"][0]

COLUMNS: tuple[str, ...] = tuple(headers[0] for headers in MAIL.values())
"""What is kept of a mail, under the API's names; everything is text."""

MONTH = "month"
"""The month that the object was made in, UTC: it never changes, whatever is modified later."""

_SEARCH = "/crm/v3/objects/emails/search"
_READ = "/crm/v3/objects/emails/batch/read"
_CONTACTS = "/crm/v4/associations/emails/contacts/batch/read"
_READ_MOST, _CONTACTS_MOST = 100, 1000
_LONGEST = 20_000
"""Characters of a notice that are kept: what `typed` looks at."""


@dataclass(frozen=True)
class Window:
    """Mails that were last modified within a span of time.

    Attributes:
        first: Its first millisecond since 1970.
        last: Its last one; it belongs to it.
        above: Only mails with a higher id.
    """

    first: int
    last: int
    above: str = ""


@dataclass
class MailReader:
    """Reads windows of mails.

    Args:
        api: The open connection.
        with_text: Whether subjects and texts of all mails are read; else only the subjects of
            incoming mail, and the texts of bounce notices, which name who was not reached.
        say: Told of what the token may not do, once.
        come: Told how many mails have come, page by page.
    """

    api: Api
    with_text: bool
    say: Callable[[str], None]
    come: Callable[[int], None]
    _asks_contacts: bool = field(default=True, init=False)

    def shortened(self, window: Window, most: int) -> Window:
        """The beginning of a window, so much of it as holds fewer mails than a query finds.

        It is a millisecond at least, however many were modified in it.

        Args:
            window: The window.
            most: How many mails a query finds.
        """
        body = {
            **self._search(window, ""),
            "sorts": [{"propertyName": MODIFIED, "direction": "ASCENDING"}],
            "properties": [MODIFIED],
            "limit": 1,
            "after": str(most - 1),
        }
        page = self.api.ask(Request("POST", _SEARCH, body=body, searches=True), MailPage)
        if not page.results:
            return window
        return replace(window, last=max(window.first, _modified(page.results[0]) - 1))

    def first_page(self, window: Window) -> MailPage:
        """The first mails of a window by id, and how many there are."""
        return self._page(window, window.above)

    def rest(self, window: Window, page: MailPage, most: int) -> tuple[list[MailObject], bool]:
        """All mails of a window, of which there is the first page.

        Args:
            window: The window.
            page: What `first_page` gave.
            most: Of a single millisecond no further page is read once there are so many.

        Returns:
            The mails, and whether there are no more.
        """
        found = list(page.results)
        self.come(len(found))
        while page.results and page.total > len(page.results):
            if len(found) >= most and window.first == window.last:
                return found, False
            page = self._page(window, found[-1].id)
            found += page.results
            self.come(len(page.results))
        return found, True

    def frame(self, mails: Sequence[MailObject]) -> pl.DataFrame:
        """Mails as rows: `COLUMNS` and `MONTH`, with contacts and texts of notices looked up."""
        rows = [_row(mail) for mail in mails]
        frame = pl.DataFrame(rows, schema=dict.fromkeys((*COLUMNS, MONTH), pl.String), orient="row")
        if not self.with_text:
            incoming = pl.col(DIRECTION) == "INCOMING_EMAIL"
            frame = frame.with_columns(pl.when(incoming).then(SUBJECT).alias(SUBJECT))
            frame = self._with_notices(frame)
        return self._with_contacts(frame)

    def _page(self, window: Window, above: str) -> MailPage:
        page = self.api.ask(
            Request("POST", _SEARCH, body=self._search(window, above), searches=True), MailPage
        )
        ids = [int(above or -1), *(int(mail.id) for mail in page.results)]
        if any(b <= a for a, b in pairwise(ids)):
            raise PullError(
                "The mails did not come in the order that was asked for.",
                where=_SEARCH,
                hint="If --base-url leads to a proxy, it must pass the search on as it is.",
            )
        return page

    def _search(self, window: Window, above: str) -> dict[str, object]:
        filters = [
            {"propertyName": MODIFIED, "operator": "GTE", "value": str(window.first)},
            {"propertyName": MODIFIED, "operator": "LTE", "value": str(window.last)},
        ]
        if above:
            filters.append({"propertyName": ID, "operator": "GT", "value": above})
        names = COLUMNS if self.with_text else [name for name in COLUMNS if name != TEXT]
        return {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
            "properties": list(names),
            "limit": self.api.settings.page,
            "after": "0",
        }

    def _with_notices(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The texts of mail servers' own mails."""
        sender = addresses(frame[SENDER], plus=True, aliases={})
        notices = frame.with_columns(sender).filter(
            pl.col(DIRECTION) == "INCOMING_EMAIL", is_daemon(pl.col(SENDER))
        )
        texts: dict[str, str | None] = {}
        for ids in _batches(notices[ID], _READ_MOST):
            asked = {
                "inputs": [{"id": one} for one in ids],
                "properties": [TEXT],
                "propertiesWithHistory": [],
            }
            found = self.api.ask(Request("POST", _READ, body=asked), MailBatch)
            texts |= {
                mail.id: (mail.properties.get(TEXT) or "")[:_LONGEST] or None
                for mail in found.results
            }
        return frame.with_columns(_looked_up(texts).alias(TEXT))

    def _with_contacts(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Mail of sequences that does not say its contact gets the one it is associated with."""
        asked = frame.filter(
            pl.col(DIRECTION) == "EMAIL",
            pl.col(SEQUENCE).fill_null("") != "",
            pl.col(CONTACT).fill_null("") == "",
        )
        contacts: dict[str, str | None] = {}
        for ids in _batches(asked[ID], _CONTACTS_MOST) if self._asks_contacts else ():
            try:
                contacts |= dict(self._contacts(ids))
            except ScopeError as error:
                self._asks_contacts = False
                self.say(f"Contacts are left out where a mail does not name its own: {error}")
                break
        own = pl.when(pl.col(CONTACT) != "").then(CONTACT)
        return frame.with_columns(pl.coalesce(own, _looked_up(contacts)).alias(CONTACT))

    def _contacts(self, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Mails with one contact; of several nobody knows which recipient is which."""
        body = {"inputs": [{"id": one} for one in ids]}
        found = self.api.ask(Request("POST", _CONTACTS, body=body), AssociationBatch)
        for one in found.results:
            targets = {target.to_object_id for target in one.to}
            if len(targets) == 1 and not (one.paging and one.paging.next):
                yield one.from_.id, targets.pop()


def _batches(ids: pl.Series, most: int) -> Iterator[list[str]]:
    return (ids[start : start + most].to_list() for start in range(0, len(ids), most))


def _looked_up(found: dict[str, str | None]) -> pl.Expr:
    return pl.col(ID).replace_strict(found, default=None, return_dtype=pl.String)


def _row(mail: MailObject) -> tuple[str | None, ...]:
    given = {MODIFIED: mail.updated_at.isoformat(), **_filled(mail), ID: mail.id}
    made = mail.created_at
    return *(given.get(name) for name in COLUMNS), f"{made.year:04d}-{made.month:02d}"


def _modified(mail: MailObject) -> int:
    """Milliseconds since 1970."""
    return int(mail.updated_at.timestamp() * 1000)


def _filled(mail: MailObject) -> dict[str, str]:
    return {name: text for name, text in mail.properties.items() if text}
