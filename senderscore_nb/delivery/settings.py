"""The `[mail]` and `[webhook]` tables of a plan, and the `tell` table of a report."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.functional_validators import AfterValidator

from senderscore_nb.delivery.addresses import Address, Sender
from senderscore_nb.secrets import Secret, is_loopback

Security = Literal["starttls", "tls", "none"]

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?")


def _host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host) or len(host) > 253:
            raise ValueError("expected the name of a host, such as smtp.example.com") from None
        return host


def _link(link: str) -> str:
    if not link:
        return ""
    plain = link.isascii() and link.isprintable() and not re.search(r"[\s\"<>\\^`{|}]", link)
    parts = urlsplit(link) if plain else urlsplit("")
    secure = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not secure or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected the https address of a folder, without ? and #")
    return link.rstrip("/") + "/"


def _port(values: dict[str, Any]) -> int:
    return _PORTS[values.get("security", "starttls")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Seconds = Annotated[float, Field(gt=0, le=600, allow_inf_nan=False)]
Attempts = Annotated[int, Field(ge=1, le=10)]


class MailSettings(_Frozen):
    """The mail server, who the mails are from, and whether the page is attached or linked.

    Attributes:
        host: The server's name.
        security: `starttls` and `tls` encrypt and check the certificate; `none` is taken only for
            this machine itself.
        port: 587, 465 or 25, by security.
        sender: The From address, with or without a name.
        user: Who logs in; empty for no login.
        password: Where the password is kept; needed with `user`.
        ca_file: A file of certificates that are trusted as well; relative to the plan's folder.
        link: The https address under which the output folder is published; empty for none.
        attach: Whether the page is attached; unless stated, it is where there is no `link`.
        timeout_seconds: How long the server may be silent.
        attempts: How often a message is tried.
        most_megabytes: A larger page is not attached, and the mail says so.
    """

    host: Annotated[str, AfterValidator(_host)]
    security: Security = "starttls"
    port: Annotated[int, Field(ge=1, le=65_535, default_factory=_port)]
    sender: Sender
    user: Annotated[str, Field(max_length=320)] = ""
    password: Secret | None = None
    ca_file: str = ""
    link: Annotated[str, AfterValidator(_link)] = ""
    attach: bool | None = None
    timeout_seconds: Seconds = 30
    attempts: Attempts = 4
    most_megabytes: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 20

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError(
                'security = "none" is possible only for this machine itself, such as localhost: '
                "passwords and reports would be readable on the way"
            )
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together: give both or neither")
        if not self.user.isprintable():
            raise ValueError("user holds a line break or another invisible character")
        return self

    @property
    def attaches(self) -> bool:
        """Whether pages are attached."""
        return not self.link if self.attach is None else self.attach

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Where its secrets are kept."""
        return (self.password,) if self.password else ()

    def address_of(self, path: str) -> str:
        """The published address of a file of the output folder; empty where none is published.

        Args:
            path: Relative to the output folder, with `/` between folders.
        """
        return self.link + quote(path.lstrip("/")) if self.link else ""


class WebhookSettings(_Frozen):
    """Where a line is posted to when a report is there.

    Attributes:
        url: Where the address is kept; who knows it can post, so it is a secret.
        timeout_seconds: How long the server may be silent.
        attempts: How often a line is tried.
    """

    url: Secret
    timeout_seconds: Seconds = 30
    attempts: Attempts = 4

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Where its secrets are kept."""
        return (self.url,)


class Audience(_Frozen):
    """Who is told of a report.

    Attributes:
        to: Who gets every page of it.
        teams: Who gets the pages of a team and of the team's senders, by the team's name.
        senders: Each sender gets the page about themselves, at the roster's address.
        webhook: A line is posted for it.
    """

    to: tuple[Address, ...] = ()
    teams: dict[str, tuple[Address, ...]] = Field(default_factory=dict)
    senders: bool = False
    webhook: bool = False

    @property
    def by_mail(self) -> bool:
        """Whether anybody gets mail."""
        return bool(self.to or self.senders or any(self.teams.values()))
