"""Mail addresses, taken strictly: one address, nothing that could become a header."""

from __future__ import annotations

import re
from email.headerregistry import Address as HeaderAddress
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator

from senderscore_nb.safe import shown

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")
_MOST_LOCAL, _MOST = 64, 254  # RFC 5321, 4.5.3.1


class Mailbox(NamedTuple):
    """An address with the name that is shown beside it.

    Attributes:
        name: The name; empty for none.
        address: The address in ASCII.
    """

    name: str
    address: str

    @property
    def header(self) -> HeaderAddress:
        """As a From or To header takes it."""
        return HeaderAddress(display_name=self.name, addr_spec=self.address)

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.address.rpartition("@")[2]


def clean_address(text: str) -> str:
    """Exactly one mail address, in ASCII; a domain in another script becomes punycode.

    Raises:
        ValueError: It is not one address, or one that ordinary mail servers do not take.

    >>> clean_address("ann@bücher.example")
    'ann@xn--bcher-kva.example'
    """
    text = text.strip(" ")
    if not text.isprintable():
        raise ValueError(f"{shown(text)!r} holds a line break or another invisible character")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise ValueError(f"{shown(text)!r} is not a mail address such as name@example.com")
    if not local.isascii():
        raise ValueError(f"{shown(text)!r}: only ASCII letters are possible before the @")
    if not _LOCAL.fullmatch(local) or len(local) > _MOST_LOCAL:
        raise ValueError(f"{shown(text)!r} is not one plain mail address such as name@example.com")
    clean = f"{local}@{_domain(domain, text)}"
    if len(clean) > _MOST:
        raise ValueError(f"{shown(text)!r} is longer than the {_MOST} characters of an address")
    return clean


def _domain(domain: str, text: str) -> str:
    import idna

    try:
        ascii_domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
    except idna.IDNAError:
        ascii_domain = ""
    if "." not in ascii_domain.rstrip(".") and ascii_domain != "localhost":
        raise ValueError(f"{shown(text)!r}: what stands behind the @ is not a domain")
    return ascii_domain.rstrip(".")


def clean_mailbox(text: object) -> Mailbox:
    """An address with or without a name: `reports@example.com`, `Reports <reports@example.com>`.

    Raises:
        ValueError: Not one address, or a name that holds invisible characters.

    >>> clean_mailbox("Sender Score <reports@example.com>")
    Mailbox(name='Sender Score', address='reports@example.com')
    """
    if isinstance(text, Mailbox):
        return Mailbox(_shown_name(text.name), clean_address(text.address))
    if not isinstance(text, str):
        raise ValueError("expected text such as 'Sender Score <reports@example.com>'")
    named = _NAMED.fullmatch(text.strip(" "))
    if not named:
        return Mailbox("", clean_address(text))
    return Mailbox(_shown_name(named["name"]), clean_address(named["address"]))


def _shown_name(name: str) -> str:
    name = name.strip(" ").removeprefix('"').removesuffix('"').strip(" ")
    if not name.isprintable() or len(name) > 100:
        raise ValueError("the sender's name is longer than 100 characters, or holds invisible ones")
    return name


Address = Annotated[str, AfterValidator(clean_address)]
Sender = Annotated[Mailbox, BeforeValidator(clean_mailbox)]
