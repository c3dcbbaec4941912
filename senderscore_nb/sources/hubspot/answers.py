"""What an answer of the API means: data, another try as late as it asks, or an end, in words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from senderscore_nb.errors import PullError
from senderscore_nb.safe import shown
from senderscore_nb.secrets import Scrubber
from senderscore_nb.sources.hubspot.shapes import Answer

Shape = TypeVar("Shape", bound=Answer)

LATER = "What was pulled is kept: run the same command again, and it goes on from there."
_POLICY_SECONDS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
_AGAIN = (408, 423, 425, 429, 477)
"""Statuses below 500 that pass: among them HubSpot's own 477, an account that is being moved."""
_SCOPE_KEYS = ("requiredGranularScopes", "requiredScopes", "missingScopes")


class ScopeError(PullError):
    """The token may not do this. `scopes` are those of which it needs one or more."""

    def __init__(self, scopes: tuple[str, ...], where: str) -> None:
        self.scopes = scopes
        named = ", ".join(shown(scope) for scope in scopes) or "that the API does not name"
        super().__init__(
            f"The token lacks a scope: {named}.",
            where=where,
            hint="Add it to the private app in HubSpot's settings; the token stays the same.",
        )


class RefusedError(PullError):
    """The request was refused and would be again; nothing is wrong with the token."""


class AgainError(PullError):
    """Not answered, and it may be another time; `seconds` is what the server asked for."""

    def __init__(self, found: str, *, where: str, seconds: float = 0.0) -> None:
        super().__init__(found, where=where, hint=LATER)
        self.seconds = seconds


class Reply:
    """An answer as it came.

    Args:
        status: The HTTP status.
        headers: By lower-case name.
        content: The body.
        where: Method and path.
        scrubber: Takes the token out of what the server says.
    """

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        where: str,
        scrubber: Scrubber,
    ) -> None:
        self.status = status
        self.headers = headers
        self.where = where
        self._content = content
        self._scrubber = scrubber

    def data(self, shape: type[Shape]) -> Shape:
        """The answer in its shape.

        Raises:
            AgainError: It may be another one next time.
            ScopeError: The token lacks a scope.
            PullError: It never will be.
        """
        if self.status not in (200, 207):
            raise self._problem()
        problem = ""
        try:
            return shape.model_validate(_parsed(self._content))
        except (ValidationError, ValueError, RecursionError) as error:
            problem = _malformed(error, self._content)
        raise AgainError(problem, where=self.where)  # not in the handler: it holds what came

    def _problem(self) -> PullError:
        said = self._said()
        match self.status:
            case 401:
                return _unauthorized(said, self.where)
            case 403:
                return self._forbidden(said)
            case 429 if "DAILY" in str(said.get("policyName", "")).upper():
                return PullError(
                    "The account's daily limit of requests is used up.",
                    where=self.where,
                    hint=f"It begins anew at midnight in the account's time zone. {LATER}",
                )
            case status if status in _AGAIN or status >= 500:
                return AgainError(
                    f"HubSpot answered {self._words(said)}.", where=self.where,
                    seconds=self._asked(said),
                )  # fmt: skip
            case status if 300 <= status < 400:
                return PullError(
                    f"The answer ({status}) leads to another address, which is not followed: the "
                    "token would go there.",
                    where=self.where,
                    hint="Check --base-url, and any proxy on the way.",
                )
            case 404:
                return RefusedError(
                    f"HubSpot answered {self._words(said)}.", where=self.where,
                    hint="Check --base-url.",
                )  # fmt: skip
        return RefusedError(f"HubSpot answered {self._words(said)}.", where=self.where)

    def _said(self) -> dict[str, Any]:
        try:
            found = _parsed(self._content)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _words(self, said: dict[str, Any]) -> str:
        message = said.get("message")
        if not isinstance(message, str) or not message.strip():
            return f"{self.status}"
        text = shown(self._scrubber.scrub(message), most=200).rstrip(". ")
        return f"{self.status}: {text}"

    def _forbidden(self, said: dict[str, Any]) -> PullError:
        scopes = tuple(dict.fromkeys(_scopes(said)))
        if scopes or said.get("category") == "MISSING_SCOPES":
            return ScopeError(tuple(self._scrubber.scrub(s) for s in scopes), self.where)
        return RefusedError(
            f"HubSpot answered {self._words(said)}.",
            where=self.where,
            hint="Perhaps the account's plan does not have this, or a proxy is in the way.",
        )

    def _asked(self, said: dict[str, Any]) -> float:
        """Seconds to wait: Retry-After, else the limit's own span."""
        retry_after = self.headers.get("retry-after", "")
        if retry_after.strip():
            return _seconds(retry_after)
        if self.status != 429:
            return 0.0
        span = self.headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
        if span.isdecimal():
            return min(float(span) / 1000, 60.0)
        return _POLICY_SECONDS.get(str(said.get("policyName", "")).upper(), 1.0)


def _parsed(content: bytes) -> Any:
    found = json.loads(content.decode("utf-8", "replace"))
    # Half of a character that JSON can spell is no text that a file can hold.
    return _whole(found) if b"\\ud" in content.lower() else found


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return value


def _malformed(error: Exception, content: bytes) -> str:
    if content.lstrip()[:1] == b"<":
        return "A web page came instead of data, perhaps from a proxy or a login on the way."
    if isinstance(error, ValidationError):
        key = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        return f"The answer is not as HubSpot describes it (at {shown(key) or 'its top'})."
    return "The answer is not whole, or no JSON."


def _unauthorized(said: dict[str, Any], where: str) -> PullError:
    expired = "EXPIRED" in str(said.get("category", "")).upper()
    found = "The token has expired." if expired else "The token is not accepted."
    return PullError(
        found,
        where=where,
        hint="Take the token that HubSpot's settings show for the private app; after a rotation "
        f"the old one soon ends. {LATER}",
    )


def _scopes(said: object) -> Iterator[str]:
    """The scopes that an error names, wherever they stand in it."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key in _SCOPE_KEYS and isinstance(value, list):
                yield from (item for item in value if isinstance(item, str))
            else:
                yield from _scopes(value)
    elif isinstance(said, list):
        for item in said:
            yield from _scopes(item)


def _seconds(retry_after: str) -> float:
    """What Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
