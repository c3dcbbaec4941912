"""A line to a chat's incoming webhook, in the shape that Slack and its likes take."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from senderscore_nb.delivery.errors import DeliveryError
from senderscore_nb.delivery.settings import WebhookSettings
from senderscore_nb.safe import shown
from senderscore_nb.secrets import Scrubber, is_loopback, quiet

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

MOST_CHARACTERS = 500
"""The longest summary; a link comes on top."""

_LONGEST_WAIT = 120
_SHORT_PATH = 8  # a path such as / is no secret, and is in many a message
_WHERE = "webhook"
_JOINER = "\u2060"


class _AgainError(DeliveryError):
    """Not taken, and it may be another time; `seconds` is what the server asked for."""

    def __init__(self, found: str, *, seconds: float = 0.0) -> None:
        super().__init__(found, where=_WHERE)
        self.seconds = seconds


def webhook_text(summary: str, link: str = "") -> str:
    """A summary as one line that mentions nobody and formats nothing.

    `&`, `<` and `>` are escaped as Slack asks; behind `@` and between `](` stands an invisible
    joiner, so that no name becomes a mention or a link.

    Args:
        summary: Plain text, from data.
        link: The report's address, if it is published; from the settings.

    >>> webhook_text("5 < 6 & <!channel>")
    '5 &lt; 6 &amp; &lt;!channel&gt;'
    """
    line = " ".join(shown(summary, most=MOST_CHARACTERS).split())
    line = line.replace("@", f"@{_JOINER}").replace("](", f"]{_JOINER}(")
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(sign, name)
    return f"{line} {link.replace('&', '&amp;')}" if link else line


def post(
    settings: WebhookSettings,
    text: str,
    base: Path,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post a line; returning means that the server has taken it.

    Tried again where nothing was sent, and where the server says 429 or 5xx, as late as it asks.

    Args:
        settings: Where the address is kept.
        text: What `webhook_text` made.
        base: The plan's folder, which the address's file is relative to.
        sleep: Waits between tries; seconds.

    Raises:
        DeliveryError: Not taken, or nobody knows (`uncertain`). The address is never in it.
        SecretError: The address cannot be read.
    """
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

    address = settings.url.read(base).get_secret_value().strip()
    url = _checked(address)
    paths = [path for path in (url.raw_path.decode(), url.path) if len(path) > _SHORT_PATH]
    scrubber = Scrubber([address, str(url), *paths])
    retrying = Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=_wait,
        retry=retry_if_exception_type(_AgainError),
        sleep=sleep,
        reraise=True,
    )
    try:
        with quiet(scrubber):
            retrying(_attempt, url, text, settings.timeout_seconds)
    except DeliveryError as error:
        problem = error
    else:
        return
    raise DeliveryError(
        scrubber.scrub(problem.found),
        where=_WHERE,
        hint=problem.hint,
        permanent=problem.permanent,
        uncertain=problem.uncertain,
        everyone=True,
    )


def _wait(state: RetryCallState) -> float:
    """Exponential with jitter, and never sooner than the server asked for."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, _AgainError) else 0.0
    return asked + wait_random_exponential(multiplier=1, max=30, min=0.5)(state)


def _checked(address: str) -> httpx.URL:
    import httpx

    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    plain = url.scheme == "http" and is_loopback(url.host)
    if not url.host or url.userinfo or not (url.scheme == "https" or plain):
        raise DeliveryError(
            "The webhook's address is not one that begins with https://.",
            where=_WHERE,
            hint="Keep the whole address, as the chat shows it, where `url` says.",
            permanent=True,
            everyone=True,
        )
    return url


def _attempt(url: httpx.URL, text: str, timeout: float) -> None:
    problem, answer = None, None
    try:
        answer = _answer(url, text, timeout)
    except Exception as error:  # whatever it is, it may hold the address
        problem = _failure(error)
    if problem is not None:
        raise problem  # not in the handler: nothing is chained to it
    if answer is not None:
        _judge(*answer)


def _answer(url: httpx.URL, text: str, timeout: float) -> tuple[int, str]:
    """Status and Retry-After.

    The transport is used without its client, because the client logs addresses, and follows the
    environment's proxies and its user's `.netrc`.
    """
    import httpx

    request = httpx.Request(
        "POST",
        url,
        json={"text": text},
        headers={"User-Agent": "senderscore-nb", "Connection": "close"},
        extensions={"timeout": httpx.Timeout(timeout).as_dict()},
    )
    with httpx.HTTPTransport(trust_env=False) as transport:
        answer = transport.handle_request(request)
        answer.close()
        return answer.status_code, answer.headers.get("Retry-After", "")


def _failure(error: Exception) -> DeliveryError:
    import httpx

    kind = type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        if "CERTIFICATE" in str(error).upper():
            return DeliveryError(
                "The webhook's certificate is not trusted.", where=_WHERE, permanent=True
            )
        return _AgainError(f"The webhook cannot be reached ({kind}).")
    return DeliveryError(
        f"There was no answer ({kind}), so the line may or may not have been posted.",
        where=_WHERE,
        uncertain=True,
    )


def _judge(status: int, retry_after: str) -> None:
    if 200 <= status < 300:
        return
    if status == 429 or status >= 500:
        seconds = _seconds(retry_after)
        if seconds <= _LONGEST_WAIT:
            raise _AgainError(f"The webhook answered {status}.", seconds=seconds)
        raise DeliveryError(
            f"The webhook answered {status} and wants {seconds:.0f} seconds of peace.",
            where=_WHERE,
        )
    hints = {
        "gone": "Perhaps it was removed: make a new one and keep its address where `url` says.",
        "moved": "It leads elsewhere, and is not followed: keep the address that it leads to.",
    }
    raise DeliveryError(
        f"The webhook answered {status}.",
        where=_WHERE,
        hint=hints["moved" if 300 <= status < 400 else "gone"],
        permanent=True,
    )


def _seconds(retry_after: str) -> float:
    """What Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
