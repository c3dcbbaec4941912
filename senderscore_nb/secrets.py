"""Where secrets are kept, how they are read, and how they stay out of messages and logs."""

from __future__ import annotations

import base64
import html
import ipaddress
import json
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote, quote_plus

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from senderscore_nb.errors import SecretError
from senderscore_nb.safe import shown

HIDDEN = "***"
"""What stands in a message where a secret was."""

_MOST_BYTES = 65_536
_LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpx")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Secret(BaseModel):
    """Where a secret is kept: an environment variable, the keyring, or a file. Never the secret.

    Attributes:
        env: The name of an environment variable.
        keyring: `service/user` in the system's keyring.
        file: A file that nobody but its owner can read; relative to the plan's folder.

    >>> Secret(env="SMTP_PASSWORD").place
    'environment variable SMTP_PASSWORD'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env: str = ""
    keyring: str = ""
    file: str = ""

    @model_validator(mode="before")
    @classmethod
    def _is_a_place(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(
                'a plan holds no secret, only where it is kept: write { env = "NAME" }, '
                '{ keyring = "service/user" } or { file = "path" }'
            )
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(map(bool, (self.env, self.keyring, self.file))) != 1:
            raise ValueError(
                'say where the secret is kept, as one of { env = "NAME" }, '
                '{ keyring = "service/user" } and { file = "path" }'
            )
        if self.env and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.env):
            raise ValueError("env is the name of an environment variable, not its value")
        if self.keyring and not all(self.keyring.partition("/")):
            raise ValueError("keyring is written as service/user")
        if "\0" in self.file:
            raise ValueError("file is not a path")
        return self

    @property
    def place(self) -> str:
        """Where it is kept, in words."""
        if self.env:
            return f"environment variable {self.env}"
        return f"keyring entry {shown(self.keyring)}" if self.keyring else f"file {self.file}"

    def read(self, base: Path, environ: Mapping[str, str] | None = None) -> SecretStr:
        """The secret, wrapped so that it is not printed by mistake.

        Args:
            base: The plan's folder, which `file` is relative to.
            environ: The environment; this process's unless given.

        Raises:
            SecretError: It is not there, empty, or its file can be read by others.
        """
        if self.env:
            value = (os.environ if environ is None else environ).get(self.env)
            if value is None:
                raise SecretError(
                    f"The environment variable {self.env} is not set.",
                    hint="Set it for the process that needs it, or keep the secret in a file.",
                )
        elif self.keyring:
            value = _from_keyring(*self.keyring.split("/", 1))
        else:
            value = _from_file(base / self.file)
        if not value.strip():
            raise SecretError(f"The {self.place} is empty.")
        return SecretStr(value)


def _from_keyring(service: str, user: str) -> str:
    try:
        import keyring
    except ImportError:
        raise SecretError(
            "The package keyring is not installed.",
            hint="Install it: pip install 'senderscore-nb[keyring]'",
        ) from None
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # each backend raises its own kinds
        kind: str | None = type(error).__name__
        value = None
    else:
        kind = None
    where = f"keyring entry {shown(service)}/{shown(user)}"
    if kind:
        raise SecretError(
            f"The keyring could not be read ({kind}).",
            where=where,
            hint="Where there is no desktop there often is no keyring: use env or file there.",
        )
    if value is None:
        raise SecretError(
            "There is no such entry.", where=where, hint="Make it: keyring set SERVICE USER"
        )
    return value


def _from_file(path: Path) -> str:
    # Without O_NONBLOCK a pipe in the file's place would hold the run up.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise SecretError(
            f"The file with a secret cannot be read ({error.strerror}).", where=str(path)
        ) from None
    try:
        _refuse_shared(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        text: str | None = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None  # the error would carry the content
    if text is None or len(content) > _MOST_BYTES or "\0" in text:
        raise SecretError("The file with a secret is not a short text in UTF-8.", where=str(path))
    return text.removesuffix("\n").removesuffix("\r")


def _refuse_shared(status: os.stat_result, path: Path) -> None:
    """The file that was opened is looked at, so it cannot be another one by now."""
    if not stat.S_ISREG(status.st_mode):
        raise SecretError("A secret is kept in a regular file; this is none.", where=str(path))
    if os.name == "nt":
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise SecretError(
            f"Others can get at this secret: its mode is {mode:03o}, and 600 or 400 is needed.",
            where=str(path),
            hint=f"chmod 600 {path}",
        )
    if status.st_uid not in (os.getuid(), 0):
        raise SecretError("The file with a secret belongs to somebody else.", where=str(path))


class Scrubber:
    """Takes secrets out of texts, also where they are quoted, encoded or escaped.

    >>> Scrubber(["p/ss"]).scrub("p/ss, p%2Fss and cC9zcw==")
    '***, *** and ***'
    """

    __slots__ = ("_pattern",)

    def __init__(self, secrets: Iterable[SecretStr | str]) -> None:
        values = (s.get_secret_value() if isinstance(s, SecretStr) else s for s in secrets)
        found = {spelling for value in values if value for spelling in _spellings(value)}
        ordered = sorted(found, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __repr__(self) -> str:
        return "Scrubber(…)"

    def scrub(self, text: object) -> str:
        """The text with `***` for every secret in it."""
        return self._pattern.sub(HIDDEN, str(text)) if self._pattern else str(text)


def _spellings(value: str) -> set[str]:
    data = value.encode("utf-8", "surrogatepass")
    quoted = {quote(data, safe=""), quote(data), quote_plus(data)}
    quoted |= {re.sub("%..", lambda m: m[0].lower(), text) for text in quoted}
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    escaped |= {text.replace("/", r"\/") for text in escaped}
    printed = {repr(value)[1:-1], repr(data)[2:-1], html.escape(value)}
    return {value, *quoted, *escaped, *printed, *_base64(data)} - {""}


def _base64(data: bytes) -> set[str]:
    """Base64 of the secret alone, and of what it shares with whatever stands around it."""
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode()
        found |= {alone, alone.rstrip("=")}
        for shift in range(3):
            # Characters that hold bits of the neighbours are left out at both ends.
            whole = 8 * (shift + len(data))
            inner = encode(bytes(shift) + data).decode()[-(-8 * shift // 6) : whole // 6]
            if len(inner) >= 4:
                found.add(inner)
    return found


def environment_without(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the variables that hold secrets, for whatever needs none of them.

    >>> environment_without(["B"], {"A": "1", "B": "2"})
    {'A': '1'}
    """
    fold = str.upper if os.name == "nt" else str
    hidden = {fold(name) for name in names}
    return {name: value for name, value in environ.items() if fold(name) not in hidden}


@contextmanager
def quiet(scrubber: Scrubber) -> Iterator[None]:
    """While it lasts, the HTTP transport logs no secret, also where a server repeats it."""

    def hide(record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubber.scrub(record.getMessage()), ()
        return True

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(hide)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(hide)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine itself: no secret is readable on the way.

    >>> is_loopback("127.0.0.1"), is_loopback("127.0.0.1.example.com")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.casefold() == "localhost"
