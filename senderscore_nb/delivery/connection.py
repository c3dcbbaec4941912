"""A connection to a mail server: encrypted, its certificate checked, logged in."""

from __future__ import annotations

import smtplib
import ssl
from pathlib import Path

from pydantic import SecretStr

from senderscore_nb.delivery.errors import DeliveryError
from senderscore_nb.delivery.settings import MailSettings
from senderscore_nb.safe import shown
from senderscore_nb.secrets import Scrubber

_MOST_CHARACTERS = 200


class AgainError(DeliveryError):
    """Not accepted, and it may be another time."""


class Wording:
    """Errors of one server in words: where it is, and nothing secret.

    Args:
        where: Host and port.
        scrubber: Hides the password, also where the server repeats it.
    """

    def __init__(self, where: str, scrubber: Scrubber) -> None:
        self.where = where
        self._scrubber = scrubber

    def again(self, found: str, *, everyone: bool = False) -> AgainError:
        """What may work another time."""
        return AgainError(found, where=self.where, everyone=everyone)

    def refusal(self, found: str, *, hint: str) -> DeliveryError:
        """What works for nobody until something is changed."""
        return DeliveryError(found, where=self.where, hint=hint, permanent=True, everyone=True)

    def said(self, code: int, text: bytes | str) -> str:
        """A server's answer."""
        words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        return f"{code} {self.clean(words)}".rstrip()

    def plain(self, error: Exception) -> str:
        """What a library says."""
        return self.clean(getattr(error, "strerror", None) or str(error) or type(error).__name__)

    def clean(self, text: str) -> str:
        """Scrubbed, short, on one line."""
        return shown(self._scrubber.scrub(text), most=_MOST_CHARACTERS)

    def copy(self, error: DeliveryError) -> DeliveryError:
        """The same error without what is chained to it, scrubbed once more."""
        return DeliveryError(
            self._scrubber.scrub(error.found),
            where=error.where,
            hint=self._scrubber.scrub(error.hint) if error.hint else None,
            permanent=error.permanent,
            uncertain=error.uncertain,
            everyone=error.everyone,
        )


def connect(
    settings: MailSettings, base: Path, password: SecretStr | None, words: Wording
) -> smtplib.SMTP:
    """A connection that messages can be sent through.

    Args:
        settings: The server, and who logs in.
        base: The plan's folder, which `ca_file` is relative to.
        password: The user's password; None for no login.
        words: Makes the errors.

    Raises:
        DeliveryError: There is none; `AgainError` where there may be one another time.
    """
    context = _context(settings, base, words)
    client: smtplib.SMTP | None = None
    try:
        client = _open(settings, context)
        client.ehlo_or_helo_if_needed()
        if settings.security == "starttls":
            client.starttls(context=context)
            client.ehlo_or_helo_if_needed()
        if password:
            client.login(settings.user, password.get_secret_value())
        return client
    except (OSError, UnicodeEncodeError, smtplib.SMTPException) as error:
        problem = _problem(error, settings, words)
    if client is not None:
        client.close()
    raise problem  # outside the handler: what is chained to an error may hold the password


def _open(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    host, port, seconds = settings.host, settings.port, settings.timeout_seconds
    if settings.security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
    return smtplib.SMTP(host, port, timeout=seconds)


def _context(settings: MailSettings, base: Path, words: Wording) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file:
        path = base / settings.ca_file
        try:
            context.load_verify_locations(path)
        except OSError as error:  # also what is no certificate
            raise words.refusal(
                f"`ca_file` cannot be read ({error.strerror or 'no certificate in PEM'}).",
                hint=f"The file is {path}.",
            ) from None
    return context


def _problem(error: Exception, settings: MailSettings, words: Wording) -> DeliveryError:
    """The error of a library, in words that say what to do."""
    match error:
        case ssl.SSLCertVerificationError():
            return words.refusal(
                f"The server's certificate is not trusted: {words.clean(error.verify_message)}",
                hint="Check `host`, or name the certificate of its authority in `ca_file`.",
            )
        case ssl.SSLError():
            return words.refusal(
                f"There is no encrypted connection ({words.clean(error.reason or 'no TLS')}).",
                hint='Port 465 usually goes with security = "tls", port 587 with "starttls".',
            )
        case UnicodeEncodeError():
            return words.refusal(
                "user and password have letters that a login by SMTP cannot have.",
                hint="Use ASCII letters, digits and signs.",
            )
        case smtplib.SMTPNotSupportedError():
            return _not_supported(error, words)
        case smtplib.SMTPAuthenticationError():
            return _login_failed(error, settings, words)
        case smtplib.SMTPResponseException():
            said = words.said(error.smtp_code, error.smtp_error)
            return words.again(f"The server said {said}", everyone=True)
        case smtplib.SMTPServerDisconnected():
            return words.again("The server closed the connection.", everyone=True)
        case _:
            return words.again(
                f"The server cannot be reached ({words.plain(error)}).", everyone=True
            )


def _not_supported(error: smtplib.SMTPNotSupportedError, words: Wording) -> DeliveryError:
    if "AUTH" in str(error):
        return words.refusal(
            "The server takes no login.", hint="Leave user and password out, or check `port`."
        )
    return words.refusal(
        "The server does not offer STARTTLS, so nothing was sent to it.",
        hint='Check `port`, or use security = "tls".',
    )


def _login_failed(
    error: smtplib.SMTPAuthenticationError, settings: MailSettings, words: Wording
) -> DeliveryError:
    said = words.said(error.smtp_code, error.smtp_error)
    if error.smtp_code < 500:
        return words.again(f"The login failed for now: {said}", everyone=True)
    return words.refusal(
        f"The login of {shown(settings.user)} was refused: {said}",
        hint="Check user and password. Some providers want a password made for programs.",
    )
