"""A mail body and a recipient → the message that is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header
from email.headerregistry import (
    Address,
    HeaderRegistry,
    UniqueAddressHeader,
    UniqueUnstructuredHeader,
)
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime, formataddr
from typing import TYPE_CHECKING, Literal, NamedTuple

import polars as pl

from senderscore_nb.delivery.recipients import Recipient
from senderscore_nb.delivery.settings import MailSettings
from senderscore_nb.safe import safe_filename

if TYPE_CHECKING:
    from senderscore_nb.reports.mail import MailBody

_MEGABYTE = 1_000_000


class _Subject(UniqueUnstructuredHeader):
    """Written as encoded words as a whole: the library's own folding doubles spaces in a mixture.

    What merely looks like an encoded word in a name is encoded too, so it is read as it was.
    """

    def fold(self, *, policy: Policy[EmailMessage]) -> str:
        text = str(self)
        charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
        written = Header(text, charset, maxlinelen=75, header_name="Subject")
        return f"Subject: {written.encode(linesep=policy.linesep)}{policy.linesep}"


class _From(UniqueAddressHeader):
    """One address whose name is written like a subject."""

    def fold(self, *, policy: Policy[EmailMessage]) -> str:
        (address,) = self.addresses
        name = address.display_name
        if not name.isascii() or "=?" in name:
            written = Header(name, "utf-8", maxlinelen=75, header_name="From")
            line = written.encode(linesep=policy.linesep)
            return f"From: {line} <{address.addr_spec}>{policy.linesep}"
        return f"From: {formataddr((name, address.addr_spec))}{policy.linesep}"


def _policy() -> EmailPolicy[EmailMessage]:
    headers = HeaderRegistry()
    headers.map_to_type("subject", _Subject)  # type: ignore[arg-type]
    headers.map_to_type("from", _From)  # type: ignore[arg-type]
    # With 8-bit parts a message could be refused by servers that speak ASCII only.
    return SMTP.clone(cte_type="7bit", header_factory=headers)


Enclosed = Literal["attached", "linked", "none"]


class Page(NamedTuple):
    """A report's file.

    Attributes:
        path: Where it is in the output folder, with `/` between folders.
        content: The file's bytes.
    """

    path: str
    content: bytes


class Occasion(NamedTuple):
    """What makes two messages to one recipient the same one.

    Attributes:
        report: The report's name in the plan.
        period: What it is about, such as 2026-W46.
        instance: Which of the report's pages, such as a sender's id; empty for the only one.
    """

    report: str
    period: str
    instance: str = ""


@dataclass(frozen=True)
class Outgoing:
    """A message that is ready to be sent.

    Attributes:
        message: The message.
        recipient: Who gets it, and why.
        enclosed: Whether the page is attached or linked.
    """

    message: EmailMessage
    recipient: Recipient
    enclosed: Enclosed

    @property
    def message_id(self) -> str:
        """The same for the same occasion and recipient."""
        return str(self.message["Message-ID"])

    @property
    def size(self) -> int:
        """Bytes that go over the line."""
        return len(self.message.as_bytes())


def compose(
    body: MailBody,
    recipient: Recipient,
    occasion: Occasion,
    *,
    settings: MailSettings,
    page: Page | None = None,
    date: dt.datetime | None = None,
) -> Outgoing:
    """The message for one recipient.

    Where the settings name a published folder the page is linked, unless they ask for it to be
    attached; both is possible. A page that is too large is not attached, and the mail says so.

    Args:
        body: What it says.
        recipient: Who gets it.
        occasion: What it is about; with the recipient it makes the Message-ID.
        settings: The sender, and how pages are enclosed.
        page: The report's file, if there is one.
        date: The Date header; now unless given.
    """
    link = settings.address_of(page.path) if page else ""
    attached = page if page and settings.attaches else None
    too_large = attached is not None and len(attached.content) > _most(settings)
    if too_large:
        attached = None
    message = EmailMessage(policy=_policy())
    message["From"] = settings.sender.header
    message["To"] = Address(addr_spec=recipient.address)
    message["Subject"] = body.subject
    message["Date"] = format_datetime(date or dt.datetime.now(dt.UTC))
    message["Message-ID"] = _message_id(occasion, recipient, settings.sender.domain)
    message["Auto-Submitted"] = "auto-generated"
    said = _pointing(body, link, attached, too_large=too_large)
    message.set_content(said.text)
    message.add_alternative(said.html, subtype="html")
    _, html = message.iter_parts()
    for picture in body.pictures:
        html.add_related(picture.png, "image", "png", cid=f"<{picture.cid}>", disposition="inline")
    if attached:
        message.add_attachment(attached.content, "text", "html", filename=_name(attached))
    enclosed: Enclosed = "attached" if attached else "linked" if link else "none"
    return Outgoing(message, recipient, enclosed)


def planned(messages: Sequence[Outgoing]) -> pl.DataFrame:
    """What would be sent, for a table.

    Returns:
        `recipient`, `reason`, `subject`, `page` (attached, linked, none), `bytes`.
    """
    return pl.DataFrame(
        [
            (m.recipient.address, m.recipient.reason, str(m.message["Subject"]), m.enclosed, m.size)
            for m in messages
        ],
        schema={
            "recipient": pl.String,
            "reason": pl.String,
            "subject": pl.String,
            "page": pl.String,
            "bytes": pl.Int64,
        },
        orient="row",
    )


def _most(settings: MailSettings) -> float:
    return settings.most_megabytes * _MEGABYTE


def _pointing(body: MailBody, link: str, attached: Page | None, *, too_large: bool) -> MailBody:
    if link:
        return body.pointing("Open the full report", link)
    if attached:
        return body.pointing(f"The full report is attached: {_name(attached)}")
    if too_large:
        return body.pointing("The full report is too large to be attached.")
    return body


def _name(page: Page) -> str:
    """The file's own name, made safe once more: it becomes a header."""
    stem, _, ending = page.path.rpartition("/")[2].rpartition(".")
    return f"{safe_filename(stem or ending)}.html"


def _message_id(occasion: Occasion, recipient: Recipient, domain: str) -> str:
    # A byte that no name holds keeps ("a", "bc") and ("ab", "c") apart.
    key = "\0".join((*occasion, recipient.address.casefold()))
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"<{digest[:40]}@{domain}>"
