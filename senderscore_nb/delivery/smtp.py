"""Messages over SMTP: encrypted, retried where that is safe, and never accepted twice.

A server owns a message from the moment it has read the line that ends it. Everything before that
line can be tried again. When the connection is lost between that line and the server's answer,
nobody knows, and the message is not tried again (RFC 5321, 4.2.5 and 6.1).
"""

from __future__ import annotations

import re
import smtplib
import time
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from senderscore_nb.delivery.addresses import clean_address
from senderscore_nb.delivery.connection import AgainError, Wording, connect
from senderscore_nb.delivery.errors import DeliveryError
from senderscore_nb.delivery.settings import MailSettings
from senderscore_nb.secrets import Scrubber

_LONGEST_WAIT = 60
_ACCEPTED = (250, 251, 252)
_READY = 354
# What a server says to the sender's address when it is really about the login.
_LOGIN_WANTED = (530, 535, 538)
_TOO_LARGE = 552


class Mailer:
    """One connection to the mail server, used for every message.

    Args:
        settings: The server, who logs in, and how often a message is tried.
        base: The plan's folder, which `ca_file` and the password's file are relative to.
        sleep: Waits between tries; seconds.

    >>> with Mailer(settings, Path("plans")) as mailer:  # doctest: +SKIP
    ...     mailer.send(message, "ann@example.com")
    """

    def __init__(
        self,
        settings: MailSettings,
        base: Path,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._base = base
        self._sleep = sleep
        self._password: SecretStr | None = None
        self._words = Wording(f"{settings.host}:{settings.port}", Scrubber([]))
        self._client: smtplib.SMTP | None = None
        self._refused: DeliveryError | None = None

    def __enter__(self) -> Self:
        """Reads the password; the server is not spoken to before the first message.

        Raises:
            SecretError: The password cannot be read.
        """
        if self._settings.password:
            self._password = self._settings.password.read(self._base)
            self._words = Wording(self._words.where, Scrubber([self._password]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                client.quit()
            except (OSError, smtplib.SMTPException):
                client.close()

    def send(self, message: EmailMessage, address: str) -> None:
        """Hand a message over; returning means that the server has accepted it.

        Args:
            message: The message.
            address: The one address it goes to.

        Raises:
            DeliveryError: It was not accepted (`permanent`: never will be), or nobody knows
                (`uncertain`); with `everyone` the other messages cannot be sent either.
        """
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            wait_random_exponential,
        )

        # A wrong password that is tried again and again locks an account; and a server that did
        # not answer the first recipient's attempts would hold the run up for every other one.
        if self._refused:
            raise self._words.copy(self._refused)
        retrying = Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=wait_random_exponential(multiplier=1, max=_LONGEST_WAIT, min=0.5),
            retry=retry_if_exception_type(AgainError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            address = clean_address(address)
        except ValueError as error:
            raise DeliveryError(f"{error}.", permanent=True) from None
        content = message.as_bytes()
        problem: DeliveryError
        try:
            return retrying(self._attempt, content, address)
        except DeliveryError as error:
            problem = self._words.copy(error)
        if problem.everyone:
            self._refused = problem
        # Raised here, so that no error of a library is chained to it.
        raise problem

    def _attempt(self, content: bytes, address: str) -> None:
        problem: DeliveryError | None = None
        try:
            if self._client is None:
                self._client = connect(self._settings, self._base, self._password, self._words)
            self._hand_over(self._client, content, address)
        except DeliveryError as error:
            problem = error
        except smtplib.SMTPServerDisconnected:
            problem = self._words.again("The server closed the connection.")
        except smtplib.SMTPResponseException as error:
            problem = self._words.again(
                f"The server said {self._words.said(error.smtp_code, error.smtp_error)}"
            )
        except (OSError, smtplib.SMTPException) as error:
            problem = self._words.again(f"The connection failed ({self._words.plain(error)}).")
        if problem is not None:
            self._give_up(reusable=problem.permanent and not problem.everyone)
            raise problem

    def _hand_over(self, client: smtplib.SMTP, content: bytes, address: str) -> None:
        options = [f"size={len(content)}"] if client.has_extn("size") else []
        sender = self._settings.sender.address
        self._check(client.mail(sender, options), f"The sender {sender}")
        self._check(client.rcpt(address), f"The recipient {address}")
        client.putcmd("data")
        self._check(client.getreply(), "The message", good=(_READY,))
        client.send(re.sub(rb"(?m)^\.", b"..", content.removesuffix(b"\r\n")) + b"\r\n")
        # From here on the server may have it.
        try:
            client.send(b".\r\n")
            reply = client.getreply()
        except (OSError, smtplib.SMTPException):
            reply = (-1, b"")
        if 200 <= reply[0] < 300:
            return
        if not 400 <= reply[0] < 600:
            raise DeliveryError(
                "The connection was lost before the server said whether it took the message, so "
                f"it may or may not reach {address}. It is not sent again.",
                where=self._words.where,
                uncertain=True,
            )
        self._check(reply, "The message")

    def _check(
        self, reply: tuple[int, bytes], what: str, *, good: tuple[int, ...] = _ACCEPTED
    ) -> None:
        code, _ = reply
        if code in good:
            return
        found = f"{what} was refused: {self._words.said(*reply)}"
        if code < 500:
            raise self._words.again(found)
        login = code in _LOGIN_WANTED
        from_sender = what.startswith("The sender") and code != _TOO_LARGE
        hints = {True: "Check user and password.", False: "Check `sender` and who may use it."}
        everyone = login or from_sender
        raise DeliveryError(
            found,
            where=self._words.where,
            hint=hints[login] if everyone else None,
            permanent=True,
            everyone=everyone,
        )

    def _give_up(self, *, reusable: bool) -> None:
        """Make the connection ready for the next message, or let it go."""
        client = self._client
        if client is None:
            return
        try:
            if reusable and client.rset()[0] in _ACCEPTED:
                return
        except (OSError, smtplib.SMTPException):
            pass
        self._client = None
        client.close()
