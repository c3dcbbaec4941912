"""A connection to HubSpot's API: one request after the other, paced, tried again as it asks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import SecretStr

from senderscore_nb.errors import PullError, SecretError
from senderscore_nb.secrets import Scrubber, is_loopback, quiet
from senderscore_nb.sources.hubspot.answers import LATER, AgainError, Reply, Shape

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

BASE_URL = "https://api.hubapi.com"


@dataclass(frozen=True)
class ApiSettings:
    """How the API is spoken to.

    Attributes:
        base_url: Where it is: https, or this machine itself.
        searches_per_second: The account has about 5, which others may use as well.
        requests_per_second: All other requests; a private app has at least 100 in 10 seconds.
        timeout_seconds: How long the server may be silent.
        attempts: How often a request is tried.
        longest_wait_seconds: Where the server wants more peace than this, the pull ends.
        page: Mails a request; the API gives 200 at most.
        window: Mails of one window of time; the API finds 10,000 a query at most.
    """

    base_url: str = BASE_URL
    searches_per_second: float = 4.0
    requests_per_second: float = 9.0
    timeout_seconds: float = 60.0
    attempts: int = 8
    longest_wait_seconds: float = 300.0
    page: int = 200
    window: int = 10_000


@dataclass(frozen=True)
class Clock:
    """Time; tests have their own.

    Attributes:
        now: Seconds since 1970.
        monotonic: Seconds since anything.
        sleep: Waits so many seconds.
    """

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pace:
    """Lets so many pass a second, evenly."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._gap = 1.0 / per_second
        self._clock = clock
        self._next = clock.monotonic()

    def wait(self) -> None:
        """Until the next may pass."""
        now = self._clock.monotonic()
        if now < self._next:
            self._clock.sleep(self._next - now)
        self._next = max(now, self._next) + self._gap

    def pause(self, seconds: float) -> None:
        """Nobody passes for so long."""
        self._next = max(self._next, self._clock.monotonic() + seconds)


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        method: GET or POST. A POST of this package reads, so it may be repeated too.
        path: Below the base address.
        parameters: Of the address.
        body: Sent as JSON.
        searches: It counts against the limit of searches.
    """

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    searches: bool = False


class Api:
    """The API with a token. The token goes to the base address alone, and into no message or log.

    Args:
        settings: Where it is, and how fast.
        token: A private app's token.
        clock: Time.

    Raises:
        PullError: The base address is not one that a token may be sent to.
        SecretError: The token is no token.
    """

    def __init__(self, settings: ApiSettings, token: SecretStr, clock: Clock) -> None:
        self.settings = settings
        self._base = _checked(settings.base_url)
        self._token = _plain(token)
        self._scrubber = Scrubber([self._token])
        self._clock = clock
        self._searches = Pace(settings.searches_per_second, clock)
        self._others = Pace(settings.requests_per_second, clock)
        self._stack = ExitStack()
        self._client: httpx.Client | None = None
        self._ahead = 0.0

    def __enter__(self) -> Self:
        import httpx

        self._stack.enter_context(quiet(self._scrubber))
        # A proxy of the environment would read what is sent to this machine itself, as it is.
        self._client = self._stack.enter_context(
            httpx.Client(
                headers={
                    "Authorization": f"Bearer {self._token}",
                    "Accept": "application/json",
                    "User-Agent": "senderscore-nb",
                },
                timeout=self.settings.timeout_seconds,
                follow_redirects=False,
                trust_env=self._base.scheme == "https",
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._client = None

    def now(self) -> int:
        """Milliseconds since 1970 by the server's clock, once it has answered; by ours before."""
        return int((self._clock.now() + self._ahead) * 1000)

    def ask(self, request: Request, shape: type[Shape]) -> Shape:
        """The answer to a request, tried again while that may help.

        Raises:
            ScopeError: The token lacks a scope.
            PullError: There is none.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        retrying = Retrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=_wait,
            retry=retry_if_exception_type(AgainError),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            found: Shape = retrying(self._attempt, request, shape)
            return found
        except AgainError as error:
            problem = error
        tries = "once" if self.settings.attempts == 1 else f"{self.settings.attempts} times"
        raise PullError(f"{problem.found} It was tried {tries}.", where=problem.where, hint=LATER)

    def _attempt(self, request: Request, shape: type[Shape]) -> Shape:
        (self._searches if request.searches else self._others).wait()
        reply = self._send(request)
        self._keep_time(reply)
        try:
            return reply.data(shape)
        except AgainError as error:
            if error.seconds <= self.settings.longest_wait_seconds:
                raise
            problem = error
        raise PullError(
            f"{problem.found} It wants {problem.seconds:.0f} seconds of peace.",
            where=problem.where,
            hint=LATER,
        )

    def _send(self, request: Request) -> Reply:
        import httpx

        where = f"{request.method} {request.path}"
        if self._client is None:
            raise RuntimeError("the connection is not open")
        problem: PullError
        try:
            answer = self._client.request(
                request.method,
                str(self._base).rstrip("/") + request.path,
                params=dict(request.parameters) or None,
                json=request.body,
            )
        except httpx.HTTPError as error:
            problem = self._failure(error, where)
        else:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status_code, headers, answer.content, where, self._scrubber)
        raise problem  # not in the handler: the error of the transport holds the token

    def _failure(self, error: httpx.HTTPError, where: str) -> PullError:
        import httpx

        if "CERTIFICATE" in str(error).upper():
            return PullError(
                "The server's certificate is not trusted.",
                where=where,
                hint="Where a proxy has one of its own, name the file of it in SSL_CERT_FILE.",
            )
        found = f"The connection broke ({type(error).__name__})."
        if isinstance(error, httpx.TimeoutException):
            found = f"There was no answer within {self.settings.timeout_seconds:g} seconds."
        elif isinstance(error, httpx.ConnectError):
            found = "The server cannot be reached."
        elif isinstance(error, httpx.ProxyError):
            found = "The proxy does not let this through."
        return AgainError(found, where=where)

    def _keep_time(self, reply: Reply) -> None:
        """The server's clock, and a pause where its present span is used up."""
        try:
            date = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
            self._ahead = date - self._clock.now()
        except (ValueError, TypeError, OverflowError):
            pass
        if reply.headers.get("x-hubspot-ratelimit-remaining") == "0":
            span = reply.headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
            self._others.pause(min(float(span) / 1000, 60.0) if span.isdecimal() else 10.0)


def _wait(state: RetryCallState) -> float:
    """Exponential with jitter, and never sooner than the server asked for."""
    from tenacity import wait_random_exponential

    error = state.outcome.exception() if state.outcome else None
    asked = error.seconds if isinstance(error, AgainError) else 0.0
    return asked + wait_random_exponential(multiplier=1, max=60, min=0.5)(state)


def _checked(address: str) -> httpx.URL:
    import httpx

    try:
        url = httpx.URL(address.strip())
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    plain = url.scheme == "http" and is_loopback(url.host)
    odd = url.userinfo or url.query or url.fragment
    if not url.host or odd or not (url.scheme == "https" or plain):
        raise PullError(
            "The API's address is not one that begins with https://, without user, ? and #.",
            where="--base-url",
            hint=f"Leave it out for {BASE_URL}.",
        )
    return url


def _plain(token: SecretStr) -> str:
    text = token.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]{8,4096}", text):
        raise SecretError(
            "What is kept as the token cannot be one.",
            hint="A private app's token is one line of ASCII letters, digits and dashes.",
        )
    return text
